/* SPDX-License-Identifier: MIT */
/*
 * ws_extension - the grammar of Sec-WebSocket-Extensions (RFC 6455 9.1):
 *
 *   list: extension *( "," extension )    extension: token *( ";" token [ "=" ( token | quoted token ) ] )
 *
 * Items come in order, an extension before its parameters. White space may stand around each; what *rest
 * begins with tells what comes: nothing consumed yet or "," an extension, ";" a parameter.
 */
#include "proto/ws_handshake.h"

#include <errno.h>

static void skip_space(struct rqv_str *rest)
{
    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t')) {
        rest->ptr++;
        rest->len--;
    }
}

static bool take(struct rqv_str *rest, char c)
{
    if (rest->len == 0 || rest->ptr[0] != c)
        return false;
    rest->ptr++;
    rest->len--;
    return true;
}

static bool take_token(struct rqv_str *rest, struct rqv_str *ret_token)
{
    struct rqv_str token = {rest->ptr, rqv_str_token_len(*rest)};

    if (token.len == 0)
        return false;
    rest->ptr += token.len;
    rest->len -= token.len;
    *ret_token = token;
    return true;
}

static bool take_value(struct rqv_str *rest, struct rqv_str *ret_value)
{
    bool quoted = take(rest, '"');

    return take_token(rest, ret_value) && (!quoted || take(rest, '"'));
}

int rqv_ws_extension_next(struct rqv_str *rest, struct rqv_ws_extension_item *ret_item)
{
    struct rqv_ws_extension_item item = {0};
    bool sound;

    skip_space(rest);
    if (rest->len == 0)
        return 0;
    item.is_parameter = take(rest, ';');
    skip_space(rest);
    while (!item.is_parameter && take(rest, ','))
        skip_space(rest); /* empty elements mean nothing: RFC 9110 5.6.1.2 */
    if (!item.is_parameter && rest->len == 0)
        return 0;
    sound = take_token(rest, &item.name);
    skip_space(rest);
    if (sound && item.is_parameter && take(rest, '=')) {
        item.has_value = true;
        skip_space(rest);
        sound = take_value(rest, &item.value);
        skip_space(rest);
    }
    if (!sound || (rest->len > 0 && rest->ptr[0] != ';' && rest->ptr[0] != ','))
        return -EPROTO;
    *ret_item = item;
    return 1;
}

int rqv_ws_window_bits(const struct rqv_ws_extension_item *item)
{
    struct rqv_str value = item->value;

    if (item->has_value && value.len == 1 && (value.ptr[0] == '8' || value.ptr[0] == '9'))
        return value.ptr[0] - '0';
    if (item->has_value && value.len == 2 && value.ptr[0] == '1' && value.ptr[1] >= '0' &&
        value.ptr[1] <= '5')
        return 10 + (value.ptr[1] - '0');
    return -1;
}
