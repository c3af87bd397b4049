/* GGUF block types in float64, written from the format's definition and from nothing of ours. */
#ifndef RG_REF_BLOCKS_H
#define RG_REF_BLOCKS_H

#include <stdint.h>

double ref_half(const unsigned char *p);
/* ggml: type number. One row of k weights. */
void ref_blocks(int ggml, double *out, const unsigned char *p, int64_t k);
/* Weights and bytes of a block; 0 if the type is not known here. */
int ref_block_weights(int ggml), ref_block_bytes(int ggml);

#endif
