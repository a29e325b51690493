/* SPDX-License-Identifier: MIT */
/*
 * driver_hooks - hooks that do what the table says, and note what they have seen:
 *
 *   hook before HOP method METHOD | url URL | field NAME VALUE | no-field NAME | refuse     ("-": each hop)
 *   hook after status N | field NAME VALUE | no-field NAME | body TEXT | refuse
 */
#include "tests/integration/driver_common.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STEPS 8
#define SEEN  64

struct step {
    bool after;
    int hop; /* -1: each */
    char action[16], name[64], value[512];
};

struct driver_hooks {
    struct step steps[STEPS];
    size_t count;
    struct {
        int hop, status; /* hop -1: after */
        char method[32], url[256];
    } seen[SEEN];
    size_t seen_count;
};

int driver_hooks_add(struct driver_hooks **hooks, char *rest)
{
    if (!*hooks)
        *hooks = driver_new(sizeof **hooks);
    if ((*hooks)->count == STEPS)
        return -EINVAL;
    struct step *step = &(*hooks)->steps[(*hooks)->count++];
    step->after = strcmp(driver_word(&rest), "after") == 0;
    step->hop = -1;
    if (!step->after) {
        const char *hop = driver_word(&rest);
        if (strcmp(hop, "-") != 0)
            step->hop = (int)driver_number(hop);
    }
    snprintf(step->action, sizeof step->action, "%s", driver_word(&rest));
    if (strstr(step->action, "field"))
        snprintf(step->name, sizeof step->name, "%s", driver_word(&rest));
    driver_unescape(rest);
    snprintf(step->value, sizeof step->value, "%s", rest);
    return 0;
}

static int change_request(struct reqivo_request *request, const struct step *step)
{
    if (strcmp(step->action, "method") == 0)
        return reqivo_request_set_method(request, step->value);
    if (strcmp(step->action, "url") == 0)
        return reqivo_request_set_url(request, step->value);
    if (strcmp(step->action, "field") == 0)
        return reqivo_request_set_field(request, step->name, step->value);
    if (strcmp(step->action, "no-field") == 0)
        return reqivo_request_remove_field(request, step->name) < 0;
    return 1;
}

static int before(struct reqivo_client *client, struct reqivo_request *request, unsigned hop, void *userdata)
{
    struct driver_hooks *hooks = userdata;
    int refuse = 0;

    (void)client;
    if (hooks->seen_count < SEEN) {
        hooks->seen[hooks->seen_count].hop = (int)hop;
        reqivo_request_method(request, hooks->seen[hooks->seen_count].method, sizeof hooks->seen[0].method);
        reqivo_request_url(request, hooks->seen[hooks->seen_count].url, sizeof hooks->seen[0].url);
        hooks->seen_count++;
    }
    for (size_t i = 0; i < hooks->count && !refuse; i++)
        if (!hooks->steps[i].after && (hooks->steps[i].hop < 0 || hooks->steps[i].hop == (int)hop))
            refuse = change_request(request, &hooks->steps[i]);
    return refuse;
}

static int change_response(struct reqivo_response *response, const struct step *step)
{
    if (strcmp(step->action, "status") == 0)
        return reqivo_response_set_status(response, (int)driver_number(step->value));
    if (strcmp(step->action, "field") == 0)
        return reqivo_response_set_field(response, step->name, step->value);
    if (strcmp(step->action, "no-field") == 0)
        return reqivo_response_set_field(response, step->name, NULL);
    if (strcmp(step->action, "body") == 0)
        return reqivo_response_set_body(response, step->value, strlen(step->value));
    return 1;
}

static int after(struct reqivo_client *client, struct reqivo_response *response, void *userdata)
{
    struct driver_hooks *hooks = userdata;
    int refuse = 0;

    (void)client;
    if (hooks->seen_count < SEEN) {
        hooks->seen[hooks->seen_count].hop = -1;
        hooks->seen[hooks->seen_count++].status = reqivo_response_status(response);
    }
    for (size_t i = 0; i < hooks->count && !refuse; i++)
        if (hooks->steps[i].after)
            refuse = change_response(response, &hooks->steps[i]);
    return refuse;
}

int driver_hooks_on_request(struct driver_hooks *hooks, struct reqivo_request *request)
{
    return reqivo_request_set_hooks(request, before, after, hooks);
}

int driver_hooks_on_session(struct driver_hooks *hooks, struct reqivo_session *session)
{
    return hooks ? reqivo_session_set_hooks(session, before, after, hooks)
                 : reqivo_session_set_hooks(session, NULL, NULL, NULL);
}

void driver_hooks_print(struct driver_hooks *hooks)
{
    printf(",\"hooks\":[");
    for (size_t i = 0; i < hooks->seen_count; i++) {
        if (hooks->seen[i].hop < 0) {
            printf("%s[\"after\",%d]", i ? "," : "", hooks->seen[i].status);
            continue;
        }
        printf("%s[\"before\",%d", i ? "," : "", hooks->seen[i].hop);
        driver_print_text(",", hooks->seen[i].method);
        driver_print_text(",", hooks->seen[i].url);
        putchar(']');
    }
    putchar(']');
    hooks->seen_count = 0;
}
