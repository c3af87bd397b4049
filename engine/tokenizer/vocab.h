/* Pieces of a vocabulary by id, and ids by piece. */
#ifndef RG_VOCAB_H
#define RG_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* The numbers of SentencePiece and GGUF; 0 is a hole in the ids. */
typedef enum rg_toktype {
    RG_TT_HOLE,
    RG_TT_NORMAL,
    RG_TT_UNKNOWN,
    RG_TT_CONTROL,
    RG_TT_USER,
    RG_TT_UNUSED,
    RG_TT_BYTE,
    RG_TT_COUNT
} rg_toktype;

enum { RG_PIECE_MAX = 1 << 16 }; /* bytes of a piece */

typedef struct rg_pool_span {
    size_t off;
    uint32_t len;
} rg_pool_span;

typedef struct rg_vocab {
    size_t n;            /* ids are [0, n) */
    rg_pool_span *piece; /* [n] as in the file; owns */
    rg_pool_span *text;  /* [n] what it decodes to; owns */
    float *score;        /* [n]; owns */
    uint8_t *type;       /* [n] rg_toktype; owns */
    char *pool;          /* bytes of all spans; owns */
    size_t pool_len, pool_cap, cap;
    uint32_t *slot; /* open addressing, id + 1, 0 is empty; owns */
    size_t mask;
    bool by_text;     /* slots are keyed by text instead of piece */
    uint32_t longest; /* longest key */
} rg_vocab;

/* Sets id, a hole below RG_MAX_VOCAB; the vocabulary grows to it. */
rg_status rg_vocab_set(
    rg_vocab *v, int64_t id, const char *piece, size_t len, rg_toktype type, float score, const rg_src *src);
/* Sets what id decodes to. */
rg_status rg_vocab_set_text(rg_vocab *v, size_t id, const char *text, size_t len, rg_err *err);
/* Builds the look-up. Of equal keys the first plain token wins, else the first. *twice (may be NULL): a plain
 * token whose key another one has, or -1. */
rg_status rg_vocab_index(rg_vocab *v, bool by_text, int64_t *twice, rg_err *err);
/* Id of a key among the plain tokens (normal, user-defined, unused), which text may become; -1: none. */
int32_t rg_vocab_find(const rg_vocab *v, const char *key, size_t len);
/* The same among all tokens. */
int32_t rg_vocab_find_any(const rg_vocab *v, const char *key, size_t len);
/* First id of that piece, of any type, or -1. Linear. */
int32_t rg_vocab_scan(const rg_vocab *v, const char *piece);
/* The byte of "<0xHH>", or -1. */
int rg_byte_piece(const char *piece, size_t len);
/* Byte-level BPE writes each byte as one printable character. The bytes of such a piece, to dst[n]; their
 * count, or -1 if a character is no byte. */
int64_t rg_bytemap_decode(unsigned char *dst, const unsigned char *piece, size_t n);
void rg_vocab_free(rg_vocab *v);

static inline const char *rg_vocab_piece(const rg_vocab *v, size_t id) { return v->pool + v->piece[id].off; }
static inline const char *rg_vocab_text(const rg_vocab *v, size_t id) { return v->pool + v->text[id].off; }

/* A good 64-bit hash of bytes; not keyed. */
uint64_t rg_hash_bytes(const char *p, size_t n);

#endif
