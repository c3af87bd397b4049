/* config.json alone. */
#include <stdlib.h>
#include <string.h>

#include "fuzz_common.h"
#include "weights/ckpt_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rg_config c = {0};
    rg_scheme s;
    rg_lines notes = {0};
    rg_err err = {0};
    if (size == 0) return 0;
    fuzz_put("config.json", data, size);
    const rg_status st = rg_config_from_json(&c, &s, fuzz_dir(), &notes, &err);
    for (int i = 0; i < notes.n; i++)
        if (strchr(notes.s[i], '\n')) abort();
    rg_lines_free(&notes);
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
