/* SPDX-License-Identifier: MIT */
/* Tests of daemon/net/stream: bytes both ways, the ends of each kind, the stash, gathered records, and floods
 * (B7-5). */
#include "daemon/net/stream_internal.h"
#include "daemon/net/tls_internal.h"
#include "tests/lib/net_peer.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <openssl/kdf.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIB (1024 * 1024)

static struct net_cert ca, cert;
static struct net_env env;
static struct net_server server;
static struct net_client client;
static const struct net_client_params to = {.host = "a.example"};

static void setup(void)
{
    net_cert_make(&ca, &(struct net_cert_params){.cn = "test CA", .ca = true});
    net_cert_make(&cert, &(struct net_cert_params){.cn = "x", .san = "DNS:a.example", .issuer = &ca});
    net_env_open(&env, &ca);
}

static void teardown(void)
{
    net_env_close(&env);
    net_cert_done(&ca);
    net_cert_done(&cert);
}

static void open_tls(net_script script, int version)
{
    net_server_open(&server, &cert, script);
    SSL_CTX_set_max_proto_version(server.ctx, version);
    net_server_start(&server);
    ck_assert_int_eq(net_client_open(&client, &env, server.port, &to), 0);
}

static void open_plain(net_script script)
{
    net_server_open(&server, NULL, script);
    net_server_start(&server);
    net_client_plain(&client, &env, server.port);
}

static void close_all(void)
{
    net_client_close(&client);
    net_server_stop(&server);
}

static void fill(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
}

/* ---- both ways ---- */

struct echo {
    uint8_t *out, *in;
    size_t sent, got, len;
    bool done;
};

static void on_echo(void *owner, unsigned events)
{
    struct echo *echo = owner;
    bool more = true;
    long n = 0;

    while ((events & LOOP_READ) && more && echo->got < echo->len) {
        n = stream_read(client.stream, echo->in + echo->got, echo->len - echo->got, &more);
        if (n == -EAGAIN)
            break;
        ck_assert_int_gt(n, 0);
        echo->got += (size_t)n;
    }
    while (echo->sent < echo->len) {
        struct iovec iov = {echo->out + echo->sent, echo->len - echo->sent};

        n = stream_write(client.stream, &iov, 1);
        if (n == -EAGAIN)
            break;
        ck_assert_int_gt(n, 0);
        echo->sent += (size_t)n;
    }
    stream_want(client.stream, echo->sent < echo->len ? LOOP_READ | LOOP_WRITE : LOOP_READ);
    if (echo->got == echo->len) {
        echo->done = true;
        loop_stop(env.loop);
    }
}

static void echo_mib(void)
{
    struct echo echo = {.out = malloc(MIB), .in = malloc(MIB), .len = MIB};

    fill(echo.out, MIB);
    stream_set_owner(client.stream, on_echo, &echo);
    stream_want(client.stream, LOOP_READ | LOOP_WRITE);
    net_env_run(&env, &echo.done);
    ck_assert_mem_eq(echo.in, echo.out, MIB);
    free(echo.out);
    free(echo.in);
    ck_assert_int_eq(stream_peek(client.stream), 0);
    ck_assert(!stream_write_pending(client.stream));
    close_all();
}

START_TEST(mebibyte_both_ways_plain)
{
    open_plain(net_script_echo);
    echo_mib();
}
END_TEST

START_TEST(mebibyte_both_ways_tls12)
{
    open_tls(net_script_echo, TLS1_2_VERSION);
    echo_mib();
}
END_TEST

START_TEST(mebibyte_both_ways_tls13)
{
    open_tls(net_script_echo, TLS1_3_VERSION);
    echo_mib();
}
END_TEST

START_TEST(one_byte_at_a_time)
{
    uint8_t out[500], in[500];

    fill(out, sizeof(out));
    open_tls(net_script_echo, TLS1_3_VERSION);
    for (size_t i = 0; i < sizeof(out); i++) {
        struct iovec iov = {out + i, 1};

        ck_assert_int_eq(stream_write(client.stream, &iov, 1), 1);
    }
    for (size_t i = 0; i < sizeof(in); i++)
        net_client_read_all(&client, in + i, 1);
    ck_assert_mem_eq(in, out, sizeof(in));
    close_all();
}
END_TEST

START_TEST(pieces_of_an_iovec)
{
    static uint8_t out[60000], in[60000];
    struct iovec iov[] = {{out, 10},           {out + 10, 0},        {out + 10, 20000}, {out + 20010, 1},
                          {out + 20011, 3000}, {out + 23011, 36988}, {out + 59999, 1}};

    fill(out, sizeof(out));
    open_tls(net_script_echo, TLS1_3_VERSION);
    ck_assert_int_eq(stream_write(client.stream, iov, 7), 60000);
    net_client_read_all(&client, in, sizeof(in));
    ck_assert_mem_eq(in, out, sizeof(in));
    close_all();
}
END_TEST

/* ---- gathered: what one call wrote left in one send ---- */

static void script_one_recv(struct net_server *self, int fd, SSL *ssl)
{
    static char bytes[STREAM_SEALED_MAX];
    size_t *most = self->user;
    ssize_t n;

    (void)ssl;
    while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        *most = (size_t)n > *most ? (size_t)n : *most;
}

START_TEST(records_leave_in_one_send)
{
    static uint8_t out[40000];
    struct iovec iov[] = {{out, 300}, {out + 300, sizeof(out) - 300}};
    size_t most = 0;

    net_server_open(&server, &cert, script_one_recv);
    server.user = &most;
    net_server_start(&server);
    ck_assert_int_eq(net_client_open(&client, &env, server.port, &to), 0);
    ck_assert_int_eq(stream_write(client.stream, iov, 2), (long)sizeof(out));
    ck_assert(!stream_write_pending(client.stream));
    close_all();
    ck_assert_uint_gt(most, sizeof(out)); /* three records, one segment of loopback */
}
END_TEST

/* A server that does not read: what the kernel did not take waits, and leaves before anything else. */
static void script_late_reader(struct net_server *self, int fd, SSL *ssl)
{
    char byte;

    if (read(*(int *)self->user, &byte, 1) == 1)
        net_script_echo(self, fd, ssl);
}

START_TEST(write_waits_for_the_kernel)
{
    static uint8_t block[65536];
    size_t sent = 0, got = 0;
    int gate[2];
    long n;

    ck_assert_int_eq(pipe(gate), 0);
    fill(block, sizeof(block));
    net_server_open(&server, &cert, script_late_reader);
    server.user = &gate[0];
    net_server_start(&server);
    ck_assert_int_eq(net_client_open(&client, &env, server.port, &to), 0);
    do {
        struct iovec iov = {block, sizeof(block)};

        n = stream_write(client.stream, &iov, 1);
        sent += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    ck_assert_int_eq(n, -EAGAIN);
    ck_assert(stream_write_pending(client.stream));
    ck_assert_uint_le(rqv_buf_len(&client.stream->out), STREAM_SEALED_MAX);
    ck_assert_int_eq(write(gate[1], "x", 1), 1);
    while (got < sent) {
        static uint8_t in[65536];
        size_t want = sent - got < sizeof(in) ? sent - got : sizeof(in);

        net_client_read_all(&client, in, want);
        ck_assert_mem_eq(in, block, want);
        got += want;
    }
    ck_assert(!stream_write_pending(client.stream));
    close_all();
    close(gate[0]);
    close(gate[1]);
}
END_TEST

/* ---- the ends ---- */

static void script_fin(struct net_server *self, int fd, SSL *ssl)
{
    (void)self;
    if (ssl)
        SSL_write(ssl, "hello", 5);
    else
        send(fd, "hello", 5, 0);
}

static void script_rst(struct net_server *self, int fd, SSL *ssl)
{
    struct linger hard = {1, 0};
    char byte;

    (void)self;
    (void)ssl;
    recv(fd, &byte, 1, 0); /* the client speaks first, so that the reset comes after it */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

START_TEST(end_plain_fin)
{
    char text[16];

    open_plain(net_script_hello);
    net_client_read_all(&client, text, 5);
    ck_assert_int_eq(net_client_read(&client, text, sizeof(text)), 0);
    ck_assert_int_eq(net_client_read(&client, text, sizeof(text)), 0);
    ck_assert_int_eq(stream_peek(client.stream), 1);
    close_all();
}
END_TEST

START_TEST(end_plain_rst)
{
    char text[16];

    open_plain(script_rst);
    ck_assert_int_eq(net_client_write(&client, "x", 1), 1);
    ck_assert_int_eq(net_client_read(&client, text, sizeof(text)), REQIVO_E_RESET);
    ck_assert_int_eq(stream_errno(client.stream), ECONNRESET);
    close_all();
}
END_TEST

START_TEST(end_tls_close_notify)
{
    char text[16];

    open_tls(net_script_hello, TLS1_3_VERSION);
    net_client_read_all(&client, text, 5);
    ck_assert_int_eq(net_client_read(&client, text, sizeof(text)), 0);
    close_all();
}
END_TEST

START_TEST(end_tls_truncated)
{
    char text[16];

    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        open_tls(script_fin, version);
        net_client_read_all(&client, text, 5);
        ck_assert_int_eq(net_client_read(&client, text, sizeof(text)), REQIVO_E_TRUNCATED);
        ck_assert_int_eq(net_client_read(&client, text, sizeof(text)), REQIVO_E_TRUNCATED);
        close_all();
    }
}
END_TEST

START_TEST(end_tls_rst)
{
    char text[16];

    open_tls(script_rst, TLS1_3_VERSION);
    ck_assert_int_eq(net_client_write(&client, "x", 1), 1);
    ck_assert_int_eq(net_client_read(&client, text, sizeof(text)), REQIVO_E_RESET);
    close_all();
}
END_TEST

static void script_garbage(struct net_server *self, int fd, SSL *ssl)
{
    char byte;

    (void)self;
    (void)ssl;
    send(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, 0);
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

START_TEST(end_tls_garbage)
{
    char text[16];

    open_tls(script_garbage, TLS1_3_VERSION);
    ck_assert_int_eq(net_client_read(&client, text, sizeof(text)), REQIVO_E_TLS_PROTOCOL);
    close_all();
}
END_TEST

/* ---- the stash ---- */

static void script_burst(struct net_server *self, int fd, SSL *ssl)
{
    static uint8_t bytes[30 * 16384];
    char byte;

    (void)self;
    fill(bytes, sizeof(bytes));
    SSL_write(ssl, bytes, (int)sizeof(bytes));
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

struct count {
    unsigned calls;
};

static void on_count(void *owner, unsigned events)
{
    struct count *count = owner;
    uint8_t bytes[1];
    bool more;

    ck_assert_uint_eq(events, LOOP_READ);
    if (stream_read(client.stream, bytes, 1, &more) == -EAGAIN)
        return; /* tickets, or the beginning of a record */
    ck_assert(more);
    count->calls++;
    if (count->calls == 20) {
        stream_want(client.stream, 0);
        loop_stop(env.loop);
    }
}

/* A reader that takes a byte at a time and then pauses: what was read from the kernel for it stays its own.
 */
START_TEST(stash_of_a_paused_reader)
{
    static uint8_t in[30 * 16384], expected[sizeof(in)];
    struct count count = {0};
    uint8_t *scratch;

    fill(expected, sizeof(expected));
    open_tls(script_burst, TLS1_3_VERSION);
    stream_set_owner(client.stream, on_count, &count);
    stream_want(client.stream, LOOP_READ);
    loop_run(env.loop);
    ck_assert_uint_eq(count.calls, 20);
    ck_assert(stream_read_pending(client.stream));
    net_env_run_ms(&env, 20);
    ck_assert_uint_eq(count.calls, 20); /* paused is paused */
    scratch = loop_scratch(env.loop, 0);
    memset(scratch, 0xee, LOOP_SCRATCH); /* others use the block meanwhile */
    net_client_close(&client);
    net_server_stop(&server);
    open_tls(script_burst, TLS1_3_VERSION);
    for (size_t got = 0, step = 1; got < sizeof(in); step = step * 3 % 40009) {
        size_t n = step < sizeof(in) - got ? step : sizeof(in) - got;

        net_client_read_all(&client, in + got, n);
        memset(scratch, 0xee, LOOP_SCRATCH);
        got += n;
    }
    ck_assert_mem_eq(in, expected, sizeof(in));
    ck_assert_uint_le(client.stream->stash.cap, LOOP_SCRATCH);
    close_all();
}
END_TEST

/* Decrypted bytes that lie above the kernel are reported without a further byte. */
START_TEST(stash_is_reported)
{
    uint8_t byte;
    bool more;

    open_tls(net_script_hello, TLS1_3_VERSION);
    net_env_run_ms(&env, 50); /* all of it is in the kernel */
    net_client_read_all(&client, &byte, 1);
    for (int i = 0; i < 4; i++) {
        client.done = false;
        stream_want(client.stream, LOOP_READ);
        net_env_run(&env, &client.done);
        ck_assert_int_eq(stream_read(client.stream, &byte, 1, &more), 1);
    }
    ck_assert_int_eq(byte, 'o');
    close_all();
}
END_TEST

/* ---- floods ---- */

static void script_key_updates(struct net_server *self, int fd, SSL *ssl)
{
    unsigned count = *(unsigned *)self->user;
    char byte;

    for (unsigned i = 0; i < count; i++) {
        if (SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 || SSL_do_handshake(ssl) != 1)
            return;
    }
    SSL_write(ssl, "hello", 5);
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

static long read_after(net_script script, unsigned count, int version)
{
    char text[16];
    long n;

    net_server_open(&server, &cert, script);
    server.user = &count;
    SSL_CTX_set_max_proto_version(server.ctx, version);
    net_server_start(&server);
    ck_assert_int_eq(net_client_open(&client, &env, server.port, &to), 0);
    n = net_client_read(&client, text, sizeof(text));
    close_all();
    return n;
}

START_TEST(rule_b7_5_key_updates)
{
    ck_assert_int_eq(read_after(script_key_updates, 60, TLS1_3_VERSION), 5);
    ck_assert_int_eq(read_after(script_key_updates, 65, TLS1_3_VERSION), REQIVO_E_TLS_PROTOCOL);
    ck_assert_int_eq(read_after(script_key_updates, 20000, TLS1_3_VERSION), REQIVO_E_TLS_PROTOCOL);
}
END_TEST

static void script_tickets(struct net_server *self, int fd, SSL *ssl)
{
    unsigned count = *(unsigned *)self->user;
    char byte;

    for (unsigned i = 0; i < count; i++) {
        if (SSL_new_session_ticket(ssl) != 1 || SSL_do_handshake(ssl) != 1)
            return;
    }
    SSL_write(ssl, "hello", 5);
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

START_TEST(rule_b7_5_tickets)
{
    ck_assert_int_eq(read_after(script_tickets, 14, TLS1_3_VERSION), 5); /* and the two of the handshake */
    ck_assert_uint_eq(env.tls->tickets.count, TLS_TICKETS_PER_KEY);
    ck_assert_int_eq(read_after(script_tickets, 15, TLS1_3_VERSION), REQIVO_E_TLS_PROTOCOL);
    ck_assert_int_eq(read_after(script_tickets, 5000, TLS1_3_VERSION), REQIVO_E_TLS_PROTOCOL);
}
END_TEST

/* OpenSSL sends no empty records, so these are sealed here: RFC 8446 5.2, 5.3, 7.3, from the secret that it
 * logs. */
static unsigned char secret[48];

static void keep_secret(const SSL *ssl, const char *line)
{
    static const char label[] = "SERVER_TRAFFIC_SECRET_0 ";
    const char *hex = strrchr(line, ' ') + 1;

    (void)ssl;
    if (strncmp(line, label, sizeof(label) - 1) != 0)
        return;
    for (size_t i = 0; i < sizeof(secret); i++)
        ck_assert_int_eq(sscanf(hex + 2 * i, "%2hhx", &secret[i]), 1);
}

static void expand(const char *label, unsigned char *out, size_t len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    unsigned char info[64] = {0, (unsigned char)len};
    int n = snprintf((char *)info + 3, sizeof(info) - 3, "tls13 %s", label);

    info[2] = (unsigned char)n;
    ck_assert_int_eq(EVP_PKEY_derive_init(ctx), 1);
    EVP_PKEY_CTX_set_hkdf_mode(ctx, EVP_PKEY_HKDEF_MODE_EXPAND_ONLY);
    EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha384());
    EVP_PKEY_CTX_set1_hkdf_key(ctx, secret, (int)sizeof(secret));
    EVP_PKEY_CTX_add1_hkdf_info(ctx, info, n + 4);
    ck_assert_int_eq(EVP_PKEY_derive(ctx, out, &len), 1);
    EVP_PKEY_CTX_free(ctx);
}

/* One application data record of TLS_AES_256_GCM_SHA384. */
static void send_record(int fd, unsigned number, const char *data, size_t len)
{
    unsigned char key[32], nonce[12], record[64] = {23, 3, 3, 0, (unsigned char)(len + 17)}, inner[32];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n;

    expand("key", key, sizeof(key));
    expand("iv", nonce, sizeof(nonce));
    nonce[10] ^= (unsigned char)(number >> 8);
    nonce[11] ^= (unsigned char)number;
    memcpy(inner, data, len);
    inner[len] = 23;
    EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce);
    EVP_EncryptUpdate(ctx, NULL, &n, record, 5);
    EVP_EncryptUpdate(ctx, record + 5, &n, inner, (int)len + 1);
    EVP_EncryptFinal_ex(ctx, record + 5 + n, &n);
    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, record + 6 + len);
    EVP_CIPHER_CTX_free(ctx);
    send(fd, record, 5 + len + 17, 0);
}

/* One before each byte of data, so that OpenSSL's own limit (32 in a row) never counts to two. */
static void script_empty_records(struct net_server *self, int fd, SSL *ssl)
{
    unsigned count = *(unsigned *)self->user, number = 0;
    char byte;

    (void)ssl;
    for (unsigned i = 0; i < count; i++) {
        send_record(fd, number++, "", 0);
        send_record(fd, number++, "x", 1);
    }
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

static long bytes_through(unsigned count, long *ret_end)
{
    char text[1];
    long got = 0, n = 0;

    net_server_open(&server, &cert, script_empty_records);
    server.user = &count;
    SSL_CTX_set_num_tickets(server.ctx, 0);
    SSL_CTX_set_ciphersuites(server.ctx, "TLS_AES_256_GCM_SHA384");
    SSL_CTX_set_keylog_callback(server.ctx, keep_secret);
    net_server_start(&server);
    ck_assert_int_eq(net_client_open(&client, &env, server.port, &to), 0);
    while (got < (long)count && (n = net_client_read(&client, text, 1)) > 0)
        got += n;
    *ret_end = n;
    close_all();
    return got;
}

START_TEST(rule_b7_5_empty_records)
{
    long end;

    ck_assert_int_eq(bytes_through(30, &end), 30);
    ck_assert_int_eq(bytes_through(200, &end), 33); /* what stood behind the 33rd came in the same call */
    ck_assert_int_eq(end, REQIVO_E_TLS_PROTOCOL);
}
END_TEST

/* Records that arrive in pieces, or hold one byte each, are not empty ones. */
static void script_drip(struct net_server *self, int fd, SSL *ssl)
{
    char bytes[3000];
    BIO *memory = BIO_new(BIO_s_mem());
    char *sealed;
    long len;

    (void)self;
    memset(bytes, 'x', sizeof(bytes));
    SSL_set0_wbio(ssl, memory);
    for (int i = 0; i < 60; i++)
        SSL_write(ssl, bytes, i % 2 ? 1 : (int)sizeof(bytes));
    len = BIO_get_mem_data(memory, &sealed);
    for (long at = 0; at < len; at += 700) {
        send(fd, sealed + at, (size_t)(len - at < 700 ? len - at : 700), 0);
        usleep(100);
    }
    while (recv(fd, bytes, 1, 0) > 0)
        ;
}

START_TEST(rule_b7_5_pieces_are_not_empty)
{
    static char in[30 * 3001];

    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        open_tls(script_drip, version);
        net_client_read_all(&client, in, sizeof(in));
        ck_assert_uint_eq(tls_conn_of(stream_ssl(client.stream))->empty_records, 0);
        ck_assert(!stream_read_pending(client.stream));
        close_all();
    }
}
END_TEST

static void script_renegotiate(struct net_server *self, int fd, SSL *ssl)
{
    char byte;

    (void)self;
    SSL_renegotiate(ssl);
    SSL_do_handshake(ssl);
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

START_TEST(rule_b7_4_renegotiation_is_refused)
{
    char text[16];
    bool more;

    open_tls(script_renegotiate, TLS1_2_VERSION);
    net_env_run_ms(&env, 50);
    ck_assert_int_lt(stream_read(client.stream, (uint8_t *)text, sizeof(text), &more), 0);
    ck_assert_uint_eq(tls_conn_of(stream_ssl(client.stream))->key_updates, 1);
    close_all();
}
END_TEST

static void script_ask_certificate(struct net_server *self, int fd, SSL *ssl)
{
    char byte;

    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    if (SSL_verify_client_post_handshake(ssl) != 1)
        memcpy(self->sni, "refused", 8);
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

START_TEST(rule_b7_4_late_certificate_request_is_refused)
{
    char text[16];
    bool more;

    open_tls(script_ask_certificate, TLS1_3_VERSION);
    net_env_run_ms(&env, 50);
    ck_assert_int_eq(stream_read(client.stream, (uint8_t *)text, sizeof(text), &more), -EAGAIN);
    close_all();
    ck_assert_str_eq(server.sni, "refused"); /* the extension was not offered, so the server cannot ask */
}
END_TEST

/* ---- what an idle connection asks ---- */

START_TEST(tickets_are_no_data)
{
    uint8_t byte;
    bool more;

    open_tls(net_script_echo, TLS1_3_VERSION);
    net_env_run_ms(&env, 50);
    ck_assert_int_eq(stream_peek(client.stream), 1);
    ck_assert_int_eq(stream_read(client.stream, &byte, 1, &more), -EAGAIN);
    ck_assert_int_eq(stream_peek(client.stream), 0);
    ck_assert(!stream_read_pending(client.stream));
    ck_assert_ptr_null(client.stream->stash.data); /* an idle connection holds no buffer of ours */
    ck_assert_ptr_null(client.stream->out.data);
    close_all();
}
END_TEST

/* An error on writing does not hide the answer that the server sent before it closed. */
static void script_answer_and_reset(struct net_server *self, int fd, SSL *ssl)
{
    char byte;

    (void)self;
    (void)ssl;
    send(fd, "early", 5, 0);
    shutdown(fd, SHUT_RDWR);
    recv(fd, &byte, 1, 0);
}

START_TEST(write_error_leaves_reading_open)
{
    char text[16];
    long n = 0;

    open_plain(script_answer_and_reset);
    net_env_run_ms(&env, 20);
    ck_assert_int_eq(net_client_read(&client, text, 2), 2);
    for (int i = 0; i < 50 && n >= 0; i++) {
        n = net_client_write(&client, "xxxx", 4);
        usleep(2000);
    }
    ck_assert_int_eq(n, REQIVO_E_RESET);
    ck_assert_int_eq(client.stream->read_code, 0);
    close_all();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("stream");
    TCase *t = tcase_create("stream");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, mebibyte_both_ways_plain);
    tcase_add_test(t, mebibyte_both_ways_tls12);
    tcase_add_test(t, mebibyte_both_ways_tls13);
    tcase_add_test(t, one_byte_at_a_time);
    tcase_add_test(t, pieces_of_an_iovec);
    tcase_add_test(t, records_leave_in_one_send);
    tcase_add_test(t, write_waits_for_the_kernel);
    tcase_add_test(t, end_plain_fin);
    tcase_add_test(t, end_plain_rst);
    tcase_add_test(t, end_tls_close_notify);
    tcase_add_test(t, end_tls_truncated);
    tcase_add_test(t, end_tls_rst);
    tcase_add_test(t, end_tls_garbage);
    tcase_add_test(t, stash_of_a_paused_reader);
    tcase_add_test(t, stash_is_reported);
    tcase_add_test(t, rule_b7_5_key_updates);
    tcase_add_test(t, rule_b7_5_tickets);
    tcase_add_test(t, rule_b7_5_empty_records);
    tcase_add_test(t, rule_b7_5_pieces_are_not_empty);
    tcase_add_test(t, rule_b7_4_renegotiation_is_refused);
    tcase_add_test(t, rule_b7_4_late_certificate_request_is_refused);
    tcase_add_test(t, tickets_are_no_data);
    tcase_add_test(t, write_error_leaves_reading_open);
    suite_add_tcase(s, t);
    return s;
}

UNIT_MAIN(suite)
