/* SPDX-License-Identifier: MIT */
/*
 * url_resolve - RFC 3986: 5.2.2 which component comes from where, 5.2.3 merging of paths, 5.2.4 dot segments
 * (in place, since a path never grows by that), 5.3 putting together.
 */
#include "proto/url_resolve.h"

#include <reqivo/error.h>

#include <string.h>

/* ptr NULL: absent, which is not the same as empty. The path is never absent. RFC 3986 appendix B */
struct reference {
    struct rqv_str scheme, authority, path, query, fragment;
};

struct writer {
    char *out;
    size_t len, size;
    bool full;
};

static bool is_alpha(char c)
{
    unsigned char lower = rqv_ascii_lower((unsigned char)c);

    return lower >= 'a' && lower <= 'z';
}

static bool is_scheme(struct rqv_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!is_alpha(c) && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return false;
    }
    return s.len > 0;
}

/* The bytes before the first of `stops`, taken off the front. */
static struct rqv_str take_before(struct rqv_str *rest, const char *stops)
{
    struct rqv_str part = {rest->ptr, 0};

    while (part.len < rest->len && (rest->ptr[part.len] == '\0' || !strchr(stops, rest->ptr[part.len])))
        part.len++;
    rest->ptr += part.len;
    rest->len -= part.len;
    return part;
}

static void skip(struct rqv_str *rest, size_t n)
{
    rest->ptr += n;
    rest->len -= n;
}

static struct reference split(struct rqv_str text)
{
    struct reference ref = {0};
    struct rqv_str rest = text, first;

    if (!text.ptr)
        rest.ptr = "";
    first = rest;
    first = take_before(&first, ":/?#");
    if (first.len < rest.len && rest.ptr[first.len] == ':' && is_scheme(first)) {
        ref.scheme = first;
        skip(&rest, first.len + 1);
    }
    if (rqv_str_starts(rest, RQV_STR("//"))) {
        skip(&rest, 2);
        ref.authority = take_before(&rest, "/?#");
    }
    ref.path = take_before(&rest, "?#");
    if (rest.len > 0 && rest.ptr[0] == '?') {
        skip(&rest, 1);
        ref.query = take_before(&rest, "#");
    }
    if (rest.len > 0) {
        skip(&rest, 1);
        ref.fragment = rest;
    }
    return ref;
}

static void put(struct writer *w, struct rqv_str s)
{
    if (s.len > w->size - w->len) {
        w->full = true;
        return;
    }
    if (s.len > 0)
        memcpy(w->out + w->len, s.ptr, s.len);
    w->len += s.len;
}

/* How many bytes at the front of the input are a dot segment that goes (5.2.4 A to D), and whether it takes
 * the segment before along. A final "/." or "/.." leaves its '/', which is put in place of the last dot. */
static size_t dot_segment(char *in, size_t len, bool *ret_up)
{
    size_t slash = in[0] == '/', dots = 0, end;

    while (slash + dots < len && in[slash + dots] == '.')
        dots++;
    end = slash + dots;
    if (dots == 0 || dots > 2 || (end < len && in[end] != '/'))
        return 0;
    *ret_up = slash && dots == 2;
    if (!slash) /* "./x", "../x", ".", "..": nothing stays, not even the '/' */
        return end < len ? end + 1 : end;
    if (end == len)
        in[--end] = '/';
    return end;
}

static size_t remove_dots(char *path, size_t len)
{
    size_t from = 0, to = 0;

    while (from < len) {
        bool up = false;
        size_t n = dot_segment(path + from, len - from, &up);

        from += n;
        while (up && to > 0 && path[--to] != '/')
            ;
        if (n > 0)
            continue;
        do
            path[to++] = path[from++];
        while (from < len && path[from] != '/');
    }
    return to;
}

static void put_path(struct writer *w, struct rqv_str before, struct rqv_str path)
{
    size_t begin = w->len;

    put(w, before);
    put(w, path);
    if (!w->full)
        w->len = begin + remove_dots(w->out + begin, w->len - begin);
}

/* 5.2.3: the base's path up to its last '/'. */
static struct rqv_str folder_of(const struct reference *base)
{
    struct rqv_str path = base->path;

    if (base->authority.ptr && path.len == 0)
        return RQV_STR("/");
    while (path.len > 0 && path.ptr[path.len - 1] != '/')
        path.len--;
    return path;
}

long rqv_url_resolve(struct rqv_str base_text, struct rqv_str reference, char *out, size_t size)
{
    struct reference base = split(base_text), ref = split(reference);
    struct writer w = {.out = out, .size = size};
    struct rqv_str authority = ref.authority.ptr || ref.scheme.ptr ? ref.authority : base.authority;
    struct rqv_str query = ref.query;

    if (!base.scheme.ptr)
        return REQIVO_E_URL;
    put(&w, ref.scheme.ptr ? ref.scheme : base.scheme);
    put(&w, RQV_STR(":"));
    if (authority.ptr) {
        put(&w, RQV_STR("//"));
        put(&w, authority);
    }
    if (ref.scheme.ptr || ref.authority.ptr || rqv_str_starts(ref.path, RQV_STR("/"))) {
        put_path(&w, RQV_STR(""), ref.path);
    } else if (ref.path.len > 0) {
        put_path(&w, folder_of(&base), ref.path);
    } else {
        put(&w, base.path);
        if (!query.ptr)
            query = base.query;
    }
    if (query.ptr) {
        put(&w, RQV_STR("?"));
        put(&w, query);
    }
    if (ref.fragment.ptr) {
        put(&w, RQV_STR("#"));
        put(&w, ref.fragment);
    }
    return w.full ? REQIVO_E_URL : (long)w.len;
}
