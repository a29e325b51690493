/* SPDX-License-Identifier: MIT */
/* test_control - the control socket: what it answers and to whom, that it takes no requests, and that it has
 * a reserve of its own. Users are made up; the one who runs the tests is an admin by being the daemon's own.
 */
#include "daemon/ipc/metrics.h"
#include "tests/lib/mini_program.h"
#include "tests/unit/unit.h"

static void ask(struct client *c, uint64_t id, uint16_t verb)
{
    ck_assert_int_eq(rqv_wire_encode_query(&c->out, id, verb), 0);
}

static int answer_to(struct world *w, struct client *c, uint64_t id, uint16_t verb)
{
    unsigned dones = c->dones;

    c->infos = 0;
    ask(c, id, verb);
    until(w, c, &c->dones, dones + 1);
    return c->code;
}

static void put_operation(struct world *w, struct client *c, uint64_t id, uint16_t verb, uint64_t target)
{
    static struct rqv_operation operation;

    memset(&operation, 0, sizeof operation);
    operation.verb = verb;
    operation.target = target;
    operation.value = 1;
    operation.head.method = RQV_STR("GET");
    operation.head.url = rqv_str_from(w->url);
    ck_assert_int_eq(rqv_wire_encode_operation(&c->out, id, &operation), 0);
}

static int operate_on(struct world *w, struct client *c, uint64_t id, uint16_t verb, uint64_t target)
{
    unsigned dones = c->dones;

    put_operation(w, c, id, verb, target);
    until(w, c, &c->dones, dones + 1);
    return c->code;
}

static int operate(struct world *w, struct client *c, uint64_t id, uint16_t verb)
{
    return operate_on(w, c, id, verb, 0);
}

/* ---- who sees what ---- */

/* security.md B9-14: one pool of each of two users; each user sees his own, an admin sees both, and only by
 * the control socket. */
START_TEST(rule_b9_14_who_sees_what)
{
    struct world *w = world_open();
    struct client *one = greeted(w, 1001), *two = greeted(w, 1002);
    struct client *data = greeted(w, geteuid());
    struct client *control_one = greeted_control(w, 1001), *stranger = greeted_control(w, 1003);
    struct client *admin = greeted_control(w, geteuid()), *root = greeted_control(w, 0);

    put_request(w, one, 1, 0);
    put_request(w, two, 1, 0);
    until(w, one, &one->dones, 1);
    until(w, two, &two->dones, 1);
    ck_assert_int_eq(answer_to(w, one, 2, RQV_QUERY_POOLS), 0);
    ck_assert_uint_eq(one->infos, 1);
    ck_assert_int_eq(answer_to(w, data, 1, RQV_QUERY_POOLS), 0);
    ck_assert_uint_eq(data->infos, 0);
    ck_assert_int_eq(answer_to(w, control_one, 1, RQV_QUERY_POOLS), 0);
    ck_assert_uint_eq(control_one->infos, 1);
    ck_assert_int_eq(answer_to(w, stranger, 1, RQV_QUERY_POOLS), 0);
    ck_assert_uint_eq(stranger->infos, 0);
    ck_assert_int_eq(answer_to(w, admin, 1, RQV_QUERY_POOLS), 0);
    ck_assert_uint_eq(admin->infos, 2);
    ck_assert_int_eq(answer_to(w, root, 1, RQV_QUERY_POOLS), 0);
    ck_assert_uint_eq(root->infos, 2);
    ck_assert_ptr_null(account_find(&w->env.accounts, 1003)); /* who asks costs the data side nothing */
    world_close(w);
}
END_TEST

START_TEST(admins_are_named_by_user_and_group)
{
    struct world *w = world_open();
    struct client *one = greeted(w, 1001);
    struct client *user = greeted_control(w, 1002), *group = greeted_control(w, 1003);

    put_request(w, one, 1, 0);
    until(w, one, &one->dones, 1);
    w->env.conf.admins[0] = (struct conf_member){.id = 1002};
    w->env.conf.admin_count = 1;
    answer_to(w, user, 1, RQV_QUERY_POOLS);
    ck_assert_uint_eq(user->infos, 1);
    answer_to(w, group, 1, RQV_QUERY_POOLS);
    ck_assert_uint_eq(group->infos, 0);
    w->env.conf.admins[0] = (struct conf_member){.id = getegid() + 1, .group = true};
    answer_to(w, group, 2, RQV_QUERY_POOLS);
    ck_assert_uint_eq(group->infos, 0);
    w->env.conf.admins[0].id = getegid(); /* the kernel tells the groups of this process */
    answer_to(w, group, 3, RQV_QUERY_POOLS);
    ck_assert_uint_eq(group->infos, 1);
    answer_to(w, user, 2, RQV_QUERY_POOLS); /* each time anew */
    ck_assert_uint_eq(user->infos, 1);
    w->env.conf.admin_count = 0;
    answer_to(w, user, 3, RQV_QUERY_POOLS);
    ck_assert_uint_eq(user->infos, 0);
    world_close(w);
}
END_TEST

/* ---- no requests ---- */

START_TEST(the_control_socket_takes_no_requests)
{
    static struct rqv_ws_open head;
    struct world *w = world_open();
    struct client *c = greeted_control(w, 1000);

    put_request(w, c, 1, RQV_REQ_HAS_BODY | RQV_REQ_CHUNKED);
    rqv_wire_encode_data(&c->out, 1, RQV_FLAG_END, RQV_STR("x"));
    rqv_wire_encode_credit(&c->out, 1, 5);
    rqv_wire_encode_empty(&c->out, RQV_WIRE_CANCEL, 1);
    rqv_wire_encode_trust(&c->out, 2, 1);
    rqv_wire_encode_data(&c->out, 2, RQV_FLAG_END, RQV_STR("x"));
    head.url = rqv_str_from(w->url);
    ck_assert_int_eq(rqv_wire_encode_ws_open(&c->out, 3, &head), 0);
    until(w, c, &c->dones, 3);
    ck_assert_int_eq(c->code, REQIVO_E_ACCESS_DENIED);
    ck_assert_int_eq(operate(w, c, 4, RQV_OP_POOL_PREWARM), REQIVO_E_ACCESS_DENIED);
    ck_assert_int_eq(operate(w, c, 5, RQV_OP_SESSION_OPEN), REQIVO_E_ACCESS_DENIED);
    ck_assert_int_eq(answer_to(w, c, 6, RQV_QUERY_STATUS), 0);
    ck_assert_int_eq(answer_to(w, c, 7, 9999), REQIVO_E_VERSION);
    ck_assert_uint_eq(c->goaways + c->eof, 0);
    ck_assert_uint_eq(w->origin.accepted, 0);
    ck_assert_uint_eq(w->env.accounts.used[ACCOUNT_REQUESTS], 0);
    world_close(w);
}
END_TEST

/* ---- the reserve ---- */

START_TEST(it_answers_when_programs_have_used_up_theirs)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);
    struct accounts *all = &w->env.accounts;

    all->limit_all[ACCOUNT_MEMORY] = all->used[ACCOUNT_MEMORY];
    all->limit_all[ACCOUNT_OWED] = all->used[ACCOUNT_OWED];
    all->limit_all[ACCOUNT_PEERS] = all->used[ACCOUNT_PEERS];
    all->limit_all[ACCOUNT_REQUESTS] = 0;
    struct client *control = greeted_control(w, 1000);
    ck_assert_int_eq(answer_to(w, control, 1, RQV_QUERY_STATUS), 0);
    ck_assert_uint_eq(control->infos, 1);
    ck_assert_int_eq(answer_to(w, control, 2, RQV_QUERY_POOLS), 0);
    ck_assert_uint_eq(c->eof, 0);
    world_close(w);
}
END_TEST

/* Eight of a user, of which no more than he leaves; some for the daemon's own user; all are given back. */
START_TEST(it_has_limits_of_its_own)
{
    struct world *w = world_open();
    struct accounts *all = &w->ipc.control_accounts;
    unsigned strangers = 0;
    struct peer *peer;
    int fds[2];

    for (uid_t uid = 2000; uid < 2010; uid++)
        for (int i = 0; i < 10; i++) {
            ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
            int rc = peer_new(&w->ipc.control, fds[1], uid, 1, &peer);
            strangers += rc == 0;
            ck_assert_int_eq(rc, rc == 0 ? 0 : REQIVO_E_LIMIT_PEERS);
            if (rc < 0) {
                close(fds[0]);
                close(fds[1]);
            }
        }
    ck_assert_uint_ge(strangers, 16);
    ck_assert_uint_le(strangers, 24);
    struct client *own = greeted_control(w, geteuid());
    ck_assert_int_eq(answer_to(w, own, 1, RQV_QUERY_STATUS), 0);
    ck_assert_uint_eq(w->env.accounts.used[ACCOUNT_PEERS], 0);
    ck_assert_uint_eq(all->used[ACCOUNT_PEERS], strangers + 1);
    world_close(w);
}
END_TEST

/* ---- verbs ---- */

static void on_drain_asked(void *daemon)
{
    ++*(unsigned *)daemon;
}

/* Who is refused changes nothing, and is told who may. */
START_TEST(rule_b9_14_each_verb_is_judged)
{
    struct world *w = world_open();
    unsigned drains = 0;
    struct client *data = greeted(w, geteuid()), *user = greeted_control(w, 1001);
    struct client *admin = greeted_control(w, geteuid());

    w->ipc.use.drain = on_drain_asked;
    w->ipc.use.daemon = &drains;
    ck_assert_int_eq(operate(w, data, 1, RQV_OP_CONTROL_DRAIN), REQIVO_E_ACCESS_DENIED);
    ck_assert_int_eq(operate(w, user, 1, RQV_OP_CONTROL_DRAIN), REQIVO_E_ACCESS_DENIED);
    ck_assert_int_eq(operate(w, user, 2, RQV_OP_CONTROL_RELOAD), REQIVO_E_ACCESS_DENIED);
    ck_assert_int_eq(operate_on(w, user, 3, RQV_OP_CONTROL_CLOSE, 1002 + 1), REQIVO_E_ACCESS_DENIED);
    ck_assert_int_eq(operate_on(w, user, 4, RQV_OP_CONTROL_CLOSE, RQV_OPERATION_ALL), REQIVO_E_ACCESS_DENIED);
    ck_assert_int_eq(operate_on(w, user, 5, RQV_OP_CONTROL_WARM, 1002 + 1), REQIVO_E_ACCESS_DENIED);
    ck_assert_int_eq(operate_on(w, user, 6, RQV_OP_CONTROL_CLOSE, 1001 + 1), 0); /* himself */
    ck_assert_uint_eq(drains + w->origin.accepted, 0);
    ck_assert_int_eq(operate(w, admin, 1, RQV_OP_CONTROL_RELOAD), REQIVO_E_VERSION); /* nobody gave it one */
    ck_assert_int_eq(operate(w, admin, 2, RQV_OP_CONTROL_DRAIN), 0);
    ck_assert_uint_eq(drains, 1);
    world_close(w);
}
END_TEST

/* A connection each of two users; each closes his own, an admin a named one's and all. */
START_TEST(close_and_warm)
{
    struct world *w = world_open();
    struct client *user = greeted_control(w, 1001), *admin = greeted_control(w, geteuid());

    ck_assert_int_eq(operate(w, user, 1, RQV_OP_CONTROL_WARM), 0);
    ck_assert_int_eq(operate_on(w, admin, 1, RQV_OP_CONTROL_WARM, 1002 + 1), 0);
    ck_assert_uint_eq(w->origin.accepted, 2);
    ck_assert_uint_eq(account_find(&w->env.accounts, 1002)->used[ACCOUNT_CONNS], 1);
    ck_assert_int_eq(operate_on(w, admin, 2, RQV_OP_CONTROL_WARM, RQV_OPERATION_ALL), -EINVAL);
    ck_assert_int_eq(operate_on(w, admin, 3, RQV_OP_CONTROL_WARM, UINT64_C(1) << 40), -EINVAL);
    user->infos = 0;
    ck_assert_int_eq(operate(w, user, 2, RQV_OP_CONTROL_CLOSE), 0);
    ck_assert_uint_eq(user->infos, 1);
    mini_env_until(&w->env, &w->origin.ended, 1);
    ck_assert_uint_eq(account_find(&w->env.accounts, 1002)->used[ACCOUNT_CONNS], 1);
    ck_assert_int_eq(operate(w, user, 3, RQV_OP_CONTROL_WARM), 0);
    ck_assert_int_eq(operate_on(w, admin, 4, RQV_OP_CONTROL_CLOSE, RQV_OPERATION_ALL), 0);
    mini_env_until(&w->env, &w->origin.ended, 3);
    ck_assert_uint_eq(w->env.accounts.used[ACCOUNT_CONNS], 0);
    snprintf(w->url, sizeof w->url, "gopher://x/");
    ck_assert_int_eq(operate(w, user, 4, RQV_OP_CONTROL_CLOSE), REQIVO_E_URL);
    ck_assert_uint_eq(w->ipc.control_accounts.used[ACCOUNT_REQUESTS], 0);
    world_close(w);
}
END_TEST

static struct ipc_asker *asked;

static void on_reload_asked(void *daemon, struct ipc_asker *asker)
{
    struct rqv_list *askers = daemon;

    asked = asker;
    rqv_list_append(askers, &asker->node);
}

static void tell(int code, const char *text)
{
    rqv_list_remove(&asked->node);
    asked->told(asked, code, text);
}

/* DONE comes when it is done, the text as rows; who goes, or takes it back, is told nothing more. */
START_TEST(reload_ends_when_it_is_done)
{
    struct world *w = world_open();
    struct rqv_list askers;
    struct client *admin = greeted_control(w, geteuid());

    rqv_list_init(&askers);
    w->ipc.use.reload = on_reload_asked;
    w->ipc.use.daemon = &askers;
    put_operation(w, admin, 1, RQV_OP_CONTROL_RELOAD, 0);
    put_operation(w, admin, 2, RQV_OP_CONTROL_RELOAD, 0); /* one at a time */
    until(w, admin, &admin->dones, 1);
    ck_assert_uint_eq(admin->done_of[2], 1);
    ck_assert_int_eq(admin->code, REQIVO_E_LIMIT_REQUESTS);
    ck_assert_int_eq(answer_to(w, admin, 3, RQV_QUERY_STATUS), 0); /* it goes on answering */
    admin->infos = 0;
    tell(0, "pool.idle changed\nsocket needs a restart");
    until(w, admin, &admin->dones, 3);
    ck_assert_int_eq(admin->code, 0);
    ck_assert_uint_eq(admin->infos, 1);
    put_operation(w, admin, 4, RQV_OP_CONTROL_RELOAD, 0);
    flush(admin);
    for (int i = 0; i < 1000 && rqv_list_empty(&askers); i++)
        mini_env_ms(&w->env, 1);
    tell(-EINVAL, "reqivod.conf:3: no");
    until(w, admin, &admin->dones, 4);
    ck_assert_int_eq(admin->code, -EINVAL);
    put_operation(w, admin, 5, RQV_OP_CONTROL_RELOAD, 0);
    rqv_wire_encode_empty(&admin->out, RQV_WIRE_CANCEL, 5);
    until(w, admin, &admin->dones, 5);
    ck_assert_int_eq(admin->code, REQIVO_E_CANCELED);
    ck_assert(rqv_list_empty(&askers));
    put_operation(w, admin, 6, RQV_OP_CONTROL_RELOAD, 0);
    flush(admin);
    for (int i = 0; i < 1000 && rqv_list_empty(&askers); i++)
        mini_env_ms(&w->env, 1);
    close(admin->fd);
    admin->fd = -1;
    for (int i = 0; i < 1000 && !rqv_list_empty(&askers); i++)
        mini_env_ms(&w->env, 1);
    ck_assert(rqv_list_empty(&askers));
    ck_assert_uint_eq(w->ipc.control_accounts.used[ACCOUNT_REQUESTS], 0);
    ck_assert_uint_eq(account_memory(w->ipc.control_accounts.used), 0);
    world_close(w);
}
END_TEST

/* ---- metrics ---- */

/* The longest that there can be: no line is left out, and each piece ends with a line. */
START_TEST(every_line_has_room)
{
    static char all[1 << 20];
    struct world *w = world_open();
    struct metrics metrics;
    struct account *accounts[100];
    char piece[METRICS_PIECE];
    size_t used = 0, lines = 0, len;

    for (uid_t i = 0; i < 100; i++) {
        ck_assert_int_eq(account_get(&w->env.accounts, 4294967000u + i, &accounts[i]), 0);
        accounts[i]->received_bytes = UINT64_MAX;
    }
    memset(w->env.exchanges.stats.time, 0xff, sizeof w->env.exchanges.stats.time);
    memset(w->env.exchanges.stats.errors, 0xff, sizeof w->env.exchanges.stats.errors);
    metrics_begin(&metrics, &w->ipc, NULL, true);
    while ((len = metrics_next(&metrics, piece)) > 0) {
        ck_assert_int_eq(piece[len - 1], '\n');
        ck_assert_uint_lt(used + len, sizeof all);
        memcpy(all + used, piece, len);
        used += len;
    }
    metrics_end(&metrics);
    for (size_t i = 0; i < used; i++)
        lines += all[i] == '\n';
    unsigned members = (unsigned)w->env.accounts.everybody.count;
    unsigned heads = 0, users = 0;
    for (const char *at = all; (at = strstr(at, "# TYPE ")); at++)
        heads++;
    for (const char *at = all; (at = strstr(at, "# TYPE reqivo_user_")); at++)
        users++;
    /* two lines of a head; a number each, but seven and two histograms, and labels: 3, 4, 14, 3 x 6 */
    unsigned plain = heads - users - 9;
    ck_assert_uint_eq(lines, 2 * heads + users * members + plain + 9 * (HISTOGRAM_BUCKETS + 2) + 39);
    for (int i = 0; i < 100; i++)
        account_release(&accounts[i]);
    world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("control");

    UNIT_TCASE(s, "access", rule_b9_14_who_sees_what, admins_are_named_by_user_and_group,
               the_control_socket_takes_no_requests);
    UNIT_TCASE(s, "verbs", rule_b9_14_each_verb_is_judged, close_and_warm, reload_ends_when_it_is_done);
    UNIT_TCASE(s, "metrics", every_line_has_room);
    UNIT_TCASE(s, "reserve", it_answers_when_programs_have_used_up_theirs, it_has_limits_of_its_own);
    return s;
}

UNIT_MAIN(suite)
