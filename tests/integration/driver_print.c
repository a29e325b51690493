/* SPDX-License-Identifier: MIT */
/* driver_print - results as one line of JSON each. */
#include "tests/integration/driver_common.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint32_t driver_crc32(uint32_t crc, const unsigned char *bytes, size_t size)
{
    static uint32_t table[256];

    if (!table[1])
        for (uint32_t n = 0; n < 256; n++) {
            uint32_t c = n;
            for (int k = 0; k < 8; k++)
                c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
            table[n] = c;
        }
    crc = ~crc;
    for (size_t i = 0; i < size; i++)
        crc = table[(crc ^ bytes[i]) & 0xff] ^ (crc >> 8);
    return ~crc;
}

static void print_string(const char *name, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;

    printf("%s\"", name);
    for (size_t i = 0; i < size; i++) {
        if (at[i] < 0x20 || at[i] >= 0x7f || at[i] == '"' || at[i] == '\\')
            printf("\\u%04x", at[i]);
        else
            putchar(at[i]);
    }
    putchar('"');
}

void driver_print_text(const char *name, const char *text)
{
    print_string(name, text, strlen(text));
}

static void print_fields(const struct reqivo_response *response, bool trailers)
{
    size_t count = trailers ? reqivo_response_trailer_count(response) : reqivo_response_field_count(response);
    const char *name, *value;

    printf(",\"%s\":[", trailers ? "trailers" : "fields");
    for (size_t i = 0; i < count; i++) {
        int rc = trailers ? reqivo_response_trailer_at(response, i, &name, &value)
                          : reqivo_response_field_at(response, i, &name, &value);
        if (rc < 0)
            continue;
        driver_print_text(i ? ",[" : "[", name);
        driver_print_text(",", value);
        putchar(']');
    }
    putchar(']');
}

static void print_body(const struct job *job, const struct reqivo_response *response)
{
    const unsigned char *body = job->stream ? job->kept : reqivo_response_body(response);
    uint64_t size = job->stream ? job->streamed : reqivo_response_body_size(response);
    uint32_t crc = job->stream ? job->crc : driver_crc32(0, body, body ? (size_t)size : 0);

    printf(",\"length\":%" PRIu64 ",\"crc\":%" PRIu32 ",\"heads\":%u", size, crc, job->heads);
    print_string(",\"body\":", body, body ? (size_t)(size < DRIVER_KEEP ? size : DRIVER_KEEP) : 0);
}

static void print_hops(const struct reqivo_response *response)
{
    driver_print_text(",\"url\":", reqivo_response_url(response));
    driver_print_text(",\"method\":", reqivo_response_method(response));
    printf(",\"hops\":[");
    for (size_t i = 0; i < reqivo_response_hop_count(response); i++) {
        printf("%s[%d,", i ? "," : "", reqivo_response_hop_status(response, i));
        driver_print_text("", reqivo_response_hop_method(response, i));
        driver_print_text(",", reqivo_response_hop_url(response, i));
        printf(",%" PRIu64 "]", reqivo_response_hop_time_us(response, i, REQIVO_TIME_TOTAL));
    }
    putchar(']');
}

void driver_print_code(int code)
{
    driver_print_text(",\"error\":", code ? reqivo_error_name(code) : "");
    driver_print_text(",\"class\":", reqivo_class_name(reqivo_error_class(code)));
    printf(",\"code\":%d", code);
}

static void print_response(const struct job *job, const struct reqivo_response *response)
{
    int code = reqivo_response_error(response);

    driver_print_code(code);
    driver_print_text(",\"phase\":", reqivo_phase_name(reqivo_response_phase(response)));
    printf(",\"errno\":%d,\"sent\":%d", reqivo_response_errno(response), reqivo_response_sent(response));
    driver_print_text(",\"detail\":", reqivo_response_detail(response));
    driver_print_text(",\"address\":", reqivo_response_address(response));
    printf(",\"status\":%d,\"minor\":%d", reqivo_response_status(response), reqivo_response_minor(response));
    driver_print_text(",\"reason\":", reqivo_response_reason(response));
    printf(",\"content_length\":%" PRId64 ",\"reused\":%d,\"retried\":%d",
           reqivo_response_content_length(response), reqivo_response_reused(response),
           reqivo_response_retried(response));
    printf(",\"time_us\":[");
    for (int i = 0; i <= REQIVO_TIME_CALL; i++)
        printf("%s%" PRIu64, i ? "," : "", reqivo_response_time_us(response, i));
    putchar(']');
    print_fields(response, false);
    print_fields(response, true);
    print_hops(response);
    print_body(job, response);
    if (job->helper.method)
        driver_print_text(",\"text\":", reqivo_response_text(response));
    printf(",\"progress\":[%u,%" PRIu64 ",%" PRId64 ",%d]", job->progress_calls, job->progress_last,
           job->progress_total, job->progress_back);
    if (job->store) {
        int rc = reqivo_response_save(response, job->store);
        driver_print_text(",\"stored\":", rc ? reqivo_error_name(rc) : "");
    }
    if (job->hooks || job->session_hooks)
        driver_hooks_print(job->hooks ? job->hooks : job->session_hooks);
}

void driver_report(struct driver *driver, struct job *job, const struct reqivo_response *response)
{
    if (job->completions++ > 0)
        driver->twice++;
    driver_print_text("{\"tag\":", job->tag);
    if (response) {
        driver->completed++;
        print_response(job, response);
    } else {
        driver_print_code(job->build_error);
        driver_print_text(",\"step\":", job->build_step);
        printf(",\"sent\":0,\"status\":0");
    }
    printf(",\"completions\":%u}\n", job->completions);
    fflush(stdout);
}

static void print_info(const struct reqivo_connection *connection)
{
    struct reqivo_connection_info info;

    if (reqivo_connection_info(connection, &info) < 0)
        return;
    driver_print_text(",\"address\":", info.address);
    driver_print_text(",\"local_address\":", info.local_address);
    driver_print_text(",\"tls_version\":", info.tls_version);
    driver_print_text(",\"cipher\":", info.cipher);
    driver_print_text(",\"alpn\":", info.alpn);
    driver_print_text(",\"certificate\":", info.certificate);
    driver_print_text(",\"subject\":", info.subject);
    driver_print_text(",\"issuer\":", info.issuer);
    printf(",\"not_after\":%" PRId64 ",\"age_ms\":%" PRIu64 ",\"uses\":%" PRIu64 ",\"reused\":%d",
           info.not_after, info.age_ms, info.uses, info.reused);
}

static void print_stats(const struct reqivo_pool_stats *stats)
{
    printf(",\"idle\":%" PRIu64 ",\"leased\":%" PRIu64 ",\"connecting\":%" PRIu64 ",\"waiting\":%" PRIu64
           ",\"limit\":%" PRIu64 ",\"opened\":%" PRIu64 ",\"reused\":%" PRIu64 ",\"failures\":%" PRIu64
           ",\"oldest_ms\":%" PRIu64 ",\"newest_ms\":%" PRIu64,
           stats->idle, stats->leased, stats->connecting, stats->waiting, stats->limit, stats->opened,
           stats->reused, stats->failures, stats->oldest_ms, stats->newest_ms);
}

void driver_report_operation(struct driver_operation *operation, int code, const char *detail)
{
    if (operation->completions++ > 0)
        operation->driver->twice++;
    operation->driver->operated++;
    driver_print_text("{\"tag\":", operation->tag);
    driver_print_code(code);
    driver_print_text(",\"detail\":", detail);
    if (code == 0 && operation->has_stats)
        print_stats(&operation->stats);
    if (code == 0 && operation->thing->connection &&
        (operation->verb == OPERATE_ACQUIRE || operation->verb == OPERATE_REFRESH))
        print_info(operation->thing->connection);
    printf(",\"completions\":%u}\n", operation->completions);
    fflush(stdout);
}

void driver_note(const struct driver *driver)
{
    driver_print_text("{\"note\":", driver->note);
    printf("}\n");
    fflush(stdout);
}
