/* SPDX-License-Identifier: MIT */
/*
 * log_ids - what the daemon says to administrators that a program may look for: each kind of event has a
 * MESSAGE_ID of its own in the journal. The numbers never change; doc/man/reqivod.8 lists them, and
 * tests/integration/test_journal.py compares the two.
 */
#ifndef DAEMON_BASE_LOG_IDS_H
#define DAEMON_BASE_LOG_IDS_H

/* X(name, MESSAGE_ID, what it says) */
/* clang-format off */
#define LOG_ID_TABLE(X)                                                                              \
    X(STARTED,       "ca0b4a0058e24db78ed519dfb2258355", "the daemon has begun to start")             \
    X(READY,         "015c47f353fa4077a25a2ba22178290f", "programs may connect")                      \
    X(STOPPING,      "50efa7b502954ba4bcf75b8d7807b3a9", "the daemon ends")                           \
    X(RELOADED,      "1470cf80c8d942619137974dfd13ac5f", "changed settings are in force")             \
    X(RELOAD_FAILED, "c8fe23d732744b5ba6b71e4ec1856773", "the settings stay as they were")            \
    X(VIOLATION,     "eee2753cc376475ba367b97fee1b257c", "a program violated the wire's protocol")    \
    X(REFUSED,       "6eaf1aadfd28448d8f5a4e92e1a256a0", "the policy refused a program or request")   \
    X(LIMIT,         "0cc7a858dfe548cd8b04a6cd3b79aa4d", "a user reached a limit")                    \
    X(ISOLATION,     "395ce6a12c6d40af8f7c439496d896c7", "an isolation check failed")                 \
    X(ACCESS,        "7384cb79a2474defa30a292adf3e5cd1", "a request or WebSocket has ended")          \
    X(LOST,          "f6833b327a294bcbbbff35c7f60a6c5a", "lines of this log are missing")
/* clang-format on */

enum log_id {
    LOG_ID_NONE,
#define LOG_ID_ENUM(name, id, text) LOG_ID_##name,
    LOG_ID_TABLE(LOG_ID_ENUM)
#undef LOG_ID_ENUM
};

#endif
