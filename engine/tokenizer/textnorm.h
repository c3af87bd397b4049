/* Text before it is cut into words: the normalisers of tokenizer.json and SentencePiece as a list of
 * steps. */
#ifndef RG_TEXTNORM_H
#define RG_TEXTNORM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef enum rg_norm_op {
    RG_NORM_PREPEND,       /* b before the text */
    RG_NORM_PREPEND_FIRST, /* the same, for the first segment of a text only */
    RG_NORM_ENSURE,        /* b before the text unless it starts with b */
    RG_NORM_ENSURE_FIRST,  /* the same, for the first segment of a text only */
    RG_NORM_REPLACE,       /* every a becomes b */
    RG_NORM_SQUEEZE,       /* runs of spaces become one; none at the ends */
    RG_NORM_NFC,           /* Unicode's normal forms, in the order of rg_normal_form */
    RG_NORM_NFD,
    RG_NORM_NFKC,
    RG_NORM_NFKD,
    RG_NORM_LOWER,
    RG_NORM_STRIP_LEFT, /* no white space at that end */
    RG_NORM_STRIP_RIGHT
} rg_norm_op;

typedef struct rg_norm_step {
    rg_norm_op op;
    char *a, *b; /* owns */
    size_t a_len, b_len;
} rg_norm_step;

enum { RG_NORM_MAX = 16 };

typedef struct rg_norm {
    rg_norm_step step[RG_NORM_MAX];
    int n;
} rg_norm;

/* A growing byte buffer; zero it first. */
typedef struct rg_buf {
    char *p; /* owns */
    size_t len, cap;
} rg_buf;

rg_status rg_buf_add(rg_buf *b, const char *p, size_t n, rg_err *err);
void rg_buf_free(rg_buf *b);

rg_status rg_norm_add(
    rg_norm *n, rg_norm_op op, const char *a, size_t a_len, const char *b, size_t b_len, rg_err *err);
/* text[len] through all steps; *out: text itself or one of the buffers. Empty text stays empty. first: the
 * segment starts the text. */
rg_status rg_norm_run(const rg_norm *n, const char *text, size_t len, bool first, rg_buf scratch[2],
    const char **out, size_t *out_len, rg_err *err);
void rg_norm_free(rg_norm *n);

#endif
