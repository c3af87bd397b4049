/* Quantised checkpoints against the weights that they were made from. */
#include "model_check.h"

#include "ckpt_fixture.h"

void rows_are_the_truth(const rg_ckpt *c, const model_build *b, const char *label)
{
    float got[256];
    for (size_t i = 0; i < rg_ckpt_count(c); i++) {
        const rg_ckpt_tensor *t = rg_ckpt_at(c, i);
        const double *w = build_truth_of(b, c, i);
        if (!w) fail_msg("%s: %s was not made", label, t->file_name);
        for (int64_t r = 0; r < t->rows; r++, w += t->cols) {
            rg_ckpt_row_f32(t, r, got);
            for (int64_t k = 0; k < t->cols; k++)
                if (!(fabs((double)got[k] - w[k]) <= 0x1p-23 * fabs(w[k])))
                    fail_msg("%s: %s: row %lld, column %lld: %.9g, expected %.9g", label, t->file_name,
                        (long long)r, (long long)k, (double)got[k], w[k]);
        }
    }
}

void codes_are_the_truth(const rg_ckpt *c, const model_build *b, const char *label)
{
    uint8_t q[256];
    float s[8], m[8];
    for (size_t i = 0; i < rg_ckpt_count(c); i++) {
        const rg_ckpt_tensor *t = rg_ckpt_at(c, i);
        const double *w = build_truth_of(b, c, i);
        if (!t->grid) continue;
        const rg_wtype_info *info = &rg_wtypes[rg_ckpt_resident(t)];
        const int32_t *order = rg_ckpt_order(t);
        for (int64_t r = 0; r < t->rows; r++, w += t->cols) {
            memset(m, 0, sizeof m);
            rg_ckpt_row_grid(t, r, q, s, m);
            for (int64_t k = 0; k < t->cols; k++) {
                const double v = info->bits == 8 ? (int8_t)q[k]
                    : info->has_min              ? q[k]
                                                 : q[k] - 8,
                             want = w[order ? order[k] : k];
                if (!(fabs(v * (double)s[k / info->group] + (double)m[k / info->group] - want) <=
                        0x1p-20 * fabs((double)s[k / info->group])))
                    fail_msg(
                        "%s: %s: row %lld, column %lld", label, t->file_name, (long long)r, (long long)k);
            }
        }
    }
}
