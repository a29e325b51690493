/* SPDX-License-Identifier: MIT */
/*
 * mini_site - two origins on the test's loop that answer by path and log what they are asked, for tests of
 * redirects and cookies.
 */
#ifndef RQV_TESTS_MINI_SITE_H
#define RQV_TESTS_MINI_SITE_H

#include "daemon/work/jar.h"
#include "tests/lib/mini_exchange.h"

#include <stdlib.h>

#define LOG 65536

static char log_of[2][LOG]; /* what each origin was asked: "POST /b\nField: value\n...\n\nbody\n--\n" */
static struct mini_origin second;
static uint16_t ports[2];

struct page {
    const char *path, *status,
        *more; /* more: fields, "%1", "%2" are the ports; and a body behind an empty line */
};
static const struct page *pages;

/* %1 and %2 become the ports. */
static inline void put_ports(char *out, const char *text)
{
    for (; *text; text++) {
        if (text[0] == '%' && (text[1] == '1' || text[1] == '2'))
            out += snprintf(out, 8, "%u", ports[*++text - '1']);
        else
            *out++ = *text;
    }
    *out = '\0';
}

static inline void answer_page(struct mini_conn *conn)
{
    static char answers[64][4096];
    static unsigned at;
    char *log = log_of[conn->origin == &second], *answer = answers[at++ % 64], more[2048];
    size_t used = strlen(log);
    const char *path = strchr(conn->in, ' ') + 1;
    size_t len = strcspn(path, " ");

    snprintf(log + used, LOG - used, "%s\n--\n", conn->in);
    for (const struct page *page = pages; page && page->path; page++) {
        if (strlen(page->path) != len || memcmp(page->path, path, len) != 0)
            continue;
        put_ports(more, page->more);
        snprintf(answer, 4096, "HTTP/1.1 %s\r\n%s%s", page->status, more,
                 strstr(more, "\r\n\r\n") ? "" : "Content-Length: 0\r\n\r\n");
        mini_say(conn, answer);
        return;
    }
    mini_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static inline struct world *hop_open(const struct page *site)
{
    struct world *w = world_open();

    memset(log_of, 0, sizeof log_of);
    mini_origin_open(&second, w->env.loop);
    w->origin.on_whole = second.on_whole = answer_page;
    ports[0] = w->origin.port;
    ports[1] = second.port;
    pages = site;
    ck_assert_int_eq(jar_suffixes_new(&w->env.exchanges.suffixes), 0);
    w->head.redirect_max = 30;
    return w;
}

static inline void hop_close(struct world *w)
{
    mini_origin_close(&second);
    world_close(w);
    jar_suffixes_free(w->env.exchanges.suffixes);
}

static inline void ask(struct world *w, const char *method, const char *path)
{
    unsigned max = w->head.redirect_max;

    memset(&w->head, 0, sizeof w->head);
    w->head.redirect_max = (uint16_t)max;
    snprintf(w->url, sizeof w->url, "http://127.0.0.1:%u%s", w->origin.port, path);
    w->head.method = rqv_str_from(method);
    w->head.url = rqv_str_from(w->url);
}

static inline void give(struct world *w, const char *name, const char *value)
{
    rqv_fields_add(&w->head.fields, rqv_str_from(name), rqv_str_from(value));
}

static inline unsigned times(const char *log, const char *text)
{
    unsigned n = 0;

    for (const char *at = log; (at = strstr(at, text)) != NULL; at++)
        n++;
    return n;
}

#endif
