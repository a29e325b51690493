/* SPDX-License-Identifier: MIT */
/*
 * uninit - the build sets every automatic variable to zero (-ftrivial-auto-var-init). RQV_UNINIT takes a
 * large one out of that, where each byte that is read has been written before: a fields array that has its
 * count, a block that has its length. Zeroing these for each request cost more than all else in user space.
 */
#ifndef RQV_COMMON_UNINIT_H
#define RQV_COMMON_UNINIT_H

#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define RQV_UNINIT __attribute__((uninitialized))
#endif
#endif
#ifndef RQV_UNINIT
#define RQV_UNINIT
#endif

#endif
