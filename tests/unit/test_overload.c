/* SPDX-License-Identifier: MIT */
/* test_overload - security.md B10-3: each step is reached, does what it says, and ends again. */
#include "daemon/base/overload.h"
#include "tests/lib/mini_program.h"
#include "tests/unit/unit.h"

/* ---- the rules, as numbers ---- */

START_TEST(rule_b10_3_steps_and_their_ends)
{
    static const struct {
        unsigned percent;
        enum overload_step up, down; /* coming from nothing, and from the highest */
    } table[] = {
        {0, OVERLOAD_NONE, OVERLOAD_NONE},           {79, OVERLOAD_NONE, OVERLOAD_NONE},
        {80, OVERLOAD_NONE, OVERLOAD_IDLE},          {84, OVERLOAD_NONE, OVERLOAD_IDLE},
        {85, OVERLOAD_IDLE, OVERLOAD_IDLE},          {87, OVERLOAD_IDLE, OVERLOAD_KEEP},
        {91, OVERLOAD_IDLE, OVERLOAD_REQUESTS},      {92, OVERLOAD_KEEP, OVERLOAD_REQUESTS},
        {94, OVERLOAD_KEEP, OVERLOAD_PROGRAMS},      {95, OVERLOAD_REQUESTS, OVERLOAD_PROGRAMS},
        {97, OVERLOAD_REQUESTS, OVERLOAD_PROGRAMS},  {98, OVERLOAD_PROGRAMS, OVERLOAD_PROGRAMS},
        {100, OVERLOAD_PROGRAMS, OVERLOAD_PROGRAMS},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ck_assert_int_eq(overload_step(OVERLOAD_NONE, table[i].percent), table[i].up);
        ck_assert_int_eq(overload_step(OVERLOAD_PROGRAMS, table[i].percent), table[i].down);
    }
}
END_TEST

START_TEST(rule_b10_3_percent)
{
    ck_assert_uint_eq(overload_percent(0, 150), 0);
    ck_assert_uint_eq(overload_percent(75, 150), 50);
    ck_assert_uint_eq(overload_percent(149, 150), 99);
    ck_assert_uint_eq(overload_percent(150, 150), 100);
    ck_assert_uint_eq(overload_percent(160, 150), 100); /* root has more */
    ck_assert_uint_eq(overload_percent(5, 0), 0);
    ck_assert_uint_eq(overload_percent(SIZE_MAX / 4, SIZE_MAX / 2), 50);
}
END_TEST

START_TEST(rule_b10_3_idle_times_shrink)
{
    ck_assert_uint_eq(overload_idle_at(0, 60000), 60000);
    ck_assert_uint_eq(overload_idle_at(85, 60000), 60000);
    ck_assert_uint_eq(overload_idle_at(90, 60000), 31000);
    ck_assert_uint_eq(overload_idle_at(95, 60000), 2000);
    ck_assert_uint_eq(overload_idle_at(100, 60000), 2000);
    ck_assert_uint_eq(overload_idle_at(100, 300), 300); /* never longer than asked for */
}
END_TEST

/* ---- the steps, reached ---- */

/* Of one total so much is taken that `percent` of what users may have is used, by root's account, which has
 * no share; returns how much that is. */
struct ballast {
    struct account *account;
    enum account_kind kind;
    size_t n;
};

static void ballast_set(struct world *w, struct ballast *ballast, unsigned percent)
{
    struct accounts *all = &w->env.accounts;
    size_t limit = all->limit_all[ballast->kind], shared = limit - limit / all->kept;
    size_t others = all->used[ballast->kind] - ballast->n;
    size_t want = (shared * percent + 99) / 100 - others;

    all->limit_uid[ballast->kind] = limit;
    if (want < ballast->n)
        account_refund(ballast->account, ballast->kind, ballast->n - want);
    else
        ck_assert_int_eq(account_charge(ballast->account, ballast->kind, want - ballast->n), 0);
    ballast->n = want;
}

static void ballast_drop(struct ballast *ballast)
{
    account_refund(ballast->account, ballast->kind, ballast->n);
    account_release(&ballast->account);
}

static struct ballast ballast_of(struct world *w, enum account_kind kind)
{
    struct ballast ballast = {NULL, kind, 0};

    ck_assert_int_eq(account_get(&w->env.accounts, 0, &ballast.account), 0);
    return ballast;
}

static void served(struct world *w, struct client *c, uint64_t id)
{
    unsigned before = c->dones;

    put_request(w, c, id, 0);
    until(w, c, &c->dones, before + 1);
    ck_assert_int_eq(c->code, 0);
}

static const char *name(const struct world *w)
{
    return overload_name(&w->env.accounts);
}

static const enum account_kind held[] = {ACCOUNT_MEMORY, ACCOUNT_CONNS};

/* 95 %: what is idle goes after 2 s instead of a day; below 85, and again below 80, it stays. */
START_TEST(rule_b10_3_idle_connections_end_sooner)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);
    struct ballast ballast = ballast_of(w, held[_i]);

    w->env.conf.pool_idle_ms = 86400000;
    w->env.accounts.limit_all[ACCOUNT_CONNS] = 1000;
    served(w, c, 1);
    ballast_set(w, &ballast, 84);
    ck_assert_str_eq(name(w), "none");
    ck_assert_uint_eq(overload_idle_ms(&w->env.accounts, 86400000), 86400000);
    ballast_set(w, &ballast, 96);
    ck_assert_uint_eq(overload_idle_ms(&w->env.accounts, 86400000), OVERLOAD_IDLE_MS);
    mini_env_until(&w->env, &w->origin.ended, 1);
    ballast_set(w, &ballast, 80);
    ck_assert_str_eq(name(w), "idle");
    ballast_set(w, &ballast, 79);
    ck_assert_str_eq(name(w), "none");
    served(w, c, 2);
    served(w, c, 3);
    ck_assert_uint_eq(w->origin.accepted, 2);
    ballast_drop(&ballast);
    world_close(w);
}
END_TEST

static unsigned warm_ends;
static int warm_code;

static void on_warm(struct warmer *warmer, const struct rqv_err *err)
{
    (void)warmer;
    warm_ends++;
    warm_code = err->code;
}

/* 92 %: a connection that nobody waits for is closed when its request is over, and none is made ahead. */
START_TEST(rule_b10_3_nothing_is_kept)
{
    struct world *w = world_open();
    struct client *c = greeted(w, 1000);
    struct ballast ballast = ballast_of(w, held[_i]);
    struct warmer warmer = {.want = 3, .connect_ms = 5000, .tls_ms = 5000, .on_warm = on_warm};

    w->env.accounts.limit_all[ACCOUNT_CONNS] = 1000;
    served(w, c, 1);
    struct pool *pool = RQV_LIST_OF(rqv_list_first(&w->env.origins.pools), struct pool, all_node);
    ballast_set(w, &ballast, 92);
    ck_assert_str_eq(name(w), "keep");
    served(w, c, 2); /* on the one that was kept before */
    mini_env_until(&w->env, &w->origin.ended, 1);
    ck_assert_uint_eq(w->origin.accepted, 1);
    warm_ends = 0;
    pool_warm(pool, &warmer);
    mini_env_until(&w->env, &warm_ends, 1);
    ck_assert_int_eq(warm_code, REQIVO_E_OVERLOADED);
    ballast_set(w, &ballast, 86);
    ck_assert_str_eq(name(w), "idle");
    served(w, c, 3);
    served(w, c, 4);
    ck_assert_uint_eq(w->origin.accepted, 2);
    pool_warm(pool, &warmer);
    mini_env_until(&w->env, &warm_ends, 2);
    ck_assert_int_eq(warm_code, 0);
    ballast_drop(&ballast);
    world_close(w);
}
END_TEST

/* ---- refusals: users fill their shares, so that no limit is reached, and the step is ---- */

#define HOGS 6

struct hogs {
    struct account *account[HOGS];
    enum account_kind kind;
    size_t n[HOGS];
};

static void hogs_fill(struct world *w, struct hogs *hogs, enum account_kind kind)
{
    struct accounts *all = &w->env.accounts;
    size_t left = all->limit_all[kind] - all->limit_all[kind] / all->kept - all->used[kind];

    hogs->kind = kind;
    all->limit_uid[kind] = all->limit_all[kind];
    for (unsigned i = 0; i < HOGS; i++) {
        ck_assert_int_eq(account_get(all, 2000 + i, &hogs->account[i]), 0);
        hogs->n[i] = (left - hogs->account[i]->used[kind]) / 2;
        ck_assert_int_eq(account_charge(hogs->account[i], kind, hogs->n[i]), 0);
        left -= hogs->n[i];
    }
}

static void hogs_drop(struct hogs *hogs)
{
    for (unsigned i = 0; i < HOGS; i++) {
        account_refund(hogs->account[i], hogs->kind, hogs->n[i]);
        account_release(&hogs->account[i]);
    }
}

static const enum account_kind refusing[] = {ACCOUNT_MEMORY, ACCOUNT_REQUESTS};

/* 95 %: who holds the most gets one clear error for a new request, at once and unsent; a newcomer, who holds
 * little, is served, and so is root. */
START_TEST(rule_b10_3_requests_are_refused)
{
    struct world *w = world_open();
    struct client *hog = greeted(w, 2000), *newcomer = greeted(w, 1000), *root = greeted(w, 0);
    struct hogs hogs;

    served(w, hog, 1);
    hogs_fill(w, &hogs, refusing[_i]);
    put_request(w, hog, 2, 0);
    until(w, hog, &hog->dones, 2);
    ck_assert_int_eq(hog->code, REQIVO_E_OVERLOADED);
    ck_assert_uint_eq(w->origin.requests, 1);
    served(w, newcomer, 1);
    served(w, root, 1);
    hogs_drop(&hogs);
    ck_assert_str_eq(name(w), "none");
    served(w, hog, 3);
    world_close(w);
}
END_TEST

static int come(struct world *w, uid_t uid)
{
    struct client *c = &w->clients[w->count];
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    int rc = peer_new(&w->ipc.data, fds[1], uid, 1, &c->peer);
    if (rc < 0) {
        close(fds[0]);
        close(fds[1]);
        return rc;
    }
    c->fd = fds[0];
    rqv_buf_init(&c->in, 1 << 22);
    rqv_buf_init(&c->out, 1 << 22);
    w->count++;
    return 0;
}

static const enum account_kind full[] = {ACCOUNT_MEMORY, ACCOUNT_PEERS};

/* 98 %: another program of theirs is not let in; those who hold little are. */
START_TEST(rule_b10_3_programs_are_refused)
{
    struct world *w = world_open();
    struct hogs hogs;

    hogs_fill(w, &hogs, full[_i]);
    ck_assert_str_eq(name(w), "programs");
    ck_assert_int_eq(come(w, 2000), REQIVO_E_OVERLOADED);
    ck_assert_int_eq(come(w, 1000), 0);
    ck_assert_int_eq(come(w, 0), 0);
    hogs_drop(&hogs);
    ck_assert_str_eq(name(w), "none");
    ck_assert_int_eq(come(w, 2000), 0);
    world_close(w);
}
END_TEST

/* A lack of connections refuses nothing: who waits gets one that is free. A lack of programs' places does not
 * cost idle connections. */
START_TEST(rule_b10_3_what_does_not_help_is_not_done)
{
    struct world *w = world_open();
    struct ballast conns = ballast_of(w, ACCOUNT_CONNS), peers = ballast_of(w, ACCOUNT_PEERS);
    char causes[64];

    ballast_set(w, &conns, 100);
    ck_assert_str_eq(name(w), "keep");
    overload_causes(&w->env.accounts, causes, sizeof causes);
    ck_assert_str_eq(causes, "connections 100%");
    ballast_drop(&conns);
    ballast_set(w, &peers, 97);
    ck_assert_str_eq(name(w), "none");
    overload_causes(&w->env.accounts, causes, sizeof causes);
    ck_assert_str_eq(causes, "-");
    ballast_drop(&peers);
    world_close(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("overload");
    TCase *steps = tcase_create("steps");

    UNIT_TCASE(s, "numbers", rule_b10_3_steps_and_their_ends, rule_b10_3_percent,
               rule_b10_3_idle_times_shrink, rule_b10_3_what_does_not_help_is_not_done);
    tcase_set_timeout(steps, 60);
    tcase_add_loop_test(steps, rule_b10_3_idle_connections_end_sooner, 0, 2);
    tcase_add_loop_test(steps, rule_b10_3_nothing_is_kept, 0, 2);
    tcase_add_loop_test(steps, rule_b10_3_requests_are_refused, 0, 2);
    tcase_add_loop_test(steps, rule_b10_3_programs_are_refused, 0, 2);
    suite_add_tcase(s, steps);
    return s;
}

UNIT_MAIN(suite)
