/* The tables of types, unrolled from dtype.def. */
#include "base/dtype.h"

#include <string.h>

const rg_ftype_info rg_ftypes[RG_FT_COUNT] = {
#define RG_FTYPE(id, name, ggml, block, bytes, resident, rounding) \
    [RG_FT_##id] = {name, ggml, block, bytes, RG_WT_##resident, RG_ROUND_##rounding},
#include "base/dtype.def"
};

const rg_wtype_info rg_wtypes[RG_WT_COUNT] = {
#define ROW(id, name, codes, group, block, head, line, bits, has_min, ...) \
    [RG_WT_##id] = {#name, group, block, head, line, bits, has_min},
    RG_WTYPES(ROW, )
#undef ROW
};

const char *const rg_act_names[RG_ACT_COUNT] = {
    [RG_ACT_F32] = "f32", [RG_ACT_BF16] = "bf16", [RG_ACT_Q8] = "q8"};

const rg_kvtype_info rg_kvtypes[RG_KV_COUNT] = {
#define ROW(id, name, block, bytes, ...) [RG_KV_##id] = {#name, block, bytes},
    RG_KVTYPES(ROW, )
#undef ROW
};

const char *const rg_rounding_names[RG_ROUND_COUNT] = {[RG_ROUND_NONE] = "none",
    [RG_ROUND_SCALES] = "scales to f16",
    [RG_ROUND_FLOAT] = "to a narrower float",
    [RG_ROUND_REQUANTISED] = "requantised"};

int rg_ftype_from_ggml(int64_t ggml)
{
    if (ggml < 0) return -1;
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
