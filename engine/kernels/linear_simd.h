/* gemv, unpack and mm for one register width (simd.h). */
#include "kernels/kernel_rows.h"

#include "kernels/codes_simd.h"

/* A panel is H vectors. TOKENS: most in registers at once; with more, each run of columns is read again from
 * L1. PAIR: most with which two panels are walked at once, as two streams from memory. U accumulators per
 * output take columns c % U in turn where a chain of FMAs would wait for itself: one will do for floats,
 * which memory slows more. */
enum {
    H = RG_PANEL / VL,
    U = VL == 16 ? 2 : 1,
    TOKENS = VL == 16 ? 8 : 3,
    PAIR = VL == 16 ? 4 : 1,
    QUANT_TOKENS = VL == 16 ? 4 : 2, /* the same for quantised types, which need registers to decode */
    QUANT_PAIR = VL == 16 ? 2 : 1,
    FLOAT_RUN = 32, /* columns between changes of tokens; even, and a whole BF16 tile */
    AHEAD = 4096    /* bytes of prefetch distance, in each of two streams */
};

typedef enum form { FORM_f32, FORM_f16, FORM_bf16, FORM_codes } form;

/* What a type is, as constants to the compiler. */
typedef struct shape {
    form form;
    /* columns per run (= group of the quantised types) and per block of a head, bytes of the head, bytes per
     * column */
    int run, block, head, line;
    int bits;
    bool has_min;
} shape;

/* Column c + cc (c a multiple of 4, cc < 4) of the lines at g, rows h * VL ..; quantised values unscaled. */
INLINE vf column(shape sh, nibbles nib, const unsigned char *g, int64_t c, int cc, int h)
{
    const int tile = h * VL / 16, lane = h * VL % 16 * 4; /* rows 0..15 or 16..31; byte of the first dword */
    switch (sh.form) {
    case FORM_f32:
        return vf_load(g + (c + cc) * sh.line + h * 4 * VL);
    case FORM_f16:
        return vf_half(g + (c + cc) * 64 + h * 2 * VL);
    case FORM_bf16: {
        const vi v = vi_load(g + c / 32 * 2048 + tile * 1024 + (c % 32 + cc) / 2 * 64 + lane);
        return cc & 1 ? vf_odd(v) : vf_even(v);
    }
    default:
        if (sh.bits == 8) return vf_byte(vi_load(g + c * 32 + tile * 64 + lane), cc);
        if (sh.bits > 4) return vf_byte(wide_signed(sh.bits, sh.has_min, sh.run, g, c / 4, h), cc);
        return nibbles_get(nib, nibbles_load(nib, g + c * 16 + lane), cc * 2 + tile);
    }
}

/* Scales (part 0) or minimums of group j of the block at head, rows h * VL .. */
INLINE vf scales(shape sh, const unsigned char *head, int64_t j, int part, int h)
{
    const int parts = sh.has_min ? 2 : 1;
    return head_scales(head, sh.block > sh.run, parts, j, part, h);
}

/* Sums of up to TOKENS tokens over one or two panels. Float types add into all U accumulators; quantised
 * types keep the scaled total in [0]. */
typedef struct sums {
    vf v[2][TOKENS][U][H]; /* [panel][token][c % U][rows] */
} sums;

#define EACH_SUM(ns, mm) \
    EACH (s, ns) \
        EACH (t, mm) \
            EACH (u, U) \
                EACH (h, H)

INLINE int chains(shape sh) { return sh.head ? U : 1; }

INLINE void sums_clear(sums *a, int ns, int mm)
{
    EACH_SUM (ns, mm) a->v[s][t][u][h] = vf_zero();
}

INLINE void sums_copy(sums *to, const sums *from, int ns, int mm)
{
    EACH_SUM (ns, mm) to->v[s][t][u][h] = from->v[s][t][u][h];
}

INLINE vf combine_rows(const sums *a, shape sh, int s, int t, int h)
{
    vf sum = a->v[s][t][0][h];
    UNROLL for (int u = 1; u < chains(sh); u++) sum = vf_add(sum, a->v[s][t][u][h]);
    return sum;
}

/* Column c + cc of panel s. */
INLINE void add_column(sums *a, shape sh, nibbles nib, int s, int mm, const unsigned char *g, const float *x,
    int64_t ldx, int64_t c, int cc)
{
    vf xv[TOKENS];
    EACH (t, mm) xv[t] = vf_set1(x[t * ldx + c + cc]);
    EACH (h, H) {
        const vf w = column(sh, nib, g, c, cc, h);
        EACH (t, mm) {
            vf *sum = &a->v[s][t][cc % chains(sh)][h];
            *sum = vf_fma(w, xv[t], *sum);
        }
    }
}

INLINE int64_t block_bytes(shape sh) { return sh.head + sh.block * sh.line; }

/* A block is prefetched in the order of its bytes, while an earlier one is worked on (dot_simd.h): for four
 * columns this many of them. */
INLINE int64_t quad_share(shape sh) { return block_bytes(sh) * 4 / sh.block; }
INLINE void prefetch(const unsigned char *p, int64_t bytes)
{
    UNROLL for (int b = 0; b < bytes; b += 64) _mm_prefetch((const char *)p + b + AHEAD, _MM_HINT_T0);
}

INLINE void add_quad(sums *a, shape sh, nibbles nib, int ns, int mm, const unsigned char *const g[2],
    int64_t j, const float *x, int64_t ldx, int64_t c)
{
    const int64_t at = sh.head + j * sh.run * sh.line;
    EACH (s, ns) {
        prefetch(g[s] + (j * sh.run + c) / 4 * quad_share(sh), quad_share(sh));
        EACH (cc, 4) add_column(a, sh, nib, s, mm, g[s] + at, x, ldx, c, cc);
    }
}

/* Adds columns [0, kc) of run j of the blocks at g. Four columns of one panel at a time: they share their
 * lines. */
INLINE void add_lines(sums *a, shape sh, nibbles nib, int ns, int mm, const unsigned char *const g[2],
    int64_t j, const float *x, int64_t ldx, int64_t kc)
{
    const int64_t at = sh.head + j * sh.run * sh.line;
    int64_t c = 0;
    if (has_high_lines(sh.bits) && kc == sh.run) { /* which bits of a line depends on c: a constant */
        EACH (quad, sh.run / 4) add_quad(a, sh, nib, ns, mm, g, j, x, ldx, 4 * quad);
        return;
    }
    for (; c + 4 <= kc; c += 4) add_quad(a, sh, nib, ns, mm, g, j, x, ldx, c);
    EACH (s, ns)
        EACH (cc, 3)
            if (c + cc < kc) add_column(a, sh, nib, s, mm, g[s] + at, x, ldx, c, cc);
}

/* The order of the additions depends on n alone. */
INLINE float sum_x(const float *x, int64_t n)
{
    vf a = vf_zero();
    int64_t i = 0;
    for (; i + VL <= n; i += VL) a = vf_add(a, vf_load(x + i));
    if (i < n) a = vf_add(a, vf_load_n(x + i, n - i));
    return vf_sum(a);
}

/* Run j of the blocks at g. A quantised group is added up unscaled, then scaled; a minimum meets the sum of
 * x. */
INLINE void add_run(sums *a, shape sh, nibbles nib, int ns, int mm, const unsigned char *const g[2],
    int64_t j, const float *x, int64_t ldx, int64_t kc)
{
    if (sh.head == 0) {
        add_lines(a, sh, nib, ns, mm, g, j, x, ldx, kc);
        return;
    }
    sums part;
    sums_clear(&part, ns, mm);
    add_lines(&part, sh, nib, ns, mm, g, j, x, ldx, kc);
    vf xs[TOKENS];
    EACH (t, mm) xs[t] = sh.has_min ? vf_set1(sum_x(x + t * ldx, kc)) : vf_zero();
    EACH (s, ns)
        EACH (h, H) {
            const vf scale = scales(sh, g[s], j, 0, h);
            EACH (t, mm) {
                vf *tot = &a->v[s][t][0][h];
                *tot = vf_fma(combine_rows(&part, sh, s, t, h), scale, *tot);
                if (sh.has_min) *tot = vf_fma(scales(sh, g[s], j, 1, h), xs[t], *tot);
            }
        }
}

/* y of the first panel, whose n rows are left; the second is `apart` rows on. */
INLINE void store_sums(
    float *y, int64_t ldy, const sums *a, shape sh, int ns, int mm, int64_t n, int64_t apart)
{
    EACH (s, ns)
        EACH (t, mm)
            EACH (h, H) {
                const vf v = sh.head == 0 ? combine_rows(a, sh, s, t, h) : a->v[s][t][0][h];
                vf_store_left(y + t * ldy + s * apart + h * VL, v, n - s * apart - h * VL);
            }
}

/* The runs of a block: j, columns c .. c + kc. */
#define EACH_RUN(j, c0, k) for (int64_t j = 0; j * sh.run < sh.block && c0 + j * sh.run < k; j++)

/* ns panels `apart` rows apart, mm tokens, everything in registers. y, w: of the first panel; n: rows
 * left. */
INLINE void few(float *y, int64_t ldy, const float *x, int64_t ldx, const unsigned char *w, int64_t panel,
    int64_t apart, int64_t n, int64_t k, shape sh, nibbles nib, int ns, int mm)
{
    sums a;
    sums_clear(&a, ns, mm);
    const unsigned char *g[2] = {w, w + apart / RG_PANEL * panel};
    for (int64_t c0 = 0; c0 < k; c0 += sh.block) {
        EACH_RUN (j, c0, k) {
            const int64_t c = c0 + j * sh.run;
            add_run(&a, sh, nib, ns, mm, g, j, x + c, ldx, rg_min(sh.run, k - c));
        }
        g[0] += block_bytes(sh);
        g[1] += block_bytes(sh);
    }
    store_sums(y, ldy, &a, sh, ns, mm, n, apart);
}

/* One panel, any m: every run of columns meets all tokens while it is in L1. */
INLINE void many(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t m, const unsigned char *w,
    int64_t n, int64_t k, shape sh, nibbles nib)
{
    enum { PARTS = (RG_GEMV_MAX + QUANT_TOKENS - 1) / QUANT_TOKENS };
    const int step = sh.head ? QUANT_TOKENS : TOKENS;
    sums all[PARTS];
    for (int i = 0; i < PARTS; i++) sums_clear(&all[i], 1, TOKENS);
#define CASE(mm) \
    case mm: { \
        sums a; \
        sums_copy(&a, &all[i], 1, mm); \
        add_run(&a, sh, nib, 1, mm, g, j, x + i * step * ldx + c, ldx, kc); \
        sums_copy(&all[i], &a, 1, mm); \
    } break;
    for (int64_t c0 = 0; c0 < k; c0 += sh.block, w += block_bytes(sh)) {
        const unsigned char *const g[2] = {w, w};
        EACH_RUN (j, c0, k) {
            const int64_t c = c0 + j * sh.run, kc = rg_min(sh.run, k - c);
            for (int64_t i = 0; i * step < m; i++) switch (rg_min(step, m - i * step)) {
                    CASE(1)
                    CASE(2)
                    CASE(3)
#if defined(__AVX512F__)
                    CASE(4)
#endif
                }
        }
    }
#undef CASE
    for (int64_t t = 0; t < m; t++) {
        sums one;
        EACH (u, U)
            EACH (h, H) one.v[0][0][u][h] = all[t / step].v[0][t % step][u][h];
        store_sums(y + t * ldy, ldy, &one, sh, 1, 1, n, 0);
    }
}

INLINE void gemv(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t m, const unsigned char *w,
    int64_t n, int64_t k, int64_t p0, int64_t p1, shape sh, int64_t panel)
{
    const nibbles one = nibbles_init(sh.has_min, 1), nib = nibbles_init(sh.has_min, 0);
    /* The two streams are the halves of the range: contiguous, and prefetch stays out of the other. */
    const int pairs = sh.head ? QUANT_PAIR : PAIR, singles = sh.head ? 1 : TOKENS;
    const int64_t half = m <= pairs ? (p1 - p0) / 2 : 0, apart = half * RG_PANEL;
    for (int64_t p = p0; p < p1; p++) {
        if (half && p == p0 + half) p += half; /* done with the first half */
        if (p == p1) break;
        const unsigned char *wp = w + p * panel;
        float *yp = y + p * RG_PANEL;
        const int64_t left = n - p * RG_PANEL;
        const bool pair = p < p0 + half;
        switch (m) {
#define CASE(mm) \
    case mm: \
        if (mm <= pairs && pair) { \
            few(yp, ldy, x, ldx, wp, panel, apart, left, k, sh, mm == 1 ? one : nib, 2, mm); \
            continue; \
        } \
        if (mm <= singles) { \
            few(yp, ldy, x, ldx, wp, panel, 0, left, k, sh, mm == 1 ? one : nib, 1, mm); \
            continue; \
        } \
        break;
            CASES_6
            CASE(7)
            CASE(8)
#undef CASE
        }
        if (singles < RG_GEMV_MAX) many(yp, ldy, x, ldx, m, wp, left, k, sh, nib);
    }
}

INLINE void unpack(float *dst, int64_t ld, const unsigned char *w, int64_t panel, int64_t p, int64_t k0,
    int64_t k1, shape sh)
{
    const nibbles nib = nibbles_init(sh.has_min, 0);
    const unsigned char *own = w + p * panel;
    for (int64_t c = k0, kc; c < k1; c += kc) {
        const unsigned char *head = own + c / sh.block * block_bytes(sh),
                            *lines = own + (c / sh.block + 1) * sh.head + c * sh.line;
        const int64_t j = c % sh.block / sh.run;
        kc = rg_min(sh.run, k1 - c);
        vf scale[H], min[H];
        EACH (h, H) {
            scale[h] = sh.head ? scales(sh, head, j, 0, h) : vf_zero();
            min[h] = sh.has_min ? scales(sh, head, j, 1, h) : vf_zero();
        }
        for (int64_t i = 0; i < kc; i += 4)
            EACH (cc, 4) {
                if (i + cc >= kc) break;
                EACH (h, H) {
                    vf v = column(sh, nib, lines, i, cc, h);
                    if (sh.has_min)
                        v = vf_fma(v, scale[h], min[h]);
                    else if (sh.head)
                        v = vf_mul(v, scale[h]);
                    vf_store(dst + (c - k0 + i + cc) * ld + h * VL, v);
                }
            }
    }
}

#define LINEAR(TYPE, type, ...) \
    void ISA_FN(rg_gemv_##type)(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t m, \
        const void *w, int64_t n, int64_t k, int64_t p0, int64_t p1) \
    { \
        gemv(y, ldy, x, ldx, m, w, n, k, p0, p1, (shape){__VA_ARGS__}, rg_panel_bytes(RG_WT_##TYPE, k)); \
    } \
    void ISA_FN(rg_unpack_##type)( \
        float *dst, int64_t ld, const void *w, int64_t k, int64_t p, int64_t k0, int64_t k1) \
    { \
        unpack(dst, ld, w, rg_panel_bytes(RG_WT_##TYPE, k), p, k0, k1, (shape){__VA_ARGS__}); \
    }
#define LINEAR_FLOAT(TYPE, type, codes, group, block, head, line, bits, has_min, ...) \
    LINEAR(TYPE, type, FORM_##codes, FLOAT_RUN, FLOAT_RUN, head, line, bits, has_min)
#define LINEAR_QUANT(TYPE, type, codes, group, block, head, line, bits, has_min, ...) \
    LINEAR(TYPE, type, FORM_codes, group, block, head, line, bits, has_min)
RG_WTYPES_FLOAT(LINEAR_FLOAT, )
RG_WTYPES_QUANT(LINEAR_QUANT, )

/* ---- mm and mmw: 32 columns of b against up to MM_TOKENS tokens, all sums in registers (AVX2: 16 columns).
 * Halves are converted for each MM_TOKENS tokens anew: two conversions to 24 multiplications cost less than
 * to write floats and to read them back, whatever the number of tokens. ---- */

enum { MM_V = 2, MM_TOKENS = VL == 16 ? 12 : 6 };

/* Rows h0 * VL .. of the lines at b. ahead: they come from memory. */
INLINE void mm_tile(float *y, int64_t ldy, const float *x, int64_t ldx, const unsigned char *b, int64_t kb,
    int64_t n, bool acc, shape sh, int h0, bool ahead, int mm)
{
    const nibbles nib = {0};
    vf sum[MM_TOKENS][MM_V];
    EACH (t, mm)
        EACH (h, MM_V) sum[t][h] = vf_zero();
#define COLUMN(c, cc) \
    vf w[MM_V]; \
    EACH (h, MM_V) w[h] = column(sh, nib, b, c, cc, h0 + h); \
    EACH (t, mm) { \
        const vf xv = vf_set1(x[t * ldx + c + cc]); \
        EACH (h, MM_V) sum[t][h] = vf_fma(w[h], xv, sum[t][h]); \
    }
    int64_t c = 0;
    for (; c + 4 <= kb; c += 4) {
        if (ahead) prefetch(b + c * sh.line, 4 * sh.line);
        EACH (cc, 4) {
            COLUMN(c, cc)
        }
    }
    EACH (cc, 3)
        if (c + cc < kb) {
            COLUMN(c, cc)
        }
#undef COLUMN
    EACH (t, mm)
        EACH (h, MM_V) vf_add_left(y + t * ldy + h * VL, sum[t][h], n - h * VL, acc);
}

/* Tokens are cut evenly: the fewer in registers, the more each costs. */
INLINE void mm_panel(float *y, int64_t ldy, const float *x, int64_t ldx, const unsigned char *b, int64_t m,
    int64_t kb, int64_t n, bool acc, shape sh, bool ahead)
{
    const int64_t step = rg_even(m, MM_TOKENS);
    for (int64_t t = 0; t < m; t += step)
        for (int h = 0; h < H && h * VL < n; h += MM_V) {
            float *yt = y + t * ldy + h * VL;
            const float *xt = x + t * ldx;
#define CASE(mm) \
    case mm: \
        mm_tile(yt, ldy, xt, ldx, b, kb, n - h * VL, acc, sh, h, ahead, mm); \
        break;
            switch (rg_min(m - t, step)) {
#if defined(__AVX512F__)
                CASES_12
#else
                CASES_6
#endif
            }
#undef CASE
        }
}

void ISA_FN(rg_mm)(float *y, int64_t ldy, const float *x, int64_t ldx, const float *b, int64_t ldb, int64_t m,
    int64_t kb, int64_t n, bool acc)
{
    const shape floats = {.form = FORM_f32, .line = (int)(4 * ldb)};
    for (int64_t r = 0; r < n; r += RG_PANEL)
        mm_panel(y + r, ldy, x, ldx, (const void *)(b + r), m, kb, n - r, acc, floats, false);
}

#define MMW(TYPE, type, codes, group, block, head, bytes, ...) \
    void ISA_FN(rg_mmw_##type)(float *y, int64_t ldy, const float *x, int64_t ldx, const void *b, int64_t m, \
        int64_t kb, int64_t n, bool acc) \
    { \
        mm_panel(y, ldy, x, ldx, b, m, kb, n, acc, (shape){.form = FORM_##codes, .line = bytes}, true); \
    }
RG_WTYPES_FLOAT(MMW, )
