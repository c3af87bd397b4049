/* Where numbers stop being finite. Slow: for --check-nan, or once the logits are not. */
#include <math.h>
#include <stdio.h>

#include "model/session.h"

void rg_check_finite(
    rg_forward *f, rg_site site, int64_t layer, const float *x, int64_t m, int64_t n, float most)
{
    for (int64_t i = 0; i < m * n && !f->bad.found; i++)
        if (!(fabsf(x[i]) <= most)) f->bad = (rg_bad_value){true, layer, site, i / n, i % n, x[i]};
}

rg_status rg_bad_value_fail(const rg_bad_value *b, rg_err *err)
{
    char where[48] = "";
    if (b->layer >= 0) snprintf(where, sizeof where, "layer %lld, ", (long long)b->layer);
    return rg_fail(err, RG_E_UNSUPPORTED,
        "not a finite number: first %s in %soperator %s (row %lld, column %lld): %s",
        isnan(b->value) ? "NaN" : "value beyond the range", where, rg_site_name(b->site), (long long)b->row,
        (long long)b->col,
        b->site == RG_SITE_ATTN_KV_PUT
            ? "the f16 cache overflows, use -ctk f32 -ctv f32"
            : "the weights or the resident type overflow, try --dtype bf16 or f32");
}
