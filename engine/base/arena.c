/* Layouts, and large blocks from the kernel. */
#include "base/arena.h"

#include <sys/mman.h>

enum { ALIGN = 64, HUGE = 2 << 20 };

void *rg_arena_take(rg_arena *a, size_t bytes)
{
    const size_t at = a->used;
    a->used += (bytes + ALIGN - 1) / ALIGN * ALIGN;
    return a->base ? a->base + at : NULL;
}

static size_t rounded(size_t bytes) { return (bytes ? bytes + HUGE - 1 : HUGE) / HUGE * HUGE; }

void *rg_big_alloc(size_t bytes)
{
    const size_t want = rounded(bytes);
    if (want < bytes) return NULL;
    /* Over-allocate by one huge page and give the ends back, so that the block starts on a 2 MiB boundary. */
    char *map =
        mmap(NULL, want + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) return NULL;
    char *p = (char *)(((uintptr_t)map + HUGE - 1) / HUGE * HUGE);
    if (p > map) munmap(map, p - map);
    if (map + HUGE > p) munmap(p + want, map + HUGE - p);
    if (bytes >= HUGE) madvise(p, want, MADV_HUGEPAGE);
    return p;
}

void rg_big_small_pages(void *p, size_t bytes)
{
    if (p) madvise(p, rounded(bytes), MADV_NOHUGEPAGE);
}

void rg_big_free(void *p, size_t bytes)
{
    if (p) munmap(p, rounded(bytes));
}
