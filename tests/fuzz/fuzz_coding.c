/* SPDX-License-Identifier: MIT */
/*
 * fuzz_coding - F11 of the test plan: a Content-Encoding list and a hostile body. First byte: bits 0..2 tight
 * limits (size, ratio, memory), bits 3..7 the room less 1. Then the field's value up to a line feed, a ';' in
 * it begins another field line; then the body.
 *
 * The promises of coding.h that tests/lib/coding_run.c asks for, and: pieces and rooms change neither what
 * comes out nor whether it fails; output stays below the limits.
 */
#include "tests/lib/coding_run.h"

#include <reqivo/error.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool kept)
{
    if (!kept)
        abort();
}

static bool parse(struct rqv_str list, struct rqv_codings *ret_codings)
{
    struct rqv_fields fields = {0};
    struct rqv_str line;
    const char *why = NULL;
    int r;

    while (rqv_str_split(&list, ';', &line) &&
           rqv_fields_add(&fields, RQV_STR("Content-Encoding"), line) == 0)
        ;
    r = rqv_codings_parse(&fields, ret_codings, &why);
    require(r == 0 || (r == REQIVO_E_CODING && why));
    require(r < 0 || ret_codings->count <= RQV_CODINGS_MAX);
    return r == 0 && ret_codings->count > 0;
}

static bool is_limit(int code)
{
    return code == REQIVO_E_LIMIT_CODING || code == REQIVO_E_LIMIT_MEMORY;
}

static void compare(const struct coding_params *params, struct bytes body)
{
    struct coding_params pieces = *params;
    struct coding_result whole = coding_run(params, body), other;

    pieces.piece = 3;
    pieces.room = RQV_CODING_STEP_MAX;
    other = coding_run(&pieces, body);
    require(whole.code == RQV_CODING_END || whole.code == REQIVO_E_CODING ||
            whole.code == REQIVO_E_TRUNCATED || is_limit(whole.code));
    /* When the ratio is looked at depends on the pieces; all else does not. */
    if (!is_limit(whole.code) && !is_limit(other.code)) {
        require(whole.code == other.code);
        require(whole.code < 0 || whole.out.len == other.out.len);
        require(whole.code < 0 || whole.out.len == 0 ||
                memcmp(whole.out.at, other.out.at, whole.out.len) == 0);
    }
    require(!params->limits.output_max || whole.out.len <= params->limits.output_max);
    require(whole.out.len <=
            params->limits.ratio_floor + body.len * params->limits.ratio_max + RQV_CODING_STEP_MAX);
    free(whole.out.at);
    free(other.out.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct coding_params params = coding_params_of(RQV_CODING_GZIP);
    const uint8_t *end = size > 1 ? memchr(data + 1, '\n', size - 1) : NULL;
    struct bytes body;
    struct rqv_coding *coding = NULL;

    if (!end || size > 65536)
        return 0;
    if (!parse((struct rqv_str){(const char *)data + 1, (size_t)(end - data) - 1}, &params.codings)) {
        params.codings.count = 0;
        require(rqv_coding_new(&params.codings, &params.limits, NULL, &coding) < 0 && !coding);
        return 0;
    }
    params.limits.output_max = data[0] & 1 ? 1000 : 0;
    params.limits.ratio_floor = data[0] & 2 ? 5000 : 1 << 20;
    params.room = (data[0] >> 3) + 1U;
    if (data[0] & 4) {
        params.limits.memory_max = (size_t)data[0] << 9;
        if (rqv_coding_new(&params.codings, &params.limits, NULL, &coding) < 0)
            return 0;
        rqv_coding_free(coding);
    }
    body = coding_copy(end + 1, size - (size_t)(end + 1 - data));
    compare(&params, body);
    free(body.at);
    return 0;
}
