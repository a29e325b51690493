/* SPDX-License-Identifier: MIT */
/*
 * alloc_count - preloaded into the daemon: counts the calls of malloc and its kin in a page of a file that
 * bench.py reads.
 *
 *     BENCH_ALLOC_FILE:  [0] malloc  [1] calloc  [2] realloc  [3] free (not of NULL)  [4] aligned
 *
 * The real functions are glibc's own names, so that nothing has to be looked up.
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MALLOC, CALLOC, REALLOC, FREE, ALIGNED, KINDS };

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static uint64_t before[KINDS];
static uint64_t *counts = before;

__attribute__((constructor)) static void open_file(void)
{
    const char *name = secure_getenv("BENCH_ALLOC_FILE");
    int fd = name ? open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;

    if (fd < 0)
        return;
    if (ftruncate(fd, 4096) == 0) {
        void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (page != MAP_FAILED)
            counts = page;
    }
    close(fd);
}

static void count(int kind)
{
    __atomic_add_fetch(&counts[kind], 1, __ATOMIC_RELAXED);
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
    count(MALLOC);
    return __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t number, size_t size)
{
    count(CALLOC);
    return __libc_calloc(number, size);
}

__attribute__((visibility("default"))) void *realloc(void *memory, size_t size)
{
    count(REALLOC);
    return __libc_realloc(memory, size);
}

__attribute__((visibility("default"))) void *memalign(size_t alignment, size_t size)
{
    count(ALIGNED);
    return __libc_memalign(alignment, size);
}

__attribute__((visibility("default"))) void *aligned_alloc(size_t alignment, size_t size)
{
    count(ALIGNED);
    return __libc_memalign(alignment, size);
}

__attribute__((visibility("default"))) void free(void *memory)
{
    if (memory)
        count(FREE);
    __libc_free(memory);
}
