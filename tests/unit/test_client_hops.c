/* SPDX-License-Identifier: MIT */
/* libclient: redirects with their history, bodies that go out again, hooks, and daemons that do it wrong. */
#include "tests/unit/fake_daemon.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static struct fake fake;
static struct reqivo_client *client;

static void set_up(void)
{
    fake_start(&fake);
    client = open_client(&fake);
}

/* HELLO goes with what has been submitted. */
static void greet(void)
{
    ck_assert_int_eq(reqivo_client_process(client), 0);
    fake_greet(&fake);
    turn(client);
}

static void tear_down(void)
{
    reqivo_close(client);
    fake_stop(&fake);
}

static struct reqivo_request *build(const char *method, unsigned redirects)
{
    struct reqivo_request *request = NULL;

    ck_assert_int_eq(reqivo_request_new(method, "http://a.example/one", &request), 0);
    ck_assert_int_eq(reqivo_request_set_redirects(request, redirects), 0);
    return request;
}

/* Submits, and reads it on the other side; its id. */
static uint64_t start(struct reqivo_request *request, struct seen *seen)
{
    uint64_t id;

    submit_request(client, request, seen);
    greet();
    fake_request(&fake, &id);
    return id;
}

static void send_hop(uint64_t id, unsigned flags, const char *url)
{
    fake_put_redirect(&fake, id, 302, url);
    fake_put_hop(&fake, id, flags, "GET", url);
    fake_flush(&fake);
}

/* ---- history ---- */

START_TEST(history_of_redirects)
{
    struct seen seen = {.keep = true};
    const char *name, *value;
    uint64_t id = start(build("POST", 2), &seen);

    send_hop(id, 0, "http://a.example/two");
    send_hop(id, 0, "http://b.example/three");
    fake_put_reply(&fake, id, "body");
    fake_flush(&fake);
    drive(client, &seen);
    struct reqivo_response *response = seen.response;
    ck_assert_int_eq(seen.code, 0);
    ck_assert_int_eq(seen.status, 200);
    ck_assert_str_eq(reqivo_response_text(response), "body");
    ck_assert_str_eq(reqivo_response_url(response), "http://b.example/three");
    ck_assert_str_eq(reqivo_response_method(response), "GET");
    ck_assert_uint_eq(reqivo_response_hop_count(response), 2);
    ck_assert_str_eq(reqivo_response_hop_method(response, 0), "POST");
    ck_assert_str_eq(reqivo_response_hop_url(response, 0), "http://a.example/one");
    ck_assert_str_eq(reqivo_response_hop_method(response, 1), "GET");
    ck_assert_str_eq(reqivo_response_hop_url(response, 1), "http://a.example/two");
    ck_assert_int_eq(reqivo_response_hop_status(response, 1), 302);
    ck_assert_int_eq(reqivo_response_hop_minor(response, 1), 1);
    ck_assert_str_eq(reqivo_response_hop_reason(response, 1), "Found");
    ck_assert_str_eq(reqivo_response_hop_address(response, 0), "192.0.2.1:80");
    ck_assert_str_eq(reqivo_response_hop_field(response, 0, "location", 0), "http://a.example/two");
    ck_assert_int_eq(reqivo_response_hop_field_at(response, 0, 0, &name, &value), 0);
    ck_assert_str_eq(name, "Location");
    ck_assert_int_eq(reqivo_response_hop_field_at(response, 0, 1, &name, &value), -ENOENT);
    ck_assert_uint_eq(reqivo_response_hop_time_us(response, 0, REQIVO_TIME_FIRST_BYTE), 77);
    ck_assert_int_eq(reqivo_response_hop_status(response, 2), 0);
    ck_assert_str_eq(reqivo_response_hop_reason(response, 2), "");
    ck_assert_str_eq(reqivo_response_hop_url(response, 2), "");
    ck_assert_ptr_null(reqivo_response_hop_field(response, 2, "location", 0));
    reqivo_response_free(response);
}
END_TEST

/* ---- bodies that are wanted again ---- */

static void expect_body(uint64_t id, const char *body)
{
    ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_DATA), id);
    ck_assert(rqv_str_eq(fake.payload, rqv_str_from(body)));
    ck_assert_uint_eq(fake.header.flags, RQV_FLAG_END);
}

START_TEST(the_body_goes_out_again)
{
    struct reqivo_request *request = build("POST", 5);
    struct seen seen = {0};

    ck_assert_int_eq(reqivo_request_set_body(request, "content", 7), 0);
    uint64_t id = start(request, &seen), again;
    expect_body(id, "content");
    for (int i = 0; i < 2; i++) {
        fake_put_redirect(&fake, id, 307, "/x");
        fake_put_hop(&fake, id, RQV_HOP_WAITS | RQV_HOP_BODY, "POST", "http://b.example/x");
        fake_flush(&fake);
        turn(client);
        turn(client);
        struct rqv_request_head head = fake_proceed(&fake, &again);
        ck_assert_uint_eq(again, id);
        ck_assert_uint_eq(fake.header.flags, 0);
        ck_assert_uint_eq(head.flags, RQV_REQ_HAS_BODY);
        ck_assert_uint_eq(head.body_length, 7);
        ck_assert_str_eq(fake_field(&head, "x-hop"), "as it was");
        expect_body(id, "content");
    }
    fake_put_reply(&fake, id, "done");
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, 0);
}
END_TEST

static long give(void *buffer, size_t size, void *userdata)
{
    int *left = userdata;

    if (*left == 0 || size == 0)
        return 0;
    --*left;
    *(char *)buffer = 'x';
    return 1;
}

START_TEST(rule_b3_4_a_callback_gives_no_body_twice)
{
    struct reqivo_request *request = build("POST", 5);
    struct seen seen = {0};
    int left = 1;

    ck_assert_int_eq(reqivo_request_set_body_callback(request, give, &left, REQIVO_LENGTH_UNKNOWN), 0);
    uint64_t id = start(request, &seen);
    fake_expect(&fake, RQV_WIRE_DATA);
    fake_expect(&fake, RQV_WIRE_DATA);
    fake_put_redirect(&fake, id, 307, "/x");
    fake_put_hop(&fake, id, RQV_HOP_WAITS | RQV_HOP_BODY, "POST", "http://b.example/x");
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_REDIRECT_BODY);
    ck_assert_int_eq(seen.sent, REQIVO_SENT_YES);
    turn(client);
    ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_CANCEL), id);
}
END_TEST

/* A redirect that drops the body: the rest is not sent. */
START_TEST(the_rest_of_a_body_is_not_wanted)
{
    struct reqivo_request *request = build("POST", 5);
    static char big[3 << 20];
    struct seen seen = {0};

    ck_assert_int_eq(reqivo_request_set_body_view(request, big, sizeof big), 0);
    uint64_t id = start(request, &seen);
    for (size_t sent = 0; sent < RQV_WIRE_CREDIT_INITIAL; sent += fake.payload.len) {
        turn(client);
        fake_expect(&fake, RQV_WIRE_DATA);
    }
    send_hop(id, 0, "http://a.example/two");
    ck_assert_int_eq(rqv_wire_encode_credit(&fake.out, id, 100000), 0);
    fake_put_reply(&fake, id, "done");
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, 0);
    turn(client);
    ck_assert(fake_is_empty(&fake));
}
END_TEST

/* ---- hooks ---- */

enum trick {
    LOOKS,
    CHANGES,
    REFUSES_FIRST,
    REFUSES_HOP,
    CANCELS,
    CLOSES,
    SUBMITS,
    AFTER_REFUSES,
    AFTER_CHANGES
};

struct hook {
    enum trick trick;
    unsigned before, after;
    uint64_t id;
    struct seen other;
};

static int on_before(struct reqivo_client *handle, struct reqivo_request *request, unsigned hop,
                     void *userdata)
{
    struct hook *hook = userdata;
    struct reqivo_response *none = NULL;
    char url[64];

    ck_assert_uint_eq(hop, hook->before++);
    reqivo_request_url(request, url, sizeof url);
    ck_assert_str_eq(url, hop ? "http://b.example/x" : "http://a.example/one");
    ck_assert_int_eq(reqivo_get(handle, "http://a.example/", &none), -EBUSY);
    if (hook->trick == CHANGES) {
        ck_assert_int_eq(reqivo_request_set_field(request, "X-Hop", hop ? "later" : "first"), 0);
        ck_assert_int_eq(reqivo_request_set_method(request, "PUT"), 0);
        ck_assert_int_eq(reqivo_request_set_url(request, "http://c.example/y"), 0);
    }
    if (hook->trick == CANCELS && hop == 1)
        ck_assert_int_eq(reqivo_cancel(handle, hook->id), 0);
    if (hook->trick == CLOSES && hop == 1)
        reqivo_close(handle);
    if (hook->trick == SUBMITS && hop == 0)
        submit_url(handle, "GET", "http://other.example/", &hook->other);
    return (hook->trick == REFUSES_FIRST && hop == 0) || (hook->trick == REFUSES_HOP && hop == 1);
}

static int on_after(struct reqivo_client *handle, struct reqivo_response *response, void *userdata)
{
    struct hook *hook = userdata;

    (void)handle;
    hook->after++;
    if (hook->trick == AFTER_CHANGES) {
        ck_assert_int_eq(reqivo_response_set_status(response, 299), 0);
        ck_assert_int_eq(reqivo_response_set_status(response, 1000), -EINVAL);
        ck_assert_int_eq(reqivo_response_set_field(response, "x-two", "only"), 0);
        ck_assert_int_eq(reqivo_response_set_field(response, "Content-Type", NULL), 0);
        ck_assert_int_eq(reqivo_response_set_body(response, "another", 7), 0);
    }
    return hook->trick == AFTER_REFUSES;
}

static uint64_t start_hooked(struct hook *hook, enum trick trick, struct seen *seen)
{
    struct reqivo_request *request = build("GET", 5);

    hook->trick = trick;
    ck_assert_int_eq(reqivo_request_set_hooks(request, on_before, on_after, hook), 0);
    hook->id = submit_request(client, request, seen);
    ck_assert_uint_eq(hook->before, 1); /* inside submit */
    greet();
    return hook->id;
}

static void to_the_hop(struct hook *hook, uint64_t id)
{
    uint64_t got;

    struct rqv_request_head head = fake_request(&fake, &got);
    ck_assert_uint_eq(got, id);
    ck_assert_uint_eq(head.flags, RQV_REQ_ASK);
    send_hop(id, RQV_HOP_WAITS, "http://b.example/x");
    ck_assert_int_eq(reqivo_client_process(client), 0);
    ck_assert_uint_eq(hook->before, 1);                  /* reading is not dispatching */
    ck_assert_int_gt(reqivo_client_dispatch(client), 0); /* the hook counts */
    ck_assert_uint_eq(hook->before, 2);
}

START_TEST(hooks_look_and_change)
{
    struct seen seen = {.keep = true};
    struct hook hook = {0};
    uint64_t id = start_hooked(&hook, _i ? CHANGES : LOOKS, &seen), got;

    if (_i) {
        struct rqv_request_head head = fake_request(&fake, &got);
        ck_assert(rqv_str_eq(head.method, RQV_STR("PUT")));
        ck_assert(rqv_str_eq(head.url, RQV_STR("http://c.example/y")));
        ck_assert_str_eq(fake_field(&head, "x-hop"), "first");
        send_hop(id, RQV_HOP_WAITS, "http://b.example/x");
        turn(client);
    } else {
        to_the_hop(&hook, id);
    }
    turn(client);
    struct rqv_request_head head = fake_proceed(&fake, &got);
    ck_assert_uint_eq(fake.header.flags, RQV_FLAG_END);
    ck_assert(rqv_str_eq(head.method, rqv_str_from(_i ? "PUT" : "GET")));
    ck_assert(rqv_str_eq(head.url, rqv_str_from(_i ? "http://c.example/y" : "http://b.example/x")));
    ck_assert_str_eq(fake_field(&head, "x-hop"), _i ? "later" : "as it was");
    ck_assert_uint_eq(head.fields.count, 1);
    fake_put_reply(&fake, id, "done");
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, 0);
    ck_assert_uint_eq(hook.after, 1);
    ck_assert_str_eq(reqivo_response_url(seen.response), _i ? "http://c.example/y" : "http://b.example/x");
    reqivo_response_free(seen.response);
}
END_TEST

START_TEST(a_hook_refuses_the_request)
{
    struct seen seen = {0};
    struct hook hook = {0};

    start_hooked(&hook, REFUSES_FIRST, &seen);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_REFUSED);
    ck_assert(reqivo_error_is(seen.code, REQIVO_CLASS_CANCELED));
    ck_assert_int_eq(seen.sent, REQIVO_SENT_NO);
    ck_assert_uint_eq(hook.after, 1);
    turn(client);
    ck_assert(fake_is_empty(&fake));
}
END_TEST

START_TEST(a_hook_ends_a_redirect)
{
    struct seen seen = {0};
    struct hook hook = {0};
    uint64_t id = start_hooked(&hook, _i ? CANCELS : REFUSES_HOP, &seen);

    to_the_hop(&hook, id);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, _i ? REQIVO_E_CANCELED : REQIVO_E_REFUSED);
    ck_assert_int_eq(seen.sent, REQIVO_SENT_YES);
    turn(client);
    ck_assert_uint_eq(fake_expect(&fake, RQV_WIRE_CANCEL), id); /* and no PROCEED before it */
}
END_TEST

START_TEST(a_hook_closes_the_handle)
{
    struct seen seen = {0};
    struct hook hook = {0};
    uint64_t id = start_hooked(&hook, CLOSES, &seen);

    fake_request(&fake, &id);
    send_hop(id, RQV_HOP_WAITS, "http://b.example/x");
    ck_assert_int_eq(reqivo_client_process(client), 0);
    reqivo_client_dispatch(client);
    client = NULL;
    ck_assert_int_eq(seen.count, 1);
    ck_assert_int_eq(seen.code, REQIVO_E_CANCELED);
}
END_TEST

START_TEST(a_hook_submits)
{
    struct seen seen = {0};
    struct hook hook = {0};
    uint64_t id = start_hooked(&hook, SUBMITS, &seen), other;

    ck_assert(rqv_str_eq(fake_request(&fake, &other).url, RQV_STR("http://other.example/")));
    ck_assert_uint_lt(other, id);
    fake_put_reply(&fake, other, "other");
    to_the_hop(&hook, id);
    fake_put_reply(&fake, id, "this");
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(hook.other.count, 1);
    ck_assert_int_eq(hook.other.code, 0);
}
END_TEST

/* ---- a hook that sends a request elsewhere ---- */

static const char *const secrets[] = {"Authorization", "Cookie", "X-Api-Key", "X-Auth-Token"};
#define SECRETS (sizeof secrets / sizeof *secrets)

static const struct move {
    const char *url;
    bool anew; /* and gives credentials for there */
    unsigned hop, policy;
    bool elsewhere;
} moves[] = {
    {"http://b.example/x", false, 0, 0, true},
    {"https://a.example/one", false, 0, 0, true},
    {"http://a.example:81/one", false, 0, 0, true},
    {"http://a.example.b.example/", false, 0, 0, true},
    {"no URL", false, 0, 0, true},
    {"http://b.example/x", true, 0, 0, true},
    {"http://b.example/x", false, 0, REQIVO_REDIRECT_TRUSTED, true},
    {"http://A.example:80/two?q#f", false, 0, 0, false},
    {"http://b.example/x", false, 1, 0, true},
    {"https://a.example/", false, 1, 0, true},
    {"http://b.example/x", true, 1, 0, true},
    {"http://b.example/x", false, 1, REQIVO_REDIRECT_TRUSTED, true},
    {"http://a.example/three", false, 1, 0, false},
};

static int on_move(struct reqivo_client *handle, struct reqivo_request *request, unsigned hop, void *userdata)
{
    const struct move *move = userdata;

    (void)handle;
    if (hop != move->hop)
        return 0;
    ck_assert_int_eq(reqivo_request_set_field(request, "X-Before", "1"), 0);
    ck_assert_int_eq(reqivo_request_set_route(request, "ours:1"), 0);
    ck_assert_int_eq(reqivo_request_set_url(request, move->url), 0);
    if (move->anew) {
        ck_assert_int_eq(reqivo_request_set_field(request, "Authorization", "theirs"), 0);
        ck_assert_int_eq(reqivo_request_set_route(request, "theirs:2"), 0);
    }
    return 0;
}

static void check_moved(const struct rqv_request_head *head, const struct move *move)
{
    bool kept = !move->elsewhere || move->policy;

    ck_assert(rqv_str_eq(head->url, rqv_str_from(move->url)));
    for (size_t i = 0; i < SECRETS; i++)
        ck_assert_str_eq(fake_field(head, secrets[i]), i == 0 && move->anew ? "theirs" : kept ? "ours" : "");
    ck_assert_str_eq(fake_field(head, "X-Plain"), "plain");
    ck_assert_str_eq(fake_field(head, "X-Before"), "1");
    ck_assert_str_eq(fake_field(head, "Idempotency-Key"), "k");
    /* a Host of the program's own goes nowhere else, trusted or not */
    ck_assert_str_eq(fake_field(head, "Host"), move->elsewhere ? "" : "own.example");
    ck_assert(rqv_str_eq(head->route, rqv_str_from(move->anew        ? "theirs:2"
                                                   : move->elsewhere ? ""
                                                                     : "ours:1")));
    ck_assert_uint_eq(head->flags & RQV_REQ_TRUSTED, move->hop == 0 && move->policy ? RQV_REQ_TRUSTED : 0);
}

/* As the daemon describes it: the fields of the first request. */
static void send_secret_hop(uint64_t id, const struct rqv_request_head *first)
{
    static struct rqv_hop hop;

    hop = (struct rqv_hop){
        .flags = RQV_HOP_WAITS, .method = RQV_STR("GET"), .url = RQV_STR("http://a.example/two")};
    hop.fields = first->fields;
    fake_put_redirect(&fake, id, 302, "/two");
    ck_assert_int_eq(rqv_wire_encode_hop(&fake.out, id, &hop), 0);
    fake_flush(&fake);
}

START_TEST(rule_b2_1_a_hook_takes_no_credentials_elsewhere)
{
    const struct move *move = &moves[_i];
    struct seen seen = {0};
    struct reqivo_request *request = build("GET", 5);
    uint64_t id, got;

    for (size_t i = 0; i < SECRETS; i++)
        ck_assert_int_eq(reqivo_request_add_field(request, secrets[i], "ours"), 0);
    ck_assert_int_eq(reqivo_request_add_field(request, "X-Plain", "plain"), 0);
    ck_assert_int_eq(reqivo_request_add_field(request, "Idempotency-Key", "k"), 0);
    ck_assert_int_eq(reqivo_request_add_field(request, "Host", "own.example"), 0);
    ck_assert_int_eq(reqivo_request_set_redirect_policy(request, move->policy), 0);
    ck_assert_int_eq(reqivo_request_set_hooks(request, on_move, NULL, (void *)(uintptr_t)move), 0);
    submit_request(client, request, &seen);
    greet();
    struct rqv_request_head head = fake_request(&fake, &id);
    if (move->hop == 1) {
        send_secret_hop(id, &head);
        turn(client);
        turn(client);
        head = fake_proceed(&fake, &got);
    }
    check_moved(&head, move);
    fake_put_done(&fake, id, REQIVO_E_RESET, REQIVO_SENT_YES);
    fake_flush(&fake);
    drive(client, &seen);
}
END_TEST

/* The daemon ends it while the hook has not been asked: it is not asked any more. */
START_TEST(a_hop_that_is_over_is_not_asked_about)
{
    struct seen seen = {0};
    struct hook hook = {0};
    uint64_t id = start_hooked(&hook, LOOKS, &seen);

    fake_request(&fake, &id);
    send_hop(id, RQV_HOP_WAITS, "http://b.example/x");
    fake_put_done(&fake, id, REQIVO_E_TIMEOUT_TOTAL, REQIVO_SENT_YES);
    fake_flush(&fake);
    ck_assert_int_eq(reqivo_client_process(client), 0);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_TIMEOUT_TOTAL);
    ck_assert_uint_eq(hook.before, 1);
}
END_TEST

START_TEST(after_changes_or_refuses)
{
    struct seen seen = {.keep = true};
    struct hook hook = {0};
    uint64_t id = start_hooked(&hook, _i ? AFTER_REFUSES : AFTER_CHANGES, &seen);

    fake_request(&fake, &id);
    fake_put_reply(&fake, id, "body");
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, _i ? REQIVO_E_REFUSED : 0);
    if (_i == 0) {
        ck_assert_int_eq(seen.status, 299);
        ck_assert_str_eq(reqivo_response_text(seen.response), "another");
        ck_assert_uint_eq(reqivo_response_field_count(seen.response), 1);
        ck_assert_str_eq(reqivo_response_field(seen.response, "X-Two", 0), "only");
        ck_assert_str_eq(reqivo_response_reason(seen.response), "Fine");
    }
    reqivo_response_free(seen.response);
}
END_TEST

/* ---- wrong daemons ---- */

static void hop_without_redirect(uint64_t id)
{
    fake_put_hop(&fake, id, 0, "GET", "http://b.example/");
}

static void two_redirects_without_hop(uint64_t id)
{
    fake_put_redirect(&fake, id, 302, "/");
    fake_put_redirect(&fake, id, 302, "/");
}

static void response_in_place_of_hop(uint64_t id)
{
    fake_put_redirect(&fake, id, 302, "/");
    fake_put_response(&fake, id, 200, 0);
}

static void too_many(uint64_t id)
{
    for (int i = 0; i < 3; i++) {
        fake_put_redirect(&fake, id, 302, "/");
        fake_put_hop(&fake, id, 0, "GET", "http://b.example/");
    }
}

static void body_without_waiting(uint64_t id)
{
    fake_put_redirect(&fake, id, 307, "/");
    fake_put_hop(&fake, id, RQV_HOP_BODY, "POST", "http://b.example/");
}

static void hop_after_the_end(uint64_t id)
{
    fake_put_response(&fake, id, 200, 0);
    fake_put_hop(&fake, id, 0, "GET", "http://b.example/");
}

static void taken_back(uint64_t id)
{
    fake_put_redirect(&fake, id, 302, "/");
    fake_put_hop(&fake, id, 0, "GET", "http://b.example/");
    fake_put_goaway(&fake, REQIVO_E_SHUTDOWN, 1, &id);
}

static void (*const wrongs[])(uint64_t id) = {hop_without_redirect,
                                              two_redirects_without_hop,
                                              response_in_place_of_hop,
                                              too_many,
                                              body_without_waiting,
                                              hop_after_the_end,
                                              taken_back};

START_TEST(hostile_daemon_and_hops)
{
    struct seen seen = {0};
    uint64_t id = start(build("GET", 2), &seen);

    wrongs[_i](id);
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_WIRE);
}
END_TEST

/* What a HOP says is judged as a request of the program's own would be. */
START_TEST(a_hop_that_is_no_request)
{
    struct seen seen = {0};
    uint64_t id = start(build("GET", 2), &seen);

    fake_put_redirect(&fake, id, 302, "/");
    fake_put_hop(&fake, id, RQV_HOP_WAITS, "no method", "http://b.example/");
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, REQIVO_E_METHOD);
}
END_TEST

/* A replay begins with the first request, and without a history. */
START_TEST(loss_after_a_redirect)
{
    struct seen seen = {.keep = true};
    uint64_t id = start(build("GET", 2), &seen);

    send_hop(id, 0, "http://b.example/");
    ck_assert_int_eq(reqivo_client_process(client), 0);
    fake_hangup(&fake);
    turn(client);
    while (reqivo_client_fd(client) < 0)
        ck_assert_int_ge(reqivo_client_wait(client, 50), 0);
    greet();
    ck_assert(rqv_str_eq(fake_request(&fake, &id).url, RQV_STR("http://a.example/one")));
    fake_put_reply(&fake, id, "body");
    fake_flush(&fake);
    drive(client, &seen);
    ck_assert_int_eq(seen.code, 0);
    ck_assert_uint_eq(reqivo_response_hop_count(seen.response), 0);
    ck_assert_str_eq(reqivo_response_url(seen.response), "");
    reqivo_response_free(seen.response);
}
END_TEST

static TCase *add_case(Suite *s, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(s, tcase);
    return tcase;
}

static Suite *suite(void)
{
    Suite *s = suite_create("client_hops");
    TCase *hops = add_case(s, "hops"), *hooks = add_case(s, "hooks"), *wrong = add_case(s, "hostile");

    tcase_add_test(hops, history_of_redirects);
    tcase_add_test(hops, the_body_goes_out_again);
    tcase_add_test(hops, rule_b3_4_a_callback_gives_no_body_twice);
    tcase_add_test(hops, the_rest_of_a_body_is_not_wanted);
    tcase_add_test(hops, loss_after_a_redirect);
    tcase_add_loop_test(hooks, hooks_look_and_change, 0, 2);
    tcase_add_test(hooks, a_hook_refuses_the_request);
    tcase_add_loop_test(hooks, a_hook_ends_a_redirect, 0, 2);
    tcase_add_test(hooks, a_hook_closes_the_handle);
    tcase_add_test(hooks, a_hook_submits);
    tcase_add_test(hooks, a_hop_that_is_over_is_not_asked_about);
    tcase_add_loop_test(hooks, after_changes_or_refuses, 0, 2);
    tcase_add_loop_test(hooks, rule_b2_1_a_hook_takes_no_credentials_elsewhere, 0,
                        sizeof moves / sizeof *moves);
    tcase_add_loop_test(wrong, hostile_daemon_and_hops, 0, sizeof wrongs / sizeof *wrongs);
    tcase_add_test(wrong, a_hop_that_is_no_request);
    return s;
}

UNIT_MAIN(suite)
