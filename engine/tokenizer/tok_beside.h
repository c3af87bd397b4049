/* What the files beside a tokenizer say of it: tokenizer_config.json, special_tokens_map.json,
 * added_tokens.json. Private to engine/tokenizer. */
#ifndef RG_TOK_BESIDE_H
#define RG_TOK_BESIDE_H

#include <jansson.h>

#include "tokenizer/tok_impl.h"

struct rg_tok_beside {
    json_t *added;          /* array of {"id", "content", "special", ...}, as tokenizer.json has them; owns */
    json_t *named;          /* object: special tokens that have a role, such as bos_token, by content; owns */
    json_t *role[RG_ROLES]; /* strings; NULL: not given, JSON null: none; own */
    const struct rg_tok_class *class; /* NULL: one whose template is the file's own */
    bool config;                      /* there is a tokenizer_config.json */
    bool legacy; /* a prefix before every segment of SentencePiece, not the first alone */
    int add_bos, add_eos, prefix_space; /* -1: not given; the last of a ByteLevel */
    char *file;                         /* of tokenizer_config.json, for messages; owns */
};

/* The object in dir/name; NULL: no such file. *file: its name, the caller frees. flags: of jansson. */
rg_status rg_tok_beside_load(
    json_t **root, char **file, const char *dir, const char *name, size_t flags, rg_err *err);
/* path: of the tokenizer. Files that are not there say nothing. */
rg_status rg_tok_beside_read(rg_tok_beside *b, const char *path, rg_err *err);
void rg_tok_beside_close(rg_tok_beside *b); /* legal on a zeroed struct */

/* The added tokens of a file (own: an array or NULL) and those beside it, a new array; ids that contradict
 * are errors. t: the pieces, so far without added tokens. rename: a declared token may rename a piece. */
rg_status rg_tok_beside_merge(json_t **list, const rg_tok_beside *b, const json_t *own, rg_tokenizer *t,
    bool rename, const rg_src *src);
/* Tokens with a role, and what goes before and behind a text. spm: a tokenizer.model, which has no
 * template. */
rg_status rg_tok_beside_template(rg_tokenizer *t, const rg_tok_beside *b, bool spm, rg_err *err);

#endif
