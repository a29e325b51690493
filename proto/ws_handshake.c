/* SPDX-License-Identifier: MIT */
/* ws_handshake - the fields of the request, and every reason to refuse the answer (RFC 6455 4.1, RFC
 * 7692 7.1). */
#include "proto/ws_handshake.h"

#include <reqivo/error.h>

#include <errno.h>
#include <string.h>

/* ---- the request ----------------------------------------------------------------------------------------
 */

struct writer {
    char *out;
    size_t used, size;
    bool full;
};

static void put(struct writer *writer, struct rqv_str text)
{
    if (writer->full || text.len > writer->size - writer->used) {
        writer->full = true;
        return;
    }
    memcpy(writer->out + writer->used, text.ptr, text.len);
    writer->used += text.len;
}

static void put_bits(struct writer *writer, struct rqv_str name, uint8_t bits)
{
    char digits[2] = {(char)('0' + bits / 10), (char)('0' + bits % 10)};

    put(writer, name);
    if (bits >= 10)
        put(writer, (struct rqv_str){digits, 1});
    put(writer, (struct rqv_str){digits + 1, 1});
}

static void put_compression(struct writer *writer, const struct rqv_ws_compression *offer)
{
    put(writer, RQV_STR("Sec-WebSocket-Extensions: permessage-deflate"));
    if (offer->server_no_context_takeover)
        put(writer, RQV_STR("; server_no_context_takeover"));
    if (offer->client_no_context_takeover)
        put(writer, RQV_STR("; client_no_context_takeover"));
    if (offer->server_window_bits > 0)
        put_bits(writer, RQV_STR("; server_max_window_bits="), offer->server_window_bits);
    /* Without a value it means 15, and older servers know only that form. RFC 7692 7.1.2.2 */
    if (offer->client_window_bits == 15)
        put(writer, RQV_STR("; client_max_window_bits"));
    else if (offer->client_window_bits > 0)
        put_bits(writer, RQV_STR("; client_max_window_bits="), offer->client_window_bits);
    put(writer, RQV_STR("\r\n"));
}

static bool bits_ok(uint8_t bits)
{
    return bits == 0 || (bits >= 8 && bits <= 15);
}

static bool offer_ok(const struct rqv_ws_offer *offer)
{
    for (size_t i = 0; i < offer->protocol_count; i++) {
        if (!rqv_str_is_token(offer->protocols[i]))
            return false;
        for (size_t k = 0; k < i; k++)
            if (rqv_str_eq(offer->protocols[i], offer->protocols[k]))
                return false;
    }
    return bits_ok(offer->compression.server_window_bits) && bits_ok(offer->compression.client_window_bits);
}

int rqv_ws_fields_check(const struct rqv_fields *fields, size_t *ret_which)
{
    static const struct rqv_str prefix = {"sec-websocket-", 14};

    for (size_t i = 0; i < fields->count; i++) {
        struct rqv_str name = fields->at[i].name;

        if (name.len >= prefix.len && rqv_str_eq_nocase((struct rqv_str){name.ptr, prefix.len}, prefix)) {
            *ret_which = i;
            return REQIVO_E_FIELD;
        }
    }
    return 0;
}

long rqv_ws_offer_encode(const struct rqv_ws_offer *offer, char *head, size_t used, size_t size)
{
    struct writer writer = {.out = head, .used = used - 2, .size = size};

    if (used < 4 || used > size || memcmp(head + used - 4, "\r\n\r\n", 4) != 0 || !offer_ok(offer))
        return -EINVAL;
    put(&writer, RQV_STR("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"));
    put(&writer, RQV_STR("Sec-WebSocket-Key: "));
    put(&writer, (struct rqv_str){offer->key, sizeof(offer->key)});
    put(&writer, RQV_STR("\r\n"));
    for (size_t i = 0; i < offer->protocol_count; i++) {
        put(&writer, i == 0 ? RQV_STR("Sec-WebSocket-Protocol: ") : RQV_STR(", "));
        put(&writer, offer->protocols[i]);
    }
    if (offer->protocol_count > 0)
        put(&writer, RQV_STR("\r\n"));
    if (offer->compression.enabled)
        put_compression(&writer, &offer->compression);
    put(&writer, RQV_STR("\r\n"));
    if (writer.full) {
        memcpy(head + used - 2, "\r\n", 2);
        return REQIVO_E_LIMIT_HEAD;
    }
    return (long)writer.used;
}

/* ---- the answer -----------------------------------------------------------------------------------------
 */

/* The value of a field that must be there once; false when it is missing or repeated. */
static bool only_value(const struct rqv_fields *fields, struct rqv_str name, struct rqv_str *ret_value)
{
    const struct rqv_field *field = rqv_fields_get(fields, name, 0);

    if (!field || rqv_fields_get(fields, name, 1))
        return false;
    *ret_value = rqv_str_trim(field->value);
    return true;
}

/* RFC 6455 4.1, the client's steps 2 to 4. */
static const char *check_upgrade(const struct rqv_ws_offer *offer, const struct rqv_fields *fields)
{
    char expected[RQV_WS_ACCEPT_LEN];
    struct rqv_str value;

    if (!only_value(fields, RQV_STR("upgrade"), &value) || !rqv_str_eq_nocase(value, RQV_STR("websocket")))
        return "the answer's Upgrade is not websocket";
    if (!rqv_fields_has_token(fields, RQV_STR("connection"), RQV_STR("upgrade")))
        return "the answer's Connection does not hold upgrade";
    rqv_ws_accept(offer->key, expected);
    if (!only_value(fields, RQV_STR("sec-websocket-accept"), &value) ||
        !rqv_str_eq(value, (struct rqv_str){expected, sizeof(expected)}))
        return "the answer's Sec-WebSocket-Accept does not belong to the key";
    return NULL;
}

/* Step 6: one of those offered, or none. */
static const char *check_protocol(const struct rqv_ws_offer *offer, const struct rqv_fields *fields,
                                  struct rqv_ws_agreed *agreed)
{
    struct rqv_str value;

    if (!rqv_fields_get(fields, RQV_STR("sec-websocket-protocol"), 0))
        return NULL;
    if (!only_value(fields, RQV_STR("sec-websocket-protocol"), &value))
        return "the answer names more than one subprotocol";
    for (size_t i = 0; i < offer->protocol_count; i++) {
        if (rqv_str_eq(value, offer->protocols[i])) {
            agreed->has_protocol = true;
            agreed->protocol = i;
            return NULL;
        }
    }
    return "the answer names a subprotocol that was not offered";
}

enum { SEEN_SERVER_TAKEOVER = 1, SEEN_CLIENT_TAKEOVER = 2, SEEN_SERVER_BITS = 4, SEEN_CLIENT_BITS = 8 };

struct extension_reader {
    const struct rqv_ws_compression *offer;
    struct rqv_ws_compression *agreed;
    unsigned seen; /* parameters: none may occur twice */
};

static bool first_time(struct extension_reader *reader, unsigned which)
{
    bool first = !(reader->seen & which);

    reader->seen |= which;
    return first;
}

/* The window of one end: at most what was offered. */
static bool take_bits(const struct rqv_ws_extension_item *item, uint8_t offered, uint8_t *agreed)
{
    int bits = rqv_ws_window_bits(item);

    if (bits < 0 || (offered > 0 && bits > offered))
        return false;
    *agreed = (uint8_t)bits;
    return true;
}

static const char *take_parameter(struct extension_reader *reader, const struct rqv_ws_extension_item *item)
{
    static const char twice[] = "the answer has a parameter of permessage-deflate twice";
    static const char wrong[] = "the answer has a value for permessage-deflate that may not be";
    bool fresh = true, sound = true;

    if (rqv_str_eq_nocase(item->name, RQV_STR("server_no_context_takeover"))) {
        fresh = first_time(reader, SEEN_SERVER_TAKEOVER);
        sound = !item->has_value;
        reader->agreed->server_no_context_takeover = true;
    } else if (rqv_str_eq_nocase(item->name, RQV_STR("client_no_context_takeover"))) {
        fresh = first_time(reader, SEEN_CLIENT_TAKEOVER);
        sound = !item->has_value;
        reader->agreed->client_no_context_takeover = true;
    } else if (rqv_str_eq_nocase(item->name, RQV_STR("server_max_window_bits"))) {
        fresh = first_time(reader, SEEN_SERVER_BITS);
        sound = take_bits(item, reader->offer->server_window_bits, &reader->agreed->server_window_bits);
    } else if (rqv_str_eq_nocase(item->name, RQV_STR("client_max_window_bits"))) {
        if (reader->offer->client_window_bits == 0)
            return "the answer limits a window that was not offered for it";
        fresh = first_time(reader, SEEN_CLIENT_BITS);
        sound = take_bits(item, reader->offer->client_window_bits, &reader->agreed->client_window_bits);
    } else {
        return "the answer has an unknown parameter of permessage-deflate";
    }
    if (!fresh)
        return twice;
    return sound ? NULL : wrong;
}

static const char *take_extension(struct extension_reader *reader, const struct rqv_ws_extension_item *item)
{
    if (!reader->offer->enabled || !rqv_str_eq_nocase(item->name, RQV_STR("permessage-deflate")))
        return "the answer has an extension that was not offered";
    if (reader->agreed->enabled)
        return "the answer has permessage-deflate twice";
    reader->agreed->enabled = true;
    reader->agreed->server_window_bits = 15;
    reader->agreed->client_window_bits =
        reader->offer->client_window_bits ? reader->offer->client_window_bits : 15;
    reader->agreed->client_no_context_takeover = reader->offer->client_no_context_takeover;
    return NULL;
}

static const char *read_list(struct extension_reader *reader, struct rqv_str rest)
{
    struct rqv_ws_extension_item item;
    const char *why = NULL;
    bool any = false;
    int r;

    while (!why && (r = rqv_ws_extension_next(&rest, &item)) != 0) {
        if (r < 0 || (item.is_parameter && !any))
            return "the answer's list of extensions is malformed";
        any = true;
        why = item.is_parameter ? take_parameter(reader, &item) : take_extension(reader, &item);
    }
    return why;
}

/* Step 5, and RFC 7692 7.1: what we asked of the server it must grant when it accepts. */
static const char *check_extensions(const struct rqv_ws_offer *offer, const struct rqv_fields *fields,
                                    struct rqv_ws_agreed *agreed)
{
    struct extension_reader reader = {.offer = &offer->compression, .agreed = &agreed->compression};
    const struct rqv_field *field;

    for (size_t n = 0; (field = rqv_fields_get(fields, RQV_STR("sec-websocket-extensions"), n)); n++) {
        const char *why = read_list(&reader, field->value);

        if (why)
            return why;
    }
    if (!agreed->compression.enabled)
        return NULL;
    if (offer->compression.server_no_context_takeover && !(reader.seen & SEEN_SERVER_TAKEOVER))
        return "the answer does not grant server_no_context_takeover";
    if (offer->compression.server_window_bits > 0 && !(reader.seen & SEEN_SERVER_BITS))
        return "the answer does not grant server_max_window_bits";
    return NULL;
}

int rqv_ws_answer_check(const struct rqv_ws_offer *offer, int status, const struct rqv_fields *fields,
                        struct rqv_ws_agreed *ret_agreed, const char **ret_why)
{
    struct rqv_ws_agreed agreed = {0};
    const char *why = NULL;

    if (status != 101)
        why = "the server did not switch protocols";
    if (!why)
        why = check_upgrade(offer, fields);
    if (!why)
        why = check_protocol(offer, fields, &agreed);
    if (!why)
        why = check_extensions(offer, fields, &agreed);
    if (why) {
        *ret_why = why;
        return -EPROTO;
    }
    *ret_agreed = agreed;
    return 0;
}
