/* SPDX-License-Identifier: MIT */
/* Unit tests of common/list.h. */
#include "common/list.h"

#include "tests/unit/unit.h"

struct item {
    int value;
    struct rqv_list node;
};

static int value_of(struct rqv_list *node)
{
    return RQV_LIST_OF(node, struct item, node)->value;
}

START_TEST(order_and_ends)
{
    struct item items[4] = {{.value = 0}, {.value = 1}, {.value = 2}, {.value = 3}};
    struct rqv_list head;
    int expected = 0;

    rqv_list_init(&head);
    ck_assert(rqv_list_empty(&head));
    ck_assert_ptr_null(rqv_list_first(&head));
    ck_assert_ptr_null(rqv_list_last(&head));
    rqv_list_append(&head, &items[1].node);
    rqv_list_append(&head, &items[3].node);
    rqv_list_prepend(&head, &items[0].node);
    rqv_list_insert_before(&items[3].node, &items[2].node);
    rqv_list_for_each (node, &head)
        ck_assert_int_eq(value_of(node), expected++);
    ck_assert_int_eq(expected, 4);
    ck_assert_int_eq(value_of(rqv_list_first(&head)), 0);
    ck_assert_int_eq(value_of(rqv_list_last(&head)), 3);
}
END_TEST

START_TEST(removal_is_harmless_twice)
{
    struct item items[3] = {{.value = 0}, {.value = 1}, {.value = 2}};
    struct rqv_list head;

    rqv_list_init(&head);
    for (int i = 0; i < 3; i++)
        rqv_list_append(&head, &items[i].node);
    rqv_list_remove(&items[1].node);
    rqv_list_remove(&items[1].node);
    ck_assert(rqv_list_empty(&items[1].node));
    ck_assert_ptr_eq(items[0].node.next, &items[2].node);
    rqv_list_append(&head, &items[1].node);
    ck_assert_int_eq(value_of(rqv_list_last(&head)), 1);
}
END_TEST

START_TEST(removal_while_iterating)
{
    struct item items[5] = {{.value = 0}, {.value = 1}, {.value = 2}, {.value = 3}, {.value = 4}};
    struct rqv_list head;
    int seen = 0;

    rqv_list_init(&head);
    for (int i = 0; i < 5; i++)
        rqv_list_append(&head, &items[i].node);
    rqv_list_for_each_safe (node, tmp, &head) {
        seen++;
        rqv_list_remove(node);
    }
    ck_assert_int_eq(seen, 5);
    ck_assert(rqv_list_empty(&head));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("list");

    UNIT_TCASE(s, "list", order_and_ends, removal_is_harmless_twice, removal_while_iterating);
    return s;
}

UNIT_MAIN(suite)
