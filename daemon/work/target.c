/* SPDX-License-Identifier: MIT */
/* target - see target.h. The URL is parsed here once; what policy judges and what is dialled is this result.
 */
#include "daemon/work/target.h"

#include "common/uninit.h"
#include "daemon/net/idn.h"
#include "daemon/net/policy.h"
#include "daemon/upstream/key_encode.h"
#include "daemon/work/judge.h"
#include "daemon/work/route.h"
#include "proto/http1.h"

#include <reqivo/error.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

int target_url(struct rqv_str text, struct rqv_url *ret_url, struct rqv_err *err)
{
    const char *why = NULL;

    if (rqv_url_parse(text.ptr, text.len, ret_url, &why) < 0)
        return rqv_err_set(err, REQIVO_E_URL, REQIVO_PHASE_NONE, "%s", why);
    if (ret_url->userinfo.ptr)
        return rqv_err_set(err, REQIVO_E_URL, REQIVO_PHASE_NONE,
                           "the URL carries a user name or password: send an Authorization field instead");
    if (ret_url->host_type == RQV_HOST_NAME_UNICODE) {
        char ascii[RQV_HOST_MAX + 1];
        why = "the host is not a valid internationalised name";
        if (idn_to_ascii(ret_url->host, ascii, sizeof ascii) < 0 ||
            rqv_url_set_host(ret_url, ascii, strlen(ascii), &why) < 0)
            return rqv_err_set(err, REQIVO_E_URL, REQIVO_PHASE_NONE, "%s", why);
    }
    return 0;
}

static void set_origin(struct target *target, const struct rqv_url *url)
{
    memcpy(target->host, url->host, url->host_len + 1);
    target->port = url->port;
    target->use_tls = url->scheme == RQV_SCHEME_HTTPS;
    target->host_type = (uint8_t)url->host_type;
    target->literal = url->addr;
}

bool target_names_bound_auth(struct rqv_str value)
{
    bool begins = true; /* at the first byte of a member */

    for (size_t i = 0; i + 4 <= value.len; i++) {
        struct rqv_str scheme = {value.ptr + i, 4};
        char c = value.ptr[i];
        if (begins &&
            (rqv_str_eq_nocase(scheme, RQV_STR("NTLM")) || rqv_str_eq_nocase(scheme, RQV_STR("Nego"))))
            return true;
        begins = c == ',' || (begins && (c == ' ' || c == '\t'));
    }
    return false;
}

static bool is_bound_auth(const struct rqv_fields *fields)
{
    const struct rqv_field *field;

    for (size_t n = 0; (field = rqv_fields_get(fields, RQV_STR("authorization"), n)) != NULL; n++)
        if (target_names_bound_auth(field->value))
            return true;
    return false;
}

/* What the policy judges is the path that is sent. */
static long judge_and_encode(const struct target *target, const struct rqv_request_head *head,
                             const struct rqv_http1_request *request, struct rqv_buf *room,
                             struct rqv_err *err)
{
    int rc = judge_request(target, head->method, request->target, &head->fields, err);

    if (rc < 0)
        return rc;
    long n = rqv_http1_encode_head(request, room->data + room->end, room->cap - room->end);
    return n < 0 ? rqv_err_set(err, (int)n, REQIVO_PHASE_NONE, "%s", rqv_err_text((int)n)) : n;
}

/* The most that rqv_url_target() writes, or the wire's limit. */
static size_t path_room(const struct rqv_url *url)
{
    size_t most = 2 + 3 * (url->path.len + url->query.len);

    return most < RQV_WIRE_HEAD_MAX ? most : RQV_WIRE_HEAD_MAX;
}

/* The path is written behind the room of the head, which then takes it: on the stack, room for the longest
 * would cost each request a page of memory for each 4 KiB of it. */
static int encode_head(const struct target *target, const struct rqv_request_head *head,
                       const struct rqv_url *url, struct queue *ret_head, struct rqv_err *err)
{
    char authority[RQV_HOST_MAX + 16] RQV_UNINIT;
    long authority_len = rqv_url_authority(url, authority, sizeof authority);
    size_t path_max = path_room(url), size = head->method.len + path_max + sizeof authority + 256;

    for (size_t i = 0; i < head->fields.count; i++)
        size += head->fields.at[i].name.len + head->fields.at[i].value.len + 4;
    int rc = queue_reserve(ret_head, size + path_max);
    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_NONE, "%s", rqv_err_text(rc));
    struct rqv_buf room = ret_head->buf;
    room.cap = room.end + size;
    char *path = (char *)room.data + room.cap;
    long path_len = rqv_url_target(url, path, path_max);
    if (path_len < 0 || authority_len < 0) {
        explicit_bzero(path, path_max);
        return rqv_err_set(err, REQIVO_E_URL, REQIVO_PHASE_NONE, "%s", rqv_err_text(REQIVO_E_URL));
    }
    struct rqv_http1_request request = {
        .method = head->method,
        .target = {path, (size_t)path_len},
        .host = {authority, (size_t)authority_len},
        .fields = &head->fields,
        .body = !target->has_body ? RQV_HTTP1_NONE
                : target->chunked ? RQV_HTTP1_CHUNKED
                                  : RQV_HTTP1_LENGTH,
        .content_length = target->body_length,
        .expect_continue = target->expect,
    };
    long n = judge_and_encode(target, head, &request, &room, err);
    explicit_bzero(path, (size_t)path_len); /* outside of what the queue wipes */
    if (n < 0)
        return (int)n;
    rqv_buf_commit(&ret_head->buf, (size_t)n);
    return 0;
}

static uint16_t version_number(uint8_t asked, uint16_t otherwise)
{
    return asked == RQV_TLS_1_2 ? TLS_VERSION_MIN : asked == RQV_TLS_1_3 ? TLS_VERSION_MAX : otherwise;
}

/* All that names a pool, of a URL that has been read. */
static int set_aim(struct target *target, const struct rqv_request_head *head, const struct rqv_url *url,
                   struct rqv_err *err)
{
    set_origin(target, url);
    target->verify = !(head->flags & RQV_REQ_INSECURE);
    target->tls_min = version_number(head->tls_min, TLS_VERSION_MIN);
    target->tls_max = version_number(head->tls_max, TLS_VERSION_MAX);
    if (target->tls_min > target->tls_max)
        return rqv_err_set(err, -EINVAL, REQIVO_PHASE_NONE,
                           "the least version of TLS is greater than the greatest");
    target->route.port = 0;
    return head->route.len > 0 ? route_parse(head->route, &target->route, err) : 0;
}

int target_aim(struct target *target, const struct rqv_request_head *head, struct rqv_err *err)
{
    struct rqv_url url RQV_UNINIT; /* set whole by the parser */
    int rc = target_url(head->url, &url, err);

    if (rc == 0)
        rc = set_aim(target, head, &url, err);
    return rc < 0 ? rc : judge_connection(target, err);
}

int target_init(struct target *target, const struct rqv_request_head *head, struct queue *ret_head,
                struct rqv_err *err)
{
    struct rqv_url url RQV_UNINIT; /* set whole by the parser */
    size_t which = 0;
    int rc = target_url(head->url, &url, err);

    if (rc < 0)
        return rc;
    rc = set_aim(target, head, &url, err);
    if (rc < 0)
        return rc;
    rc = rqv_fields_check_request(&head->fields, &which);
    if (rc < 0)
        return rqv_err_set(err, rc, REQIVO_PHASE_NONE,
                           "field %zu, \"%.*s\", is not valid or not the program's to write", which + 1,
                           (int)(head->fields.at[which].name.len < 64 ? head->fields.at[which].name.len : 64),
                           head->fields.at[which].name.ptr);
    size_t shown = head->method.len < sizeof target->method ? head->method.len : sizeof target->method - 1;
    memcpy(target->method, head->method.ptr, shown);
    target->method[shown] = '\0';
    target->is_head = rqv_str_eq(head->method, RQV_STR("HEAD"));
    target->idempotent = (head->flags & RQV_REQ_IDEMPOTENT) || rqv_http1_method_is_safe(head->method) ||
                         rqv_fields_get(&head->fields, RQV_STR("idempotency-key"), 0);
    target->has_body = head->flags & RQV_REQ_HAS_BODY;
    target->chunked = head->flags & RQV_REQ_CHUNKED;
    target->body_length = target->has_body && !target->chunked ? head->body_length : 0;
    target->expect = target->has_body && (head->flags & RQV_REQ_EXPECT);
    target->bound_auth = is_bound_auth(&head->fields);
    return encode_head(target, head, &url, ret_head, err);
}

int target_permitted(const struct target *target, const struct conf *conf, struct rqv_err *err)
{
    if (target->verify || policy_insecure_allowed(conf))
        return 0;
    return rqv_err_set(err, REQIVO_E_OPTION_DENIED, REQIVO_PHASE_NONE,
                       "tls.insecure: this daemon does not let programs turn verification off");
}

/* A set of the user's own is not the daemon's to replace: its content is in the key. */
static uint64_t trust_generation(const struct target *target, const struct target_identity *who)
{
    return target->use_tls && who->system_trust ? tls_trust_generation(who->tls) : 0;
}

/* Both only grow: what has changed for all, and what for this account. */
static uint64_t policy_generation(const struct target_identity *who)
{
    return who->conf->policy_generation + who->account->reach_generation;
}

int target_key(const struct target *target, const struct target_identity *who, struct key *ret_key)
{
    struct key_fields fields RQV_UNINIT; /* set whole by its init */
    struct rqv_str host = rqv_str_from(target->host);

    key_fields_init(&fields);
    fields.partition = who->account->id;
    fields.use_tls = target->use_tls;
    fields.host_type = target->host_type;
    fields.host = host;
    fields.scope_id = target->literal.scope_id;
    fields.port = target->port;
    if (target->route.port != 0) {
        fields.route_present = 1;
        fields.route_host = rqv_str_from(target->route.host);
        fields.route_port = target->route.port;
    }
    fields.zones = target->public_only ? POLICY_ZONES_REDIRECT : policy_zones(who->conf, who->account);
    fields.policy_generation = policy_generation(who);
    if (target->use_tls) {
        fields.verify_peer = fields.verify_host = target->verify;
        fields.tls_min_version = target->tls_min;
        fields.tls_max_version = target->tls_max;
        fields.expected_name = host;
        fields.server_name = target->host_type == RQV_HOST_NAME ? host : RQV_STR("");
        memcpy(fields.trust.bytes, trust_hash(who->trust), sizeof fields.trust.bytes);
        fields.trust_native = who->system_trust;
        fields.trust_generation = trust_generation(target, who);
    }
    return key_encode(&fields, ret_key);
}

int target_pool(const struct target *target, const struct target_identity *who, struct origins *origins,
                struct key *ret_key, struct pool **ret_pool)
{
    int rc = target_key(target, who, ret_key);
    struct pool_params params = {
        .key = ret_key,
        .host = target->host,
        .port = target->port,
        .literal = target->literal,
        .use_tls = target->use_tls,
        .verify = target->verify,
        .public_only = target->public_only,
        .trust_generation = trust_generation(target, who),
        .policy_generation = policy_generation(who),
        .trust = who->trust,
        .account = who->account,
        .route = &target->route,
        .tls_min = target->tls_min,
        .tls_max = target->tls_max,
    };

    return rc < 0 ? rc : origins_get(origins, &params, ret_pool);
}
