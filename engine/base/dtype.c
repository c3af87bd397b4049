#include "base/dtype.h"

#include <assert.h>
#include <string.h>

#include "base/num.h"

const rg_ftype_info rg_ftypes[RG_FT_COUNT] = {
#define RG_FTYPE(id, name, ggml, block, bytes) [RG_FT_##id] = {name, ggml, block, bytes},
#include "base/dtype.def"
};

const rg_wtype_info rg_wtypes[RG_WT_COUNT] = {
#define RG_WTYPE(id, name, group, head, line, bits, has_min) [RG_WT_##id] = {name, group, head, line, bits, has_min},
#include "base/dtype.def"
};

const rg_kvtype_info rg_kvtypes[RG_KV_COUNT] = {
#define RG_KVTYPE(id, name, block, bytes) [RG_KV_##id] = {name, block, bytes},
#include "base/dtype.def"
};

int rg_ftype_from_ggml(int64_t ggml)
{
    for (int t = 0; t < RG_FT_COUNT; t++)
        if (rg_ftypes[t].ggml == ggml) return t;
    return -1;
}

int rg_wtype_from_name(const char *name)
{
    for (int t = 0; t < RG_WT_COUNT; t++)
        if (strcmp(rg_wtypes[t].name, name) == 0) return t;
    return -1;
}

int rg_kvtype_from_name(const char *name)
{
    for (int t = 0; t < RG_KV_COUNT; t++)
        if (strcmp(rg_kvtypes[t].name, name) == 0) return t;
    return -1;
}

static uint16_t load16(const unsigned char *p) { return (uint16_t)(p[0] | p[1] << 8); }

void rg_ftype_row_to_f32(rg_ftype t, float *dst, const void *src, int64_t k)
{
    const unsigned char *p = src;
    assert(k % rg_ftypes[t].block == 0);
    switch (t) {
    case RG_FT_F32:
        memcpy(dst, src, (size_t)k * sizeof *dst);
        break;
    case RG_FT_F16:
        for (int64_t i = 0; i < k; i++) dst[i] = rg_f16_to_f32(load16(p + 2 * i));
        break;
    case RG_FT_BF16:
        for (int64_t i = 0; i < k; i++) dst[i] = rg_bf16_to_f32(load16(p + 2 * i));
        break;
    case RG_FT_Q8_0: /* half d; int8 q[32] */
        for (int64_t b = 0; b < k / 32; b++, p += 34) {
            const float d = rg_f16_to_f32(load16(p));
            for (int i = 0; i < 32; i++) dst[b * 32 + i] = (float)(int8_t)p[2 + i] * d;
        }
        break;
    case RG_FT_Q4_0: /* half d; nibbles: low = 0..15, high = 16..31 */
        for (int64_t b = 0; b < k / 32; b++, p += 18) {
            const float d = rg_f16_to_f32(load16(p));
            for (int i = 0; i < 16; i++) {
                dst[b * 32 + i] = (float)((p[2 + i] & 15) - 8) * d;
                dst[b * 32 + 16 + i] = (float)((p[2 + i] >> 4) - 8) * d;
            }
        }
        break;
    case RG_FT_COUNT:
        assert(false && "not a type");
    }
}
