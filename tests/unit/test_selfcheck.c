/* SPDX-License-Identifier: MIT */
/* test_selfcheck - each fact that must hold, alone and in its other state; and what this machine says. */
#include "daemon/selfcheck.h"
#include "tests/unit/unit.h"

#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>

static const struct selfcheck_facts fine = {.uid = 990,
                                            .overflow_uid = 65534,
                                            .uids = UINT32_MAX,
                                            .no_new_privs = true,
                                            .nofile = 65536,
                                            .now_s = 1767225600};

enum fact { NOTHING, ROOT, NOBODY, FEW_UIDS, CAPABILITY, PRIVILEGES, DUMPABLE, NOFILE, CLOCK_0, CLOCK_FAR };

static const struct judged {
    enum fact fact;
    int user, system; /* exit status */
    const char *word; /* of the line */
} judged[] = {
    {NOTHING, 0, 0, ""},
    {ROOT, 0, EX_SOFTWARE, "User=reqivo"},
    {NOBODY, EX_SOFTWARE, EX_SOFTWARE, "cannot be told apart"},
    {FEW_UIDS, 0, EX_SOFTWARE, "PrivateUsers=no"},
    {CAPABILITY, 0, EX_SOFTWARE, "0x8000000000"},
    {PRIVILEGES, 0, EX_SOFTWARE, "NoNewPrivileges=yes"},
    {DUMPABLE, EX_SOFTWARE, EX_SOFTWARE, "PR_SET_DUMPABLE"},
    {NOFILE, EX_OSERR, EX_OSERR, "RLIMIT_NOFILE"},
    {CLOCK_0, EX_OSERR, EX_OSERR, "the clock says second 0"},
    {CLOCK_FAR, EX_OSERR, EX_OSERR, "the clock says second 4102444800"},
};

static struct selfcheck_facts facts_with(enum fact fact)
{
    struct selfcheck_facts facts = fine;

    facts.uid = fact == ROOT ? 0 : fact == NOBODY ? facts.overflow_uid : facts.uid;
    facts.uids = fact == FEW_UIDS ? 65533 : facts.uids;
    facts.capabilities = fact == CAPABILITY ? 1ULL << 39 : 0;
    facts.no_new_privs = fact != PRIVILEGES;
    facts.dumpable = fact == DUMPABLE;
    facts.nofile = fact == NOFILE ? SELFCHECK_NOFILE_MIN - 1 : facts.nofile;
    facts.now_s = fact == CLOCK_0 ? 0 : fact == CLOCK_FAR ? 4102444800 : facts.now_s;
    return facts;
}

START_TEST(rule_d1_each_fact_is_judged)
{
    const struct judged *row = &judged[_i];
    struct selfcheck_facts facts = facts_with(row->fact);

    for (int system = 0; system <= 1; system++) {
        char why[256] = "";
        int wanted = system ? row->system : row->user;

        ck_assert_int_eq(selfcheck_judge(&facts, system, why, sizeof why), wanted);
        ck_assert_msg(!wanted || strstr(why, row->word), "no '%s' in '%s'", row->word, why);
        ck_assert_msg(wanted || !*why, "'%s'", why);
    }
}
END_TEST

START_TEST(uids_are_counted_from_0_on)
{
    static const struct {
        const char *map;
        uint64_t uids;
    } maps[] = {
        {"         0          0 4294967295\n", 4294967295},
        {"0 100000 65536\n", 65536},
        {"1000 0 1\n", 0},
        {"0 0 1\n990 990 1\n", 1},
        {"1 100000 65535\n0 1000 1\n", 65536},
        {"0 0 1\n1 1 0\n", 1},
        {"", 0},
        {"no number\n", 0},
    };

    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        ck_assert_msg(selfcheck_uids(maps[i].map) == maps[i].uids, "%s", maps[i].map);
}
END_TEST

START_TEST(facts_of_this_process)
{
    struct selfcheck_facts facts;
    char why[256] = "";

    prctl(PR_SET_DUMPABLE, 1);
    ck_assert_int_eq(selfcheck_gather(&facts, why, sizeof why), 0);
    ck_assert(facts.dumpable);
    ck_assert_uint_gt(facts.nofile, 0);
    ck_assert_int_gt(facts.now_s, 1672531200);
    prctl(PR_SET_DUMPABLE, 0);
    ck_assert_int_eq(selfcheck_gather(&facts, why, sizeof why), 0);
    ck_assert(!facts.dumpable);
    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(selfcheck_gather(&facts, why, sizeof why), 0);
    ck_assert(facts.no_new_privs);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("selfcheck");
    TCase *t = tcase_create("selfcheck");

    tcase_add_loop_test(t, rule_d1_each_fact_is_judged, 0, sizeof judged / sizeof judged[0]);
    tcase_add_test(t, uids_are_counted_from_0_on);
    tcase_add_test(t, facts_of_this_process);
    suite_add_tcase(s, t);
    return s;
}

UNIT_MAIN(suite)
