/* SPDX-License-Identifier: MIT */
/* error - the exported names of common/err's tables, and the version. */
#include "config.h"

#include "common/err.h"

#include <reqivo/client.h>

const char *reqivo_error_name(int code)
{
    return rqv_err_name(code);
}

const char *reqivo_error_text(int code)
{
    return rqv_err_text(code);
}

int reqivo_error_class(int code)
{
    return (int)rqv_err_class(code);
}

int reqivo_error_is(int code, int cls)
{
    return (int)rqv_err_class(code) == cls;
}

const char *reqivo_class_name(int cls)
{
    return rqv_class_name((enum reqivo_class)cls);
}

const char *reqivo_phase_name(int phase)
{
    return rqv_phase_name(phase);
}

const char *reqivo_version(void)
{
    return PACKAGE_VERSION;
}
