/* Tokenizers: tokenizer.json (BPE, byte-fallback or byte-level), SentencePiece tokenizer.model, vocabularies
 * inside GGUF, llama2.c tokenizer.bin. Immutable after opening: one may serve many threads. */
#ifndef RG_TOKENIZER_H
#define RG_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "weights/ckpt.h"

typedef struct rg_tokenizer rg_tokenizer;

/* From a file (.json, .model, .bin or .gguf, told by content). vocab: the model's size, which a vocabulary
 * may not exceed; 0: unknown (llama2.c files do not hold their own). */
rg_status rg_tokenizer_open(rg_tokenizer **out, const char *path, int64_t vocab, rg_err *err);
/* For a model: path (-z) if given, else the vocabulary in the checkpoint, else the file beside it, else an
 * error. */
rg_status rg_tokenizer_open_for(rg_tokenizer **out, const rg_ckpt *c, const char *path, rg_err *err);
/* Legal on NULL. */
void rg_tokenizer_close(rg_tokenizer *t);

enum {
    RG_TOK_BOS = 1, /* add BOS (and EOS) as the tokenizer's own post-processor would */
    /* control tokens in the text become control tokens, not plain text */
    RG_TOK_SPECIAL = 2
};

/* Encodes len bytes; invalid UTF-8 goes through byte tokens. *ids: malloc'ed, [*n], the caller frees.
 * RG_E_NOMEM, or RG_E_USAGE for a text that the vocabulary cannot express; never RG_E_FILE. */
rg_status rg_tokenizer_encode(
    const rg_tokenizer *t, const char *text, size_t len, int flags, int32_t **ids, size_t *n, rg_err *err);

/* The same for a text in parts, encoded as one. Control tokens count only inside (neighbouring) parts that
 * say so: a chat template speaks in them, what it quotes cannot. flags: RG_TOK_BOS. */
typedef struct rg_tok_part {
    const char *text; /* borrowed for the call */
    size_t len;
    bool control;
} rg_tok_part;

rg_status rg_tokenizer_encode_parts(const rg_tokenizer *t, const rg_tok_part *parts, size_t n_parts,
    int flags, int32_t **ids, size_t *n, rg_err *err);

size_t rg_tokenizer_size(const rg_tokenizer *t);
int32_t rg_tokenizer_bos(const rg_tokenizer *t); /* -1: none */
int32_t rg_tokenizer_eos(const rg_tokenizer *t);
/* The text of a token as chat templates know it: what the files beside the tokenizer name, else its own BOS
 * and EOS. NULL: there is none; borrowed until close. */
typedef enum rg_tok_role { RG_ROLE_BOS, RG_ROLE_EOS, RG_ROLE_UNK, RG_ROLE_PAD, RG_ROLES } rg_tok_role;
const char *rg_tokenizer_role(const rg_tokenizer *t, rg_tok_role role);
bool rg_tokenizer_adds_bos(const rg_tokenizer *t); /* RG_TOK_BOS adds tokens in front */
/* Those tokens: their number, and *ids, borrowed until close. */
size_t rg_tokenizer_prefix(const rg_tokenizer *t, const int32_t **ids);
bool rg_tokenizer_is_end(const rg_tokenizer *t, int32_t id); /* EOS, EOT and their like */
bool rg_tokenizer_is_control(const rg_tokenizer *t, int32_t id);
/* The versions of Unicode that patterns and normal forms follow, in words, to text[cap]. */
void rg_tokenizer_unicode(char *text, size_t cap);
/* "tokenizer.json byte-level BPE", ...; static */
const char *rg_tokenizer_kind(const rg_tokenizer *t);
/* id of a stored piece of any type; -1: none */
int32_t rg_tokenizer_find(const rg_tokenizer *t, const char *piece);
/* The stored piece, for display; borrowed until close. "" if out of range. */
const char *rg_tokenizer_piece(const rg_tokenizer *t, int32_t id, size_t *len);

/* Streaming decode: bytes that are not yet a whole UTF-8 character are held back. */
typedef struct rg_detok {
    const rg_tokenizer *t; /* borrowed */
    bool at_start;         /* the first piece is next: its leading space (dummy prefix) is dropped */
    bool show_control;     /* print control tokens as text */
    unsigned char held[4];
    int n_held;
} rg_detok;

void rg_detok_init(rg_detok *d, const rg_tokenizer *t, bool show_control);
/* Appends the text that id completes to buf[cap], NUL-terminated, longer pieces cut; returns the bytes
 * appended. cap 1024 is enough for real vocabularies. */
size_t rg_detok_put(rg_detok *d, int32_t id, char *buf, size_t cap);
/* What is still held back at the end; U+FFFD for a part of a character. */
size_t rg_detok_end(rg_detok *d, char *buf, size_t cap);

#endif
