/* Reading tokenizer.json. Private to tok_json*.c. */
#ifndef RG_TOK_JSON_H
#define RG_TOK_JSON_H

#include <jansson.h>

#include "tokenizer/tok_impl.h"

typedef struct rg_tok_src {
    rg_tokenizer *t;
    rg_src src;
    const char *part; /* where in the file the reader stands */
    bool byte_level_pre, byte_level_dec;
} rg_tok_src;

/* Members of an object that has no others. keys: names separated by spaces. "name=t" and "name=f" want a
 * bool * (true or false where the member is absent or null), "name=s" a string that must be there: a
 * const char ** and a size_t *, borrowed; "name=p" {"String": ...} or {"Regex": ...}: the same and a bool *,
 * which is true for String. RG_E_FILE unless o is an object; RG_E_UNSUPPORTED if it has another key. */
rg_status rg_tj_read(const rg_tok_src *s, const json_t *o, const char *keys, ...);
/* The text of a string, NULL if it is another value. */
static inline const char *rg_tj_text(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

/* The four parts; o may be null. */
rg_status rg_tj_normalizer(rg_tok_src *s, const json_t *o);
rg_status rg_tj_pre_tokenizer(rg_tok_src *s, const json_t *o);
rg_status rg_tj_decoder(rg_tok_src *s, const json_t *o);
rg_status rg_tj_post_processor(rg_tok_src *s, const json_t *o);

#endif
