/* SPDX-License-Identifier: MIT */
/*
 * err - names, texts and classes of the number space, and the setter of struct rqv_err.
 *
 *   0              no failure
 *   -1 .. -4095    -errno, named and worded by libc
 *   -101xx..-112xx the table of <reqivo/error.h>; the third and second digit are the class, so that a code of
 * a newer daemon that this table does not hold still has its class
 */
#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { ERRNO_MAX = 4095, CODES_FIRST = 10100, CODES_LAST = 11499 };

static const char *table_name(int code)
{
    switch (code) {
#define NAME_CASE(name, number, class, text)                                                                 \
    case (number):                                                                                           \
        return "E_" #name;
        REQIVO_ERROR_TABLE(NAME_CASE)
#undef NAME_CASE
    default:
        return NULL;
    }
}

static const char *table_text(int code)
{
    switch (code) {
#define TEXT_CASE(name, number, class, text)                                                                 \
    case (number):                                                                                           \
        return text;
        REQIVO_ERROR_TABLE(TEXT_CASE)
#undef TEXT_CASE
    default:
        return NULL;
    }
}

static bool is_errno(int code)
{
    return code < 0 && code >= -ERRNO_MAX;
}

const char *rqv_err_name(int code)
{
    const char *name = code == 0 ? "OK" : is_errno(code) ? strerrorname_np(-code) : table_name(code);

    return name ? name : "E_UNKNOWN";
}

const char *rqv_err_text(int code)
{
    const char *text = code == 0 ? "no error" : is_errno(code) ? strerrordesc_np(-code) : table_text(code);

    return text ? text : "an error that this version does not know";
}

static enum reqivo_class errno_class(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
        return REQIVO_CLASS_NETWORK;
    case ETIMEDOUT:
        return REQIVO_CLASS_READ_TIMEOUT;
    case EPROTO:
    case EBADMSG:
        return REQIVO_CLASS_PROTOCOL;
    case ENOMEM:
    case ENOBUFS:
    case EMFILE:
    case ENFILE:
    case ENOSPC:
    case E2BIG:
        return REQIVO_CLASS_LIMIT;
    case ECANCELED:
        return REQIVO_CLASS_CANCELED;
    default:
        return REQIVO_CLASS_USAGE;
    }
}

enum reqivo_class rqv_err_class(int code)
{
    if (code >= 0)
        return REQIVO_CLASS_OK;
    if (is_errno(code))
        return errno_class(-code);
    if (code > -CODES_FIRST || code < -CODES_LAST)
        return REQIVO_CLASS_PROTOCOL;
    return (enum reqivo_class)(-code / 100 - 100);
}

const char *rqv_class_name(enum reqivo_class cls)
{
    switch (cls) {
    case REQIVO_CLASS_OK:
        return "ok";
    case REQIVO_CLASS_USAGE:
        return "usage";
    case REQIVO_CLASS_NETWORK:
        return "network";
    case REQIVO_CLASS_TLS:
        return "tls";
    case REQIVO_CLASS_CONNECT_TIMEOUT:
        return "connect timeout";
    case REQIVO_CLASS_READ_TIMEOUT:
        return "read timeout";
    case REQIVO_CLASS_PROTOCOL:
        return "protocol";
    case REQIVO_CLASS_INVALID_RESPONSE:
        return "invalid response";
    case REQIVO_CLASS_DAEMON:
        return "daemon";
    case REQIVO_CLASS_POLICY:
        return "policy";
    case REQIVO_CLASS_LIMIT:
        return "limit";
    case REQIVO_CLASS_CANCELED:
        return "canceled";
    case REQIVO_CLASS_WEBSOCKET:
        return "websocket";
    case REQIVO_CLASS_REDIRECT_LOOP:
        return "redirect loop";
    case REQIVO_CLASS_TOO_MANY_REDIRECTS:
        return "too many redirects";
    }
    return "unknown";
}

const char *rqv_phase_name(int phase)
{
    static const char *const names[] = {
        [REQIVO_PHASE_NONE] = "none", [REQIVO_PHASE_IPC] = "ipc",         [REQIVO_PHASE_QUEUE] = "queue",
        [REQIVO_PHASE_DNS] = "dns",   [REQIVO_PHASE_CONNECT] = "connect", [REQIVO_PHASE_TLS] = "tls",
        [REQIVO_PHASE_SEND] = "send", [REQIVO_PHASE_HEAD] = "head",       [REQIVO_PHASE_BODY] = "body",
    };

    return phase >= 0 && (size_t)phase < sizeof(names) / sizeof(names[0]) ? names[phase] : "none";
}

const char *rqv_sent_name(int sent)
{
    switch (sent) {
    case REQIVO_SENT_NO:
        return "no";
    case REQIVO_SENT_YES:
        return "yes";
    default:
        return "unknown";
    }
}

int rqv_err_set(struct rqv_err *err, int code, int phase, const char *format, ...)
{
    va_list args;
    int length;

    err->code = code;
    err->phase = (uint8_t)phase;
    va_start(args, format);
    length = vsnprintf(err->detail, sizeof(err->detail), format, args);
    va_end(args);
    if (length < 0)
        err->detail[0] = '\0';
    for (char *at = err->detail; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    }
    return code;
}
