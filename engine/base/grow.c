/* Grows an array by half. */
#include "base/grow.h"

#include <stdlib.h>
#include <string.h>

bool rg_grow_more(void *array, size_t *cap, size_t n, size_t elem)
{
    void *p;
    memcpy(&p, array, sizeof p); /* whatever it points to */
    p = realloc(p, (n + n / 2 + 32) * elem);
    if (!p) return false;
    memcpy(array, &p, sizeof p);
    *cap = n + n / 2 + 32;
    return true;
}
