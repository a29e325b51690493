/* SPDX-License-Identifier: MIT */
/* request - the builder's setters. Each checks first and changes the request only when nothing can fail any
 * more. */
#include "libclient/request.h"

#include "common/uninit.h"
#include "libclient/channel.h"
#include "libclient/save.h"
#include "proto/fields.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_FIXED = 80, FIELD_LENGTHS = 4, FIRST_TEXT = 512 };

static struct reqivo_request *new_request(void)
{
    struct reqivo_request *request = calloc(1, sizeof(*request));

    if (!request)
        return NULL;
    rqv_buf_init(&request->text, RQV_WIRE_HEAD_MAX);
    request->body.fd = -1;
    request->max_body = UINT64_MAX;
    rqv_list_init(&request->exchange.all);
    rqv_list_init(&request->exchange.ready);
    rqv_list_init(&request->exchange.sending);
    return request;
}

static int append_text(struct reqivo_request *request, const void *bytes, size_t size)
{
    return rqv_buf_append(&request->text, bytes, size);
}

int rqv_request_new(struct rqv_str method, struct rqv_str url, struct reqivo_request **ret_request)
{
    if (!rqv_str_is_token(method))
        return REQIVO_E_METHOD;
    if (method.len + url.len > RQV_WIRE_HEAD_MAX - HEAD_FIXED)
        return REQIVO_E_LIMIT_HEAD;
    struct reqivo_request *request = new_request();
    if (!request)
        return -ENOMEM;
    size_t first = method.len + url.len + FIRST_TEXT;
    if (rqv_secret_reserve(&request->text, first < RQV_WIRE_HEAD_MAX ? first : method.len + url.len) < 0 ||
        append_text(request, method.ptr, method.len) < 0 || append_text(request, url.ptr, url.len) < 0) {
        reqivo_request_free(request);
        return -ENOMEM;
    }
    request->method_len = method.len;
    request->url_len = url.len;
    *ret_request = request;
    return 0;
}

int reqivo_request_new(const char *method, const char *url, struct reqivo_request **ret_request)
{
    if (!method || !url || !*url || !ret_request)
        return -EINVAL;
    return rqv_request_new(rqv_str_from(method), rqv_str_from(url), ret_request);
}

struct reqivo_request *rqv_request_new_query(uint16_t verb, reqivo_row_fn fn, void *userdata)
{
    struct reqivo_request *request = new_request();

    if (request) {
        request->verb = verb;
        request->on_row = fn;
        request->stream_userdata = userdata;
        request->idempotent = true;
    }
    return request;
}

static void drop_body(struct rqv_body *body)
{
    if (body->owned) {
        explicit_bzero(body->owned, (size_t)body->length);
        free(body->owned);
    }
    if (body->fd >= 0)
        close(body->fd);
    *body = (struct rqv_body){.fd = -1};
}

void reqivo_request_free(struct reqivo_request *request)
{
    if (!request)
        return;
    rqv_buf_wipe(&request->text);
    drop_body(&request->body);
    rqv_trust_release(request->trust);
    rqv_remote_release(&request->jar);
    rqv_remote_release(&request->connection);
    rqv_remote_release(&request->operation.target);
    free(request->route);
    rqv_save_free(request->save);
    reqivo_request_free(request->exchange.hop);
    free(request);
}

/* Room for one field more. */
static int reserve_text(struct reqivo_request *request, struct rqv_str name, struct rqv_str value)
{
    size_t size = FIELD_LENGTHS + name.len + value.len;

    if (request->field_count >= RQV_FIELDS_MAX || name.len > UINT16_MAX || value.len > UINT16_MAX ||
        rqv_request_head_size(request) + size > RQV_WIRE_HEAD_MAX)
        return REQIVO_E_LIMIT_HEAD;
    return rqv_secret_reserve(&request->text, size) < 0 ? -ENOMEM : 0;
}

/* The room is made before the first byte is put, so nothing fails half way. */
int rqv_request_add_text(struct reqivo_request *request, struct rqv_str name, struct rqv_str value)
{
    int r = reserve_text(request, name, value);

    if (r < 0)
        return r;
    uint16_t lengths[2] = {(uint16_t)name.len,
                           (uint16_t)value.len}; /* host order: read back by rqv_request_head */
    append_text(request, lengths, sizeof lengths);
    append_text(request, name.ptr, name.len);
    append_text(request, value.ptr, value.len);
    request->field_count++;
    return 0;
}

int reqivo_request_add_field(struct reqivo_request *request, const char *name, const char *value)
{
    if (!request || !name || !value)
        return -EINVAL;
    return rqv_request_add_field(request, rqv_str_from(name), rqv_str_from(value));
}

/* 0 when a request may have that field. */
static int judge_field(struct rqv_str name, struct rqv_str value)
{
    struct rqv_fields one RQV_UNINIT; /* its first member is set below */
    size_t which;

    one.count = 0;
    rqv_fields_add(&one, name, value);
    return rqv_fields_check_request(&one, &which);
}

int rqv_request_add_field(struct reqivo_request *request, struct rqv_str name, struct rqv_str value)
{
    bool is_host = rqv_str_eq_nocase(name, RQV_STR("Host"));

    value = rqv_str_trim(value);
    int r = judge_field(name, value);
    if (r == 0 && is_host && request->has_host)
        r = REQIVO_E_FIELD;
    if (r == 0)
        r = rqv_request_add_text(request, name, value);
    if (r == 0 && is_host)
        request->has_host = true;
    return r;
}

int reqivo_request_set_field(struct reqivo_request *request, const char *name, const char *value)
{
    if (!request || !name || !value)
        return -EINVAL;
    struct rqv_str text = rqv_str_trim(rqv_str_from(value));
    int r = judge_field(rqv_str_from(name), text);
    if (r == 0)
        r = reserve_text(request, rqv_str_from(name), text);
    if (r < 0)
        return r;
    reqivo_request_remove_field(request, name); /* the old ones go only now that the new one is sure */
    return reqivo_request_add_field(request, name, value);
}

static int replace_body(struct reqivo_request *request, const struct rqv_body *body)
{
    drop_body(&request->body);
    request->body = *body;
    return 0;
}

int reqivo_request_set_body(struct reqivo_request *request, const void *bytes, size_t size)
{
    if (!request || (!bytes && size > 0))
        return -EINVAL;
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (!copy)
        return -ENOMEM;
    if (size > 0)
        memcpy(copy, bytes, size);
    struct rqv_body body = {.kind = RQV_BODY_MEMORY, .length = size, .bytes = copy, .owned = copy, .fd = -1};
    return replace_body(request, &body);
}

int reqivo_request_set_body_view(struct reqivo_request *request, const void *bytes, size_t size)
{
    if (!request || (!bytes && size > 0))
        return -EINVAL;
    struct rqv_body body = {.kind = RQV_BODY_MEMORY, .length = size, .bytes = bytes, .fd = -1};
    return replace_body(request, &body);
}

int reqivo_request_set_body_file(struct reqivo_request *request, int fd)
{
    int saved = errno, own = -1;
    struct stat st;

    if (!request || fd < 0)
        return -EINVAL;
    off_t offset = lseek(fd, 0, SEEK_CUR);
    if (offset >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    errno = saved;
    if (own < 0)
        return REQIVO_E_BODY_SOURCE;
    struct rqv_body body = {.kind = RQV_BODY_FILE,
                            .length = st.st_size > offset ? (uint64_t)(st.st_size - offset) : 0,
                            .fd = own,
                            .offset = offset};
    return replace_body(request, &body);
}

int reqivo_request_set_body_callback(struct reqivo_request *request, reqivo_read_fn fn, void *userdata,
                                     uint64_t length)
{
    if (!request || !fn)
        return -EINVAL;
    struct rqv_body body = {
        .kind = RQV_BODY_CALLBACK, .length = length, .fd = -1, .fn = fn, .userdata = userdata};
    return replace_body(request, &body);
}

int reqivo_request_set_max_body(struct reqivo_request *request, uint64_t bytes)
{
    if (!request)
        return -EINVAL;
    request->max_body = bytes < UINT64_MAX ? bytes : UINT64_MAX - 1;
    return 0;
}

int reqivo_request_set_stream(struct reqivo_request *request, reqivo_head_fn on_head, reqivo_body_fn on_body,
                              void *userdata)
{
    if (!request || !on_body)
        return -EINVAL;
    rqv_save_free(request->save);
    request->save = NULL;
    request->on_head = on_head;
    request->on_body = on_body;
    request->stream_userdata = userdata;
    return 0;
}

int reqivo_request_set_timeout(struct reqivo_request *request, int which, uint32_t ms)
{
    if (!request || which < 0 || which >= RQV_T_COUNT)
        return -EINVAL;
    request->timeout_ms[which] = ms;
    return 0;
}

static int set_flag(struct reqivo_request *request, uint32_t flag, int on)
{
    if (!request)
        return -EINVAL;
    request->flags = on ? request->flags | flag : request->flags & ~flag;
    return 0;
}

int reqivo_request_set_verify(struct reqivo_request *request, int on)
{
    return set_flag(request, RQV_REQ_INSECURE, !on);
}

int reqivo_request_set_idempotent(struct reqivo_request *request, int on)
{
    return set_flag(request, RQV_REQ_IDEMPOTENT, on);
}

int reqivo_request_set_fresh(struct reqivo_request *request, int on)
{
    return set_flag(request, RQV_REQ_FRESH, on);
}

int reqivo_request_set_expect(struct reqivo_request *request, int on)
{
    return set_flag(request, RQV_REQ_EXPECT, on);
}

int reqivo_request_set_begun(struct reqivo_request *request, int on)
{
    return set_flag(request, RQV_REQ_BEGUN, on);
}

/* ---- certificates ---- */

static void replace_trust(struct reqivo_request *request, struct rqv_trust *trust)
{
    rqv_trust_release(request->trust);
    request->trust = trust;
}

int reqivo_request_set_ca(struct reqivo_request *request, const void *pem, size_t size)
{
    if (!request || !pem)
        return -EINVAL;
    if (size == 0)
        return REQIVO_E_TRUST;
    if (size > RQV_WIRE_TRUST_MAX)
        return REQIVO_E_LIMIT_TRUST;
    struct rqv_trust *trust = rqv_trust_new(size);
    if (!trust)
        return -ENOMEM;
    memcpy(trust->bytes, pem, size);
    replace_trust(request, trust);
    return 0;
}

/* Reads a whole file into a new set. */
static int read_trust(int fd, struct rqv_trust **ret_trust)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        return REQIVO_E_TRUST;
    if (st.st_size > (off_t)RQV_WIRE_TRUST_MAX)
        return REQIVO_E_LIMIT_TRUST;
    struct rqv_trust *trust = rqv_trust_new((size_t)st.st_size);
    if (!trust)
        return -ENOMEM;
    for (size_t at = 0; at < trust->size;) {
        ssize_t n = read(fd, trust->bytes + at, trust->size - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int r = n < 0 ? -errno : REQIVO_E_TRUST;
            rqv_trust_release(trust);
            return r;
        }
        at += (size_t)n;
    }
    *ret_trust = trust;
    return 0;
}

int reqivo_request_set_ca_file(struct reqivo_request *request, const char *path)
{
    struct rqv_trust *trust = NULL;
    int saved = errno;

    if (!request || !path)
        return -EINVAL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int r = -errno;
        errno = saved;
        return r;
    }
    int r = read_trust(fd, &trust);
    close(fd);
    errno = saved;
    if (r == 0)
        replace_trust(request, trust);
    return r;
}

/* ---- what the exchange needs of it ---- */

size_t rqv_request_head_size(const struct reqivo_request *request)
{
    return HEAD_FIXED + rqv_buf_len(&request->text) + (request->route ? strlen(request->route) : 0);
}

static bool method_is(const struct reqivo_request *request, struct rqv_str name)
{
    return rqv_str_eq(
        (struct rqv_str){(const char *)request->text.data + request->text.start, request->method_len}, name);
}

bool rqv_request_is_idempotent(const struct reqivo_request *request)
{
    return request->idempotent || (request->flags & RQV_REQ_IDEMPOTENT) ||
           method_is(request, RQV_STR("GET")) || method_is(request, RQV_STR("HEAD")) ||
           method_is(request, RQV_STR("OPTIONS")) || method_is(request, RQV_STR("TRACE"));
}

bool rqv_request_has_total(const struct reqivo_request *request)
{
    uint32_t total = request->timeout_ms[RQV_T_TOTAL];

    return total != RQV_TIMEOUT_DEFAULT && total != RQV_TIMEOUT_NONE;
}

void rqv_request_head(const struct reqivo_request *request, struct rqv_request_head *ret_head)
{
    const char *at = (const char *)request->text.data + request->text.start;
    const struct rqv_body *body = &request->body;
    uint16_t lengths[2];

    ret_head->flags = request->flags;
    if (body->kind != RQV_BODY_NONE)
        ret_head->flags |= RQV_REQ_HAS_BODY;
    if (body->kind != RQV_BODY_NONE && body->length == REQIVO_LENGTH_UNKNOWN)
        ret_head->flags |= RQV_REQ_CHUNKED;
    memcpy(ret_head->timeout_ms, request->timeout_ms, sizeof ret_head->timeout_ms);
    ret_head->body_length = body->length == REQIVO_LENGTH_UNKNOWN ? 0 : body->length;
    ret_head->trust_id = ret_head->session_id = ret_head->connection_id = 0;
    ret_head->redirect_max = request->redirect_max;
    ret_head->tls_min = request->tls_min;
    ret_head->tls_max = request->tls_max;
    ret_head->route = request->route ? rqv_str_from(request->route) : (struct rqv_str){NULL, 0};
    ret_head->method = (struct rqv_str){at, request->method_len};
    at += request->method_len;
    ret_head->url = (struct rqv_str){at, request->url_len};
    at += request->url_len;
    ret_head->fields.count = request->field_count;
    for (size_t i = 0; i < request->field_count; i++) {
        struct rqv_field *field = &ret_head->fields.at[i];
        memcpy(lengths, at, sizeof lengths);
        at += sizeof lengths;
        field->name = (struct rqv_str){at, lengths[0]};
        at += lengths[0];
        field->value = (struct rqv_str){at, lengths[1]};
        at += lengths[1];
    }
}
