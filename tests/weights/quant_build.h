/* What model_build.c and quant_build.c share. */
#ifndef RG_QUANT_BUILD_H
#define RG_QUANT_BUILD_H

#include "testing.h"

#include "model_build.h"

/* Room for the true values of a tensor. */
double *build_add(model_build *b, const char *name, int64_t rows, int64_t cols);
/* The tensors of a quantised module [out, in] at random. */
void build_module(model_build *b, st_build *s, rg_rng *r, const char *module, int64_t out, int64_t in);

#endif
