/* Text to words: a chain of patterns, each cutting what the last one left. */
#ifndef RG_PRETOK_H
#define RG_PRETOK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* What becomes of a match, as tokenizer.json names it. */
typedef enum rg_split {
    RG_SPLIT_ISOLATED,
    RG_SPLIT_REMOVED,
    RG_SPLIT_MERGED_WITH_PREVIOUS,
    RG_SPLIT_MERGED_WITH_NEXT,
    RG_SPLIT_CONTIGUOUS
} rg_split;

enum { RG_PRETOK_MAX = 16 };

typedef struct rg_pretok {
    struct rg_pretok_step {
        void *code; /* compiled pattern; owns */
        rg_split split;
        bool invert;
    } step[RG_PRETOK_MAX];
    int n;
} rg_pretok;

/* literal: the pattern is a plain string. */
rg_status rg_pretok_add(rg_pretok *p, const char *pattern, size_t len, bool literal, rg_split split,
    bool invert, const rg_src *src);
typedef rg_status (*rg_word_fn)(void *user, const char *p, size_t n);
/* Calls word for each word, in order. Runs of bytes that are not UTF-8 are words if there is any pattern. */
rg_status rg_pretok_run(
    const rg_pretok *p, const char *text, size_t len, rg_word_fn word, void *user, rg_err *err);
void rg_pretok_free(rg_pretok *p);

#endif
