/* SPDX-License-Identifier: MIT */
/* session - see session.h. */
#include "daemon/work/session.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

int session_new(struct account *account, const struct psl_ctx_st *suffixes, const uint64_t hash_key[2],
                struct session **ret_session)
{
    int rc = account_charge(account, ACCOUNT_MEMORY, sizeof(struct session));

    if (rc < 0)
        return rc;
    struct session *session = calloc(1, sizeof *session);
    rc = session ? jar_new(account, suffixes, hash_key, &session->jar) : -ENOMEM;
    if (rc < 0) {
        free(session);
        account_refund(account, ACCOUNT_MEMORY, sizeof *session);
        return rc;
    }
    session->account = account;
    account->refs++;
    session->refs = 1;
    *ret_session = session;
    return 0;
}

struct session *session_ref(struct session *session)
{
    session->refs++;
    return session;
}

void session_release(struct session **place)
{
    struct session *session = *place;

    *place = NULL;
    if (!session || --session->refs > 0)
        return;
    struct account *account = session->account;
    jar_free(session->jar);
    free(session);
    account_refund(account, ACCOUNT_MEMORY, sizeof *session);
    account_release(&account);
}

uint64_t session_now_s(void)
{
    time_t now = time(NULL);

    return now > 0 ? (uint64_t)now : 0;
}
