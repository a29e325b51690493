/* SPDX-License-Identifier: MIT */
/*
 * fake_daemon - the daemon's end of the socket in the hands of a test: it accepts, reads frames one by one,
 * and sends what the test says, well-formed or not. In the same process as the library (whose calls do not
 * block), or in a child for calls that do.
 */
#ifndef RQV_TESTS_FAKE_DAEMON_H
#define RQV_TESTS_FAKE_DAEMON_H

#include "common/buf.h"
#include "proto/wire.h"

#include <reqivo/client.h>
#include <reqivo/request.h>
#include <reqivo/response.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct fake {
    int listen_fd, fd;
    char folder[32], path[64];
    struct rqv_buf in, out;
    struct rqv_frame_header header; /* of the last frame read, and its payload */
    struct rqv_str payload;
    size_t last_read; /* bytes that the last recv() gave */
    pid_t child;
    uint64_t caps; /* that its HELLO has besides QUERY */
};

void fake_start(struct fake *fake);  /* a listening socket in a new folder */
void fake_stop(struct fake *fake);   /* closes and removes all; a child must have ended well */
void fake_listen(struct fake *fake); /* again, after fake_unlisten() */
void fake_unlisten(struct fake *fake);
void fake_accept(struct fake *fake);
void fake_hangup(struct fake *fake);   /* closes the connection */
bool fake_is_empty(struct fake *fake); /* no byte is waiting to be read */

/* Reads the next frame, which must be of that type, and returns its id. Waits 5 s at most. */
uint64_t fake_expect(struct fake *fake, enum rqv_wire_type type);
/* The next frame of whatever type, if all of it has come. */
bool fake_poll(struct fake *fake);
void fake_expect_eof(struct fake *fake);
struct rqv_request_head fake_request(struct fake *fake, uint64_t *ret_id); /* views of the last payload */
struct rqv_request_head fake_proceed(struct fake *fake, uint64_t *ret_id);
struct rqv_operation fake_operation(struct fake *fake, uint64_t *ret_id);
/* The value of a field of that head, "" when there is none, until the next call. */
const char *fake_field(const struct rqv_request_head *head, const char *name);

/* These queue; fake_flush() sends. */
void fake_put_hello(struct fake *fake);
void fake_put_response(struct fake *fake, uint64_t id, int status, int64_t length);
void fake_put_redirect(struct fake *fake, uint64_t id, int status, const char *location); /* with MORE */
/* WAITS gives the hop one field, X-Hop. */
void fake_put_hop(struct fake *fake, uint64_t id, unsigned flags, const char *method, const char *url);
/* A row of name, value, ..., NULL. */
void fake_put_row(struct fake *fake, uint64_t id, const char *const pairs[]);
void fake_put_data(struct fake *fake, uint64_t id, const void *bytes, size_t size);
void fake_put_done(struct fake *fake, uint64_t id, int code, int sent);
void fake_put_goaway(struct fake *fake, int code, size_t count, const uint64_t *ids);
void fake_put_reply(struct fake *fake, uint64_t id, const char *body); /* 200, DATA, DONE */
void fake_flush(struct fake *fake);

void fake_greet(struct fake *fake); /* accept, read HELLO, send HELLO */
/* Answers n requests as they come: 200, the URL as body. */
void fake_serve(struct fake *fake, size_t n);
/* Runs the script in a child, which ends when it returns. */
void fake_fork(struct fake *fake, void (*script)(struct fake *fake));

/* ---- the program's side ---- */

/* What a done callback saw. */
struct seen {
    int count, code, sent, status, phase;
    size_t body_size;
    char body[64];
    unsigned order;                   /* the how-manieth completion of all */
    struct reqivo_response *response; /* when `keep` */
    bool keep;
};
extern unsigned seen_total;
void on_seen(struct reqivo_client *client, struct reqivo_response *response, void *userdata);

struct reqivo_client *open_client(struct fake *fake);
/* A GET, or what `method` says, submitted; its id. */
uint64_t submit_url(struct reqivo_client *client, const char *method, const char *url, struct seen *seen);
uint64_t submit_request(struct reqivo_client *client, struct reqivo_request *request, struct seen *seen);
/* Waits until that request has completed, once. */
void drive(struct reqivo_client *client, struct seen *seen);
void turn(struct reqivo_client *client); /* process and dispatch once */

#endif
