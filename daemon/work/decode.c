/* SPDX-License-Identifier: MIT */
/* decode - see decode.h. */
#include "daemon/work/decode.h"

#include "daemon/base/loop.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int charge(void *owner, size_t bytes)
{
    return account_charge(owner, ACCOUNT_MEMORY, bytes);
}

static void refund(void *owner, size_t bytes)
{
    account_refund(owner, ACCOUNT_MEMORY, bytes);
}

static int make(const struct decode_params *params, const struct rqv_codings *codings,
                struct decode **ret_decode)
{
    struct rqv_coding_payer payer = {charge, refund, params->account};
    struct rqv_coding_limits limits;
    int rc = account_charge(params->account, ACCOUNT_MEMORY, sizeof(struct decode));

    if (rc < 0)
        return rc;
    struct decode *decode = calloc(1, sizeof *decode);
    rqv_coding_limits_default(&limits);
    limits.output_max = params->size_max;
    rc = decode ? rqv_coding_new(codings, &limits, &payer, &decode->coding) : -ENOMEM;
    if (rc < 0) {
        free(decode);
        account_refund(params->account, ACCOUNT_MEMORY, sizeof *decode);
        return rc;
    }
    decode->account = params->account;
    queue_init(&decode->in, params->account, LOOP_SCRATCH);
    fair_item_init(&decode->turn, params->account, params->fn, params->owner);
    *ret_decode = decode;
    return 1;
}

int decode_new(const struct decode_params *params, const struct rqv_fields *fields,
               struct decode **ret_decode, struct rqv_err *err)
{
    struct rqv_codings codings;
    const char *why = "";
    int rc = rqv_codings_parse(fields, &codings, &why);

    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_HEAD, "%s", why);
    if (codings.count == 0)
        return 0;
    rc = make(params, &codings, ret_decode);
    return rc < 0 ? rqv_err_set(err, rc, REQIVO_PHASE_HEAD, "no memory to decode the response") : rc;
}

void decode_free(struct decode **place)
{
    struct decode *decode = *place;

    *place = NULL;
    if (!decode)
        return;
    struct account *account = decode->account;
    if (decode->trailers)
        account_refund(account, ACCOUNT_MEMORY, decode->trailers->size);
    free(decode->trailers);
    fair_drop(&decode->turn);
    rqv_coding_free(decode->coding);
    queue_done(&decode->in);
    free(decode);
    account_refund(account, ACCOUNT_MEMORY, sizeof *decode);
}

int decode_put(struct decode *decode, const uint8_t *bytes, size_t len)
{
    return queue_append(&decode->in, bytes, len);
}

int decode_take(struct decode *decode, bool last, uint8_t *out, size_t *len, struct rqv_err *err)
{
    size_t have = queue_len(&decode->in);
    struct rqv_coding_flow flow = {
        .in = have > 0 ? rqv_buf_head(&decode->in.buf) : NULL,
        .in_len = have,
        .last = last,
        .out = out,
        .out_size = *len,
        .why = "",
    };
    int rc = rqv_coding_step(decode->coding, &flow);

    *len = rc < 0 ? 0 : flow.produced;
    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_BODY, "%s", flow.why ? flow.why : rqv_err_text(rc));
    decode->busy = rc == RQV_CODING_HAVE_OUTPUT;
    queue_consume(&decode->in, flow.consumed);
    return rc;
}

static struct rqv_str copy(char **at, struct rqv_str s)
{
    char *to = *at;

    if (s.len > 0)
        memcpy(to, s.ptr, s.len);
    *at += s.len;
    return (struct rqv_str){to, s.len};
}

int decode_keep(struct decode *decode, const struct rqv_fields *trailers)
{
    size_t size = sizeof(struct decode_trailers);

    for (size_t i = 0; i < trailers->count; i++)
        size += trailers->at[i].name.len + trailers->at[i].value.len;
    int rc = account_charge(decode->account, ACCOUNT_MEMORY, size);
    if (rc < 0)
        return rc;
    struct decode_trailers *kept = malloc(size);
    if (!kept) {
        account_refund(decode->account, ACCOUNT_MEMORY, size);
        return -ENOMEM;
    }
    char *at = kept->text;
    kept->size = size;
    kept->fields.count = 0;
    for (size_t i = 0; i < trailers->count; i++) {
        struct rqv_str name = copy(&at, trailers->at[i].name);
        rqv_fields_add(&kept->fields, name, copy(&at, trailers->at[i].value));
    }
    decode->trailers = kept;
    return 0;
}

bool decode_waits(const struct decode *decode)
{
    return decode->busy || queue_len(&decode->in) > 0;
}
