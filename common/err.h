/* SPDX-License-Identifier: MIT */
/*
 * err - one failure, made where the fact is known and carried unchanged to whoever reports it.
 * The number space is <reqivo/error.h>.
 */
#ifndef RQV_COMMON_ERR_H
#define RQV_COMMON_ERR_H

#include <reqivo/error.h>

#include <stdint.h>

#define RQV_DETAIL_MAX  240 /* bytes of detail, the NUL included */
#define RQV_ADDRESS_MAX 64  /* "[v6%scope]:port", the NUL included */

struct rqv_err {
    int code;                    /* negative, 0 when there is no failure */
    int sys_errno;               /* 0 when no system call was involved */
    uint8_t phase;               /* enum reqivo_phase */
    uint8_t sent;                /* enum reqivo_sent */
    char detail[RQV_DETAIL_MAX]; /* one line: what, where; never a secret; "" when there is nothing to add */
    char address[RQV_ADDRESS_MAX]; /* the address tried or connected, "" when none */
};

/* Names and texts of codes; every int has one: "OK", "E_URL", "EINVAL", "E_UNKNOWN". Static strings. The
 * class of a code that this version does not know is that of its hundred. */
const char *rqv_err_name(int code);
const char *rqv_err_text(int code);
enum reqivo_class rqv_err_class(int code);
const char *rqv_class_name(enum reqivo_class cls); /* "usage", "connect timeout", ... */
const char *rqv_phase_name(int phase);             /* "queue", "dns", ... "none" */
const char *rqv_sent_name(int sent);               /* "no", "unknown", "yes" */

/* Sets code, phase and the formatted detail (cut, control bytes replaced by '?'); keeps sys_errno, sent and
 * address. Returns code. */
int rqv_err_set(struct rqv_err *err, int code, int phase, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
