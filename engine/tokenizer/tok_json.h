/* Reading tokenizer.json. Private to tok_json*.c. */
#ifndef RG_TOK_JSON_H
#define RG_TOK_JSON_H

#include <jansson.h>

#include "tokenizer/tok_impl.h"

typedef struct rg_tok_src {
    rg_tokenizer *t;
    rg_src src;
    const char *part;                           /* where in the file the reader stands */
    bool byte_level_pre, byte_level_dec, fused; /* fused: behind the decoder's Fuse */
    int prefix_space; /* what a ByteLevel in no Sequence adds, whatever it says itself; -1: nobody says */
} rg_tok_src;

/* The object's members, and no others. keys: names between spaces. "name=t", "name=f": a bool *, true or
 * false where absent or null. "name=s": a string that must be there: const char ** (borrowed) and size_t *.
 * "name=p", {"String": ...} or {"Regex": ...}: the same and a bool *, true for String. RG_E_FILE: no object.
 * RG_E_UNSUPPORTED: another key. */
rg_status rg_tj_read(const rg_tok_src *s, const json_t *o, const char *keys, ...);
/* The text of a string; NULL for other values. */
static inline const char *rg_tj_text(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

/* An added token, as tokenizer.json writes it. */
typedef struct rg_tj_token {
    const char *content; /* borrowed */
    size_t len;
    json_int_t id;
    bool normalized;
    rg_added_tok tok;
} rg_tj_token;

rg_status rg_tj_added(const rg_tok_src *s, const json_t *o, rg_tj_token *a);

/* The four parts; o may be null. */
rg_status rg_tj_normalizer(rg_tok_src *s, const json_t *o);
rg_status rg_tj_pre_tokenizer(rg_tok_src *s, const json_t *o);
rg_status rg_tj_decoder(rg_tok_src *s, const json_t *o);
rg_status rg_tj_post_processor(rg_tok_src *s, const json_t *o);

#endif
