/* The names nearest to a mistyped word. */
#ifndef RG_NEAR_H
#define RG_NEAR_H

#include <stddef.h>

enum { RG_NEAR_MOST = 4 };

typedef struct rg_near {
    const char *word; /* borrowed */
    int n;            /* the nearest names so far, nearest first */
    char name[RG_NEAR_MOST][96];
    int far[RG_NEAR_MOST];
} rg_near;

/* One more name that may be meant, copied. Of names equally near the first one stays ahead. */
void rg_near_try(rg_near *x, const char *name);

/* Both write into buf and return it. "a, b, c, d": the nearest, near or not. */
const char *rg_near_names(char *buf, size_t n, const rg_near *x);
/* "the nearest is a; ", or "" where none is near enough to be meant. */
const char *rg_near_hint(char *buf, size_t n, const rg_near *x);

#define RG_NEAR_HINT(x) rg_near_hint((char[128]){0}, 128, x)

#endif
