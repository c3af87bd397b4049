/* Products on tiles: the emulation against the definition of the instructions, and every row of kernels.def
 * against plain C and float64. */
#include "checkkern.h"

#include "base/amx.h"
#include "base/tile_emu.h"
#include "tiles_mixed.h"

/* ---- the emulation ---- */

static rg_tile_config shapes(int rows, int bytes)
{
    rg_tile_config c = {.palette = 1};
    for (int t = 0; t < RG_TILES; t++) {
        c.rows[t] = (uint8_t)(t < 6 ? rows : bytes / 4);
        c.row_bytes[t] = (uint16_t)(t == 4 || t == 5 ? bytes : 64);
    }
    return c;
}

static float flush(float v) { return fabsf(v) < FLT_MIN ? copysignf(0.0f, v) : v; }

/* One element by the definition: fused, rounded and flushed at every step. */
static float defined(const uint16_t *a, uint16_t b[][32], int pairs, int n, float c)
{
    float sum[2] = {0.0f, 0.0f};
    for (int k = 0; k < pairs; k++)
        for (int s = 0; s < 2; s++)
            sum[s] = flush(
                fmaf(flush(rg_bf16_to_f32(a[2 * k + s])), flush(rg_bf16_to_f32(b[k][2 * n + s])), sum[s]));
    return flush(flush(c) + flush(sum[0] + sum[1]));
}

/* kind 0: plain numbers; 1: so small that products and sums underflow; 2: so large that they overflow; 3: any
 * bits at all. */
static uint16_t bf16_of_kind(rg_rng *r, int kind)
{
    if (kind == 3) return (uint16_t)rng_u64(r);
    const uint16_t top = kind == 1 ? (uint16_t)rng_in(r, 0, 80)
        : kind == 2                ? (uint16_t)rng_in(r, 180, 250)
                                   : (uint16_t)rng_in(r, 110, 140);
    return (uint16_t)((rng_u64(r) & 0x807f) | top << 7);
}

static bool same_float(float a, float b) { return isnan(a) ? isnan(b) : rg_f32_bits(a) == rg_f32_bits(b); }

void check_emulation_follows_the_definition(void)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 11);
    for (int i = 0; i < 400; i++) {
        const int rows = (int)rng_in(&r, 1, 16), pairs = (int)rng_in(&r, 1, 16), kind = i % 4;
        const rg_tile_config config = shapes(rows, 4 * pairs);
        uint16_t a[16][32], b[16][32];
        float c[16][16], got[16][16];
        rg_tile_file f;
        for (int j = 0; j < 512; j++) {
            a[j / 32][j % 32] = bf16_of_kind(&r, kind);
            b[j / 32][j % 32] = bf16_of_kind(&r, kind == 1 ? (int)rng_in(&r, 0, 1) : kind);
        }
        for (int j = 0; j < 256; j++) c[j / 16][j % 16] = rg_bf16_to_f32(bf16_of_kind(&r, kind)) * 1.0001f;
        rg_emu_config(&f, &config);
        rg_emu_load(&f, 0, c, 64);
        rg_emu_load(&f, 4, a, 64);
        rg_emu_load(&f, 6, b, 64);
        rg_emu_bf16(&f, 0, 4, 6);
        rg_emu_store(&f, 0, got, 64);
        for (int m = 0; m < rows; m++)
            for (int n = 0; n < 16; n++) {
                const float want = defined(a[m], b, pairs, n, c[m][n]);
                if (!same_float(got[m][n], want))
                    check_fail("RIDGE_SEED=%llu: case %d: c[%d][%d] = %a, the definition gives %a",
                        (unsigned long long)seed, i, m, n, (double)got[m][n], (double)want);
            }
    }
}

/* Worked by hand: what tells this order of additions and this treatment of subnormals from others. */
void check_emulation_by_hand(void)
{
    const rg_tile_config config = shapes(1, 64);
    const float big = 16777216.0f; /* 2^24: adding 1 is lost, adding 2 is not */
    uint16_t a[16][32] = {{0}}, b[16][32] = {{0}};
    float c[16][16] = {{0.0f}};
    rg_tile_file f;
    for (int k = 0; k < 32; k++) a[0][k] = rg_f32_to_bf16(1.0f);
    /* column 0: 2^24 then 1 and 1, all even: both ones are lost. Column 1: the ones are odd: they make 2
     * first, and 2 is kept */
    b[0][0] = b[0][2] = rg_f32_to_bf16(big);
    b[1][0] = b[2][0] = rg_f32_to_bf16(1.0f);
    b[1][3] = b[2][3] = rg_f32_to_bf16(1.0f);
    /* column 2: c is added last, so 1 + 1 is kept beside 2^24 in c. Column 3: a subnormal input is zero,
     * whatever it is multiplied by */
    b[0][4] = b[1][4] = rg_f32_to_bf16(1.0f);
    c[0][2] = big;
    b[0][6] = 0x0001;
    /* column 4: 2^-100 times 1, less the same and a bit: 2^-100 - 2^-100; column 5: a subnormal sum in c is
     * zero */
    b[0][8] = rg_f32_to_bf16(0x1p-100f);
    b[1][8] = rg_f32_to_bf16(-0x1p-100f);
    c[0][5] = 0x1p-130f;
    /* column 6: 1.5 * 2^-126 - 2^-126 is subnormal: zero */
    b[0][12] = rg_f32_to_bf16(0x1.8p-126f);
    b[1][12] = rg_f32_to_bf16(-0x1p-126f);
    rg_emu_config(&f, &config);
    rg_emu_load(&f, 0, c, 64);
    rg_emu_load(&f, 4, a, 64);
    rg_emu_load(&f, 6, b, 64);
    rg_emu_bf16(&f, 0, 4, 6);
    rg_emu_store(&f, 0, c, 64);
    const float want[7] = {big, big + 2.0f, big + 2.0f, 0.0f, 0.0f, 0.0f, 0.0f};
    for (int n = 0; n < 7; n++)
        if (!same_float(c[0][n], want[n]))
            check_fail("column %d is %a, worked by hand %a", n, (double)c[0][n], (double)want[n]);
}

void check_emulated_bytes(void)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 12);
    for (int i = 0; i < 100; i++) {
        const int rows = (int)rng_in(&r, 1, 16), quads = (int)rng_in(&r, 1, 16);
        const rg_tile_config config = shapes(rows, 4 * quads);
        int8_t a[16][64], b[16][64];
        int32_t c[16][16], got[16][16];
        rg_tile_file f;
        for (int j = 0; j < 1024; j++) {
            a[j / 64][j % 64] = (int8_t)(i == 0 ? -128 : (int)rng_in(&r, -128, 127));
            b[j / 64][j % 64] = (int8_t)(i == 0 ? -128 : (int)rng_in(&r, -128, 127));
        }
        for (int j = 0; j < 256; j++)
            c[j / 16][j % 16] = i == 0 ? INT32_MAX : (int32_t)rng_in(&r, -1000, 1000);
        rg_emu_config(&f, &config);
        rg_emu_load(&f, 1, c, 64);
        rg_emu_load(&f, 5, a, 64);
        rg_emu_load(&f, 7, b, 64);
        rg_emu_int8(&f, 1, 5, 7);
        rg_emu_store(&f, 1, got, 64);
        for (int m = 0; m < rows; m++)
            for (int n = 0; n < 16; n++) {
                int64_t want = c[m][n];
                for (int k = 0; k < 4 * quads; k++) want += a[m][k] * b[k / 4][4 * n + k % 4];
                SAME(got[m][n], (int32_t)(uint32_t)want); /* wraps */
            }
    }
}

/* Only the configured part of a tile is read and written; the rest of a loaded tile is zero. */
void check_tiles_keep_to_their_shape(void)
{
    const rg_tile_config config = shapes(3, 20);
    guarded g = guarded_alloc(2 * 100 + 20);
    unsigned char out[16][64];
    rg_tile_file f;
    memset(g.p, 7, g.bytes);
    rg_emu_config(&f, &config);
    rg_emu_load(&f, 4, g.p, 100); /* faults if it reads more */
    memset(out, 9, sizeof out);
    rg_emu_store(&f, 4, out, 64);
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 64; j++) {
            SAME(f.tile[4][i][j], i < 3 && j < 20 ? 7 : 0);
            SAME(out[i][j], i < 3 && j < 20 ? 7 : 9);
        }
    rg_emu_store(&f, 4, g.p, 100);
    guarded_free(&g);
}

void check_faults_are_seen(void)
{
    const rg_tile_config good = shapes(16, 64);
    rg_tile_config c = good;
    MUST_NOT(rg_emu_config_fault(&c));
    c.palette = 0;
    MUST(rg_emu_config_fault(&c));
    c = good, c.rows[3] = 17;
    MUST(rg_emu_config_fault(&c));
    c = good, c.row_bytes[3] = 65;
    MUST(rg_emu_config_fault(&c));
    c = good, c.rows[3] = 0;
    MUST(rg_emu_config_fault(&c));
    c = good, c.rows[9] = 1, c.row_bytes[9] = 4;
    MUST(rg_emu_config_fault(&c));
    c = good, c.reserved[1] = 1;
    MUST(rg_emu_config_fault(&c));

    rg_tile_file f;
    memset(&f, 0, sizeof f);
    MUST(rg_emu_tile_fault(&f, 0)); /* nothing is configured */
    rg_emu_config(&f, &good);
    MUST_NOT(rg_emu_product_fault(&f, 0, 4, 6));
    MUST(rg_emu_tile_fault(&f, 8));
    MUST(rg_emu_product_fault(&f, 0, 4, 4));
    const rg_tile_config narrow = shapes(5, 32);
    rg_emu_config(&f, &narrow);
    MUST_NOT(rg_emu_product_fault(&f, 0, 4, 6));
    MUST(rg_emu_product_fault(&f, 0, 6, 4));
    f.config.rows[0] = 6;
    MUST(rg_emu_product_fault(&f, 0, 4, 6));
    f.config = narrow, f.config.rows[6] = 9;
    MUST(rg_emu_product_fault(&f, 0, 4, 6));
    f.config = narrow, f.config.row_bytes[0] = 32;
    MUST(rg_emu_product_fault(&f, 0, 4, 6));
    rg_emu_release(&f);
    MUST(rg_emu_tile_fault(&f, 0));
}

/* ---- the state of this CPU ---- */

void check_level_and_state_agree(void)
{
    const rg_amx s = rg_amx_state();
    char why[160];
    for (int i = 0; i < RG_AMX_STATES; i++) MUST(strlen(rg_amx_text((rg_amx)i)) > 1);
    SAME(rg_amx_state(), s); /* found out once */
    if (s != RG_AMX_OK) MUST_NOT(rg_isa_has(RG_ISA_AMX));
    if (rg_isa_has(RG_ISA_AMX)) MUST(rg_isa_has(RG_ISA_AVX512BF16) && rg_isa_best() == RG_ISA_AMX);
    rg_isa_why_not(RG_ISA_AMX, why, sizeof why);
    if (s == RG_AMX_NO_CPU) MUST(strcmp(why, "this CPU has no amx") == 0);
    if (s > RG_AMX_NO_CPU) MUST(strcmp(why, rg_amx_text(s)) == 0);
    MUST(rg_isa_has(RG_ISA_AMXEMU)); /* everywhere, but never unless asked for */
    MUST(rg_isa_best() < RG_ISA_AMXEMU);
    SAME(rg_isa_capped(RG_ISA_AMXEMU), RG_ISA_AMXEMU);
    SAME(rg_isa_capped(RG_ISA_C), RG_ISA_C);
    SAME(rg_isa_capped(RG_ISA_COUNT), rg_isa_best());
    rg_ktab t;
    MUST(rg_kernels_select(&t, rg_isa_best(), false));
    SAME(t.level[RG_FN_tile_mm], s == RG_AMX_OK && rg_isa_has(RG_ISA_AMX) ? RG_ISA_AMX : RG_ISA_C);
    MUST(rg_kernels_select(&t, RG_ISA_AVX512BF16, false));
    SAME(t.level[RG_FN_tile_mm], RG_ISA_C); /* a lower cap excludes tiles */
    MUST(rg_kernels_select(&t, RG_ISA_AMXEMU, false));
    SAME(t.level[RG_FN_tile_mm], RG_ISA_AMXEMU);
}

/* ---- weights and activations as tiles ---- */

void check_split_bf16(const rg_kernel_row *row)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 13);
    for (int i = 0; i < 60; i++) {
        const int64_t kb = rng_in(&r, 1, 130), padded = rg_round_up(kb, 32);
        const int planes = 1 + i % 2;
        const bool half = i % 4 == 1; /* a half, or a code of 4 bits times one */
        guarded gs, gd;
        float *src = guarded_floats(&gs, kb * RG_PANEL);
        const size_t bytes = (size_t)(padded * RG_PANEL * planes * 2);
        gd = guarded_alloc(bytes);
        uint16_t *dst = (uint16_t *)(void *)gd.p, *want = malloc(bytes);
        for (int64_t j = 0; j < kb * RG_PANEL; j++) {
            src[j] = rng_normal(&r);
            if (half)
                src[j] = rg_f16_to_f32(rg_f32_to_f16(src[j])) * (j % 2 ? (float)rng_in(&r, -8, 7) : 1.0f);
        }
        ((rg_split_fn *)row->fn)(dst, src, kb, planes);
        rg_split_bf16__c(want, src, kb, planes);
        CHECK(memcmp(dst, want, bytes) == 0, row->name, seed, "kb %lld: not the bits of plain C",
            (long long)kb);
        for (int64_t c = 0; c < padded; c++)
            for (int64_t n = 0; n < RG_PANEL; n++) {
                /* the place, from the layout of packed BF16 weights in dtype.def */
                const uint16_t *at = dst + (c / 32) * planes * 1024 + (n / 16) * 512 + (c % 32 / 2) * 32 +
                    (n % 16) * 2 + c % 2;
                const double v = c < kb ? (double)src[c * RG_PANEL + n] : 0.0;
                const double got =
                    (double)rg_bf16_to_f32(at[0]) + (planes == 2 ? (double)rg_bf16_to_f32(at[1024]) : 0.0);
                const double bound = planes == 1 ? fabs(v) / 256.0 : half ? 0.0 : fabs(v) / 65536.0;
                CHECK(fabs(got - v) <= bound, row->name, seed,
                    "kb %lld planes %d: column %lld row %lld is %g, expected %g", (long long)kb, planes,
                    (long long)c, (long long)n, got, v);
            }
        free(want);
        guarded_free(&gs), guarded_free(&gd);
    }
}

/* codes8 times the scale (plus the minimum) is the weight. */
void check_codes8(const rg_kernel_row *row)
{
    rg_ktab c;
    uint64_t seed;
    rg_rng r = seeded(&seed, 14);
    MUST(rg_kernels_select(&c, RG_ISA_C, false));
    const rg_wtype type = (rg_wtype)row->type;
    for (int i = 0; i < 6; i++) {
        const int64_t n = rng_in(&r, 1, 70), k = rng_in(&r, 1, 300), group = rg_wtypes[type].group,
                      groups = rg_div_up(k, group), each = rg_u8_bytes(type);
        matrix w = matrix_random(&r, type, n, k);
        guarded g = guarded_alloc((size_t)(groups * each));
        char *plain = malloc((size_t)(groups * each));
        float *want = malloc((size_t)k * sizeof *want);
        const int64_t p = rng_in(&r, 0, rg_panels(n) - 1);
        ((rg_codes8_fn *)row->fn)(g.p, w.w.data, k, p, 0, k);
        c.codes8[type](plain, w.w.data, k, p, 0, k);
        CHECK(memcmp(g.p, plain, (size_t)(groups * each)) == 0, row->name, seed,
            "k %lld: not the bytes of plain C", (long long)k);
        for (int64_t q = 0; q < rg_min(RG_PANEL, n - p * RG_PANEL); q++) {
            rg_unpack_row(&w.w, p * RG_PANEL + q, want);
            for (int64_t j = 0; j < k; j++) {
                const char *head = g.p + j / group * each;
                float scale, min = 0.0f;
                memcpy(&scale, head + 4 * q, sizeof scale);
                if (rg_wtypes[type].has_min) memcpy(&min, head + 128 + 4 * q, sizeof min);
                const int8_t code =
                    (int8_t)head[each - RG_PANEL * group + (j % group / 4 * RG_PANEL + q) * 4 + j % 4];
                CHECK(fmaf((float)code, scale, min) == want[j], row->name, seed, "row %lld column %lld",
                    (long long)q, (long long)j);
            }
        }
        free(want);
        free(plain);
        guarded_free(&g);
        matrix_free(&w);
    }
}

/* ---- products ---- */

/* The functions of one level, or those of tiles_mixed.c. */
typedef struct level {
    const char *name;
    rg_isa isa;
    rg_tiles_on_fn *on;
    rg_tiles_off_fn *off;
    rg_tile_mm_fn *mm;
    rg_tile_dot_fn *dot[2][RG_WT_COUNT];
} level;

static level level_of(rg_isa isa)
{
    rg_ktab t;
    MUST(rg_kernels_select(&t, isa, false));
    level l = {.name = rg_isa_names[isa], .isa = isa, .on = t.tiles_on, .off = t.tiles_off, .mm = t.tile_mm};
    memcpy(l.dot, t.tile_dot, sizeof t.tile_dot);
    return l;
}

/* Memory that ends at a guard page and starts at a cache line: bytes is a multiple of 64. */
static void *lines(guarded *g, int64_t bytes)
{
    *g = guarded_alloc((size_t)rg_round_up(bytes, 64));
    return g->p;
}

/* Against float64 on the rounded operands; and the bits do not depend on the tokens beside, on the cuts or on
 * the hint. lda: floats from row to row of acc, between which nothing may be written. */
static void mm_case(const level *l, uint64_t seed, rg_rng *r, int64_t m, int64_t k, int64_t lda, int products)
{
    const int64_t kp = rg_round_up(k, 32), low = 2 * kp, mp = rg_round_up(m, 16),
                  pitch = (rg_x_bytes(RG_X_BF16X2, k, 32) / 64 | 1) * 64;
    const int planes = products == 3 ? 2 : 1;
    guarded gs, gx, gb, ga, gz, gf;
    void *st = lines(&gs, rg_tile_state_bytes());
    char *x = lines(&gx, mp * pitch);
    uint16_t *b = lines(&gb, kp * RG_PANEL * planes * 2);
    float *acc = lines(&ga, 4 * ((mp - 1) * lda + RG_PANEL)), *one = lines(&gz, 4 * (15 * lda + RG_PANEL)),
          *f = lines(&gf, 4 * rg_max(k, 16) * RG_PANEL);
    memset(x, 0, gx.bytes);
    for (int64_t t = 0; t < m; t++) {
        fill_normal(r, f, k);
        if (t % 3 == 1) f[rng_in(r, 0, k - 1)] *= 1000.0f;
        rg_prep_bf16x2__c(x + t * pitch, f, k, 32);
    }
    fill_normal(r, f, k * RG_PANEL);
    rg_split_bf16__c(b, f, k, planes);
    for (int pass = 0; pass < 3; pass++) { /* in one call; cut; one token alone */
        float *to = pass == 2 ? one : acc;
        const int64_t token = rng_in(r, 0, m - 1), tokens = pass == 2 ? 1 : m;
        char *row = x;
        if (pass == 2) { /* its neighbours are not zero, and do not matter */
            row = malloc((size_t)(16 * pitch));
            memset(row, 0x3f, (size_t)(16 * pitch));
            memcpy(row, x + token * pitch, (size_t)pitch);
        }
        const int64_t floats = (m - 1) * lda + RG_PANEL;
        float *before = malloc((size_t)floats * sizeof *before);
        if (pass) memcpy(before, acc, (size_t)floats * sizeof *before);
        if (pass < 2) fill_untouched(acc, floats);
        l->on(st, tokens, 64);
        for (int64_t k0 = 0; k0 < k;) {
            const int64_t k1 = pass == 1 ? rg_min(k, k0 + 32 * rng_in(r, 1, 3)) : k;
            l->mm(st, to, lda, row + 2 * k0, pitch, low, b + k0 * RG_PANEL * planes, tokens, k1 - k0,
                products, pass == 1 ? RG_TILE_KEEP_X : RG_TILE_KEEP_B, k0 == 0);
            k0 = k1;
        }
        l->off(st);
        if (pass == 1)
            CHECK(memcmp(before, acc, (size_t)floats * sizeof *acc) == 0, l->name, seed,
                "m %lld k %lld: bits change with the cuts", (long long)m, (long long)k);
        if (pass == 2) {
            CHECK(memcmp(one, acc + token * lda, RG_PANEL * sizeof *acc) == 0, l->name, seed,
                "m %lld k %lld: bits change with the tokens beside", (long long)m, (long long)k);
            free(row);
        }
        free(before);
    }
    for (int64_t t = 0; t < m; t++)
        for (int64_t i = 0; i < RG_PANEL; i++) {
            double ref = 0.0, mag = 0.0;
            for (int64_t j = 0; j < kp; j++) {
                uint16_t v[2];
                memcpy(&v[0], x + t * pitch + 2 * j, 2);
                memcpy(&v[1], x + t * pitch + low + 2 * j, 2);
                const uint16_t *w =
                    b + j / 32 * planes * 1024 + i / 16 * 512 + j % 32 / 2 * 32 + i % 16 * 2 + j % 2;
                const double xh = (double)rg_bf16_to_f32(v[0]), xl = (double)rg_bf16_to_f32(v[1]),
                             wh = (double)rg_bf16_to_f32(w[0]);
                const double p = xh * wh + (products >= 2 ? xl * wh : 0.0) +
                    (products == 3 ? xh * (double)rg_bf16_to_f32(w[1024]) : 0.0);
                ref += p;
                mag += fabs(xh * wh) * 1.01;
            }
            CHECK(fabs((double)acc[t * lda + i] - ref) <= (double)(products * k + 4) * FLT_EPSILON * mag,
                l->name, seed, "m %lld k %lld products %d: acc[%lld][%lld] = %.9g, expected %.9g",
                (long long)m, (long long)k, products, (long long)t, (long long)i, (double)acc[t * lda + i],
                ref);
        }
    for (int64_t t = 0; t + 1 < m; t++)
        for (int64_t i = RG_PANEL; i < lda; i++)
            CHECK(untouched(acc + t * lda + i), l->name, seed, "m %lld: wrote between its columns",
                (long long)m);
    guarded_free(&gs), guarded_free(&gx), guarded_free(&gb), guarded_free(&ga), guarded_free(&gz),
        guarded_free(&gf);
}

/* Cut anywhere, the bits of dot of the level below where that multiplies bytes; close to plain C in any
 * case. */
static void dot_case(
    const level *l, rg_wtype type, rg_xform form, uint64_t seed, rg_rng *r, int64_t m, int64_t n, int64_t k)
{
    rg_ktab t, c;
    MUST(rg_kernels_select(&t, l->isa, false) && rg_kernels_select(&c, RG_ISA_C, false));
    const int64_t group = rg_wtypes[type].group, groups = rg_div_up(k, group), each = rg_u8_bytes(type),
                  mp = rg_round_up(m, 16);
    const int64_t ldx = (rg_x_bytes(form, k, group) / 64 | 1) * 64;
    matrix w = matrix_random(r, type, n, k);
    guarded gs, gx, gb, ga;
    void *st = lines(&gs, rg_tile_state_bytes());
    char *x = lines(&gx, mp * ldx), *b = lines(&gb, groups * each);
    float *acc = lines(&ga, 4 * mp * RG_PANEL), *raw = malloc((size_t)k * sizeof *raw),
          *want = malloc((size_t)(m * n) * sizeof *want), *near = malloc((size_t)(m * n) * sizeof *near);
    memset(x, 0, gx.bytes);
    for (int64_t i = 0; i < m; i++) {
        fill_normal(r, raw, k);
        if (i % 3 == 2) raw[rng_in(r, 0, k - 1)] = 1000.0f;
        c.prep[form](x + i * ldx, raw, k, group);
    }
    for (int64_t i = 0; i < m; i += RG_GEMV_MAX) {
        t.dot[form][type](
            want + i * n, n, x + i * ldx, ldx, rg_min(RG_GEMV_MAX, m - i), w.w.data, n, k, 0, rg_panels(n));
        c.dot[form][type](
            near + i * n, n, x + i * ldx, ldx, rg_min(RG_GEMV_MAX, m - i), w.w.data, n, k, 0, rg_panels(n));
    }
    double scale = 0.0;
    for (int64_t i = 0; i < m * n; i++) scale = fmax(scale, fabs((double)near[i]));
    for (int64_t p = 0; p < rg_panels(n); p++) {
        fill_untouched(acc, m * RG_PANEL);
        l->on(st, m, rg_min(64, group));
        for (int64_t g = 0; g < groups;) {
            const int64_t next = rng_in(r, g + 1, groups), k1 = rg_min(k, next * group);
            t.codes8[type](b, w.w.data, k, p, g * group, k1);
            l->dot[form][type](st, acc, x, ldx, m, b, k, g * group, k1, g == 0);
            g = next;
        }
        l->off(st);
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < rg_min(RG_PANEL, n - p * RG_PANEL); j++) {
                const float got = acc[i * RG_PANEL + j], exact = want[i * n + p * RG_PANEL + j],
                            plain = near[i * n + p * RG_PANEL + j];
                CHECK(t.level[RG_FN_dot8] == RG_ISA_C || rg_f32_bits(got) == rg_f32_bits(exact), l->name,
                    seed, "%s, m %lld k %lld: [%lld][%lld] = %.9g, dot gives %.9g", rg_wtypes[type].name,
                    (long long)m, (long long)k, (long long)i, (long long)j, (double)got, (double)exact);
                CHECK(fabs((double)got - (double)plain) <= (double)(8 * groups + 8) * FLT_EPSILON * scale,
                    l->name, seed, "%s, m %lld k %lld: [%lld][%lld] = %.9g, plain C gives %.9g",
                    rg_wtypes[type].name, (long long)m, (long long)k, (long long)i, (long long)j, (double)got,
                    (double)plain);
            }
    }
    free(raw);
    free(want);
    free(near);
    guarded_free(&gs), guarded_free(&gx), guarded_free(&gb), guarded_free(&ga);
    matrix_free(&w);
}

static void mm_cases(const level *l)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 15);
    for (int64_t m = 1; m <= 50; m += m < 18 ? 1 : 5)
        for (int products = 1; products <= 3; products++)
            mm_case(l, seed, &r, m, rng_in(&r, 1, 200), m % 2 ? RG_PANEL : RG_PANEL + 16 * rng_in(&r, 1, 15),
                products);
}

static void dot_cases(const level *l, rg_wtype type, rg_xform form)
{
    uint64_t seed;
    rg_rng r = seeded(&seed, 16 + (uint64_t)type);
    for (int64_t m = 1; m <= 40; m += m < 5 ? 1 : m < 20 ? 4 : 7)
        dot_case(l, type, form, seed, &r, m, rng_in(&r, 1, 70), rng_in(&r, 1, 600));
}

/* Switching tiles on and off is seen in the products between. */
void check_tile_mm(const rg_kernel_row *row)
{
    const level l = level_of(row->isa);
    mm_cases(&l);
}
void check_tiles_on(const rg_kernel_row *row) { check_tile_mm(row); }
void check_tiles_off(const rg_kernel_row *row) { check_tile_mm(row); }
void check_tile_dot8(const rg_kernel_row *row)
{
    const level l = level_of(row->isa);
    dot_cases(&l, (rg_wtype)row->type, RG_X_I8);
}
void check_tile_dot16(const rg_kernel_row *row)
{
    const level l = level_of(row->isa);
    dot_cases(&l, (rg_wtype)row->type, RG_X_I16);
}

/* The body of the tile kernels with AVX-512 between emulated tiles. */
void check_tiles_with_avx512(void)
{
#if defined(RIDGE_X86)
    if (!rg_isa_has(RG_ISA_AVX512)) {
        check_note("this CPU has no avx512");
        return;
    }
    level l = {.name = "emulated tiles with AVX-512",
        .isa = RG_ISA_AMXEMU,
        .on = rg_tiles_on__mixed,
        .off = rg_tiles_off__mixed,
        .mm = rg_tile_mm__mixed};
#define MIXED(TYPE, type, ...) \
    l.dot[RG_X_I8][RG_WT_##TYPE] = rg_tile_dot8_##type##__mixed; \
    l.dot[RG_X_I16][RG_WT_##TYPE] = rg_tile_dot16_##type##__mixed;
    RG_WTYPES_QUANT(MIXED, )
    mm_cases(&l);
    for (int type = 0; type < RG_WT_COUNT; type++)
        for (int form = RG_X_I8; form <= RG_X_I16 && rg_wtype_is_quant((rg_wtype)type); form++)
            dot_cases(&l, (rg_wtype)type, (rg_xform)form);
#endif
}
