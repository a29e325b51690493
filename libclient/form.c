/* SPDX-License-Identifier: MIT */
/* form - bodies of the usual kinds: JSON as it is given, and forms as they are added. */
#include "proto/form.h"
#include "common/buf.h"
#include "libclient/channel.h"
#include "libclient/request.h"

#include <reqivo/helpers.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FORM_MAX     ((size_t)64 * 1024 * 1024)
#define CONTENT_TYPE "Content-Type"

struct reqivo_form {
    struct rqv_buf text;
};

struct reqivo_content reqivo_json(const char *text)
{
    return (struct reqivo_content){
        .bytes = text, .size = text ? strlen(text) : 0, .type = "application/json"};
}

int reqivo_form_new(struct reqivo_form **ret_form)
{
    if (!ret_form)
        return -EINVAL;
    struct reqivo_form *form = malloc(sizeof *form);
    if (!form)
        return -ENOMEM;
    rqv_buf_init(&form->text, FORM_MAX);
    *ret_form = form;
    return 0;
}

void reqivo_form_free(struct reqivo_form *form)
{
    if (!form)
        return;
    rqv_buf_wipe(&form->text);
    free(form);
}

int reqivo_form_add(struct reqivo_form *form, const char *name, const char *value)
{
    if (!form || !name || !value)
        return -EINVAL;
    struct rqv_str left = rqv_str_from(name), right = rqv_str_from(value);
    if (left.len > FORM_MAX || right.len > FORM_MAX)
        return REQIVO_E_LIMIT_BODY;
    /* At most three bytes for one: so no block with a password in it is left behind unwiped. */
    int r = rqv_secret_reserve(&form->text, 3 * (left.len + right.len) + 2);
    if (r == 0 || r == REQIVO_E_LIMIT_MEMORY)
        r = rqv_form_add(&form->text, left, right);
    return r == REQIVO_E_LIMIT_MEMORY ? REQIVO_E_LIMIT_BODY : r;
}

struct reqivo_content reqivo_form_content(const struct reqivo_form *form)
{
    return (struct reqivo_content){.bytes =
                                       form && form->text.data ? form->text.data + form->text.start : NULL,
                                   .size = form ? rqv_buf_len(&form->text) : 0,
                                   .type = "application/x-www-form-urlencoded"};
}

int reqivo_request_set_content(struct reqivo_request *request, const struct reqivo_content *content)
{
    const struct reqivo_content nothing = {.bytes = NULL};

    if (!content)
        content = &nothing;
    if (!request || (!content->bytes && content->size > 0))
        return -EINVAL;
    int r = content->type ? reqivo_request_set_field(request, CONTENT_TYPE, content->type) : 0;
    return r < 0 ? r : reqivo_request_set_body(request, content->bytes, content->size);
}
