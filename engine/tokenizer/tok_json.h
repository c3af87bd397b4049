/* Reading tokenizer.json. Private to tok_json*.c. */
#ifndef RG_TOK_JSON_H
#define RG_TOK_JSON_H

#include <jansson.h>

#include "tokenizer/tok_impl.h"

typedef struct rg_tok_src {
    rg_tokenizer *t;
    const char *what; /* the file, for messages */
    rg_err *err;
    bool byte_level_pre, byte_level_dec;
} rg_tok_src;

/* RG_E_FILE unless o is an object; RG_E_UNSUPPORTED if it has a key that is not among the words of keys
 * (separated by spaces). */
rg_status rg_tj_known(const rg_tok_src *s, const char *where, const json_t *o, const char *keys);
/* A bool that may be absent or null. */
rg_status rg_tj_bool(
    const rg_tok_src *s, const char *where, const json_t *o, const char *key, bool absent, bool *out);
/* A string that must be there; borrowed. */
rg_status rg_tj_string(
    const rg_tok_src *s, const char *where, const json_t *o, const char *key, const char **out, size_t *len);

/* The four parts; o may be null. */
rg_status rg_tj_normalizer(rg_tok_src *s, const json_t *o);
rg_status rg_tj_pre_tokenizer(rg_tok_src *s, const json_t *o);
rg_status rg_tj_decoder(rg_tok_src *s, const json_t *o);
rg_status rg_tj_post_processor(rg_tok_src *s, const json_t *o);

#endif
