/* The kernel interface. A kernel is a pure serial function: no threads, no allocation, no errors, no clock. Drivers (exec/) own those.
 *
 * The plain C row of each kind is the specification; every other row is compared with it and with a float64 oracle in tests/kernels.
 * Results may differ between ISAs within the stated bound, but never with the partition: a kernel computes each output element
 * by the same sequence of operations whatever range it is called on.
 *
 * Packed weights and KV layouts are described in base/dtype.def. */
#ifndef RG_KERNELS_H
#define RG_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "base/dtype.h"

enum {
    RG_GEMV_MAX = 8,    /* most tokens a gemv call takes */
    RG_ATTN_NQ = 16,    /* most query rows of an attention call */
    RG_ATTN_CHUNK = 256 /* positions per attention chunk; fixed, so that results do not depend on threads. A multiple of RG_KV_BLOCK */
};

/* y[m, 32 p0 .. min(n, 32 p1)) = x[m, k] * W^T for panels [p0, p1). m <= RG_GEMV_MAX. x has k valid columns (no padding may be read
 * beyond k). ld in floats. Streams W once. Element (t, r) must not depend on m: one token alone gives the same bits as in a batch. */
typedef void rg_gemv_fn(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t m, const void *w, int64_t n, int64_t k, int64_t p0, int64_t p1);

/* Dequantises columns [k0, k1) of panel p to dst[k - k0][32] with row stride ld floats (ld >= 32). k0 and k1 are multiples of the
 * type's group, except that k1 may be k: columns beyond k are not written. w is the whole packed matrix. */
typedef void rg_unpack_fn(float *dst, int64_t ld, const void *w, int64_t k, int64_t p, int64_t k0, int64_t k1);

/* y[m, n] (+)= x[m, kb] * b[kb, n]; acc: add to y, else overwrite. b has row stride ldb (a multiple of 32, at least n rounded up to 32;
 * b is 64-byte aligned and readable up to there), n need not be a multiple of 32, and only n columns of y are written. */
typedef void rg_mm_fn(float *y, int64_t ldy, const float *x, int64_t ldx, const float *b, int64_t ldb, int64_t m, int64_t kb, int64_t n, bool acc);

/* Attention pieces over positions [p0, p1) of one KV head; p0 is a multiple of RG_KV_BLOCK; nq <= RG_ATTN_NQ.
 * qk: s[i][p - p0] = q[i] . K[p] for i < nq (q is already scaled). s rows have stride lds >= p1 - p0 rounded up to 16, and may be
 *     written up to there.
 * pv: acc[i][0..hd) = sum over p of s[i][p - p0] * V[p]; overwrites acc (stride lda >= hdp, may be written up to hdp). */
typedef void rg_attn_qk_fn(float *s, int64_t lds, const float *q, int64_t ldq, int64_t nq, const void *k_head, int64_t hd, int64_t p0, int64_t p1);
typedef void rg_attn_pv_fn(float *acc, int64_t lda, const float *s, int64_t lds, int64_t nq, const void *v_head, int64_t hd, int64_t p0, int64_t p1);

/* Softmax numerator of one score row in place: returns the maximum in *max and the sum of exp(s - max) in *sum; s[0..n) becomes
 * exp(s - max), s[n..n_pad) becomes 0. n >= 1. */
typedef void rg_softmax_fn(float *s, int64_t n, int64_t n_pad, float *max, float *sum);

/* y[k] = x[k] / sqrt(mean(x^2) + eps) * w[k]; y may be x. */
typedef void rg_rmsnorm_fn(float *y, const float *x, const float *w, int64_t k, float eps);
/* Rotates the pairs (i, i + hd/2) of `heads` heads in place; cs[hd/2] cosines then sn[hd/2] sines of the position. */
typedef void rg_rope_fn(float *x, int64_t heads, int64_t hd, const float *cs, const float *sn);
/* y = silu(gate) * up; y may be gate. */
typedef void rg_swiglu_fn(float *y, const float *gate, const float *up, int64_t n);
/* y += x. */
typedef void rg_add_fn(float *y, const float *x, int64_t n);

/* Round to nearest with a clip search that minimises the squared error of each group: quantises one group of `group` weights.
 * Q8: q[group] in -127..127 and the half scale.  Q4: u[group] in 0..15, half scale and (has_min) half minimum, as in dtype.def.
 * All ISA levels give the same bits (compiled from one source without FP contraction). */
typedef void rg_quant_fn(uint8_t *q, uint16_t *scale, uint16_t *min, const float *w, int64_t group);

/* One KV head of one position into the cache (two kinds: kv_put_k and kv_put_v, whose layouts differ). src: [hd]; head: its base. */
typedef void rg_kv_put_fn(void *head, int64_t hd, int64_t pos, const float *src);

/* ---- the table, filled by rg_kernels_select from kernels.def: slowest first, the last row that the CPU and the cap allow wins ---- */

typedef struct rg_ktab {
    rg_isa isa; /* level in force */
    bool blas;  /* mm is OpenBLAS, and many-token products go through unpack + sgemm */
    rg_gemv_fn *gemv[RG_WT_COUNT];
    rg_unpack_fn *unpack[RG_WT_COUNT];
    rg_mm_fn *mm;
    rg_attn_qk_fn *attn_qk[RG_KV_COUNT];
    rg_attn_pv_fn *attn_pv[RG_KV_COUNT];
    rg_kv_put_fn *kv_put_k[RG_KV_COUNT], *kv_put_v[RG_KV_COUNT]; /* K and V may have different types */
    rg_softmax_fn *softmax;
    rg_rmsnorm_fn *rmsnorm;
    rg_rope_fn *rope;
    rg_swiglu_fn *swiglu;
    rg_add_fn *add;
    rg_quant_fn *quant_q8, *quant_q4, *quant_q4m;
    /* ISA level actually chosen, for records and logs */
    uint8_t gemv_isa[RG_WT_COUNT], unpack_isa[RG_WT_COUNT], mm_isa, attn_isa[RG_KV_COUNT], elem_isa;
} rg_ktab;

/* max_isa: the level to stay at or below; rows that this CPU cannot run are passed over. blas: use OpenBLAS for mm; returns false if it was asked for
 * and the build has none. */
bool rg_kernels_select(rg_ktab *t, rg_isa max_isa, bool blas);

/* Name and threading of the BLAS in use ("none" without); NULL-safe for reports. Also keeps a pthreads build of OpenBLAS from starting
 * threads of its own; call once outside parallel regions. */
const char *rg_blas_describe(void);

/* ---- packing (plain C, serial, on panels [p0, p1)); used at load ---- */

/* Gives 32-row sources to the packer: writes row r (0 <= r < n) as f32[k]. */
typedef void rg_row_fn(void *user, int64_t r, float *dst);

/* Packs rows [32 p0, min(n, 32 p1)) of a matrix into data (the whole packed matrix); missing rows and columns become zero weights.
 * Quantised types go through t->quant_*. scratch: rg_pack_scratch(type, k) bytes, 64-byte aligned.
 * sum_err2 / sum_w2 (may be NULL) accumulate the squared error and squared weights, for the relative rounding error. */
void rg_pack(const rg_ktab *t, rg_wtype type, void *data, int64_t n, int64_t k, int64_t p0, int64_t p1, rg_row_fn *row, void *user, void *scratch,
    double *sum_err2, double *sum_w2);
int64_t rg_pack_scratch(rg_wtype type, int64_t k);

/* Packs without requantisation: row r as codes q[k] (as in dtype.def; signed bytes for 8 bits), scale and minimum per group of the
 * type (min only if it has one) in f32, of which f16 is kept. The errors are as in rg_pack. scratch: rg_pack_scratch(type, k) bytes. */
typedef void rg_grid_row_fn(void *user, int64_t r, uint8_t *q, float *scale, float *min);
void rg_pack_grid(
    rg_wtype type, void *data, int64_t n, int64_t k, int64_t p0, int64_t p1, rg_grid_row_fn *row, void *user, void *scratch, double *sum_err2, double *sum_w2);

/* One row of a packed matrix as f32 (embedding of tied models; plain C specification of the layout). */
void rg_unpack_row(const rg_weight *w, int64_t row, float *dst);

#endif
