/* The pieces of a GGUF v3 file, written in order. Private to weights/. */
#ifndef RG_GGUF_WRITE_H
#define RG_GGUF_WRITE_H

#include <stdio.h>

#include "weights/ckpt_impl.h"

enum { RG_GGUF_ALIGN = 32, RG_GGUF_I32 = 5, RG_GGUF_F32 = 6, RG_GGUF_STR = 8 };

typedef struct rg_gguf_writer {
    FILE *f; /* borrowed */
    uint64_t at, n_kv, count_at;
} rg_gguf_writer;

/* Magic, version, numbers of tensors; the number of metadata entries is filled in by rg_gguf_finish. */
void rg_gguf_begin(rg_gguf_writer *w, FILE *f, uint64_t n_tensors);
void rg_gguf_le(rg_gguf_writer *w, uint64_t v, int bytes);
void rg_gguf_str(rg_gguf_writer *w, const char *s, size_t n);
void rg_gguf_u32(rg_gguf_writer *w, const char *key, int64_t v);
void rg_gguf_f32(rg_gguf_writer *w, const char *key, double v);
void rg_gguf_bool(rg_gguf_writer *w, const char *key, bool v);
void rg_gguf_text(rg_gguf_writer *w, const char *key, const char *v);
void rg_gguf_array(rg_gguf_writer *w, const char *key, unsigned type, uint64_t n); /* its elements follow */
/* general.* and llama.*: what the configuration says. */
void rg_gguf_config(rg_gguf_writer *w, const rg_config *c);
/* dim: innermost first. */
void rg_gguf_info(
    rg_gguf_writer *w, const char *name, const int64_t *dim, unsigned rank, rg_ftype type, uint64_t offset);
uint64_t rg_gguf_aligned(uint64_t n);
void rg_gguf_pad(rg_gguf_writer *w);
/* Divisor i of the RoPE frequencies that Llama 3's scaling amounts to. */
float rg_gguf_rope_divisor(const rg_config *c, int64_t i);
/* Goes back and fills in the number of metadata entries; false if the file cannot seek. */
bool rg_gguf_finish(rg_gguf_writer *w);

#endif
