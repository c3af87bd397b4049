/* quantization_config of config.json; apart, because it knows jansson. Private to weights/. */
#ifndef RG_SCHEME_H
#define RG_SCHEME_H

#include <jansson.h>

#include "weights/ckpt_impl.h"

/* From config.json (root, config), or quantize_config.json in dir. Schemes we lack are refused by name. */
rg_status rg_scheme_from_json(
    rg_scheme *s, const json_t *root, const char *dir, rg_lines *notes, const rg_src *config);

#endif
