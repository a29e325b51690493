/* SPDX-License-Identifier: MIT */
/*
 * cookie_date - dates as servers write them (RFC 6265bis 5.1.1): tokens in any order between delimiters of
 * any kind, of which the first that looks like a time, a day, a month and a year counts. No zone is read; all
 * of it is UTC.
 */
#include "proto/cookie.h"

struct date {
    unsigned hour, minute, second, day, month, year;
    bool has_time, has_day, has_month, has_year;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_delimiter(unsigned char c)
{
    return c == 0x09 || (c >= 0x20 && c <= 0x2f) || (c >= 0x3b && c <= 0x40) || (c >= 0x5b && c <= 0x60) ||
           (c >= 0x7b && c <= 0x7e);
}

/* Takes `least` to `most` digits off the front; the byte behind them, if any, is none. */
static bool take_number(struct rqv_str *rest, size_t least, size_t most, unsigned *ret_value)
{
    unsigned value = 0;
    size_t n = 0;

    for (; n < rest->len && n < most && is_digit(rest->ptr[n]); n++)
        value = value * 10 + (unsigned)(rest->ptr[n] - '0');
    if (n < least || (n < rest->len && is_digit(rest->ptr[n])))
        return false;
    rest->ptr += n;
    rest->len -= n;
    *ret_value = value;
    return true;
}

static bool take_colon(struct rqv_str *rest)
{
    if (rest->len == 0 || rest->ptr[0] != ':')
        return false;
    rest->ptr++;
    rest->len--;
    return true;
}

static bool read_time(struct rqv_str token, struct date *date)
{
    return take_number(&token, 1, 2, &date->hour) && take_colon(&token) &&
           take_number(&token, 1, 2, &date->minute) && take_colon(&token) &&
           take_number(&token, 1, 2, &date->second);
}

static bool read_month(struct rqv_str token, unsigned *ret_month)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

    if (token.len < 3)
        return false;
    for (unsigned month = 0; month < 12; month++) {
        if (rqv_str_eq_nocase((struct rqv_str){token.ptr, 3}, (struct rqv_str){names + 3 * month, 3})) {
            *ret_month = month + 1;
            return true;
        }
    }
    return false;
}

/* Each token is the first thing on this list that it can be and that has not been found yet. */
static void read_token(struct rqv_str token, struct date *date)
{
    if (!date->has_time && read_time(token, date))
        date->has_time = true;
    else if (!date->has_day && take_number(&token, 1, 2, &date->day))
        date->has_day = true;
    else if (!date->has_month && read_month(token, &date->month))
        date->has_month = true;
    else if (!date->has_year && take_number(&token, 2, 4, &date->year))
        date->has_year = true;
}

static bool is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool is_real(const struct date *date)
{
    static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return date->year >= 1601 && date->day >= 1 &&
           date->day <= days[date->month - 1] + (date->month == 2 && is_leap(date->year)) &&
           date->hour <= 23 && date->minute <= 59 && date->second <= 59;
}

/* Days from 1970 to a day of the Gregorian calendar from 1970 on, in years that begin with March, so that the
 * leap day is their last. */
static uint64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
    unsigned y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
    uint64_t days = UINT64_C(365) * y + y / 4 - y / 100 + y / 400;

    return days + (153 * m + 2) / 5 + day - 1 - 719468; /* 719468: 1 March of year 0 to 1 January 1970 */
}

bool rqv_cookie_date(struct rqv_str text, uint64_t *ret_s)
{
    struct date date = {0};

    for (size_t i = 0, start; i < text.len; i++) {
        for (start = i; i < text.len && !is_delimiter((unsigned char)text.ptr[i]); i++)
            ;
        read_token((struct rqv_str){text.ptr + start, i - start}, &date);
    }
    if (!date.has_time || !date.has_day || !date.has_month || !date.has_year)
        return false;
    if (date.year < 100)
        date.year += date.year < 70 ? 2000 : 1900;
    if (!is_real(&date))
        return false;
    *ret_s = date.year < 1970 ? 0
                              : days_since_1970(date.year, date.month, date.day) * 86400 + date.hour * 3600u +
                                    date.minute * 60u + date.second;
    return true;
}
