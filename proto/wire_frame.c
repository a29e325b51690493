/* SPDX-License-Identifier: MIT */
/*
 * wire_frame - the 16 bytes in front of every payload: what may come from which side, with which flags, id
 * and length. All of it is decided from the header alone, before a byte of payload is waited for.
 */
#include "proto/wire.h"
#include "proto/wire_layout.h"

#include <reqivo/error.h>

enum { AT_LENGTH = 0, AT_TYPE = 4, AT_FLAGS = 5, AT_RESERVED = 6, AT_ID = 8 };
enum { LIBRARY = 1, DAEMON = 2 };

struct rule {
    const char *name;
    uint8_t senders, library_flags, daemon_flags, with_id;
    uint32_t least, greatest;
};

#define SENDER_C                          LIBRARY
#define SENDER_D                          DAEMON
#define SENDER_B                          (LIBRARY | DAEMON)
#define SENDER_ENUM(type, number, sender) SENDERS_##type = SENDER_##sender,
enum { RQV_WIRE_FRAMES(SENDER_ENUM) };

#define RULE(type, library, daemon, with_id, least, greatest)                                                \
    [RQV_WIRE_##type] = {#type, SENDERS_##type, (library), (daemon), (with_id), (least), (greatest)},
static const struct rule rules[] = {RQV_WIRE_RULES(RULE)};

static const struct rule *rule_of(uint8_t type)
{
    if (type >= sizeof rules / sizeof rules[0] || !rules[type].name)
        return NULL;
    return &rules[type];
}

const char *rqv_wire_type_name(uint8_t type)
{
    const struct rule *rule = rule_of(type);
    return rule ? rule->name : "?";
}

void rqv_wire_put_header(uint8_t out[RQV_WIRE_HEADER], const struct rqv_frame_header *header)
{
    rqv_put_u32(out + AT_LENGTH, header->length);
    out[AT_TYPE] = header->type;
    out[AT_FLAGS] = header->flags;
    rqv_put_u16(out + AT_RESERVED, 0);
    rqv_put_u64(out + AT_ID, header->id);
}

/* NULL when the header is one that this side may send. */
static const char *fault_of(const struct rqv_frame_header *header, bool from_library)
{
    const struct rule *rule = rule_of(header->type);
    if (!rule)
        return "unknown frame type";
    if (!(rule->senders & (from_library ? LIBRARY : DAEMON)))
        return "a frame type that this side may not send";
    if (header->flags & ~(from_library ? rule->library_flags : rule->daemon_flags))
        return "a frame flag that is unknown or that this side may not send";
    if ((header->id != 0) != (rule->with_id != 0))
        return rule->with_id ? "a frame without the id it needs" : "an id on a frame that has none";
    if (header->length < rule->least || header->length > rule->greatest)
        return "a payload length that its frame type does not have";
    if ((header->type == RQV_WIRE_DATA || header->type == RQV_WIRE_WS_DATA) && header->length == 0 &&
        !(header->flags & RQV_FLAG_END))
        return "an empty DATA frame that ends nothing";
    return NULL;
}

int rqv_wire_next(const uint8_t *in, size_t len, bool from_library, struct rqv_frame_header *ret_header,
                  const char **ret_why)
{
    if (len < RQV_WIRE_HEADER)
        return 0;
    struct rqv_frame_header header = {
        .length = rqv_get_u32(in + AT_LENGTH),
        .type = in[AT_TYPE],
        .flags = in[AT_FLAGS],
        .id = rqv_get_u64(in + AT_ID),
    };
    const char *fault = rqv_get_u16(in + AT_RESERVED) ? "reserved bits of a frame header are set"
                                                      : fault_of(&header, from_library);
    if (fault) {
        *ret_why = fault;
        return REQIVO_E_WIRE;
    }
    if (len - RQV_WIRE_HEADER < header.length)
        return 0;
    *ret_header = header;
    return 1;
}

size_t rqv_wire_missing(const uint8_t *in, size_t len)
{
    size_t whole = len < RQV_WIRE_HEADER ? 0 : RQV_WIRE_HEADER + (size_t)rqv_get_u32(in + AT_LENGTH);

    return len < whole ? whole - len : 0;
}

int rqv_wire_version(const struct rqv_hello *peer)
{
    int highest = peer->version < RQV_WIRE_VERSION ? peer->version : RQV_WIRE_VERSION;
    int lowest = peer->version_min > RQV_WIRE_VERSION_MIN ? peer->version_min : RQV_WIRE_VERSION_MIN;
    return highest >= lowest ? highest : REQIVO_E_VERSION;
}
