/* Products of prepared activations with quantised weights for one register width: dot, unpack8 and mmdot
 * (kernels.h). One instruction multiplies 4 unsigned codes of a row with 4 signed bytes of x, the same for
 * all rows, and adds to 32 bits: exact until the conversion at the end of a group. */
#include "kernels/codes_simd.h"

/* Tokens in registers at once, by planes of x; and panels walked together as two streams from memory. */
enum {
    H = RG_PANEL / VL, /* vectors of a panel */
    HT = 2,            /* vectors of a tile: with 16 registers a panel is done in two halves */
    TILE1 = VL == 16 ? 6 : 2,
    TILE2 = VL == 16 ? 4 : 2,
    CHAINS = VL == 16
        ? 2
        : 1, /* sums per output of one token, which alone has too few to hide the latency of the product */
    AHEAD = 4096 /* bytes of prefetch distance, in each stream */
};

/* What a type is: constants to the compiler but for the group, so that types with the same codes share
 * machine code. block: columns of a head; factors: it has bytes and factors. offset: what made codes
 * unsigned. */
typedef struct shape {
    int64_t group, block;
    int bits, head, offset;
    bool has_min, factors;
} shape;
/* Where the bits above 4 lie depends on the column: with them, the group is a constant too. */
#define SHAPE(group, bits, has_min, factors) \
    shape_of(bits == 6 ? 16 : bits == 5 ? 32 : group, bits, has_min, factors)
INLINE shape shape_of(int64_t group, int bits, bool has_min, bool factors)
{
    const int parts = has_min ? 2 : 1;
    const int64_t block = factors ? 256 : group;
    return (shape){group, block, bits, (int)(parts * (2 + (factors ? block / group : 0)) * RG_PANEL),
        has_min ? 0 : 1 << (bits - 1), has_min, factors};
}

INLINE int64_t block_bytes(shape sh) { return sh.head + sh.block * sh.bits * 4; }
INLINE int64_t unpacked_bytes(shape sh) { return (sh.has_min ? 256 : 128) + RG_PANEL * sh.group; }

INLINE vi vi_flip(vi v) { return MM_SI(xor)(v, MM(set1_epi8)((char)0x80)); }

/* vi_dot: acc + the products of 4 unsigned and 4 signed bytes, per dword. The instruction is written out
 * because gcc 12 moves the sums between registers around its intrinsic: a third of the speed. */
#if defined(__AVX512F__)
INLINE vi vi_dot(vi acc, vi u, vi s, int bits)
{
    (void)bits;
    __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(u), "v"(s));
    return acc;
}
#elif defined(__AVXVNNI__)
INLINE vi vi_dot(vi acc, vi u, vi s, int bits)
{
    (void)bits;
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc) : "x"(u), "x"(s));
    return acc;
}
#else
/* Pairs are added in 16 bits, which 63 * 128 * 2 fits and 255 * 128 * 2 does not: bytes go as two nibbles. */
INLINE vi vi_dot_nibbles(vi acc, vi u, vi s, int shift)
{
    const vi sum = _mm256_madd_epi16(_mm256_maddubs_epi16(u, s), _mm256_set1_epi16(1));
    return vi_add(acc, shift ? vi_shl(sum, 4) : sum);
}
INLINE vi vi_dot(vi acc, vi u, vi s, int bits)
{
    if (bits < 8) return vi_dot_nibbles(acc, u, s, 0);
    return vi_dot_nibbles(vi_dot_nibbles(acc, vi_nibble(u, 0), s, 0), vi_nibble(u, 1), s, 1);
}
#endif

/* 4 bytes of x for all rows. */
INLINE vi four(const int8_t *x)
{
    int v;
    memcpy(&v, x, sizeof v);
    return vi_int(v);
}

/* Codes of 4 columns, rows h * VL ..; packed: lines as in the resident layout, else as unpack8 wrote them. */
INLINE vi codes(shape sh, const unsigned char *lines, int64_t j, int h, bool packed)
{
    if (!packed) return vi_load(lines + j * 128 + h * 4 * VL);
    if (sh.bits == 8) return vi_flip(vi_load(lines + j * 128 + h * 4 * VL));
    return narrow_codes(sh.bits, sh.group, lines, j, h);
}

/* A prepared matrix. */
typedef struct xrows {
    const char *row;
    int64_t ld, kp;
} xrows;

INLINE const int8_t *x_plane(xrows x, int64_t t, int plane)
{
    return (const int8_t *)x.row + t * x.ld + plane * x.kp;
}
INLINE rg_xgroup x_group(xrows x, int64_t t, int planes, int64_t g)
{
    rg_xgroup xg;
    memcpy(&xg, x.row + t * x.ld + planes * x.kp + g * (int64_t)sizeof xg, sizeof xg);
    return xg;
}

/* A block is prefetched in the order of its bytes, while an earlier one is worked on: heads of several groups
 * among lines make the memory's own prefetch stop (a third of the speed). */
INLINE int64_t quad_share(shape sh) { return block_bytes(sh) * 4 / sh.block; }
INLINE void prefetch(const unsigned char *p, int64_t bytes)
{
    for (int64_t b = 0; b < bytes; b += 64) _mm_prefetch((const char *)p + b + AHEAD, _MM_HINT_T0);
}

/* Where a group lies: the head of its block, its lines, its number in the block. Unpacked: floats, lines. */
typedef struct place {
    const unsigned char *head, *lines;
    int64_t j;
} place;
INLINE place packed_at(shape sh, const unsigned char *block, int64_t j)
{
    return (place){block, block + sh.head + j * sh.group * sh.bits * 4, j};
}
INLINE place unpacked_at(shape sh, const unsigned char *g)
{
    return (place){g, g + (sh.has_min ? 256 : 128), 0};
}

/* Scales (part 0) or minimums of rows h * VL .. */
INLINE vf scales(shape sh, place at, int part, int h, bool packed)
{
    if (!packed) return vf_load(at.head + 4 * (part * RG_PANEL + h * VL));
    return head_scales(at.head, sh.factors, sh.has_min ? 2 : 1, at.j, part, h);
}

enum { T = TILE1 > TILE2 ? TILE1 : TILE2 };
typedef struct dots {
    vi v[T][2][CHAINS][HT]; /* [token][plane][chain][rows] */
} dots;

/* sum += columns 4 j .. of the lines, which chains take in turn; xs: those of x. */
INLINE void add_quads(dots *sum, shape sh, place at, xrows x, int64_t t0, int64_t c, int64_t j, int mm,
    int planes, int chains, int h0, bool packed)
{
    EACH (u, chains) {
        vi w[HT];
        EACH (h, HT) w[h] = codes(sh, at.lines, j + u, h0 + h, packed);
        if (packed && h0 == 0)
            prefetch(at.head + (at.j * sh.group / 4 + j + u) * quad_share(sh), quad_share(sh));
        EACH (t, mm)
            EACH (p, planes) {
                const vi xv = four(x_plane(x, t0 + t, p) + c + 4 * (j + u));
                EACH (h, HT) sum->v[t][p][u][h] = vi_dot(sum->v[t][p][u][h], w[h], xv, sh.bits);
            }
    }
}

/* y[t][h] += that group of columns of the panel for mm tokens from t0 on, vectors h0 .. h0 + HT. */
INLINE void add_group(vf y[][HT], shape sh, place at, xrows x, int64_t t0, int64_t group, int mm, int planes,
    int chains, int h0, bool packed)
{
    const int64_t c = group * sh.group;
    dots sum;
    rg_xgroup xg[T];
    EACH (t, mm) {
        xg[t] = x_group(x, t0 + t, planes, group);
        EACH (p, planes)
            EACH (u, chains)
                EACH (h, HT)
                    sum.v[t][p][u][h] =
                        vi_int(p == planes - 1 && u == 0 && sh.offset ? -sh.offset * xg[t].sum : 0);
    }
    if (packed && has_high_lines(sh.bits)) {
        UNROLL for (int j = 0; j < sh.group / 4; j += chains)
            add_quads(&sum, sh, at, x, t0, c, j, mm, planes, chains, h0, packed);
    } else {
        for (int64_t j = 0; j < sh.group / 4; j += chains)
            add_quads(&sum, sh, at, x, t0, c, j, mm, planes, chains, h0, packed);
    }
    EACH (h, HT) {
        const vf scale = scales(sh, at, 0, h0 + h, packed);
        EACH (t, mm) {
            vi s[2];
            EACH (p, planes) {
                s[p] = sum.v[t][p][0][h];
                UNROLL for (int u = 1; u < chains; u++) s[p] = vi_add(s[p], sum.v[t][p][u][h]);
            }
            const vi total = planes == 2 ? vi_add(vi_shl(s[0], 8), s[1]) : s[0];
            y[t][h] = vf_fma(vf_mul(vf_int(total), scale), vf_set1(xg[t].scale), y[t][h]);
            if (sh.has_min)
                y[t][h] = vf_fma(
                    scales(sh, at, 1, h0 + h, packed), vf_set1(xg[t].scale * (float)xg[t].sum), y[t][h]);
        }
    }
}

/* Groups i of a panel: j counts those of a block. */
#define EACH_BLOCK(i, k) for (int64_t i = 0; i * sh.group < (k); i += sh.block / sh.group)
#define EACH_GROUP(j, i, k) for (int64_t j = 0; j * sh.group < sh.block && (i + j) * sh.group < (k); j++)

/* One token, two panels at once (or one: ns). Both streams advance group by group. */
INLINE void one_token(float *y, xrows x, int64_t t, const unsigned char *w, int64_t panel, int64_t apart,
    int64_t n, shape sh, int planes, int ns)
{
    vf sum[2][H / HT][1][HT];
    EACH (s, ns)
        EACH (q, H / HT)
            EACH (h, HT) sum[s][q][0][h] = vf_zero();
    const unsigned char *g[2] = {w, w + apart / RG_PANEL * panel};
    EACH_BLOCK (i, x.kp) {
        EACH_GROUP (j, i, x.kp)
            EACH (s, ns)
                EACH (q, H / HT)
                    add_group(
                        sum[s][q], sh, packed_at(sh, g[s], j), x, t, i + j, 1, planes, CHAINS, q * HT, true);
        EACH (s, ns) g[s] += block_bytes(sh);
    }
    EACH (s, ns)
        EACH (q, H / HT)
            EACH (h, HT)
                vf_store_left(
                    y + s * apart + (q * HT + h) * VL, sum[s][q][0][h], n - s * apart - (q * HT + h) * VL);
}

/* Tokens are cut evenly: the fewer in registers, the more each costs. */
INLINE int64_t even_step(int64_t m, int planes) { return rg_even(m, planes == 2 ? TILE2 : TILE1); }

#if defined(__AVX512F__)
#define CASES CASES_6
#else
#define CASES CASE(1) CASE(2)
#endif
#define CASE(mm) \
    case mm: { \
        vf part[mm][HT]; \
        EACH (t, mm) \
            EACH (h, HT) part[t][h] = sum[t0 + t][q * HT + h]; \
        add_group(part, sh, packed_at(sh, g, j), x, t0, i + j, mm, planes, 1, q * HT, true); \
        EACH (t, mm) \
            EACH (h, HT) sum[t0 + t][q * HT + h] = part[t][h]; \
    } break;

/* One panel, any m: every group meets all tokens while it is in L1. */
INLINE void many(
    float *y, int64_t ldy, xrows x, int64_t m, const unsigned char *g, int64_t n, shape sh, int planes)
{
    const int64_t step = even_step(m, planes);
    vf sum[RG_DOT_MAX][H];
    for (int64_t t = 0; t < m; t++)
        EACH (h, H) sum[t][h] = vf_zero();
    EACH_BLOCK (i, x.kp) {
        EACH_GROUP (j, i, x.kp)
            for (int64_t t0 = 0; t0 < m; t0 += step)
                for (int q = 0; q < H / HT; q++) switch (rg_min(step, m - t0)) {
                        CASES
                    }
        g += block_bytes(sh);
    }
    for (int64_t t = 0; t < m; t++)
        EACH (h, H) vf_store_left(y + t * ldy + h * VL, sum[t][h], n - h * VL);
}
#undef CASE

INLINE void dot(float *y, int64_t ldy, xrows x, int64_t m, const unsigned char *w, int64_t n, int64_t p0,
    int64_t p1, shape sh, int64_t panel, int planes)
{
    /* The two streams are the halves of the range: contiguous, and prefetch stays out of the other. */
    const int64_t half = m == 1 ? (p1 - p0) / 2 : 0, apart = half * RG_PANEL;
    for (int64_t p = p0; p < p1; p++) {
        if (half && p == p0 + half) p += half; /* done with the first half */
        if (p == p1) break;
        const unsigned char *wp = w + p * panel;
        float *yp = y + p * RG_PANEL;
        const int64_t left = n - p * RG_PANEL;
        if (m == 1 && p < p0 + half)
            one_token(yp, x, 0, wp, panel, apart, left, sh, planes, 2);
        else if (m == 1)
            one_token(yp, x, 0, wp, panel, 0, left, sh, planes, 1);
        else
            many(yp, ldy, x, m, wp, left, sh, planes);
    }
}

/* Groups from column k0 of the panel on. is_signed: codes8, else unpack8. */
INLINE void unpack8(
    char *dst, const unsigned char *panel, int64_t k0, int64_t groups, shape sh, bool is_signed)
{
    for (int64_t i = 0; i < groups; i++, dst += unpacked_bytes(sh)) {
        const int64_t c = k0 + i * sh.group;
        const place at = packed_at(sh, panel + c / sh.block * block_bytes(sh), c % sh.block / sh.group);
        float *scale = (void *)dst;
        EACH (h, H) {
            vf_store(scale + h * VL, scales(sh, at, 0, h, true));
            if (sh.has_min) vf_store(scale + RG_PANEL + h * VL, scales(sh, at, 1, h, true));
        }
        char *to = dst + (sh.has_min ? 256 : 128);
        for (int64_t j = 0; j < sh.group / 4; j++)
            EACH (h, H) {
                const vi u = codes(sh, at.lines, j, h, true);
                vi_store(to + j * 128 + h * 4 * VL,
                    !is_signed || sh.offset == 0 ? u
                        : sh.offset == 128       ? vi_flip(u)
                                                 : MM(sub_epi8)(u, MM(set1_epi8)((char)sh.offset)));
            }
    }
}

INLINE void mm_tile(float *y, int64_t ldy, xrows x, int64_t t0, const unsigned char *b, int64_t k0,
    int64_t k1, int64_t n, bool acc, shape sh, int planes, int mm)
{
    EACH (q, H / HT) {
        vf sum[TILE1 > TILE2 ? TILE1 : TILE2][HT];
        EACH (t, mm)
            EACH (h, HT)
                sum[t][h] = acc ? vf_load_left(y + (t0 + t) * ldy + (q * HT + h) * VL, n - (q * HT + h) * VL)
                                : vf_zero();
        const unsigned char *g = b;
        for (int64_t i = k0 / sh.group; i * sh.group < k1; i++, g += unpacked_bytes(sh))
            add_group(sum, sh, unpacked_at(sh, g), x, t0, i, mm, planes, 1, q * HT, false);
        EACH (t, mm)
            EACH (h, HT)
                vf_store_left(y + (t0 + t) * ldy + (q * HT + h) * VL, sum[t][h], n - (q * HT + h) * VL);
    }
}

INLINE void mmdot(float *y, int64_t ldy, xrows x, int64_t m, const void *b, int64_t k0, int64_t k1, int64_t n,
    bool acc, shape sh, int planes)
{
    const int64_t step = even_step(m, planes);
    for (int64_t t = 0; t < m; t += step) switch (rg_min(step, m - t)) {
#define CASE(mm) \
    case mm: \
        mm_tile(y, ldy, x, t, b, k0, k1, n, acc, sh, planes, mm); \
        break;
            CASES
#undef CASE
        }
}

/* Types with the same codes, by planes of x. */
#define NOINLINE static __attribute__((noinline))
#define CODES(name, bits, has_min, factors) \
    CODES_BYTES(unpack8_##name, bits, has_min, factors, false) \
    CODES_BYTES(codes8_##name, bits, has_min, factors, true) \
    CODES_PLANES(name, bits, has_min, factors, 1) \
    CODES_PLANES(name, bits, has_min, factors, 2)
#define CODES_BYTES(fn, bits, has_min, factors, is_signed) \
    NOINLINE void fn(char *dst, const unsigned char *panel, int64_t k0, int64_t groups, int64_t group) \
    { \
        unpack8(dst, panel, k0, groups, SHAPE(group, bits, has_min, factors), is_signed); \
    }
#define CODES_PLANES(name, bits, has_min, factors, planes) \
    NOINLINE void dot_##name##_##planes(float *y, int64_t ldy, xrows x, int64_t m, const void *w, int64_t n, \
        int64_t p0, int64_t p1, int64_t group, int64_t panel) \
    { \
        dot(y, ldy, x, m, w, n, p0, p1, SHAPE(group, bits, has_min, factors), panel, planes); \
    } \
    NOINLINE void mmdot_##name##_##planes(float *y, int64_t ldy, xrows x, int64_t m, const void *b, \
        int64_t k0, int64_t k1, int64_t n, bool acc, int64_t group) \
    { \
        mmdot(y, ldy, x, m, b, k0, k1, n, acc, SHAPE(group, bits, has_min, factors), planes); \
    }
CODES(q8, 8, 0, 0)
CODES(q8k, 8, 0, 1)
CODES(q6k, 6, 0, 1)
CODES(q5m, 5, 1, 0)
CODES(q5mk, 5, 1, 1)
CODES(q4, 4, 0, 0)
CODES(q4m, 4, 1, 0)
CODES(q4mk, 4, 1, 1)

#define PLANES(TYPE, type, codes, group, bits, planes) \
    void ISA_FN(rg_dot##bits##_##type)(float *y, int64_t ldy, const void *x, int64_t ldx, int64_t m, \
        const void *w, int64_t n, int64_t k, int64_t p0, int64_t p1) \
    { \
        dot_##codes##_##planes(y, ldy, (xrows){x, ldx, rg_x_padded(k, group)}, m, w, n, p0, p1, group, \
            rg_panel_bytes(RG_WT_##TYPE, k)); \
    } \
    void ISA_FN(rg_mmdot##bits##_##type)(float *y, int64_t ldy, const void *x, int64_t ldx, int64_t m, \
        const void *b, int64_t k, int64_t k0, int64_t k1, int64_t n, bool acc) \
    { \
        mmdot_##codes##_##planes( \
            y, ldy, (xrows){x, ldx, rg_x_padded(k, group)}, m, b, k0, k1, n, acc, group); \
    }
#define BYTES(TYPE, type, fn, codes, group) \
    void ISA_FN(rg_##fn##_##type)(void *dst, const void *w, int64_t k, int64_t p, int64_t k0, int64_t k1) \
    { \
        const unsigned char *panel = (const unsigned char *)w + p * rg_panel_bytes(RG_WT_##TYPE, k); \
        fn##_##codes(dst, panel, k0, rg_div_up(k1 - k0, group), group); \
    }
#define DOT(TYPE, type, codes, group, ...) \
    BYTES(TYPE, type, unpack8, codes, group) \
    BYTES(TYPE, type, codes8, codes, group) \
    PLANES(TYPE, type, codes, group, 8, 1) \
    PLANES(TYPE, type, codes, group, 16, 2)
RG_WTYPES_QUANT(DOT, )
