/* Session files: the tokens of a sequence, its KV cache and the logits behind its last token, so that a long
 * prompt is evaluated once.
 *
 * Layout, little-endian:
 *   0   "RIDGEKV1"
 *   8   u32 version (2), u32 bytes of the header (96)
 *   16  u64 fingerprint of the model: XXH64 over the hyperparameters, the RoPE divisors, the resident weight
 *       types and 256 samples of 4 KiB
 *       spread evenly over the packed weights; its complement if keys were turned by the divisors of long
 *       contexts (longrope)
 *   24  u64 layers, KV heads, head size, vocabulary, tokens
 *   64  u32 type of cached keys, type of cached values (numbers of dtype.def), 1 if logits follow the tokens,
 *       positions per key block (16)
 *   80  u64 bytes of everything behind the header and before the checksum
 *   88  u64 first position of layers with a window: 0, or what was still there
 *   96  i32 tokens; f32 logits; for every layer and KV head the key blocks that hold tokens, then the values
 *       of the tokens, in the order of positions
 *   ... u64 XXH64 (seed 0) of all before
 * What was computed by other weights, another weight type or other cache types is foreign and refused. */
#ifndef RIDGE_SESSION_FILE_H
#define RIDGE_SESSION_FILE_H

#include "ridge/engine.h"

/* Writes the first n tokens of a sequence; token[n] are theirs. logits: [vocab] behind the last of them, or
 * NULL. The file appears whole or not at all. RG_E_USAGE if a layer with a window no longer holds what token
 * n would see. */
rg_status rg_session_save(const rg_session *s, int64_t seq, const int32_t *token, int64_t n,
    const float *logits, const char *path, rg_err *err);

typedef struct rg_saved {
    int32_t *token; /* owns: free() */
    int64_t n;
    float *logits; /* [vocab] behind the last token, or NULL; owns: free() */
} rg_saved;

/* Replaces what a sequence holds. RG_E_FILE for damaged files, RG_E_UNSUPPORTED for those of another model or
 * cache type, RG_E_USAGE if the context is too small; then the sequence is as before. data[size]: the whole
 * file; what names it in messages. */
rg_status rg_session_restore(
    rg_session *s, int64_t seq, const void *data, size_t size, const char *what, rg_saved *out, rg_err *err);
rg_status rg_session_load(rg_session *s, int64_t seq, const char *path, rg_saved *out, rg_err *err);

uint64_t rg_engine_fingerprint(const rg_engine *e);

#endif
