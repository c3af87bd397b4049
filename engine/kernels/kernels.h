/* The kernel interface. A kernel is a pure serial function: threads, memory, errors and clocks belong to
 * drivers (exec/).
 *
 * The plain C row of each kind is the specification; tests/kernels compare every other row with it and with
 * float64. ISAs may differ within the stated bound, partitions never: an output element takes the same
 * operations whatever range a call covers.
 *
 * Layouts of packed weights and of the KV cache: base/dtype.def. */
#ifndef RG_KERNELS_H
#define RG_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "base/dtype.h"
#include "base/kinds.h"

enum { RG_ATTN_NQ = 16 }; /* most query rows of an attention call */

/* y[m, 32 p0 .. min(n, 32 p1)) = x[m, k] * W^T for panels [p0, p1); m <= RG_GEMV_MAX. Nothing of x is read
 * beyond k. ld in floats. Streams W once. Bits of element (t, r) do not depend on m. */
typedef void rg_gemv_fn(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t m, const void *w,
    int64_t n, int64_t k, int64_t p0, int64_t p1);

/* Columns [k0, k1) of panel p of the whole packed matrix w to dst[k - k0][32], rows ld >= 32 floats apart. k0
 * and k1 are multiples of the type's group, or k1 is k: columns beyond are not written. */
typedef void rg_unpack_fn(
    float *dst, int64_t ld, const void *w, int64_t k, int64_t p, int64_t k0, int64_t k1);

/* y[m, n] (acc: +=, else =) x[m, kb] * b[kb, n]. b is 64-byte aligned; its rows are ldb apart, a multiple of
 * 32, and readable to n rounded up to 32. Only n columns of y are written. */
typedef void rg_mm_fn(float *y, int64_t ldy, const float *x, int64_t ldx, const float *b, int64_t ldb,
    int64_t m, int64_t kb, int64_t n, bool acc);

/* y[m, n] (acc: +=, else =) x[m, kb] times kb columns of one panel of packed floats, from b on: a column that
 * is a multiple of 32; n <= 32. The bits of rg_mm_fn on the same columns unpacked. */
typedef void rg_mmw_fn(float *y, int64_t ldy, const float *x, int64_t ldx, const void *b, int64_t m,
    int64_t kb, int64_t n, bool acc);

/* ---- products of prepared activations: instructions that multiply bytes or bf16 ----
 *
 * A row of x is prepared once per call, then meets every panel. Forms of a row (rg_x_bytes):
 *   I8      [kp] q, then [kp / group] rg_xgroup: x = scale * q, q in -127..127
 *   I16     [kp] high, [kp] low (signed bytes), then the same: x = scale * (256 high + low), -32512..32512.
 *           Faithful: more bits than a half, and sums of products with INT4 and INT8 are exact
 *   BF16    [kp] bf16
 *   BF16X2  [kp] bf16 of x, [kp] bf16 of what that leaves: x to 16 bits
 *   NONE    [k] f32: x as it is
 * kp: k rounded up to the weight type's group (BF16, BF16X2: to 32); zeros beyond k. */

/* scale * sum is the sum of the group's prepared x, for minimums and for the offset of unsigned codes. scale
 * is NaN if a value is not finite; values all below 1e-30 count as zeros. */
typedef struct rg_xgroup {
    float scale;
    int32_t sum;
} rg_xgroup;

static inline int64_t rg_x_padded(int64_t k, int64_t group) { return (k + group - 1) / group * group; }
static inline int64_t rg_x_bytes(rg_xform f, int64_t k, int64_t group)
{
    const int64_t kp = rg_x_padded(k, f >= RG_X_BF16 ? 32 : group);
    const int64_t bytes = f >= RG_X_BF16X2 ? 4 * kp
        : f == RG_X_BF16                   ? 2 * kp
                         : kp * (f == RG_X_I16 ? 2 : 1) + kp / group * (int64_t)sizeof(rg_xgroup);
    return (bytes + 63) / 64 * 64;
}

/* Prepares one row. dst: 64-byte aligned, rg_x_bytes. All ISA levels give the same bits. */
typedef void rg_prep_fn(void *dst, const float *x, int64_t k, int64_t group);

/* rg_gemv_fn on prepared rows ldx bytes apart, m <= RG_DOT_MAX. For quantised types. */
typedef void rg_dot_fn(float *y, int64_t ldy, const void *x, int64_t ldx, int64_t m, const void *w, int64_t n,
    int64_t k, int64_t p0, int64_t p1);

/* Groups [k0, k1) of panel p as unsigned bytes. Per group: 32 float scales, 32 float minimums if the type has
 * them, then per 4 columns a dword of 4 codes for each row: those of dtype.def, INT8 plus 128. */
typedef void rg_unpack8_fn(void *dst, const void *w, int64_t k, int64_t p, int64_t k0, int64_t k1);
static inline int64_t rg_u8_bytes(rg_wtype t)
{
    return (rg_wtypes[t].has_min ? 256 : 128) + RG_PANEL * (int64_t)rg_wtypes[t].group;
}

/* y[m, n] (+)= x W^T for one panel whose groups [k0, k1) were unpacked to b; x: prepared rows of k columns,
 * ldx bytes apart; n <= 32. The bits of rg_dot_fn, wherever calls are cut. */
typedef void rg_mmdot_fn(float *y, int64_t ldy, const void *x, int64_t ldx, int64_t m, const void *b,
    int64_t k, int64_t k0, int64_t k1, int64_t n, bool acc);

/* src[kb][32], finite, to bf16 pairs dst[(kb + 1) / 2][32][2], to nearest even; an odd last column is paired
 * with 0. Subnormal values may become 0. */
typedef void rg_pair_fn(uint16_t *dst, const float *src, int64_t kb);
/* y[m, n] (+)= x[m, kb] * b for one panel of bf16 pairs; x: bf16 rows, ldx values apart, readable to an even
 * kb; n <= 32. */
typedef void rg_mmbf_fn(float *y, int64_t ldy, const uint16_t *x, int64_t ldx, const uint16_t *b, int64_t m,
    int64_t kb, int64_t n, bool acc);

/* ---- the same on tiles: 16 tokens times 16 rows of weights in one instruction (tile_body.h) ----
 *
 * A thread switches tiles on for a product of m tokens, calls tile kernels, and switches them off.
 * Accumulators: acc[tokens][32], 64-byte aligned, one panel. Rows of x and acc are there, and may be read and
 * written, up to a multiple of 16. Bits of a token depend neither on others nor on where columns are cut. */

/* state: rg_tile_state_bytes, 64-byte aligned, the thread's own until tiles are off. row_bytes: of a tile of
 * x: 64, or 32 for groups of 32 bytes. */
typedef void rg_tiles_on_fn(void *state, int64_t m, int64_t row_bytes);
typedef void rg_tiles_off_fn(void *state);
int64_t rg_tile_state_bytes(void);

/* A hint: which operand of rg_tile_mm_fn will be read again soon. */
typedef enum rg_tile_reuse { RG_TILE_KEEP_B, RG_TILE_KEEP_X } rg_tile_reuse;
/* acc[m] (first: =, else +=) x b for kb columns, rounded up to 32. acc: 32 columns of rows lda floats apart.
 * x: bf16 rows, ldx bytes apart, low: bytes from a row's first to its second plane. b: split_bf16's, or
 * columns of a packed BF16 panel. products: 1 x b; 2 and the low plane of x; 3 and the low one of b (which
 * times the low one of x is left out). */
typedef void rg_tile_mm_fn(void *state, float *acc, int64_t lda, const void *x, int64_t ldx, int64_t low,
    const uint16_t *b, int64_t m, int64_t kb, int products, rg_tile_reuse keep, bool first);
/* src[kb][32], finite, to tiles: per 32 columns and plane, rows 0..15 then 16..31 as in packed BF16 weights.
 * One plane is rounded to nearest even; of two, the first is cut off and the second is the rest, rounded:
 * halves, and INT4 times a half, are exact. Zeros beyond kb, to a multiple of 32. What is subnormal in bf16
 * may become 0. */
typedef void rg_split_fn(uint16_t *dst, const float *src, int64_t kb, int planes);

/* rg_unpack8_fn with signed codes: what is multiplied by the scale (types with a minimum: 0..15). */
typedef rg_unpack8_fn rg_codes8_fn;
/* acc[m] (first: =, else +=) the groups [k0, k1) of prepared rows of k columns, ldx bytes apart, times
 * codes8's b. The bits of rg_dot_fn (SIMD levels, where that multiplies bytes). */
typedef void rg_tile_dot_fn(void *state, float *acc, const void *x, int64_t ldx, int64_t m, const void *b,
    int64_t k, int64_t k0, int64_t k1, bool first);

/* Attention over positions [p0, p1) of one KV head; p0 is a multiple of RG_KV_BLOCK; nq <= RG_ATTN_NQ.
 * qk: s[i][p - p0] = q[i] . K[p], q already scaled. Rows of s may be written to p1 - p0 rounded up to 16.
 * pv: acc[i][0..hd) = sum over p of s[i][p - p0] * V[p]. Rows of acc may be written to hdp. */
typedef void rg_attn_qk_fn(float *s, int64_t lds, const float *q, int64_t ldq, int64_t nq, const void *k_head,
    int64_t hd, int64_t p0, int64_t p1);
typedef void rg_attn_pv_fn(float *acc, int64_t lda, const float *s, int64_t lds, int64_t nq,
    const void *v_head, int64_t hd, int64_t p0, int64_t p1);

/* Keys and values as floats, exact. k: dst[d][32] of positions [p0, p0 + 32), zeros from p1 on; p0 is a
 * multiple of RG_KV_BLOCK. v: dst[p - p0][32] of dimensions [d0, d0 + 32), zeros (or the cache's padding)
 * from hd on; d0 is a multiple of 32. */
typedef void rg_kv_panel_k_fn(float *dst, const void *k_head, int64_t hd, int64_t p0, int64_t p1);
typedef void rg_kv_panel_v_fn(float *dst, const void *v_head, int64_t hd, int64_t p0, int64_t p1, int64_t d0);

/* s[0..n) becomes exp(s - max), s[n..n_pad) 0; *max, and *sum of the exponentials. n >= 1. */
typedef void rg_softmax_fn(float *s, int64_t n, int64_t n_pad, float *max, float *sum);
/* The same in bf16, to p; s stays. low > 0: p + low takes a second plane, what the first leaves. Both are
 * rounded to nearest: two are off by at most 2^-17 of the value. n_pad is a multiple of 32. */
typedef void rg_softmax_bf16_fn(
    uint16_t *p, int64_t low, const float *s, int64_t n, int64_t n_pad, float *max, float *sum);

/* y[k] = x[k] / sqrt(mean(x^2) + eps) * w[k]; y may be x. */
typedef void rg_rmsnorm_fn(float *y, const float *x, const float *w, int64_t k, float eps);
/* Rotates the pairs (i, i + rot/2), i < rot/2, of heads of hd values in place; cs, sn [rot/2]: cosines and
 * sines of the position. */
typedef void rg_rope_fn(float *x, int64_t heads, int64_t hd, int64_t rot, const float *cs, const float *sn);
/* y = act(gate) * up; y may be gate. act: SiLU, or GELU by its tanh form; or clampglu, min(gate, 7) times the
 * logistic function of 1.702 of it, and up, from -7 to 7, plus 1. */
typedef void rg_swiglu_fn(float *y, const float *gate, const float *up, int64_t n);
/* x = cap tanh(x / cap). */
typedef void rg_softcap_fn(float *x, int64_t n, float cap);
/* y += x. */
typedef void rg_add_fn(float *y, const float *x, int64_t n);

/* Codes of one group of weights, half scale and (has_min) half minimum, as in dtype.def: round to nearest,
 * with a clip search that minimises the squared error. All ISA levels give the same bits. */
typedef void rg_quant_fn(uint8_t *q, uint16_t *scale, uint16_t *min, const float *w, int64_t group);

/* One KV head of one position into the cache (two kinds: kv_put_k and kv_put_v, whose layouts differ). src:
 * [hd]; head: its base. */
typedef void rg_kv_put_fn(void *head, int64_t hd, int64_t pos, const float *src);

/* ---- the table of rg_kernels_select: the last row of kernels.def that the CPU and the cap allow ---- */

typedef struct rg_ktab {
    rg_isa isa; /* level in force */
    /* for the drivers; rg_kernels_select leaves F32 */
    rg_act act;
    bool blas; /* mm is OpenBLAS, and many-token products go through unpack + sgemm */
    rg_gemv_fn *gemv[RG_WT_COUNT];
    rg_unpack_fn *unpack[RG_WT_COUNT];
    rg_mm_fn *mm;
    rg_mmw_fn *mmw[RG_WT_COUNT]; /* NULL for quantised types */
    rg_prep_fn *prep[RG_X_FORMS];
    rg_dot_fn *dot[RG_X_BF16][RG_WT_COUNT]; /* [I8 or I16][type]; NULL for float types */
    rg_unpack8_fn *unpack8[RG_WT_COUNT];
    rg_mmdot_fn *mmdot[RG_X_BF16][RG_WT_COUNT];
    rg_pair_fn *pair_bf16;
    rg_mmbf_fn *mm_bf16;
    rg_tiles_on_fn *tiles_on;
    rg_tiles_off_fn *tiles_off;
    rg_tile_mm_fn *tile_mm;
    rg_split_fn *split_bf16;
    rg_codes8_fn *codes8[RG_WT_COUNT];
    rg_tile_dot_fn *tile_dot[RG_X_BF16][RG_WT_COUNT];
    rg_attn_qk_fn *attn_qk[RG_KV_COUNT];
    rg_attn_pv_fn *attn_pv[RG_KV_COUNT];
    /* bf16 products beat FP32 ones here: attention takes them with --act bf16 */
    bool bf16_attn;
    rg_kv_panel_k_fn *kv_panel_k[RG_KV_COUNT];
    rg_kv_panel_v_fn *kv_panel_v[RG_KV_COUNT];
    rg_kv_put_fn *kv_put_k[RG_KV_COUNT], *kv_put_v[RG_KV_COUNT]; /* K and V may have different types */
    rg_softmax_fn *softmax;
    rg_softmax_bf16_fn *softmax_bf16;
    rg_rmsnorm_fn *rmsnorm;
    rg_rope_fn *rope;
    rg_swiglu_fn *swiglu, *geglu, *clampglu;
    rg_softcap_fn *softcap;
    rg_add_fn *add;
    rg_quant_fn *quant_q8, *quant_q4, *quant_q4m;
    /* rg_isa of each kind, for records; of tile_mm C where there are no tiles */
    uint8_t level[RG_FN_COUNT];
} rg_ktab;

/* The best rows up to max_isa that this CPU runs. blas: OpenBLAS for mm; false if there is none. Outside
 * parallel regions. */
bool rg_kernels_select(rg_ktab *t, rg_isa max_isa, bool blas);

/* Name and threading of OpenBLAS, which is loaded, or "none". */
const char *rg_blas_describe(void);

/* ---- packing (plain C, serial, on panels [p0, p1)); used at load ---- */

/* Gives 32-row sources to the packer: writes row r (0 <= r < n) as f32[k]. */
typedef void rg_row_fn(void *user, int64_t r, float *dst);

/* Packs rows [32 p0, min(n, 32 p1)) into data, the whole packed matrix; missing rows and columns become zero
 * weights. Quantised types go through t->quant_*. scratch: rg_pack_scratch bytes, 64-byte aligned. Squared
 * errors and weights are added to sum_err2 and sum_w2 (may be NULL). */
void rg_pack(const rg_ktab *t, rg_wtype type, void *data, int64_t n, int64_t k, int64_t p0, int64_t p1,
    rg_row_fn *row, void *user, void *scratch, double *sum_err2, double *sum_w2);
int64_t rg_pack_scratch(rg_wtype type, int64_t k);

/* Packs F16 or BF16 as they are: a transposition, without scratch. Row r in the file's bytes need not be
 * aligned. False if a value is not finite. */
typedef const void *rg_raw_row_fn(void *user, int64_t r);
bool rg_pack16(
    rg_wtype type, void *data, int64_t n, int64_t k, int64_t p0, int64_t p1, rg_raw_row_fn *row, void *user);
/* n such values are finite. */
bool rg_finite16(rg_wtype type, const void *values, int64_t n);

/* Packs codes as they are: row r as q[k] (dtype.def; signed bytes for 8 bits), scales and minimums (if the
 * type has them) as rg_wtype_scales says, in f32: of them f16 is kept, or whole numbers from -128 to 127 and
 * f16 factors. Errors and scratch are as in rg_pack. */
typedef void rg_grid_row_fn(void *user, int64_t r, uint8_t *q, float *scale, float *min);
void rg_pack_grid(rg_wtype type, void *data, int64_t n, int64_t k, int64_t p0, int64_t p1,
    rg_grid_row_fn *row, void *user, void *scratch, double *sum_err2, double *sum_w2);

/* One row of a packed matrix as f32 (embedding of tied models; plain C specification of the layout). */
void rg_unpack_row(const rg_weight *w, int64_t row, float *dst);

#endif
