/* Arrays that grow. */
#ifndef RG_GROW_H
#define RG_GROW_H

#include <stdbool.h>
#include <stddef.h>

/* Room for n elements of elem bytes, and some more, in the malloc'ed array (or NULL) that *array points to.
 * cap: elements that fit. False without memory, the array untouched. */
bool rg_grow_more(void *array, size_t *cap, size_t n, size_t elem);
static inline bool rg_grow(void *array, size_t *cap, size_t n, size_t elem)
{
    return n <= *cap || rg_grow_more(array, cap, n, elem);
}

#endif
