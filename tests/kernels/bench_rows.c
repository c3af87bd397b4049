/* One row of kernels.def, timed: over matrices and caches in memory, or on operands that stay in a core's
 * cache. */
#include <string.h>

#include "bench_kernels.h"

/* Operands in cache: a block of a product; a row of activations; heads and context of a KV cache. */
enum { M = 48, K = 256, N = RG_PANEL, VEC = 4096, HD = 64, CTX = 2048, TIMES = 100, TIMES_PLAIN = 4 };
/* A thread's own memory: x and b as the kernel takes them, y, the state of tiles, floats on the way to x and
 * b. */
enum {
    PART = 1 << 18,
    B_AT = PART,
    Y_AT = 2 * PART,
    STATE_AT = 3 * PART,
    FROM_AT = 4 * PART,
    OWN = 5 * PART
};

typedef struct job {
    const rg_kernel_row *row;
    rg_ktab t;           /* of its level: makes operands */
    shape s;             /* of the matrix */
    int64_t m, ld;       /* rows of x, and bytes from one to the next */
    int64_t each, count; /* bytes of a matrix or a head, and how many there are */
    const char *w;
    char *x;
    float *y;
    char *own[MAX_THREADS];
    int times; /* calls of a run on operands in cache */
} job;

/* Panels of the matrices that a thread takes, columns in blocks of K. */
#define EACH_PANEL(call) \
    for (int64_t i = 0; i < j->count; i++) \
        for (int64_t p = p0; p < p1; p++) \
            for (int64_t k0 = 0, k1; k0 < j->s.k; k0 = k1) { \
                const char *w = j->w + i * j->each; \
                k1 = rg_min(k0 + K, j->s.k); \
                call; \
            }
/* Heads, chunk by chunk. */
#define EACH_CHUNK(call) \
    for (int64_t i = h0; i < h1; i++) \
        for (int64_t p = 0; p < CTX; p += RG_ATTN_CHUNK) { \
            const char *w = j->w + i * j->each; \
            const int64_t e = p + RG_ATTN_CHUNK; \
            call; \
        }
#define AGAIN(call) \
    for (int i = 0; i < j->times; i++) call
#define CALL(kind) ((rg_##kind##_fn *)j->row->fn)

static void run(rg_ctx *cx, void *user)
{
    const job *j = user;
    char *x = j->own[cx->tid], *b = x + B_AT, *state = x + STATE_AT;
    float *xf = (float *)(void *)x, *bf = (float *)(void *)b, *y = (float *)(void *)(x + Y_AT), max, sum;
    uint16_t *xh = (uint16_t *)(void *)x, *bh = (uint16_t *)(void *)b, *yh = (uint16_t *)(void *)y, s, m;
    int64_t r0, r1, h0, h1;
    rg_part(cx, j->s.n, RG_PANEL, &r0, &r1);
    rg_part(cx, j->count, 1, &h0, &h1);
    const int64_t n = j->s.n, k = j->s.k, p0 = r0 / RG_PANEL, p1 = rg_div_up(r1, RG_PANEL);
    switch (j->row->kind) {
    case RG_FN_gemv:
        for (int64_t i = 0; i < j->count && p0 < p1; i++)
            CALL(gemv)(j->y, n, (const float *)(const void *)j->x, k, j->m, j->w + i * j->each, n, k, p0, p1);
        break;
    case RG_FN_dot8:
    case RG_FN_dot16:
        for (int64_t i = 0; i < j->count && p0 < p1; i++)
            CALL(dot8)(j->y, n, j->x, j->ld, j->m, j->w + i * j->each, n, k, p0, p1);
        break;
    case RG_FN_unpack:
        EACH_PANEL(CALL(unpack)(y, RG_PANEL, w, k, p, k0, k1))
        break;
    case RG_FN_unpack8:
    case RG_FN_codes8:
        EACH_PANEL(CALL(unpack8)(y, w, k, p, k0, k1))
        break;
    case RG_FN_attn_qk:
        EACH_CHUNK(CALL(attn_qk)(y, RG_ATTN_CHUNK, xf, HD, j->m, w, HD, p, e))
        break;
    case RG_FN_attn_pv:
        EACH_CHUNK(CALL(attn_pv)(y, HD, xf, RG_ATTN_CHUNK, j->m, w, HD, p, e))
        break;
    case RG_FN_kv_panel_k:
        EACH_CHUNK(for (int64_t c = p; c < e; c += 32) CALL(kv_panel_k)(y, w, HD, c, e))
        break;
    case RG_FN_kv_panel_v:
        EACH_CHUNK(for (int64_t d = 0; d < HD; d += 32) CALL(kv_panel_v)(y, w, HD, p, e, d))
        break;
    case RG_FN_kv_put_k:
    case RG_FN_kv_put_v:
        AGAIN(for (int64_t p = 0; p < RG_ATTN_CHUNK; p++) CALL(kv_put_k)(y, HD, p, xf + p % 16 * HD));
        break;
    case RG_FN_mm:
        AGAIN(CALL(mm)(y, N, xf, K, bf, N, M, K, N, false));
        break;
    case RG_FN_mmw:
        AGAIN(CALL(mmw)(y, N, xf, K, j->w, M, K, N, false));
        break;
    case RG_FN_mm_bf16:
        AGAIN(CALL(mm_bf16)(y, N, xh, j->ld / 2, bh, M, K, N, false));
        break;
    case RG_FN_mmdot8:
    case RG_FN_mmdot16:
        AGAIN(CALL(mmdot8)(y, N, x, j->ld, M, b, K, 0, K, N, false));
        break;
    case RG_FN_tile_mm:
        j->t.tiles_on(state, M, 64);
        AGAIN(CALL(tile_mm)(state, y, N, x, j->ld, 0, bh, M, K, 1, RG_TILE_KEEP_B, true));
        j->t.tiles_off(state);
        break;
    case RG_FN_tile_dot8:
    case RG_FN_tile_dot16:
        j->t.tiles_on(state, M, rg_min(64, rg_wtypes[j->row->type].group));
        AGAIN(CALL(tile_dot8)(state, y, x, j->ld, M, b, K, 0, K, true));
        j->t.tiles_off(state);
        break;
    case RG_FN_tiles_on:
    case RG_FN_tiles_off:
        AGAIN((j->t.tiles_on(state, M, 64), j->t.tiles_off(state)));
        break;
    case RG_FN_prep_i8:
    case RG_FN_prep_i16:
    case RG_FN_prep_bf16:
    case RG_FN_prep_bf16x2:
        AGAIN(CALL(prep_i8)(y, xf, VEC, 64));
        break;
    case RG_FN_pair_bf16:
        AGAIN(CALL(pair_bf16)(yh, bf, K));
        break;
    case RG_FN_split_bf16:
        AGAIN(CALL(split_bf16)(yh, bf, K, 2));
        break;
    case RG_FN_softmax:
        AGAIN(CALL(softmax)(xf, VEC, VEC, &max, &sum));
        break;
    case RG_FN_softmax_bf16:
        AGAIN(CALL(softmax_bf16)(yh, VEC, xf, VEC, VEC, &max, &sum));
        break;
    case RG_FN_rmsnorm:
        AGAIN(CALL(rmsnorm)(y, xf, bf, VEC, 1e-5f));
        break;
    case RG_FN_rope:
        AGAIN(CALL(rope)(xf, VEC / HD, HD, HD, bf, bf + HD / 2));
        break;
    case RG_FN_swiglu:
    case RG_FN_geglu:
    case RG_FN_clampglu:
        AGAIN(CALL(swiglu)(y, xf, bf, VEC));
        break;
    case RG_FN_softcap:
        AGAIN(CALL(softcap)(xf, VEC, 50.0f));
        break;
    case RG_FN_add:
        AGAIN(CALL(add)(y, xf, VEC));
        break;
    case RG_FN_quant_q8:
    case RG_FN_quant_q4:
    case RG_FN_quant_q4m:
        AGAIN(for (int64_t c = 0; c < VEC; c += 64) CALL(quant_q8)((uint8_t *)y, &s, &m, xf + c, 64));
        break;
    case RG_FN_COUNT:
        break;
    }
}

/* Bytes moved and operations done by one call on operands in cache; those of data that is rearranged are
 * values. */
static void block_work(rg_fn kind, double *bytes, double *ops)
{
    static const struct {
        double bytes, ops;
    } of[RG_FN_COUNT] = {[RG_FN_mm] = {0, 2.0 * M * K * N},
        [RG_FN_mmw] = {0, 2.0 * M * K * N},
        [RG_FN_mm_bf16] = {0, 2.0 * M * K * N},
        [RG_FN_mmdot8] = {0, 2.0 * M * K * N},
        [RG_FN_mmdot16] = {0, 4.0 * M * K * N},
        [RG_FN_tile_mm] = {0, 2.0 * M * K * N},
        [RG_FN_tile_dot8] = {0, 2.0 * M * K * N},
        [RG_FN_tile_dot16] = {0, 4.0 * M * K * N},
        [RG_FN_prep_i8] = {5.0 * VEC, VEC},
        [RG_FN_prep_i16] = {6.0 * VEC, VEC},
        [RG_FN_prep_bf16] = {6.0 * VEC, VEC},
        [RG_FN_prep_bf16x2] = {8.0 * VEC, VEC},
        [RG_FN_pair_bf16] = {6.0 * K * N, K * N},
        [RG_FN_split_bf16] = {8.0 * K * N, K * N},
        [RG_FN_kv_put_k] = {4.0 * HD * RG_ATTN_CHUNK, HD * RG_ATTN_CHUNK},
        [RG_FN_kv_put_v] = {4.0 * HD * RG_ATTN_CHUNK, HD * RG_ATTN_CHUNK},
        [RG_FN_softmax] = {8.0 * VEC, 5.0 * VEC},
        [RG_FN_softmax_bf16] = {8.0 * VEC, 5.0 * VEC},
        [RG_FN_rmsnorm] = {12.0 * VEC, 4.0 * VEC},
        [RG_FN_rope] = {8.0 * VEC, 3.0 * VEC},
        [RG_FN_swiglu] = {12.0 * VEC, 5.0 * VEC},
        [RG_FN_geglu] = {12.0 * VEC, 10.0 * VEC},
        [RG_FN_clampglu] = {12.0 * VEC, 9.0 * VEC},
        [RG_FN_softcap] = {8.0 * VEC, 3.0 * VEC},
        [RG_FN_add] = {12.0 * VEC, VEC},
        [RG_FN_quant_q8] = {5.0 * VEC, VEC},
        [RG_FN_quant_q4] = {5.0 * VEC, VEC},
        [RG_FN_quant_q4m] = {5.0 * VEC, VEC}};
    *bytes = of[kind].bytes;
    *ops = of[kind].ops;
}

/* The form in which a kind takes x; RG_X_NONE: floats. */
static rg_xform form_of(rg_fn kind)
{
    switch (kind) {
    case RG_FN_dot8:
    case RG_FN_mmdot8:
    case RG_FN_tile_dot8:
        return RG_X_I8;
    case RG_FN_dot16:
    case RG_FN_mmdot16:
    case RG_FN_tile_dot16:
        return RG_X_I16;
    case RG_FN_mm_bf16:
    case RG_FN_tile_mm:
        return RG_X_BF16;
    default:
        return RG_X_NONE;
    }
}

/* Operands in cache include a block of weights of some type. */
static bool of_weights(rg_fn kind) { return rg_x_in_bytes(form_of(kind)) || kind == RG_FN_mmw; }

static float value(int64_t i) { return (float)(i % 17) * 0.01f - 0.08f; }

static void prepare(const job *j, char *to, int64_t rows, int64_t k, rg_xform form)
{
    float *row = bench_alloc(4 * k);
    for (int64_t i = 0; i < k; i++) row[i] = value(i);
    for (int64_t r = 0; r < rows; r++) j->t.prep[form](to + r * j->ld, row, k, rg_wtypes[j->row->type].group);
    rg_big_free(row, (size_t)(4 * k));
}

/* A thread's operands in cache. */
static void fill(const job *j, char *own)
{
    const rg_fn kind = j->row->kind;
    float *x = (float *)(void *)own, *b = (float *)(void *)(own + B_AT),
          *from = (float *)(void *)(own + FROM_AT);
    uint16_t *bh = (uint16_t *)(void *)b;
    for (int64_t i = 0; i < PART / 4; i++) x[i] = b[i] = from[i] = value(i);
    for (int64_t i = 0; i < HD && kind == RG_FN_rope; i++) b[i] = i < HD / 2 ? 0.8f : 0.6f;
    if (kind == RG_FN_mm_bf16) j->t.pair_bf16(bh, from, K);
    if (kind == RG_FN_tile_mm) j->t.split_bf16(bh, from, K, 1);
    if (kind == RG_FN_mmdot8 || kind == RG_FN_mmdot16) j->t.unpack8[j->row->type](b, j->w, K, 0, 0, K);
    if (kind == RG_FN_tile_dot8 || kind == RG_FN_tile_dot16) j->t.codes8[j->row->type](b, j->w, K, 0, 0, K);
    if (j->ld && j->count == 0) prepare(j, own, M, K, form_of(kind));
}

static void figure_of(const bench *b, job *j, figure *f, rg_team *team)
{
    static const rg_arith classes[] = {
#define RG_FN(fn, proto, member, arith, group) RG_ARITH_##arith,
#include "base/kinds.def"
    };
    const rg_kernel_row *row = j->row;
    f->op = rg_fn_names[row->kind];
    f->isa = rg_isa_names[row->isa];
    f->level = row->isa;
    f->arith = classes[row->kind];
    bench_figure(b, f, team, run, j);
}

/* Over matrices in memory: few tokens, or what unpacks them. */
static void over_matrices(const bench *b, job *j, rg_team *team)
{
    const rg_kernel_row *row = j->row;
    const rg_wtype type = (rg_wtype)row->type;
    const rg_xform form = form_of(row->kind);
    const int64_t most = row->kind == RG_FN_gemv ? RG_GEMV_MAX : form < RG_X_FORMS ? RG_DOT_MAX : 0;
    for (int i = 0; i < b->n_shapes; i++) {
        char text[48];
        j->s = b->shapes[i];
        j->each = rg_packed_bytes(type, j->s.n, j->s.k);
        j->count = rg_max(1, rg_div_up(b->footprint, j->each));
        j->w = bench_matrix(&j->t, type, j->s, j->count);
        j->ld = form < RG_X_FORMS ? rg_x_bytes(form, j->s.k, rg_wtypes[type].group) : 4 * j->s.k;
        j->x = bench_alloc(rg_max(1, most) * j->ld);
        j->y = bench_alloc(4 * rg_max(1, most) * rg_round_up(j->s.n, RG_PANEL));
        for (int64_t c = 0; c < most * j->s.k && form == RG_X_NONE; c++)
            ((float *)(void *)j->x)[c] = value(c);
        if (form < RG_X_FORMS) prepare(j, j->x, most, j->s.k, form);
        snprintf(text, sizeof text, "%lldx%lld", (long long)j->s.n, (long long)j->s.k);
        const double weights = (double)(j->s.n * j->s.k * j->count), planes = form == RG_X_I16 ? 2.0 : 1.0;
        for (j->m = most ? 1 : 0; j->m <= most; j->m = j->m ? 2 * j->m : 1) {
            figure f = {.type = rg_wtypes[type].name,
                .shape = text,
                .m = j->m,
                .bytes = (double)(j->each * j->count),
                .ops = most ? 2.0 * planes * (double)j->m * weights : weights,
                .streams = true};
            figure_of(b, j, &f, team);
        }
        rg_big_free((void *)(uintptr_t)j->w, (size_t)(j->each * j->count));
        rg_big_free(j->x, (size_t)(rg_max(1, most) * j->ld));
        rg_big_free(j->y, (size_t)(4 * rg_max(1, most) * rg_round_up(j->s.n, RG_PANEL)));
    }
}

/* Over the caches of many sequences of one KV head each. */
static void over_caches(const bench *b, job *j, rg_team *team)
{
    const rg_fn kind = j->row->kind;
    const rg_kvtype type = (rg_kvtype)j->row->type;
    const bool keys = kind == RG_FN_attn_qk || kind == RG_FN_kv_panel_k,
               queries = kind == RG_FN_attn_qk || kind == RG_FN_attn_pv;
    j->each = CTX * (keys ? rg_kv_k_bytes(type, HD) : rg_kv_v_bytes(type, HD));
    j->count = rg_max(b->threads, b->footprint / 2 / j->each);
    char *w = bench_alloc(j->each * j->count);
    float row[HD];
    for (int64_t p = 0; p < CTX; p++) {
        for (int64_t d = 0; d < HD; d++) row[d] = value(p * 7 + d);
        (keys ? j->t.kv_put_k : j->t.kv_put_v)[type](w, HD, p, row);
    }
    for (int64_t i = 1; i < j->count; i++) memcpy(w + i * j->each, w, (size_t)j->each);
    j->w = w;
    for (j->m = queries ? 1 : 0; j->m <= (queries ? RG_ATTN_NQ : 0); j->m = j->m ? 2 * j->m : 1) {
        const double values = (double)(HD * CTX * j->count);
        figure f = {.type = rg_kvtypes[type].name,
            .shape = "hd64 ctx2048",
            .m = j->m,
            .bytes = (double)(j->each * j->count),
            .ops = queries ? 2.0 * (double)j->m * values : values,
            .streams = true};
        figure_of(b, j, &f, team);
    }
    rg_big_free(w, (size_t)(j->each * j->count));
}

static void in_cache(const bench *b, job *j, rg_team *team)
{
    const rg_kernel_row *row = j->row;
    const rg_fn kind = row->kind;
    const rg_xform form = form_of(kind);
    const bool weights = of_weights(kind), kv = kind == RG_FN_kv_put_k || kind == RG_FN_kv_put_v,
               product = kind == RG_FN_mm || weights || form < RG_X_FORMS;
    figure f = {.type = weights ? rg_wtypes[row->type].name
            : kv                ? rg_kvtypes[row->type].name
                                : "",
        .shape = product ? "48x256x32" : "in cache"};
    if (weights) j->w = bench_matrix(&j->t, (rg_wtype)row->type, (shape){N, K}, 1);
    if (form < RG_X_FORMS)
        j->ld = kind == RG_FN_tile_mm || kind == RG_FN_tile_dot8 || kind == RG_FN_tile_dot16
            ? rg_tile_pitch(form, K, rg_wtypes[row->type].group)
            : rg_x_bytes(form, K, rg_wtypes[row->type].group);
    for (int i = 0; i < b->threads; i++) fill(j, j->own[i]);
    block_work(kind, &f.bytes, &f.ops);
    f.bytes *= j->times * b->threads;
    f.ops *= j->times * b->threads;
    figure_of(b, j, &f, team);
    if (weights) rg_big_free((void *)(uintptr_t)j->w, (size_t)rg_packed_bytes((rg_wtype)row->type, N, K));
}

void bench_row(const bench *b, const rg_kernel_row *row)
{
    if (!bench_wanted(b, rg_fn_names[row->kind])) return;
    const bool plain = row->isa == RG_ISA_C || row->isa == RG_ISA_AMXEMU;
    job j = {.row = row, .times = plain ? TIMES_PLAIN : TIMES};
    rg_kernels_select(&j.t, row->isa, false);
    rg_team *team = bench_team(b, &j.t);
    for (int i = 0; i < b->threads; i++) j.own[i] = bench_alloc(OWN);
    for (int i = 0; i < b->threads; i++) fill(&(job){.row = &(rg_kernel_row){.kind = RG_FN_add}}, j.own[i]);
    switch (row->kind) {
    case RG_FN_gemv:
    case RG_FN_dot8:
    case RG_FN_dot16:
    case RG_FN_unpack:
    case RG_FN_unpack8:
    case RG_FN_codes8:
        if (b->type[row->type]) over_matrices(b, &j, team);
        break;
    case RG_FN_attn_qk:
    case RG_FN_attn_pv:
    case RG_FN_kv_panel_k:
    case RG_FN_kv_panel_v:
        over_caches(b, &j, team);
        break;
    default:
        if (!of_weights(row->kind) || b->type[row->type]) in_cache(b, &j, team);
        break;
    }
    for (int i = 0; i < b->threads; i++) rg_big_free(j.own[i], OWN);
    rg_team_close(team);
}
