/* SPDX-License-Identifier: MIT */
/*
 * websocket - a session as the library keeps it. It rides on an exchange (exchange.h), whose id it has: that
 * carries it through waiting, loss and end; WS_OPENED makes it ANSWERED.
 *
 *   program -> up (records) -> WS_DATA, under credit        in (records of WS_DATA and WS_EVENT) -> program
 *
 * A record: u32 length, u8 flags of WS_DATA or RECORD_OPENED, RECORD_EVENT, then the bytes.
 */
#ifndef RQV_LIBCLIENT_WEBSOCKET_H
#define RQV_LIBCLIENT_WEBSOCKET_H

#include "common/buf.h"
#include "common/err.h"
#include "proto/wire.h"

#include <reqivo/websocket.h>
#include <stdbool.h>
#include <stdint.h>

struct rqv_exchange;

#define RQV_WS_RECORD 8

struct reqivo_websocket {
    struct reqivo_client *client; /* NULL when it is over */
    struct rqv_exchange *x;       /* the same */
    struct reqivo_websocket_callbacks callbacks;
    void *userdata;
    struct rqv_ws_open open; /* but URL, fields and timeouts */
    bool sync, pieces;
    bool renamed; /* it has the id under which it is sent */
    bool is_open, close_due, closed, drain_due;
    bool ending; /* the server is done; WS_CLOSE follows when the program has taken all before */
    bool delivering, freed;
    bool up_open, up_text; /* a message of the program has begun and not ended */
    bool in_open, in_text; /* one of the server has */
    bool retold;           /* the message that was put off was told again since the session has ended */
    bool close_told;       /* the daemon's WS_CLOSE has come */
    enum rqv_ws_put_off { RQV_WS_TAKEN, RQV_WS_PUT_OFF, RQV_WS_AGAIN } last; /* what became of `message` */
    struct reqivo_message message;
    uint32_t started; /* messages that the program has begun to send */
    uint16_t close_code;
    struct rqv_buf up, in, whole, given; /* given: what the program looks at after receive() */
    size_t up_at;                        /* taken of the first record of up */
    uint64_t credit, window, owed;
    struct rqv_err err;
    int heard_code;
    size_t undelivered, unconfirmed;
    char reason[RQV_WIRE_CLOSE_MAX + 1], heard_reason[RQV_WIRE_CLOSE_MAX + 1], protocol[128];
};

/* Encodes WS_OPEN under x->id. */
int rqv_websocket_start(struct reqivo_client *client, struct rqv_exchange *x);
/* A frame of the daemon for it, but DONE. 0, or REQIVO_E_WIRE with *ret_why. */
int rqv_websocket_frame(struct reqivo_client *client, struct rqv_exchange *x,
                        const struct rqv_frame_header *header, struct rqv_str payload, const char **ret_why);
/* One WS_DATA or WS_CLOSE. True when more can go on. */
bool rqv_websocket_pump(struct reqivo_client *client, struct rqv_exchange *x);
/* Runs the callbacks; the number run. */
int rqv_websocket_deliver(struct reqivo_client *client, struct rqv_exchange *x);
bool rqv_websocket_has_more(const struct reqivo_websocket *ws);
bool rqv_websocket_is_told(const struct reqivo_websocket *ws); /* the program has taken all that came */
/* The exchange is over, and gone after this; its outcome is in `err`. Runs on_close. */
void rqv_websocket_over(struct reqivo_client *client, struct reqivo_websocket *ws, const struct rqv_err *err);

/* The same in a forked child: no callback. */
void rqv_websocket_forget(struct reqivo_websocket *ws);

/* websocket_records.c */
int rqv_record_put(struct rqv_buf *buf, uint8_t flags, struct rqv_str bytes);
/* The first record, or false. */
bool rqv_record_get(struct rqv_buf *buf, uint8_t *ret_flags, struct rqv_str *ret_bytes);
void rqv_record_drop(struct rqv_buf *buf);
/* The next message or piece out of `in`, its credit returned; false when there is none. */
bool rqv_websocket_next(struct reqivo_websocket *ws, struct reqivo_message *ret_message,
                        struct reqivo_websocket_event *ret_event, uint8_t *ret_flags);

#define RQV_RECORD_OPENED 0x40u
#define RQV_RECORD_EVENT  0x80u

#endif
