/* SPDX-License-Identifier: MIT */
/*
 * key - the pool key: who may share a connection with whom. Every field of security.md B1 (K1-K11) stands in
 * one table; a field whose feature does not exist yet holds its constant, so that adding the feature is
 * filling the field. Two requests share a connection when the whole canonical encodings are equal byte for
 * byte; a hash is only an index. key_encode.h makes one.
 */
#ifndef DAEMON_UPSTREAM_KEY_H
#define DAEMON_UPSTREAM_KEY_H

#include "common/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_MAX 768 /* bytes of a canonical encoding: all numbers, two host names, the rest short */

/* X(group, name, kind): NUM is a u64, TEXT a view (at most 254 bytes), NAME the same, and most often equal to
 * host, HASH 32 bytes. */
#define KEY_FIELDS(X)                                                                                        \
    X(K1, partition, NUM)         /* uid proved by the kernel, or configured users */                        \
    X(K1, security_label, TEXT)   /* SO_PEERSEC; constant "" */                                              \
    X(K1, client_partition, TEXT) /* chosen by the client; constant "" */                                    \
    X(K1, credential_mode, NUM)   /* with credentials (0), anonymous; constant */                            \
    X(K2, use_tls, NUM)                                                                                      \
    X(K2, scheme_family, NUM) /* http (0), ws (1) */                                                         \
    X(K3, host_type, NUM)                                                                                    \
    X(K3, host, TEXT)                                                                                        \
    X(K3, scope_id, NUM)                                                                                     \
    X(K3, port, NUM)                                                                                         \
    X(K4, route_present, NUM) /* connect-to override; no UNIX path yet */                                    \
    X(K4, route_host, TEXT)                                                                                  \
    X(K4, route_port, NUM)                                                                                   \
    X(K4, route_unix_path, TEXT)                                                                             \
    X(K4, route_abstract, NUM)                                                                               \
    X(K5, proxy_count, NUM) /* no proxies yet: constant 0 */                                                 \
    X(K5, proxy_type, NUM)                                                                                   \
    X(K5, proxy_host, TEXT)                                                                                  \
    X(K5, proxy_scope_id, NUM)                                                                               \
    X(K5, proxy_port, NUM)                                                                                   \
    X(K5, proxy_credential, HASH)                                                                            \
    X(K5, proxy_tls, HASH)                                                                                   \
    X(K5, proxy_auth, HASH)                                                                                  \
    X(K6, tls_min_version, NUM)                                                                              \
    X(K6, tls_max_version, NUM)                                                                              \
    X(K6, verify_peer, NUM)                                                                                  \
    X(K6, verify_host, NUM)                                                                                  \
    X(K6, expected_name, NAME)                                                                               \
    X(K6, server_name, NAME)   /* SNI */                                                                     \
    X(K6, require_status, NUM) /* OCSP; constant 0 */                                                        \
    X(K6, trust, HASH)         /* SHA-256 of the CA set's content */                                         \
    X(K6, trust_native, NUM)   /* the system's set was meant, whatever it holds */                           \
    X(K6, partial_chain, NUM)                                                                                \
    X(K6, crl, HASH)                                                                                         \
    X(K6, issuer, HASH)                                                                                      \
    X(K6, pins, HASH)                                                                                        \
    X(K6, client_certificate, HASH)                                                                          \
    X(K6, private_key, HASH)                                                                                 \
    X(K6, private_key_type, NUM)                                                                             \
    X(K6, auto_client_certificate, NUM)                                                                      \
    X(K6, ciphers, TEXT)                                                                                     \
    X(K6, ciphersuites, TEXT)                                                                                \
    X(K6, groups, TEXT)                                                                                      \
    X(K6, signature_algorithms, TEXT)                                                                        \
    X(K6, alpn, TEXT)                                                                                        \
    X(K6, renegotiation, NUM)                                                                                \
    X(K6, resumption, NUM)                                                                                   \
    X(K6, early_data, NUM) /* always 0 */                                                                    \
    X(K7, http_versions, NUM)                                                                                \
    X(K7, multiplex, NUM)                                                                                    \
    X(K8, bound_mechanism, TEXT) /* connection-bound authentication is never created: "none" */              \
    X(K8, bound_principal, TEXT)                                                                             \
    X(K8, bound_credential, HASH)                                                                            \
    X(K8, bound_delegation, NUM)                                                                             \
    X(K8, bound_service, TEXT)                                                                               \
    X(K9, source_address, TEXT)                                                                              \
    X(K9, source_ports, NUM)                                                                                 \
    X(K9, interface, TEXT)                                                                                   \
    X(K9, mark, NUM)                                                                                         \
    X(K9, traffic_class, NUM)                                                                                \
    X(K9, network_namespace, NUM)                                                                            \
    X(K10, ip_family, NUM)                                                                                   \
    X(K10, resolver, NUM)                                                                                    \
    X(K10, zones, NUM) /* bit set of the address zones that the user may reach */                            \
    X(K11, trust_generation, NUM)                                                                            \
    X(K11, network_generation, NUM)                                                                          \
    X(K11, policy_generation, NUM)

#define KEY_TYPE_NUM  uint64_t
#define KEY_TYPE_TEXT struct rqv_str
#define KEY_TYPE_NAME struct rqv_str
struct key_hash {
    uint8_t bytes[32];
};
#define KEY_TYPE_HASH struct key_hash

struct key_fields {
#define KEY_MEMBER(group, name, kind) KEY_TYPE_##kind name;
    KEY_FIELDS(KEY_MEMBER)
#undef KEY_MEMBER
};

struct key {
    uint16_t len;
    uint8_t bytes[KEY_MAX];
};

bool key_eq(const struct key *a, const struct key *b);

/* The table for tests and for people: how many fields, the group and name of the n-th. */
size_t key_field_count(void);
const char *key_field_name(size_t n, const char **ret_group);

#endif
