/* SPDX-License-Identifier: MIT */
/* wire_stream - what both wire fuzzers do with a hostile peer's bytes; it aborts where a promise of wire.h is
 * broken. */
#ifndef RQV_TESTS_WIRE_STREAM_H
#define RQV_TESTS_WIRE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void wire_stream_check(const uint8_t *data, size_t size, bool from_library);

#endif
