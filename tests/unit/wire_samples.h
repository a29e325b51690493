/* SPDX-License-Identifier: MIT */
/*
 * wire_samples - the conversations whose bytes are in tests/unit/golden/, as structs. Together they hold
 * every frame type. The hex files were computed from doc/wire.md by other code, so that both sides of the
 * codec have a witness.
 */
#ifndef RQV_TESTS_WIRE_SAMPLES_H
#define RQV_TESTS_WIRE_SAMPLES_H

#include "tests/lib/wire_any.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_SAMPLES_FRAMES 6

struct wire_sample {
    const char *name; /* golden/NAME.hex */
    bool from_library;
    bool foreign; /* from another version: decoded only, since this version encodes other bytes */
    size_t count;
    struct wire_any frames[WIRE_SAMPLES_FRAMES];
};

extern const struct wire_sample wire_samples[];
extern const size_t wire_samples_count;

/* A frame's bytes, with room to play. */
struct wire_bytes {
    uint8_t at[RQV_WIRE_HEADER + RQV_WIRE_PAYLOAD_MAX + 64];
    size_t len;
};

void wire_sample_load(const struct wire_any *any,
                      struct wire_bytes *ret_bytes); /* encoded; a test failure otherwise */

#endif
