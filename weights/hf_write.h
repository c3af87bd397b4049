/* For the writers of Hugging Face directories; apart, because it knows jansson. Private to weights/. */
#ifndef RG_HF_WRITE_H
#define RG_HF_WRITE_H

#include <jansson.h>

#include "base/outfile.h"
#include "weights/ckpt_impl.h"

/* config.json of a Llama; torch_dtype by type; bos, eos -1: left out. NULL without memory. */
json_t *rg_hf_config(const rg_config *c, rg_ftype type, int64_t bos, int64_t eos);
/* Writes o (NULL: out of memory) and drops it. */
rg_status rg_hf_write_json(json_t *o, const char *path, rg_err *err);
/* A tensor in a safetensors header, its data at *at, which moves on; rows 0: a vector. */
void rg_hf_entry(json_t *header, const char *name, const char *dtype, int64_t rows, int64_t cols, int64_t *at,
    int64_t bytes);
/* Opens the file and writes the header (NULL: out of memory); drops it. */
rg_status rg_hf_open(rg_outfile *f, json_t *header, const char *path, rg_err *err);

#endif
