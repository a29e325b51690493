/* SPDX-License-Identifier: MIT */
/* fake_daemon - see fake_daemon.h. */
#include "tests/unit/fake_daemon.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000, READ_SIZE = 256 * 1024 };

unsigned seen_total;

void fake_listen(struct fake *fake)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, fake->path, strlen(fake->path) + 1);
    fake->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fake->listen_fd, 0);
    ck_assert_int_eq(bind(fake->listen_fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fake->listen_fd, 16), 0);
}

void fake_unlisten(struct fake *fake)
{
    if (fake->listen_fd >= 0)
        close(fake->listen_fd);
    fake->listen_fd = -1;
    unlink(fake->path);
}

void fake_start(struct fake *fake)
{
    *fake = (struct fake){.listen_fd = -1, .fd = -1};
    snprintf(fake->folder, sizeof fake->folder, "/tmp/reqivo-unit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fake->folder));
    snprintf(fake->path, sizeof fake->path, "%s/socket", fake->folder);
    rqv_buf_init(&fake->in, 64 << 20);
    rqv_buf_init(&fake->out, 64 << 20);
    fake_listen(fake);
}

void fake_stop(struct fake *fake)
{
    int status = 0;

    fake_hangup(fake);
    fake_unlisten(fake);
    rmdir(fake->folder);
    if (fake->child > 0) {
        ck_assert_int_eq(waitpid(fake->child, &status, 0), fake->child);
        ck_assert_int_eq(status, 0);
    }
}

void fake_accept(struct fake *fake)
{
    struct pollfd pfd = {.fd = fake->listen_fd, .events = POLLIN};

    ck_assert_int_eq(poll(&pfd, 1, PATIENCE_MS), 1);
    fake->fd = accept4(fake->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(fake->fd, 0);
}

void fake_hangup(struct fake *fake)
{
    if (fake->fd >= 0)
        close(fake->fd);
    fake->fd = -1;
    rqv_buf_done(&fake->in);
    rqv_buf_done(&fake->out);
}

bool fake_is_empty(struct fake *fake)
{
    struct pollfd pfd = {.fd = fake->fd, .events = POLLIN};

    return poll(&pfd, 1, 0) == 0 && fake->header.length + RQV_WIRE_HEADER >= rqv_buf_len(&fake->in);
}

static ssize_t fake_read(struct fake *fake)
{
    struct pollfd pfd = {.fd = fake->fd, .events = POLLIN};
    uint8_t *room;

    ck_assert_msg(poll(&pfd, 1, PATIENCE_MS) == 1, "nothing came");
    ck_assert_int_eq(rqv_buf_reserve(&fake->in, READ_SIZE, &room), 0);
    ssize_t n = recv(fake->fd, room, READ_SIZE, 0);
    if (n > 0)
        rqv_buf_commit(&fake->in, (size_t)n);
    fake->last_read = n > 0 ? (size_t)n : 0;
    return n;
}

/* The last frame's bytes stay where they are until the next one is asked for. */
static void drop_last(struct fake *fake)
{
    if (fake->payload.ptr && rqv_buf_len(&fake->in) > 0)
        rqv_buf_consume(&fake->in, RQV_WIRE_HEADER + fake->header.length);
    fake->payload = (struct rqv_str){NULL, 0};
    fake->header = (struct rqv_frame_header){0};
}

uint64_t fake_expect(struct fake *fake, enum rqv_wire_type type)
{
    struct rqv_frame_header header;
    const char *why = "";
    int r;

    drop_last(fake);
    while ((r = rqv_wire_next(rqv_buf_head(&fake->in), rqv_buf_len(&fake->in), true, &header, &why)) == 0)
        ck_assert_int_gt(fake_read(fake), 0);
    ck_assert_msg(r == 1, "%s", why);
    ck_assert_msg(header.type == type, "%s came, not %s", rqv_wire_type_name(header.type),
                  rqv_wire_type_name((uint8_t)type));
    fake->header = header;
    fake->payload = (struct rqv_str){(char *)rqv_buf_head(&fake->in) + RQV_WIRE_HEADER, header.length};
    return header.id;
}

bool fake_poll(struct fake *fake)
{
    struct pollfd pfd = {.fd = fake->fd, .events = POLLIN};
    struct rqv_frame_header header;
    const char *why = "";
    int r;

    drop_last(fake);
    while ((r = rqv_wire_next(rqv_buf_head(&fake->in), rqv_buf_len(&fake->in), true, &header, &why)) == 0) {
        if (poll(&pfd, 1, 0) != 1)
            return false;
        ck_assert_int_gt(fake_read(fake), 0);
    }
    ck_assert_msg(r == 1, "%s", why);
    fake->header = header;
    fake->payload = (struct rqv_str){(char *)rqv_buf_head(&fake->in) + RQV_WIRE_HEADER, header.length};
    return true;
}

void fake_expect_eof(struct fake *fake)
{
    drop_last(fake);
    ck_assert_uint_eq(rqv_buf_len(&fake->in), 0);
    ck_assert_int_le(fake_read(fake), 0);
}

struct rqv_request_head fake_request(struct fake *fake, uint64_t *ret_id)
{
    static struct rqv_request_head head;
    const char *why = "";

    *ret_id = fake_expect(fake, RQV_WIRE_REQUEST);
    ck_assert_msg(rqv_wire_decode_request(fake->payload, &head, &why) == 0, "%s", why);
    return head;
}

struct rqv_request_head fake_proceed(struct fake *fake, uint64_t *ret_id)
{
    static struct rqv_request_head head;
    const char *why = "";

    *ret_id = fake_expect(fake, RQV_WIRE_PROCEED);
    ck_assert_msg(rqv_wire_decode_request(fake->payload, &head, &why) == 0, "%s", why);
    return head;
}

struct rqv_operation fake_operation(struct fake *fake, uint64_t *ret_id)
{
    static struct rqv_operation operation;
    const char *why = "";

    *ret_id = fake_expect(fake, RQV_WIRE_OPERATE);
    ck_assert_msg(rqv_wire_decode_operation(fake->payload, &operation, &why) == 0, "%s", why);
    return operation;
}

const char *fake_field(const struct rqv_request_head *head, const char *name)
{
    static char value[256];
    const struct rqv_field *field = rqv_fields_get(&head->fields, rqv_str_from(name), 0);

    snprintf(value, sizeof value, "%.*s", field ? (int)field->value.len : 0, field ? field->value.ptr : "");
    return value;
}

void fake_put_redirect(struct fake *fake, uint64_t id, int status, const char *location)
{
    static struct rqv_response_head head;

    head = (struct rqv_response_head){.status = (uint16_t)status,
                                      .minor = 1,
                                      .content_length = 0,
                                      .reason = RQV_STR("Found"),
                                      .address = RQV_STR("192.0.2.1:80")};
    head.time_us[RQV_TIME_FIRST] = 77;
    rqv_fields_add(&head.fields, RQV_STR("Location"), rqv_str_from(location));
    ck_assert_int_eq(rqv_wire_encode_response(&fake->out, id, RQV_FLAG_MORE, &head), 0);
}

void fake_put_hop(struct fake *fake, uint64_t id, unsigned flags, const char *method, const char *url)
{
    static struct rqv_hop hop;

    hop =
        (struct rqv_hop){.flags = (uint16_t)flags, .method = rqv_str_from(method), .url = rqv_str_from(url)};
    if (flags & RQV_HOP_WAITS)
        rqv_fields_add(&hop.fields, RQV_STR("X-Hop"), RQV_STR("as it was"));
    ck_assert_int_eq(rqv_wire_encode_hop(&fake->out, id, &hop), 0);
}

void fake_put_row(struct fake *fake, uint64_t id, const char *const pairs[])
{
    static struct rqv_fields row;

    row.count = 0;
    for (size_t i = 0; pairs[i]; i += 2)
        rqv_fields_add(&row, rqv_str_from(pairs[i]), rqv_str_from(pairs[i + 1]));
    ck_assert_int_eq(rqv_wire_encode_info(&fake->out, id, &row), 0);
}

void fake_put_hello(struct fake *fake)
{
    const struct rqv_hello hello = {.magic = RQV_WIRE_MAGIC,
                                    .version = RQV_WIRE_VERSION,
                                    .version_min = RQV_WIRE_VERSION_MIN,
                                    .caps = RQV_CAP_QUERY | fake->caps,
                                    .instance = 7,
                                    .name = RQV_STR("fake/1")};

    ck_assert_int_eq(rqv_wire_encode_hello(&fake->out, &hello), 0);
}

void fake_put_response(struct fake *fake, uint64_t id, int status, int64_t length)
{
    static struct rqv_response_head head;

    head = (struct rqv_response_head){.status = (uint16_t)status,
                                      .minor = 1,
                                      .content_length = length,
                                      .reason = RQV_STR("Fine"),
                                      .address = RQV_STR("192.0.2.1:443")};
    rqv_fields_add(&head.fields, RQV_STR("Content-Type"), RQV_STR("text/plain"));
    rqv_fields_add(&head.fields, RQV_STR("X-Two"), RQV_STR("a"));
    rqv_fields_add(&head.fields, RQV_STR("x-two"), RQV_STR("b"));
    ck_assert_int_eq(rqv_wire_encode_response(&fake->out, id, 0, &head), 0);
}

void fake_put_data(struct fake *fake, uint64_t id, const void *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t n = size - at < RQV_WIRE_PAYLOAD_MAX ? size - at : RQV_WIRE_PAYLOAD_MAX;
        struct rqv_str piece = {(const char *)bytes + at, n};
        ck_assert_int_eq(rqv_wire_encode_data(&fake->out, id, 0, piece), 0);
        at += n;
    }
}

void fake_put_done(struct fake *fake, uint64_t id, int code, int sent)
{
    struct rqv_done done = {.code = code, .sent = (uint8_t)sent, .phase = code ? REQIVO_PHASE_CONNECT : 0};

    done.time_us[RQV_TIME_TOTAL] = 4711;
    done.detail = code ? RQV_STR("as\ntold") : RQV_STR("");
    ck_assert_int_eq(rqv_wire_encode_done(&fake->out, id, &done), 0);
}

void fake_put_goaway(struct fake *fake, int code, size_t count, const uint64_t *ids)
{
    uint8_t bytes[8 * 64];
    const struct rqv_goaway goaway = {.code = code, .detail = RQV_STR("go"), .count = count, .ids = bytes};

    ck_assert_uint_le(count, 64);
    for (size_t i = 0; i < count; i++)
        rqv_wire_goaway_put_id(bytes, i, ids[i]);
    ck_assert_int_eq(rqv_wire_encode_goaway(&fake->out, 0, &goaway), 0);
}

void fake_put_reply(struct fake *fake, uint64_t id, const char *body)
{
    size_t size = strlen(body);

    fake_put_response(fake, id, 200, (int64_t)size);
    fake_put_data(fake, id, body, size);
    fake_put_done(fake, id, 0, REQIVO_SENT_YES);
}

void fake_flush(struct fake *fake)
{
    while (rqv_buf_len(&fake->out) > 0) {
        ssize_t n = send(fake->fd, rqv_buf_head(&fake->out), rqv_buf_len(&fake->out), MSG_NOSIGNAL);
        ck_assert_msg(n > 0, "send: %s", strerror(errno));
        rqv_buf_consume(&fake->out, (size_t)n);
    }
}

void fake_greet(struct fake *fake)
{
    fake_accept(fake);
    fake_expect(fake, RQV_WIRE_HELLO);
    fake_put_hello(fake);
    fake_flush(fake);
}

void fake_serve(struct fake *fake, size_t n)
{
    char url[256];
    uint64_t id;

    for (size_t i = 0; i < n; i++) {
        struct rqv_request_head head = fake_request(fake, &id);
        snprintf(url, sizeof url, "%.*s", (int)head.url.len, head.url.ptr);
        fake_put_reply(fake, id, url);
        fake_flush(fake);
    }
}

void fake_fork(struct fake *fake, void (*script)(struct fake *fake))
{
    fake->child = fork();
    ck_assert_int_ge(fake->child, 0);
    if (fake->child > 0)
        return;
    script(fake);
    fake_hangup(fake);
    _exit(0);
}

void on_seen(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    struct seen *seen = userdata;

    (void)client;
    seen->count++;
    seen->code = reqivo_response_error(response);
    seen->sent = reqivo_response_sent(response);
    seen->status = reqivo_response_status(response);
    seen->phase = reqivo_response_phase(response);
    seen->body_size = reqivo_response_body_size(response);
    snprintf(seen->body, sizeof seen->body, "%s", (const char *)reqivo_response_body(response));
    seen->order = ++seen_total;
    if (seen->keep)
        seen->response = response;
    else
        reqivo_response_free(response);
}

struct reqivo_client *open_client(struct fake *fake)
{
    struct reqivo_client *client = NULL;

    ck_assert_int_eq(reqivo_open(fake->path, &client), 0);
    ck_assert_ptr_nonnull(client);
    return client;
}

uint64_t submit_request(struct reqivo_client *client, struct reqivo_request *request, struct seen *seen)
{
    uint64_t id = 0;

    ck_assert_int_eq(reqivo_submit(client, &request, on_seen, seen, &id), 0);
    ck_assert_ptr_null(request);
    ck_assert_uint_gt(id, 0);
    return id;
}

uint64_t submit_url(struct reqivo_client *client, const char *method, const char *url, struct seen *seen)
{
    struct reqivo_request *request = NULL;

    ck_assert_int_eq(reqivo_request_new(method, url, &request), 0);
    return submit_request(client, request, seen);
}

void turn(struct reqivo_client *client)
{
    ck_assert_int_eq(reqivo_client_process(client), 0);
    ck_assert_int_ge(reqivo_client_dispatch(client), 0);
}

void drive(struct reqivo_client *client, struct seen *seen)
{
    for (int i = 0; i < 2000 && seen->count == 0; i++)
        ck_assert_int_ge(reqivo_client_wait(client, PATIENCE_MS), 0);
    ck_assert_int_eq(seen->count, 1);
}
