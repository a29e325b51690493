/* SPDX-License-Identifier: MIT */
/* test_waitq - the order of those who wait: round robin over uids, then sources, first come first within one;
 * and against a model that does the same with plain arrays. */
#include "daemon/upstream/waitq.h"
#include "tests/unit/unit.h"

#include <string.h>

struct item {
    struct wait_node node;
    char name;
};

static void item_init(struct item *item, char name)
{
    wait_node_init(&item->node);
    item->name = name;
}

static struct item *item_of(struct wait_node *node)
{
    return (struct item *)(void *)((char *)node - offsetof(struct item, node));
}

static char serve(struct waitq *queue)
{
    struct wait_node *node = waitq_first(queue);
    char name;

    if (!node)
        return '-';
    name = item_of(node)->name;
    waitq_serve(node);
    return name;
}

/* Serves all that wait, and tells in which order. */
static void check_order(struct waitq *queue, const char *expected)
{
    char got[64] = "";
    size_t n = 0;

    while (queue->count > 0 && n < sizeof got - 1)
        got[n++] = serve(queue);
    got[n] = '\0';
    ck_assert_str_eq(got, expected);
    ck_assert_ptr_null(waitq_first(queue));
}

#define ITEMS 12
struct fixture {
    struct waitq queue;
    struct wait_source a, b, other; /* a and b are of one uid */
    struct item items[ITEMS];
};

static void fixture_init(struct fixture *f)
{
    waitq_init(&f->queue);
    wait_source_init(&f->a, 1);
    wait_source_init(&f->b, 1);
    wait_source_init(&f->other, 2);
    for (int i = 0; i < ITEMS; i++)
        item_init(&f->items[i], (char)('A' + i));
}

static void push(struct fixture *f, char name, struct wait_source *source)
{
    ck_assert_int_eq(waitq_push(&f->queue, &f->items[name - 'A'].node, source), 0);
}

static void push_nine(struct fixture *f)
{
    fixture_init(f);
    for (const char *at = "ABC"; *at; at++)
        push(f, *at, &f->a);
    for (const char *at = "DE"; *at; at++)
        push(f, *at, &f->b);
    for (const char *at = "FGHI"; *at; at++)
        push(f, *at, &f->other);
}

START_TEST(fifo_within_one_source)
{
    struct fixture f;

    fixture_init(&f);
    for (const char *at = "ABCDE"; *at; at++)
        push(&f, *at, &f.a);
    check_order(&f.queue, "ABCDE");
    waitq_done(&f.queue);
}
END_TEST

/* uid 1: sources a (A B C) and b (D E); uid 2: F G H I. */
START_TEST(round_robin_over_uids_then_sources)
{
    struct fixture f;

    push_nine(&f);
    check_order(&f.queue, "AFDGBHEIC");
    waitq_done(&f.queue);
}
END_TEST

/* One uid with many sources gets no more than one with few. */
START_TEST(many_programs_of_one_user_get_one_users_share)
{
    struct waitq queue;
    struct wait_source many[4], one;
    struct item items[8];

    waitq_init(&queue);
    wait_source_init(&one, 2);
    for (int i = 0; i < 8; i++)
        item_init(&items[i], (char)('A' + i));
    for (int i = 0; i < 4; i++) {
        wait_source_init(&many[i], 1);
        ck_assert_int_eq(waitq_push(&queue, &items[i].node, &many[i]), 0);
    }
    for (int i = 4; i < 8; i++)
        ck_assert_int_eq(waitq_push(&queue, &items[i].node, &one), 0);
    check_order(&queue, "AEBFCGDH");
    waitq_done(&queue);
}
END_TEST

/* Whoever takes back leaves the order of the rest alone: every position. */
START_TEST(removal_keeps_the_order)
{
    /* what remains when A, B, C ... has gone: its source's next takes its place */
    static const char *const expected[] = {"BFDGCHEI", "AFDGCHEI", "AFDGBHEI", "AFEGBHCI", "AFDGBHCI",
                                           "AGDHBIEC", "AFDHBIEC", "AFDGBIEC", "AFDGBHEC"};

    for (int i = 0; i < 9; i++) {
        struct fixture f;
        push_nine(&f);
        waitq_remove(&f.items[i].node);
        waitq_remove(&f.items[i].node); /* harmless */
        ck_assert_uint_eq(f.queue.count, 8);
        check_order(&f.queue, expected[i]);
        waitq_done(&f.queue);
    }
}
END_TEST

/* first and next show each waiter exactly once. */
START_TEST(a_look_shows_all_once)
{
    struct fixture f;
    struct wait_look look;
    unsigned seen = 0, count = 0;

    push_nine(&f);
    for (struct wait_node *node = waitq_look(&look, &f.queue); node; node = waitq_next(&look)) {
        unsigned bit = 1u << (item_of(node)->name - 'A');
        ck_assert_uint_eq(seen & bit, 0);
        seen |= bit;
        count++;
    }
    ck_assert_uint_eq(count, 9);
    check_order(&f.queue, "AFDGBHEIC");
    waitq_done(&f.queue);
}
END_TEST

/* One source waits in two queues at once. */
START_TEST(two_queues_do_not_meet)
{
    struct waitq one, two;
    struct wait_source source;
    struct item items[4];

    waitq_init(&one);
    waitq_init(&two);
    wait_source_init(&source, 1);
    for (int i = 0; i < 4; i++) {
        item_init(&items[i], (char)('A' + i));
        ck_assert_int_eq(waitq_push(i % 2 ? &two : &one, &items[i].node, &source), 0);
    }
    check_order(&one, "AC");
    check_order(&two, "BD");
    ck_assert(rqv_list_empty(&source.heads));
    waitq_done(&one);
    waitq_done(&two);
}
END_TEST

/* ---- the model: uids in a circle, each with sources in a circle, each with a queue ---- */

#define M_UIDS    3
#define M_SOURCES 3
#define M_ITEMS   40

struct model {
    int uids[M_UIDS]; /* the circle, in the order in which they first came */
    int uid_count;
    int ring[M_UIDS][M_SOURCES]; /* sources that wait, first served first */
    int ring_count[M_UIDS];
    int fifo[M_UIDS][M_SOURCES][M_ITEMS];
    int fifo_count[M_UIDS][M_SOURCES];
};

static void cut(int *array, int *count, int at)
{
    memmove(array + at, array + at + 1, (size_t)(*count - at - 1) * sizeof *array);
    (*count)--;
}

static int find(const int *array, int count, int value)
{
    for (int i = 0; i < count; i++)
        if (array[i] == value)
            return i;
    return -1;
}

static void model_push(struct model *m, int uid, int source, int item)
{
    if (find(m->uids, m->uid_count, uid) < 0)
        m->uids[m->uid_count++] = uid;
    if (m->fifo_count[uid][source] == 0)
        m->ring[uid][m->ring_count[uid]++] = source;
    m->fifo[uid][source][m->fifo_count[uid][source]++] = item;
}

static int model_first(const struct model *m)
{
    for (int i = 0; i < m->uid_count; i++) {
        int uid = m->uids[i];
        if (m->ring_count[uid] > 0)
            return m->fifo[uid][m->ring[uid][0]][0];
    }
    return -1;
}

static void model_remove(struct model *m, int uid, int source, int item)
{
    cut(m->fifo[uid][source], &m->fifo_count[uid][source],
        find(m->fifo[uid][source], m->fifo_count[uid][source], item));
    if (m->fifo_count[uid][source] == 0)
        cut(m->ring[uid], &m->ring_count[uid], find(m->ring[uid], m->ring_count[uid], source));
}

/* Removed, its source goes to the tail of its ring, its uid to the tail of the circle. */
static void model_serve(struct model *m, int uid, int source, int item)
{
    model_remove(m, uid, source, item);
    int at = find(m->ring[uid], m->ring_count[uid], source);
    if (at >= 0) {
        cut(m->ring[uid], &m->ring_count[uid], at);
        m->ring[uid][m->ring_count[uid]++] = source;
    }
    cut(m->uids, &m->uid_count, find(m->uids, m->uid_count, uid));
    m->uids[m->uid_count++] = uid;
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1103515245u + 12345u;
    return *state >> 16;
}

struct world {
    struct waitq queue;
    struct wait_source sources[M_UIDS][M_SOURCES];
    struct item items[M_ITEMS];
    int uid[M_ITEMS], source[M_ITEMS];
    struct model model;
};

static void step(struct world *w, unsigned *state)
{
    int i = (int)(next_random(state) % M_ITEMS);
    unsigned what = next_random(state) % 4;
    struct wait_node *first = waitq_first(&w->queue);

    if (what < 2 && !w->items[i].node.queue) {
        w->uid[i] = (int)(next_random(state) % M_UIDS);
        w->source[i] = (int)(next_random(state) % M_SOURCES);
        ck_assert_int_eq(waitq_push(&w->queue, &w->items[i].node, &w->sources[w->uid[i]][w->source[i]]), 0);
        model_push(&w->model, w->uid[i], w->source[i], i);
    } else if (what == 2 && w->items[i].node.queue) {
        waitq_remove(&w->items[i].node);
        model_remove(&w->model, w->uid[i], w->source[i], i);
    } else if (what == 3 && first) {
        i = (int)(item_of(first) - w->items);
        waitq_serve(first);
        model_serve(&w->model, w->uid[i], w->source[i], i);
    }
}

START_TEST(a_thousand_random_steps_agree_with_the_model)
{
    static struct world w;
    unsigned state = (unsigned)_i * 7919u + 1;

    memset(&w, 0, sizeof w);
    waitq_init(&w.queue);
    for (int u = 0; u < M_UIDS; u++)
        for (int s = 0; s < M_SOURCES; s++)
            wait_source_init(&w.sources[u][s], (uid_t)u);
    for (int i = 0; i < M_ITEMS; i++)
        item_init(&w.items[i], 'x');
    for (int n = 0; n < 1000; n++) {
        step(&w, &state);
        struct wait_node *first = waitq_first(&w.queue);
        ck_assert_int_eq(first ? (int)(item_of(first) - w.items) : -1, model_first(&w.model));
    }
    while (waitq_first(&w.queue)) {
        int i = (int)(item_of(waitq_first(&w.queue)) - w.items);
        ck_assert_int_eq(i, model_first(&w.model));
        waitq_serve(&w.items[i].node);
        model_serve(&w.model, w.uid[i], w.source[i], i);
    }
    ck_assert_uint_eq(w.queue.count, 0);
    ck_assert_int_eq(model_first(&w.model), -1);
    waitq_done(&w.queue);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("waitq");
    TCase *model = tcase_create("model");

    UNIT_TCASE(s, "order", fifo_within_one_source, round_robin_over_uids_then_sources,
               many_programs_of_one_user_get_one_users_share, removal_keeps_the_order, a_look_shows_all_once,
               two_queues_do_not_meet);
    tcase_add_loop_test(model, a_thousand_random_steps_agree_with_the_model, 0, 10);
    suite_add_tcase(s, model);
    return s;
}

UNIT_MAIN(suite)
