/* config.json alone. */
#include <stdlib.h>
#include <string.h>

#include "fuzz_common.h"
#include "weights/ckpt_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rg_err err = {0};
    rg_ckpt *k = calloc(1, sizeof *k);
    if (size == 0 || !k) return free(k), 0;
    fuzz_put("config.json", data, size);
    const rg_status st = rg_config_from_json(k, fuzz_dir(), &err);
    for (int i = 0; i < k->notes.n; i++)
        if (strchr(k->notes.s[i], '\n')) abort();
    const rg_config c = k->cfg;
    rg_ckpt_close(k);
    if (st != RG_OK) {
        if (!err.msg[0]) abort();
        return 0;
    }
    /* whatever is accepted can be computed with */
    for (int site = 0; site < RG_SITE_COUNT; site++)
        if (rg_extent_size(&c, rg_site_rows(site)) < 0 || rg_extent_size(&c, rg_site_cols(site)) < 0) abort();
    if (c.heads % c.kv_heads || c.head_dim % 2 || c.window < 0) abort();
    return 0;
}
