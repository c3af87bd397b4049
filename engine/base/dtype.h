/* Types of weights in files, of packed resident weights and of the KV cache, from dtype.def. */
#ifndef RG_DTYPE_H
#define RG_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum rg_ftype {
#define RG_FTYPE(id, name, ggml, block, bytes, resident, rounding) RG_FT_##id,
#include "base/dtype.def"
    RG_FT_COUNT
} rg_ftype;

typedef enum rg_wtype {
#define ROW(id, ...) RG_WT_##id,
    RG_WTYPES(ROW, )
#undef ROW
        RG_WT_COUNT
} rg_wtype;

typedef enum rg_kvtype {
#define ROW(id, ...) RG_KV_##id,
    RG_KVTYPES(ROW, )
#undef ROW
        RG_KV_COUNT
} rg_kvtype;

/* What happens to a value on its way from the file into a resident type. */
typedef enum rg_rounding {
    RG_ROUND_NONE,        /* the resident type holds bits, or codes and scales, exactly */
    RG_ROUND_SCALES,      /* the same codes; scales and minimums rounded to f16 */
    RG_ROUND_FLOAT,       /* to a narrower float */
    RG_ROUND_REQUANTISED, /* new codes on another grid */
    RG_ROUND_COUNT
} rg_rounding;

/* "none", "scales to f16", "to a narrower float", "requantised" */
extern const char *const rg_rounding_names[RG_ROUND_COUNT];

/* Activations in products (--act). F32: faithful. BF16: many tokens round x and weights to bf16. Q8:
 * quantised weights round x to 8 bits per group. */
typedef enum rg_act { RG_ACT_F32, RG_ACT_BF16, RG_ACT_Q8, RG_ACT_COUNT } rg_act;
extern const char *const rg_act_names[RG_ACT_COUNT]; /* "f32", "bf16", "q8" */

typedef struct rg_ftype_info {
    const char *name;
    int ggml; /* type number in GGUF */
    int block;
    int bytes;
    rg_wtype resident;    /* that takes it over with the least change ... */
    rg_rounding rounding; /* ... this one */
} rg_ftype_info;

typedef struct rg_wtype_info {
    const char *name;
    int group; /* columns that share a scale; K is padded to a multiple of this */
    int block; /* columns whose scales stand in front of their lines: one group, or several */
    int head;  /* bytes of scales (and minimums) per block of a panel */
    int line;  /* bytes per k of a panel */
    int bits;
    bool has_min;
} rg_wtype_info;

typedef struct rg_kvtype_info {
    const char *name;
    int block, bytes;
} rg_kvtype_info;

extern const rg_ftype_info rg_ftypes[RG_FT_COUNT];
extern const rg_wtype_info rg_wtypes[RG_WT_COUNT];
extern const rg_kvtype_info rg_kvtypes[RG_KV_COUNT];

/* By name in dtype.def or GGUF number; -1: none. */
int rg_ftype_from_ggml(int64_t ggml);
int rg_wtype_from_name(const char *name);
int rg_kvtype_from_name(const char *name);

enum {
    RG_PANEL = 32,
    RG_SMALLEST_GROUP = 16,
    RG_KV_BLOCK = 16,
    /* positions per attention chunk, of RG_KV_BLOCKs; fixed: results do not depend on threads */
    RG_ATTN_CHUNK = 256
};

static inline bool rg_wtype_is_quant(rg_wtype t) { return rg_wtypes[t].head > 0; }

/* Bytes of k weights in a file; k is a multiple of the block. */
static inline int64_t rg_ftype_row_bytes(rg_ftype t, int64_t k)
{
    return k / rg_ftypes[t].block * rg_ftypes[t].bytes;
}

/* Scales (and as many minimums) of a row of k columns: one per group; of types that have several groups in a
 * block these are whole numbers, and one factor per block follows all of them. */
static inline int64_t rg_wtype_groups(rg_wtype t, int64_t k)
{
    return (k + rg_wtypes[t].group - 1) / rg_wtypes[t].group;
}
static inline bool rg_wtype_has_factors(rg_wtype t) { return rg_wtypes[t].block > rg_wtypes[t].group; }
static inline int64_t rg_wtype_scales(rg_wtype t, int64_t k)
{
    const int block = rg_wtypes[t].block;
    return rg_wtype_groups(t, k) + (rg_wtype_has_factors(t) ? (k + block - 1) / block : 0);
}

/* Bytes of a panel over k columns, scales and padding included. */
static inline int64_t rg_panel_bytes(rg_wtype t, int64_t k)
{
    const rg_wtype_info *i = &rg_wtypes[t];
    return (k + i->block - 1) / i->block * i->head + rg_wtype_groups(t, k) * i->group * i->line;
}

/* Of these, what holds the columns: lines of padding behind them need not be read. */
static inline int64_t rg_panel_needed(rg_wtype t, int64_t k)
{
    const rg_wtype_info *i = &rg_wtypes[t];
    const int64_t left = k % i->group, share = rg_wtype_is_quant(t) ? 4 : 2, /* columns of a line */
        padding = left ? i->group - (left + share - 1) / share * share : 0;
    return rg_panel_bytes(t, k) - padding * (i->bits < 8 ? 16 : i->line); /* bits above 4 stand in front */
}

static inline int64_t rg_panels(int64_t n) { return (n + RG_PANEL - 1) / RG_PANEL; }

/* Bytes of a packed [n][k] matrix. */
static inline int64_t rg_packed_bytes(rg_wtype t, int64_t n, int64_t k)
{
    return rg_panels(n) * rg_panel_bytes(t, k);
}

/* A packed matrix: n outputs, k inputs, as in y = x W^T. */
typedef struct rg_weight {
    rg_wtype type;
    int64_t n, k;
    const void *data; /* borrowed; 64-byte aligned, rg_packed_bytes() long */
} rg_weight;

/* Padded head size of V, and bytes of K and V of one position of one KV head. */
static inline int64_t rg_kv_hdp(rg_kvtype t, int64_t hd)
{
    const int64_t pad = t == RG_KV_Q8_0 ? 32 : 16;
    return (hd + pad - 1) / pad * pad;
}
static inline int64_t rg_kv_k_bytes(rg_kvtype t, int64_t hd)
{
    return hd / rg_kvtypes[t].block * rg_kvtypes[t].bytes;
}
static inline int64_t rg_kv_v_bytes(rg_kvtype t, int64_t hd)
{
    return rg_kv_hdp(t, hd) / rg_kvtypes[t].block * rg_kvtypes[t].bytes;
}

/* One row of a file, unaligned, to dst[k]. Exact for float types; q * d (+ m) in f32 for blocks. Not for INT4
 * and INT8, which are not stored by rows. */
void rg_ftype_row_to_f32(rg_ftype t, float *dst, const void *src, int64_t k);

/* The same row on the grid of the resident type, for blocks whose rounding is NONE or SCALES: q[k] as in
 * dtype.def (8 bits: signed bytes), scale and, for types that have one, min (rg_wtype_scales) in f32,
 * exact. */
void rg_ftype_row_grid(rg_ftype t, uint8_t *q, float *scale, float *min, const void *src, int64_t k);

#endif
