/* tokenizer.json as the vocabulary of a GGUF file. Private to weights/. */
#ifndef RG_EXPORT_VOCAB_H
#define RG_EXPORT_VOCAB_H

#include "weights/gguf_write.h"

/* Writes tokenizer.ggml.* from a tokenizer.json (BPE, byte-fallback or byte-level). NULL: done; else why not,
 * and nothing was written; static. */
const char *rg_export_vocab(rg_gguf_writer *w, const char *path, const rg_config *c);

#endif
