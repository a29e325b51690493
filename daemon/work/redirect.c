/* SPDX-License-Identifier: MIT */
/* redirect - see redirect.h. */
#include "daemon/work/redirect.h"

#include "common/uninit.h"
#include "proto/coding.h"
#include "proto/url.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_COOKIE RQV_STR("Cookie")
#define FIELD_ACCEPT RQV_STR("Accept-Encoding")

/* ---- what is kept ---- */

static size_t text_size(const struct rqv_request_head *head)
{
    size_t size = head->method.len + head->url.len + head->route.len;

    for (size_t i = 0; i < head->fields.count; i++)
        size += head->fields.at[i].name.len + head->fields.at[i].value.len;
    return size;
}

static struct rqv_str keep(char **at, struct rqv_str s)
{
    char *to = *at;

    if (s.len > 0)
        memcpy(to, s.ptr, s.len);
    *at += s.len;
    return (struct rqv_str){to, s.len};
}

/* All but the fields. */
static void copy_members(struct rqv_request_head *to, const struct rqv_request_head *from)
{
    memcpy(to, from, offsetof(struct rqv_request_head, fields));
    to->route = from->route;
    to->fields.count = 0;
}

static void keep_head(struct redirect *redirect, const struct rqv_request_head *head)
{
    struct rqv_request_head *first = &redirect->first;
    char *at = redirect->text;

    copy_members(first, head);
    first->method = keep(&at, head->method);
    first->url = keep(&at, head->url);
    first->route = keep(&at, head->route);
    for (size_t i = 0; i < head->fields.count; i++) {
        struct rqv_str name = keep(&at, head->fields.at[i].name);
        rqv_fields_add(&first->fields, name, keep(&at, head->fields.at[i].value));
    }
}

int redirect_new(struct account *account, const struct rqv_request_head *head, struct session *session,
                 const uint64_t key[2], struct redirect **ret_redirect)
{
    size_t size = sizeof(struct redirect) + text_size(head);
    int rc = account_charge(account, ACCOUNT_MEMORY, size);

    if (rc < 0)
        return rc;
    struct redirect *redirect = malloc(size);
    if (!redirect) {
        account_refund(account, ACCOUNT_MEMORY, size);
        return -ENOMEM;
    }
    memset(redirect, 0, offsetof(struct redirect, first));
    redirect->account = account;
    redirect->charged = size;
    redirect->session = session ? session_ref(session) : NULL;
    keep_head(redirect, head);
    redirect->method = redirect->first.method;
    redirect->url = redirect->first.url;
    redirect->has_body = head->flags & RQV_REQ_HAS_BODY;
    struct rqv_redirect_rules rules = {
        .max = head->redirect_max,
        .downgrade = head->flags & RQV_REQ_DOWNGRADE,
        .trusted = head->flags & RQV_REQ_TRUSTED,
        .keep_method = head->flags & RQV_REQ_KEEP_METHOD,
    };
    rqv_redirect_begin(&redirect->chain, &rules, key, 0);
    *ret_redirect = redirect;
    return 0;
}

static void drop_place(struct redirect *redirect, char *place, size_t len)
{
    if (!place)
        return;
    explicit_bzero(place, len);
    free(place);
    account_refund(redirect->account, ACCOUNT_MEMORY, len);
}

void redirect_free(struct redirect **place)
{
    struct redirect *redirect = *place;

    *place = NULL;
    if (!redirect)
        return;
    struct account *account = redirect->account;
    size_t charged = redirect->charged;
    drop_place(redirect, redirect->place, redirect->place_len);
    session_release(&redirect->session);
    explicit_bzero(redirect->text, charged - sizeof *redirect);
    free(redirect);
    account_refund(account, ACCOUNT_MEMORY, charged);
}

/* Where the chain is now. The views may point into the block before. */
static int set_place(struct redirect *redirect, struct rqv_str method, struct rqv_str url)
{
    size_t len = method.len + url.len;
    int rc = account_charge(redirect->account, ACCOUNT_MEMORY, len);

    if (rc < 0)
        return rc;
    char *block = malloc(len), *at = block, *old = redirect->place;
    if (!block) {
        account_refund(redirect->account, ACCOUNT_MEMORY, len);
        return -ENOMEM;
    }
    redirect->method = keep(&at, method);
    redirect->url = keep(&at, url);
    drop_place(redirect, old, redirect->place_len);
    redirect->place = block;
    redirect->place_len = len;
    return 0;
}

/* ---- the next request ---- */

void redirect_fields(const struct redirect *redirect, struct rqv_fields *ret_fields)
{
    const struct rqv_fields *given = &redirect->first.fields;

    ret_fields->count = 0;
    for (size_t i = 0; i < given->count; i++)
        if (redirect->chain.count == 0 || !rqv_redirect_drops(&redirect->hop, given->at[i].name))
            rqv_fields_add(ret_fields, given->at[i].name, given->at[i].value);
}

static int too_many(struct rqv_err *err)
{
    return rqv_err_set(err, REQIVO_E_LIMIT_HEAD, REQIVO_PHASE_NONE,
                       "with those of the daemon the request has more than %d fields", RQV_FIELDS_MAX);
}

static int accept_codings(struct rqv_request_head *head, struct rqv_err *err)
{
    if (!(head->flags & RQV_REQ_DECODE) || rqv_fields_get(&head->fields, FIELD_ACCEPT, 0))
        return 0;
    return rqv_fields_add(&head->fields, FIELD_ACCEPT, RQV_STR(RQV_CODING_ACCEPT)) < 0 ? too_many(err) : 0;
}

/* Where cookies look at the present request. `room` takes its target. */
static int find_place(const struct redirect *redirect, struct jar_place *ret_place, char *room, size_t size,
                      struct rqv_err *err)
{
    struct rqv_url url RQV_UNINIT; /* set whole by the parser */
    int rc = target_url(redirect->url, &url, err);

    if (rc < 0)
        return rc;
    long len = rqv_url_target(&url, room, size);
    if (len < 0)
        return rqv_err_set(err, (int)len, REQIVO_PHASE_NONE, "%s", rqv_err_text((int)len));
    jar_place_init(ret_place, &url, (struct rqv_str){room, (size_t)len});
    return 0;
}

/* Those of the jar, then those of the program's own field, as curl writes them: one field. `room` has
 * JAR_HEADER_MAX and the wire's head. */
static int add_cookies(const struct redirect *redirect, struct rqv_request_head *head, char *room,
                       struct rqv_err *err)
{
    char target[RQV_WIRE_HEAD_MAX] RQV_UNINIT;
    struct jar_place place RQV_UNINIT; /* set whole by find_place() */

    if (!redirect->session)
        return 0;
    int rc = find_place(redirect, &place, target, sizeof target, err);
    if (rc < 0)
        return rc;
    size_t len = jar_header(redirect->session->jar, &place, session_now_s(), room, JAR_HEADER_MAX);
    if (len == 0)
        return 0;
    for (size_t i = 0; i < head->fields.count; i++) {
        struct rqv_field *own = &head->fields.at[i];
        if (!rqv_str_eq_nocase(own->name, FIELD_COOKIE))
            continue;
        if (own->value.len > 0) {
            memcpy(room + len, "; ", 2);
            memcpy(room + len + 2, own->value.ptr, own->value.len);
            len += 2 + own->value.len;
        }
        own->value = (struct rqv_str){room, len};
        return 0;
    }
    return rqv_fields_add(&head->fields, FIELD_COOKIE, (struct rqv_str){room, len}) < 0 ? too_many(err) : 0;
}

/* What the program made of the hop. */
static int take_turn(struct redirect *redirect, const struct rqv_request_head *given,
                     struct rqv_request_head *head, struct rqv_err *err)
{
    struct rqv_url url RQV_UNINIT; /* set whole by the parser */
    int rc = target_url(given->url, &url, err);

    if (rc < 0)
        return rc;
    rqv_redirect_turn(&redirect->chain, &redirect->hop, &url);
    rc = set_place(redirect, given->method, given->url);
    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_NONE, "no memory for the next request");
    head->fields.count = given->fields.count;
    memcpy(head->fields.at, given->fields.at, given->fields.count * sizeof given->fields.at[0]);
    return 0;
}

/* What was given for the way to the first origin holds on no other (B3-2), but what the program says of this
 * hop does. */
static void adapt_members(const struct redirect *redirect, const struct rqv_request_head *given,
                          struct rqv_request_head *head)
{
    if (given && given->route.len > 0)
        head->route = given->route;
    else if (redirect->chain.left)
        head->route = RQV_STR("");
    if (redirect->has_body || redirect->chain.count == 0)
        return;
    head->flags &= ~(uint32_t)(RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED | RQV_REQ_EXPECT);
    head->body_length = 0;
}

int redirect_aim(struct redirect *redirect, const struct rqv_request_head *given, struct target *target,
                 struct queue *ret_head, struct rqv_err *err)
{
    char cookies[JAR_HEADER_MAX + 2 + RQV_WIRE_HEAD_MAX] RQV_UNINIT;
    struct rqv_request_head head RQV_UNINIT; /* set below but for the fields beyond their count */
    int rc = 0;

    copy_members(&head, &redirect->first);
    if (given)
        rc = take_turn(redirect, given, &head, err);
    else
        redirect_fields(redirect, &head.fields);
    adapt_members(redirect, given, &head);
    if (given && (given->flags & RQV_REQ_HAS_BODY)) {
        head.flags &= ~(uint32_t)RQV_REQ_CHUNKED;
        head.flags |= given->flags & (RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED);
        head.body_length = given->body_length;
        redirect->has_body = true;
    }
    head.method = redirect->method;
    head.url = redirect->url;
    if (rc == 0)
        rc = accept_codings(&head, err);
    if (rc == 0)
        rc = add_cookies(redirect, &head, cookies, err);
    target->public_only = redirect->from_public;
    if (rc == 0)
        rc = target_init(target, &head, ret_head, err);
    explicit_bzero(cookies, redirect->session ? sizeof cookies : 0);
    return rc;
}

int redirect_aim_decoded(const struct rqv_request_head *given, struct target *target, struct queue *ret_head,
                         struct rqv_err *err)
{
    struct rqv_request_head head RQV_UNINIT; /* set below but for the fields beyond their count */

    copy_members(&head, given);
    head.fields.count = given->fields.count;
    memcpy(head.fields.at, given->fields.at, given->fields.count * sizeof given->fields.at[0]);
    int rc = accept_codings(&head, err);
    return rc < 0 ? rc : target_init(target, &head, ret_head, err);
}

/* ---- answers ---- */

static int keep_cookies(struct redirect *redirect, const struct rqv_fields *fields, struct rqv_err *err)
{
    char target[RQV_WIRE_HEAD_MAX] RQV_UNINIT;
    struct jar_place place RQV_UNINIT; /* set whole by find_place() */

    if (!redirect->session || !rqv_fields_get(fields, RQV_STR("Set-Cookie"), 0))
        return 0;
    int rc = find_place(redirect, &place, target, sizeof target, err);
    if (rc < 0)
        return rc;
    rc = jar_set_fields(redirect->session->jar, &place, fields, session_now_s());
    redirect->changes++;
    if (rc == REQIVO_E_RESPONSE_LIMIT)
        return rqv_err_set(err, REQIVO_E_LIMIT_COOKIES, REQIVO_PHASE_HEAD,
                           "the response sets more than %d cookies", JAR_RESPONSE_MAX);
    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_HEAD, "no memory for the cookies of the response");
    return 0;
}

static int step_on(struct redirect *redirect, unsigned status, struct rqv_str location, struct rqv_err *err)
{
    char room[RQV_URL_MAX] RQV_UNINIT;
    struct rqv_redirect_from from = {
        .status = status,
        .method = redirect->method,
        .url = redirect->url,
        .location = location,
        .has_body = redirect->has_body,
        .body_again = true, /* from what is kept, or from the program */
        .context = redirect->changes,
    };
    struct rqv_redirect hop RQV_UNINIT; /* set whole when there is one */
    const char *why = "";
    int rc = rqv_redirect_next(&redirect->chain, &from, room, &hop, &why);

    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_HEAD, "%s", why);
    if (rc == 0)
        return 0;
    rc = set_place(redirect, hop.method, (struct rqv_str){hop.url, hop.url_len});
    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_HEAD, "no memory for the redirect");
    redirect->hop = hop;
    redirect->has_body = hop.body;
    return 1;
}

int redirect_answer(struct redirect *redirect, const struct rqv_http1_head *head, bool is_public,
                    struct rqv_err *err)
{
    struct rqv_str location;
    int rc = keep_cookies(redirect, head->fields, err);

    if (rc < 0 || redirect->first.redirect_max == 0 || !rqv_redirect_is((unsigned)head->status))
        return rc;
    rc = rqv_redirect_location(head->fields, &location);
    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_HEAD,
                           "the response has several Location fields that differ");
    redirect->from_public = redirect->from_public || is_public;
    return step_on(redirect, (unsigned)head->status, location, err);
}
