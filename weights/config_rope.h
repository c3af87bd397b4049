/* What config.json says of RoPE. Private to weights/. */
#ifndef RG_CONFIG_ROPE_H
#define RG_CONFIG_ROPE_H

#include <jansson.h>

#include "weights/arch.h"

/* Where RoPE is described, borrowed: of all layers, or of those that see everything; of those with a window
 * (NULL: as the others). */
typedef struct rg_rope_json {
    const json_t *all, *window;
} rg_rope_json;

/* rope_scaling if it says something, else rope_parameters, as in transformers 5. */
rg_status rg_rope_find(
    rg_rope_json *r, const json_t *root, const rg_arch *a, rg_lines *notes, const rg_src *src);
/* Scaling, rotated part, bases and temperature into the configuration, divisors into the checkpoint. The
 * other members are read. */
rg_status rg_rope_read(
    rg_ckpt *c, const rg_rope_json *r, const json_t *root, const rg_arch *a, const rg_src *src);

#endif
