/* Pieces of a GGUF v3 file, in order. Private to weights/. */
#ifndef RG_GGUF_WRITE_H
#define RG_GGUF_WRITE_H

#include <stdio.h>

#include "weights/arch.h"

typedef struct rg_gguf_writer {
    FILE *f;
    const rg_config *c;
    const rg_arch *arch;
    const float *freqs;
    bool has_freqs;
    uint64_t at, n_tensors, n_kv, counts_at;
} rg_gguf_writer;

/* The row of arch.def whose word a GGUF of such a model has; NULL: none. */
const rg_arch *rg_gguf_arch(const rg_config *c);
/* Magic, version, general.* and the architecture's keys. freqs: divisors of the RoPE frequencies; NULL:
 * those of c's scaling, if any. All is borrowed until the end. */
void rg_gguf_begin(rg_gguf_writer *w, FILE *f, const rg_config *c, const float *freqs);
void rg_gguf_u32(rg_gguf_writer *w, const char *key, int64_t v);
/* tokenizer.*: what v has. */
void rg_gguf_vocab(rg_gguf_writer *w, const rg_ckpt_vocab *v);
/* Descriptions of the tensors; their data follow in order, each behind a pad. */
void rg_gguf_infos(rg_gguf_writer *w, const rg_file_tensor *t, size_t n);
void rg_gguf_pad(rg_gguf_writer *w);
/* RoPE frequencies, and, further up, the numbers of tensors and metadata entries; RG_E_FILE if the file
 * cannot seek. path: for the message. */
rg_status rg_gguf_end(rg_gguf_writer *w, const char *path, rg_err *err);

#endif
