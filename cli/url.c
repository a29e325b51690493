/* SPDX-License-Identifier: MIT */
/*
 * url - the typed text is cut once, from the left:
 *
 *   scheme "://" [ userinfo "@" ] host-and-port [ path ] [ "?" query ] [ "#" fragment ]
 *
 * As curl does, the last '@' of the authority ends the userinfo, and a text without "://" gets "http://".
 */
#include "cli/url.h"

#include "common/base64.h"

#include "cli/exit.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct url_parts {
    const char *scheme; /* of the text, or the guess */
    size_t scheme_len;
    const char *user; /* NULL when absent */
    size_t user_len;
    const char *host;
    size_t host_len; /* with the port */
    const char *path;
    size_t path_len;
    const char *query; /* with its '?' */
    size_t query_len;
};

/* RFC 3986 3.1: ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ); 0 when the text has none before "://". */
static size_t scheme_length(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

    return strncmp(text + len, "://", 3) == 0 ? len : 0;
}

static void url_cut(const char *given, struct url_parts *ret_parts)
{
    size_t scheme_len = scheme_length(given);
    const char *at = scheme_len ? given + scheme_len + 3 : given;
    const char *end;

    memset(ret_parts, 0, sizeof(*ret_parts));
    ret_parts->scheme = scheme_len ? given : "http";
    ret_parts->scheme_len = scheme_len ? scheme_len : strlen("http");
    end = at + strcspn(at, "/?#");
    for (const char *p = end; p > at; p--)
        if (p[-1] == '@') {
            ret_parts->user = at;
            ret_parts->user_len = (size_t)(p - 1 - at);
            at = p;
            break;
        }
    ret_parts->host = at;
    ret_parts->host_len = (size_t)(end - at);
    ret_parts->path = end;
    ret_parts->path_len = strcspn(end, "?#");
    end += ret_parts->path_len;
    ret_parts->query = end;
    ret_parts->query_len = *end == '?' ? strcspn(end, "#") : 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decodes into out (as long as the input); -1 when a control byte or half a triplet is in it. */
static long percent_decode(const char *text, size_t len, unsigned char *out)
{
    long n = 0;

    for (size_t i = 0; i < len; i++) {
        int byte = (unsigned char)text[i];

        if (byte == '%') {
            int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
            int low = i + 2 < len ? hex_digit(text[i + 2]) : -1;

            if (high < 0 || low < 0)
                return -1;
            byte = high * 16 + low;
            i += 2;
        }
        if (byte < 0x20 || byte == 0x7f)
            return -1;
        out[n++] = (unsigned char)byte;
    }
    return n;
}

int cli_url_basic(const char *text, size_t len, bool encoded, char **ret_basic)
{
    unsigned char *plain = malloc(len + 2);
    char *basic = malloc(strlen("Basic ") + 4 * ((len + 1 + 2) / 3) + 1);
    int rc = plain && basic ? 0 : -ENOMEM;
    long n = (long)len;

    if (rc == 0 && encoded)
        n = percent_decode(text, len, plain);
    else if (rc == 0)
        memcpy(plain, text, len);
    if (rc == 0 && n < 0)
        rc = CLI_EXIT_URL;
    if (rc == 0) {
        size_t at = strlen("Basic ");

        if (!memchr(text, ':', len))
            plain[n++] = ':';
        memcpy(basic, "Basic ", at);
        basic[at + rqv_base64_encode(plain, (size_t)n, basic + at)] = '\0';
        *ret_basic = basic;
        basic = NULL;
    }
    if (plain)
        explicit_bzero(plain, len + 2);
    free(plain);
    free(basic);
    return rc;
}

size_t cli_url_remove_dots(char *path, size_t len)
{
    size_t in = 0, out = 0;

    while (in < len) {
        size_t end = in + 1; /* one segment: '/' and what follows up to the next */
        size_t seg;

        while (end < len && path[end] != '/')
            end++;
        seg = end - in - 1;
        if (seg == 1 && path[in + 1] == '.') {
            if (end == len)
                path[out++] = '/';
        } else if (seg == 2 && path[in + 1] == '.' && path[in + 2] == '.') {
            while (out > 0 && path[out - 1] != '/')
                out--;
            out = out ? out - 1 : 0;
            if (end == len)
                path[out++] = '/';
        } else {
            memmove(path + out, path + in, end - in);
            out += end - in;
        }
        in = end;
    }
    return out;
}

/* scheme "://" host path query, with the dot segments gone; a path is always there */
static char *url_join(const struct url_parts *parts)
{
    size_t size = parts->scheme_len + 3 + parts->host_len + parts->path_len + parts->query_len + 2;
    char *text = malloc(size);
    size_t at;

    if (!text)
        return NULL;
    at = (size_t)snprintf(text, size, "%.*s://%.*s", (int)parts->scheme_len, parts->scheme,
                          (int)parts->host_len, parts->host);
    memcpy(text + at, parts->path, parts->path_len);
    at += cli_url_remove_dots(text + at, parts->path_len);
    if (parts->path_len == 0 && parts->host_len)
        text[at++] = '/';
    memcpy(text + at, parts->query, parts->query_len);
    text[at + parts->query_len] = '\0';
    return text;
}

int cli_url_prepare(const char *given, struct cli_url *ret_url, char *why, size_t size)
{
    struct url_parts parts;
    char *basic = NULL;
    int rc = 0;

    url_cut(given, &parts);
    if (!(parts.scheme_len == 4 && strncasecmp(parts.scheme, "http", 4) == 0) &&
        !(parts.scheme_len == 5 && strncasecmp(parts.scheme, "https", 5) == 0)) {
        snprintf(why, size, "the protocol '%.*s' is not supported",
                 parts.scheme_len < 32 ? (int)parts.scheme_len : 32, parts.scheme);
        return CLI_EXIT_PROTOCOL;
    }
    if (parts.user_len)
        rc = cli_url_basic(parts.user, parts.user_len, true, &basic);
    if (rc == CLI_EXIT_URL)
        snprintf(why, size, "the URL's user name or password has a control byte or a broken %%-triplet");
    if (rc != 0)
        return rc;
    ret_url->text = url_join(&parts);
    ret_url->basic = basic;
    if (ret_url->text)
        return 0;
    free(basic);
    ret_url->basic = NULL;
    return -ENOMEM;
}

/* The text with room for n bytes more; NULL when there is no memory for that. */
static char *url_grow(struct cli_url *url, size_t n)
{
    char *text = realloc(url->text, strlen(url->text) + n + 1);

    if (text)
        url->text = text;
    return text;
}

int cli_url_add_query(struct cli_url *url, const char *query, size_t len)
{
    size_t at = strlen(url->text);
    char *mark;

    if (len == 0)
        return 0;
    if (memchr(query, '\0', len))
        return CLI_EXIT_URL;
    if (!url_grow(url, len + 1))
        return -ENOMEM;
    mark = strchr(url->text, '?');
    if (!mark)
        url->text[at++] = '?';
    else if (mark[1] && url->text[at - 1] != '&')
        url->text[at++] = '&';
    memcpy(url->text + at, query, len);
    url->text[at + len] = '\0';
    return 0;
}

int cli_url_add_name(struct cli_url *url, const char *path)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t at = strcspn(url->text, "?"), rest = strlen(url->text + at);
    char *query;

    if (url->text[at - 1] != '/')
        return 0;
    query = strdup(url->text + at);
    if (!query || !url_grow(url, 3 * strlen(name))) {
        free(query);
        return -ENOMEM;
    }
    for (; *name; name++)
        if (isalnum((unsigned char)*name) || strchr("-._~", *name)) {
            url->text[at++] = *name;
        } else {
            url->text[at++] = '%';
            url->text[at++] = digits[(unsigned char)*name >> 4];
            url->text[at++] = digits[(unsigned char)*name & 15];
        }
    memcpy(url->text + at, query, rest + 1);
    free(query);
    return 0;
}

char *cli_url_remote_name(const struct cli_url *url)
{
    size_t end = strcspn(url->text, "?");
    size_t begin = end;

    while (begin > 0 && url->text[begin - 1] != '/')
        begin--;
    return strndup(url->text + begin, end - begin);
}

void cli_url_done(struct cli_url *url)
{
    if (url->basic)
        explicit_bzero(url->basic, strlen(url->basic));
    free(url->basic);
    free(url->text);
    *url = (struct cli_url){0};
}
