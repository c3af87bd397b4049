/* What the files that fill models share. */
#ifndef MODEL_BUILD_IMPL_H
#define MODEL_BUILD_IMPL_H

#include "file_build.h"
#include "model_build.h"
#include "testing.h"

void *build_get(size_t n); /* zeroed; ends the test without memory */
/* Random values of n rows, one below the other. */
float *build_rows(rg_rng *r, int64_t n, int64_t cols, double dev);
/* Adds a tensor of a layer in F32 and frees f; experts 0: of two dimensions. */
void build_put_st(
    st_build *s, int layer, const char *name, int64_t experts, int64_t rows, int64_t cols, float *f);

/* Tensors of a layer's experts, router and sinks. */
void build_oss_hf(const model_build *b, st_build *s, rg_rng *r, int layer);
void build_oss_gguf(const model_build *b, gguf_build *g, rg_rng *r, int layer);

#endif
