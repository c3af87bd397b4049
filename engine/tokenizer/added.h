/* Added tokens: found before anything else, leftmost first, of those that start together the longest. */
#ifndef RG_ADDED_H
#define RG_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct rg_added_tok {
    int32_t id;
    bool special, lstrip, rstrip; /* the match takes in the white space before, after it */
    bool single_word;             /* no letter, digit or the like stands before or after */
} rg_added_tok;

typedef struct rg_added_node {
    uint32_t child, next; /* first child, next sibling; 0 is none */
    int32_t tok;          /* index + 1 of the token that ends here, 0 if none */
    unsigned char byte;
} rg_added_node;

/* A trie over bytes. */
typedef struct rg_added {
    rg_added_node *node; /* node 0 is the root; owns */
    rg_added_tok *tok;   /* owns */
    size_t n_nodes, cap_nodes, n, cap;
    uint32_t root[256]; /* child of the root by byte */
} rg_added;

/* Where special tokens count: everywhere, or inside spans (rising, not overlapping). */
typedef struct rg_trust {
    bool all;
    const struct rg_trust_span {
        size_t from, to;
    } * span; /* borrowed */
    size_t n;
} rg_trust;

extern const rg_trust rg_trust_all, rg_trust_none;
bool rg_trusted(const rg_trust *t, size_t from, size_t to);

/* bytes of an added token: bounds the cost of the search per byte of text */
enum { RG_ADDED_MAX = 1024 };

/* content is not empty; a second token with the same content is ignored. */
rg_status rg_added_put(rg_added *a, const char *content, size_t len, rg_added_tok tok, rg_err *err);
/* The next match in text[from, len): [*start, *end) and its token, or NULL. Special tokens count only where
 * trusted. */
const rg_added_tok *rg_added_find(const rg_added *a, const char *text, size_t len, size_t from,
    const rg_trust *trust, size_t *start, size_t *end);
void rg_added_free(rg_added *a);

#endif
