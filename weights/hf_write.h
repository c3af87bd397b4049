/* What the writers of Hugging Face directories share. Apart from ckpt_impl.h because it knows jansson.
 * Private to weights/. */
#ifndef RG_HF_WRITE_H
#define RG_HF_WRITE_H

#include <jansson.h>

#include "weights/ckpt_impl.h"

/* config.json of a Llama model; torch_dtype as the type says; bos and eos -1: left out. NULL without
 * memory. */
json_t *rg_hf_config(const rg_config *c, rg_ftype type, int64_t bos, int64_t eos);
/* Writes o (NULL: out of memory) and drops it. */
rg_status rg_hf_write_json(json_t *o, const char *path, rg_err *err);
/* Length and text of a safetensors header, padded to 8 bytes. */
void rg_hf_put_header(FILE *f, const char *text);

#endif
