/* quantization_config of config.json. Apart from ckpt_impl.h because it knows jansson. Private to
 * weights/. */
#ifndef RG_SCHEME_H
#define RG_SCHEME_H

#include <jansson.h>

#include "weights/ckpt_impl.h"

/* From config.json (root), or from quantize_config.json in dir where config.json is silent. Schemes that we
 * cannot read are refused by name. */
rg_status rg_scheme_from_json(rg_scheme *s, const json_t *root, const char *dir, rg_err *err);

#endif
