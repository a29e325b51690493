/* SPDX-License-Identifier: MIT */
/* facts - curl counts each time from the start; the library reports how long each phase took. */
#include "cli/facts.h"

#include "proto/redirect.h"
#include "proto/url_resolve.h"

#include <reqivo/response.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* "192.0.2.1:443" or "[2001:db8::1]:443" */
static void facts_address(struct cli_facts *facts, const char *address)
{
    const char *colon = strrchr(address, ':');
    size_t len = colon ? (size_t)(colon - address) : strlen(address);

    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    snprintf(facts->remote_ip, sizeof(facts->remote_ip), "%.*s", (int)len, address);
    facts->remote_port = colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
}

/* The phases are those of the last request; what went before is time_redirect. */
static void facts_times(struct cli_facts *facts, const struct reqivo_response *response)
{
    uint64_t tls = reqivo_response_time_us(response, REQIVO_TIME_TLS);
    uint64_t first = reqivo_response_time_us(response, REQIVO_TIME_FIRST_BYTE);
    size_t hops = reqivo_response_hop_count(response);

    if (hops)
        facts->redirect_us = reqivo_response_hop_time_us(response, hops - 1, REQIVO_TIME_TOTAL);
    facts->queue_us = facts->redirect_us + reqivo_response_time_us(response, REQIVO_TIME_QUEUE);
    facts->namelookup_us = facts->queue_us + reqivo_response_time_us(response, REQIVO_TIME_DNS);
    facts->connect_us = facts->namelookup_us + reqivo_response_time_us(response, REQIVO_TIME_CONNECT);
    facts->appconnect_us = tls ? facts->connect_us + tls : 0;
    facts->pretransfer_us = facts->connect_us + tls;
    facts->total_us = reqivo_response_time_us(response, REQIVO_TIME_CALL);
    if (first)
        facts->starttransfer_us =
            facts->pretransfer_us + reqivo_response_time_us(response, REQIVO_TIME_SEND) + first;
    if (facts->starttransfer_us > facts->total_us)
        facts->starttransfer_us = facts->total_us;
}

/* Where a redirect that was not followed leads. */
static void facts_redirect(struct cli_facts *facts, const struct reqivo_response *response)
{
    const char *location = reqivo_response_field(response, "Location", 0);
    char url[RQV_URL_MAX];
    long n;

    if (!location || facts->status < 300 || facts->status > 399)
        return;
    n = rqv_url_resolve(rqv_str_from(facts->url_effective), rqv_str_from(location), url, sizeof(url));
    if (n >= 0)
        facts->redirect_url = strndup(url, (size_t)n);
}

void cli_facts_fill(struct cli_facts *facts, const struct reqivo_response *response)
{
    int phase = reqivo_response_phase(response);
    int error = reqivo_response_error(response);

    facts->response = response;
    facts->status = reqivo_response_status(response);
    facts->minor = reqivo_response_minor(response);
    facts->content_type = reqivo_response_field(response, "Content-Type", 0);
    facts->num_headers = reqivo_response_field_count(response);
    facts->num_redirects = reqivo_response_hop_count(response);
    facts->reused = reqivo_response_reused(response);
    facts->retried = reqivo_response_retried(response);
    facts->num_connects = (facts->status || phase > REQIVO_PHASE_CONNECT) && !facts->reused;
    facts->verify_failed = error == REQIVO_E_TLS_CERTIFICATE || error == REQIVO_E_TLS_HOST;
    if (reqivo_response_url(response)[0]) {
        facts->url_effective = reqivo_response_url(response);
        facts->method = reqivo_response_method(response);
    }
    facts->https = strncasecmp(facts->url_effective, "https", 5) == 0;
    if (facts->status || phase > REQIVO_PHASE_CONNECT) /* not one that was only tried */
        facts_address(facts, reqivo_response_address(response));
    facts_times(facts, response);
    facts_redirect(facts, response);
}

void cli_facts_done(struct cli_facts *facts)
{
    free(facts->redirect_url);
    facts->redirect_url = NULL;
}
