/* Checks of a scenario that runs as a program of its own (under preloaded libraries), where a failed cmocka
 * assertion has nobody to tell. */
#ifndef RG_CHECK_INSIDE_H
#define RG_CHECK_INSIDE_H

#include <stdio.h>

static int line_of_failure; /* 0: all was true */
#define CHECK(x) \
    do { \
        if (!(x)) { \
            fprintf(stderr, "line %d: not true: %s\n", __LINE__, #x); \
            line_of_failure = __LINE__; \
            return; \
        } \
    } while (0)

#endif
