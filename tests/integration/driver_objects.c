/* SPDX-License-Identifier: MIT */
/*
 * driver_objects - what the table does with sessions, pools and connections.
 *
 *   set base URL | field NAME VALUE | timeout WHICH MS | basic USER PASSWORD | bearer TOKEN | redirects N
 *   set redirect-policy BITS | cookies 0|1 | decode 0|1 | verify 0|1 | ca PATH | tls MIN MAX | hook ...
 *   set load-cookies PATH | save-cookies PATH | clear-cookies
 *   set no-base | no-field NAME | no-basic | no-bearer | no-hooks
 *   operate TAG stats POOL | limit POOL N | prewarm POOL N | close-idle POOL
 *   operate TAG refresh CONNECTION | release CONNECTION | info CONNECTION | close CONNECTION
 */
#include "tests/integration/driver_common.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- settings of a session ---- */

static int set_pair(struct reqivo_session *session, char key, char *rest)
{
    char *first = driver_word(&rest);

    driver_unescape(first);
    driver_unescape(rest);
    if (key == 'f')
        return reqivo_session_set_field(session, first, rest);
    if (key == 'b')
        return reqivo_session_set_basic(session, first, rest);
    if (key == 'l')
        return reqivo_session_set_tls_versions(session, (int)driver_number(first), (int)driver_number(rest));
    int which = driver_timeout(first);
    return which < 0 ? -EINVAL : reqivo_session_set_timeout(session, which, (uint32_t)driver_number(rest));
}

static int take_away(struct reqivo_session *session, const char *what, const char *name)
{
    if (strcmp(what, "no-base") == 0)
        return reqivo_session_set_base_url(session, NULL);
    if (strcmp(what, "no-field") == 0)
        return reqivo_session_set_field(session, name, NULL);
    if (strcmp(what, "clear-cookies") == 0)
        return reqivo_session_clear_cookies(session);
    if (strcmp(what, "no-basic") == 0)
        return reqivo_session_set_basic(session, NULL, NULL);
    if (strcmp(what, "no-bearer") == 0)
        return reqivo_session_set_bearer(session, NULL);
    return -EINVAL;
}

static int set_hooks(struct driver_session *session, char *rest)
{
    int rc = 0;

    if (rest)
        rc = driver_hooks_add(&session->hooks, rest);
    else {
        free(session->hooks);
        session->hooks = NULL;
    }
    return rc ? rc : driver_hooks_on_session(session->hooks, session->session);
}

static int set_redirects(struct reqivo_session *session, const char *rest)
{
    return reqivo_session_set_redirects(session, (unsigned)driver_number(rest));
}

static int set_redirect_policy(struct reqivo_session *session, const char *rest)
{
    return reqivo_session_set_redirect_policy(session, (unsigned)driver_number(rest));
}

static int set_one(struct reqivo_session *session, const char *what, char *rest)
{
    static const struct {
        const char *what;
        int (*set)(struct reqivo_session *session, const char *text);
    } texts[] = {
        {"base", reqivo_session_set_base_url},
        {"bearer", reqivo_session_set_bearer},
        {"ca", reqivo_session_set_ca_file},
        {"redirects", set_redirects},
        {"redirect-policy", set_redirect_policy},
        {"load-cookies", reqivo_session_load_cookies},
        {"save-cookies", reqivo_session_save_cookies},
    };
    static const struct {
        const char *what;
        int (*set)(struct reqivo_session *session, int on);
    } switches[] = {
        {"cookies", reqivo_session_set_cookies},
        {"decode", reqivo_session_set_decode},
        {"verify", reqivo_session_set_verify},
    };

    if (strcmp(what, "field") == 0 || strcmp(what, "basic") == 0 || strcmp(what, "timeout") == 0)
        return set_pair(session, what[0], rest);
    if (strcmp(what, "tls") == 0)
        return set_pair(session, 'l', rest);
    driver_unescape(rest);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(what, texts[i].what) == 0)
            return texts[i].set(session, rest);
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
        if (strcmp(what, switches[i].what) == 0)
            return switches[i].set(session, rest[0] == '1');
    return take_away(session, what, rest);
}

void driver_set(struct driver *driver, char *rest)
{
    const char *what = driver_word(&rest);
    int rc = -EINVAL;

    if (driver->session && strcmp(what, "hook") == 0)
        rc = set_hooks(driver->session, rest);
    else if (driver->session && strcmp(what, "no-hooks") == 0)
        rc = set_hooks(driver->session, NULL);
    else if (driver->session)
        rc = set_one(driver->session->session, what, rest);
    driver_print_text("{\"set\":", what);
    driver_print_code(rc);
    printf("}\n");
    fflush(stdout);
}

/* ---- pools and connections ---- */

struct driver_thing *driver_thing_find(struct driver *driver, const char *name)
{
    for (struct driver_thing *at = driver->things; at; at = at->next)
        if (strcmp(at->name, name) == 0)
            return at;
    return NULL;
}

static struct driver_thing *thing_new(struct driver *driver, const char *name)
{
    struct driver_thing *thing = driver_new(sizeof *thing);

    snprintf(thing->name, sizeof thing->name, "%s", name);
    thing->next = driver->things;
    driver->things = thing;
    return thing;
}

static struct driver_operation *operation_new(struct driver *driver, const char *tag, const char *name)
{
    struct driver_operation *operation = driver_new(sizeof *operation);

    snprintf(operation->tag, sizeof operation->tag, "%s", tag);
    operation->driver = driver;
    operation->thing = driver_thing_find(driver, name);
    if (!operation->thing)
        operation->thing = thing_new(driver, name);
    operation->next = driver->operations;
    driver->operations = driver->operation = operation;
    return operation;
}

bool driver_operate(struct driver *driver, char *rest)
{
    static const char *const verbs[] = {"stats", "limit", "prewarm", "close-idle", "-", "refresh", "release"};
    const char *tag = driver_word(&rest), *verb = driver_word(&rest), *name = driver_word(&rest);
    struct driver_operation *operation = operation_new(driver, tag, name);

    operation->value = (uint32_t)driver_number(rest);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verb, verbs[i]) == 0) {
            operation->verb = (enum driver_operate)i;
            return true;
        }
    struct reqivo_connection_info info;
    int rc = -EINVAL;
    operation->verb = OPERATE_REFRESH;
    if (strcmp(verb, "info") == 0)
        rc = reqivo_connection_info(operation->thing->connection, &info);
    else if (strcmp(verb, "close") == 0) {
        reqivo_connection_close(operation->thing->connection);
        operation->thing->connection = NULL;
        rc = 0;
    }
    driver_report_operation(operation, rc, "");
    return false;
}

bool driver_make(struct driver *driver, const char *what, const char *name)
{
    struct job *job = driver->job;

    driver->job = NULL;
    if (!job)
        return false;
    struct driver_operation *operation = operation_new(driver, job->tag, name);
    operation->verb = what[0] == 'a' ? OPERATE_ACQUIRE : OPERATE_WEBSOCKET;
    int rc = job->build_error;
    if (rc == 0 && what[0] == 'p') {
        reqivo_pool_free(operation->thing->pool);
        operation->thing->pool = NULL;
        rc = reqivo_pool_of(driver->client, &job->request, &operation->thing->pool);
    } else if (rc == 0) {
        operation->request = job->request;
        job->request = NULL;
        return true;
    }
    driver_report_operation(operation, rc, job->build_error ? job->build_step : "");
    return false;
}

void driver_objects_free(struct driver *driver)
{
    while (driver->operations) {
        struct driver_operation *first = driver->operations;
        driver->operations = first->next;
        reqivo_request_free(first->request);
        reqivo_websocket_free(first->ws);
        free(first);
    }
    while (driver->things) {
        struct driver_thing *first = driver->things;
        driver->things = first->next;
        reqivo_pool_free(first->pool);
        reqivo_connection_close(first->connection);
        free(first);
    }
    while (driver->sessions) {
        struct driver_session *first = driver->sessions;
        driver->sessions = first->next;
        reqivo_session_free(first->session);
        free(first->hooks);
        free(first);
    }
}
