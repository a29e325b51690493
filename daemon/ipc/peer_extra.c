/* SPDX-License-Identifier: MIT */
/* peer_extra - the part of a peer that plain requests never use. */
#include "daemon/ipc/peer.h"

#include <errno.h>
#include <stdlib.h>

/* Read-only: a write that forgot peer_extra_make() ends the daemon instead of showing one program another's.
 */
static const struct peer_extra none = {
    .trusts = {(struct rqv_list *)(uintptr_t)&none.trusts, (struct rqv_list *)(uintptr_t)&none.trusts}};

struct peer_extra *peer_extra_none(void)
{
    return (struct peer_extra *)(uintptr_t)&none;
}

int peer_extra_make(struct peer *peer)
{
    if (peer->extra != &none)
        return 0;
    int rc = account_charge(peer->account, ACCOUNT_MEMORY, sizeof *peer->extra);
    if (rc < 0)
        return rc;
    struct peer_extra *extra = calloc(1, sizeof *extra);
    if (!extra) {
        account_refund(peer->account, ACCOUNT_MEMORY, sizeof *extra);
        return -ENOMEM;
    }
    rqv_list_init(&extra->trusts);
    peer->extra = extra;
    return 0;
}

void peer_extra_done(struct peer *peer)
{
    if (peer->extra == &none)
        return;
    account_refund(peer->account, ACCOUNT_MEMORY, sizeof *peer->extra);
    free(peer->extra);
    peer->extra = peer_extra_none();
}
