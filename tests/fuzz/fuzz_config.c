/* config.json alone. */
#include <stdlib.h>

#include "fuzz_common.h"
#include "weights/ckpt_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rg_config c = {0};
    rg_scheme s;
    rg_err err = {0};
    if (size == 0) return 0;
    fuzz_put("config.json", data, size);
    if (rg_config_from_json(&c, &s, fuzz_dir(), &err) != RG_OK) {
        if (!err.msg[0]) abort();
        return 0;
    }
    /* whatever is accepted can be computed with */
    for (int site = 0; site < RG_SITE_COUNT; site++)
        if (rg_extent_size(&c, rg_site_rows(site)) < 0 || rg_extent_size(&c, rg_site_cols(site)) < 0) abort();
    if (c.heads % c.kv_heads || c.head_dim % 2 || c.window < 0) abort();
    return 0;
}
