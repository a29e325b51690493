dnl SPDX-License-Identifier: MIT
dnl RQV_CFLAG(VARIABLE, FLAGS): appends FLAGS to VARIABLE when the compiler and the linker take them without a warning.
AC_DEFUN([RQV_CFLAG], [
  AS_VAR_PUSHDEF([rqv_cache], [rqv_cv_cflag_$2])
  AC_CACHE_CHECK([whether $CC takes $2], [rqv_cache], [
    rqv_save_CFLAGS=$CFLAGS
    CFLAGS="-O2 -Wall -Werror $2"
    AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([rqv_cache], [yes])], [AS_VAR_SET([rqv_cache], [no])])
    CFLAGS=$rqv_save_CFLAGS
  ])
  AS_VAR_IF([rqv_cache], [yes], [$1="$$1 $2"])
  AS_VAR_POPDEF([rqv_cache])
])

dnl RQV_LDFLAG(VARIABLE, FLAGS): the same for FLAGS of the linker.
AC_DEFUN([RQV_LDFLAG], [
  AS_VAR_PUSHDEF([rqv_cache], [rqv_cv_ldflag_$2])
  AC_CACHE_CHECK([whether the linker takes $2], [rqv_cache], [
    rqv_save_LDFLAGS=$LDFLAGS
    LDFLAGS="$LDFLAGS $2"
    AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([rqv_cache], [yes])], [AS_VAR_SET([rqv_cache], [no])])
    LDFLAGS=$rqv_save_LDFLAGS
  ])
  AS_VAR_IF([rqv_cache], [yes], [$1="$$1 $2"])
  AS_VAR_POPDEF([rqv_cache])
])
