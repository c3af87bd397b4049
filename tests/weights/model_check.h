/* What readers make of a model, against what model_build made it from. */
#ifndef RG_MODEL_CHECK_H
#define RG_MODEL_CHECK_H

#include "model_build.h"
#include "weights/ckpt.h"

/* The rows as f32: two roundings at most of a code, a zero point or minimum, and a scale. */
void rows_are_the_truth(const rg_ckpt *c, const model_build *b, const char *label);
/* The codes that become resident, put together again, in the order of the columns that they claim. */
void codes_are_the_truth(const rg_ckpt *c, const model_build *b, const char *label);

#endif
