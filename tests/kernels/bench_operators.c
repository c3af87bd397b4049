/* Products of many tokens, attention and packing, timed through the engine's own drivers. */
#include <string.h>

#include "bench_kernels.h"

enum { HD = 64, CTX = 2048 };

typedef struct job {
    rg_ktab t;
    rg_weight w;
    int64_t m;
    float *x, *y;
    char *xq; /* NULL: x as it is */
    /* attention */
    rg_kv_layer kv;
    rg_attn_shape shape;
} job;

static void product(rg_ctx *cx, void *user)
{
    const job *j = user;
    cx->xq = j->xq;
    rg_linear(cx, RG_SITE_FFN_UP, j->y, j->x, &j->w, j->m, true);
}

/* How a product was asked for, and so which kernels are reached: x as it is, then the engine's choices. */
typedef struct way {
    bool prepared;
    rg_act act;
} way;
static const way ways[] = {{false, RG_ACT_F32}, {true, RG_ACT_F32}, {true, RG_ACT_BF16}, {true, RG_ACT_Q8}};

/* Every kernel that some way takes m tokens to, once; fewer tokens than usual: only on tiles. */
static void products_of(
    const bench *b, job *j, rg_team *team, const char *isa, const char *text, char *xq, int64_t m)
{
    bool done[RG_KK_COUNT] = {false};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        j->m = m;
        j->xq = ways[i].prepared ? xq : NULL;
        j->t.act = ways[i].act;
        const rg_units u = rg_ctx_units(&(rg_ctx){.k = &j->t, .xq = j->xq});
        const rg_route r = rg_route_product(&u, j->w.type, m);
        if (done[r.kernel] || (m != b->m && !r.tiles) || !bench_wanted(b, rg_kernel_kinds[r.kernel]))
            continue;
        done[r.kernel] = true;
        const rg_isa level = (rg_isa)j->t.level[rg_kinds[r.kernel].fn];
        const bool bytes = rg_x_in_bytes(rg_kinds[r.kernel].form);
        const figure f = {.op = rg_kernel_kinds[r.kernel],
            .type = rg_wtypes[j->w.type].name,
            .isa = isa,
            .shape = text,
            .m = m,
            .bytes = (double)rg_packed_bytes(j->w.type, j->w.n, j->w.k),
            .ops = 2.0 * rg_kernel_passes(r.kernel) * (double)(m * j->w.n * j->w.k),
            .streams = true,
            .arith = r.tiles             ? bytes ? RG_ARITH_AMX_INT8 : RG_ARITH_AMX_BF16
                : bytes                  ? RG_ARITH_INT8_DOT
                : r.kernel == RG_KK_MMBF ? RG_ARITH_BF16_DOT
                                         : RG_ARITH_FP32_FMA,
            .level = r.kernel == RG_KK_BLAS ? rg_isa_best()
                : r.tiles                   ? RG_ISA_AMX
                                            : level};
        bench_figure(b, &f, team, product, j);
    }
}

static void pack(rg_ctx *cx, void *user)
{
    const job *j = user;
    int64_t a, e;
    double err2 = 0.0, w2 = 0.0, *scratch = bench_alloc(rg_pack_scratch(j->w.type, j->w.k));
    rg_part(cx, rg_panels(j->w.n), 1, &a, &e);
    int64_t k = j->w.k;
    rg_pack(&j->t, j->w.type, (void *)(uintptr_t)j->w.data, j->w.n, k, a, e, bench_row_source, &k, scratch,
        &err2, &w2);
    rg_big_free(scratch, (size_t)rg_pack_scratch(j->w.type, k));
}

static void matrix(const bench *b, job *j, rg_team *team, const char *isa, rg_wtype type, shape s)
{
    const int64_t most = rg_max(b->m, 16), x_bytes = 4 * most * s.k,
                  y_bytes = 4 * most * rg_round_up(s.n, RG_PANEL),
                  xq_bytes = rg_xq_bytes(b->threads, most, s.k), tokens[] = {4, 8, 16, b->m};
    char text[48], *w = bench_matrix(&j->t, type, s, 1), *xq = bench_alloc(xq_bytes);
    snprintf(text, sizeof text, "%lldx%lld", (long long)s.n, (long long)s.k);
    j->w = (rg_weight){type, s.n, s.k, w};
    j->x = bench_alloc(x_bytes);
    j->y = bench_alloc(y_bytes);
    for (int64_t i = 0; i < most * s.k; i++) j->x[i] = (float)(i % 17) * 0.01f - 0.08f;
    for (int i = 0; i < 4; i++)
        if (i == 3 || tokens[i] != b->m) products_of(b, j, team, isa, text, xq, tokens[i]);
    if (!j->t.blas && bench_wanted(b, "pack")) { /* operations: weights */
        bench b3 = *b;
        b3.reps = (int)rg_min(3, b->reps);
        const figure f = {.op = "pack",
            .type = rg_wtypes[type].name,
            .isa = isa,
            .shape = text,
            .bytes = (double)rg_packed_bytes(type, s.n, s.k),
            .ops = (double)(s.n * s.k),
            .arith = RG_ARITH_COUNT};
        bench_figure(&b3, &f, team, pack, j);
    }
    rg_big_free(w, (size_t)rg_packed_bytes(type, s.n, s.k));
    rg_big_free(xq, (size_t)xq_bytes);
    rg_big_free(j->x, (size_t)x_bytes);
    rg_big_free(j->y, (size_t)y_bytes);
}

static void attention(rg_ctx *cx, void *user)
{
    const job *j = user;
    rg_attn(cx, j->y, j->x, &j->kv, &j->shape);
}

/* One token of each of many sequences of one KV head, so that the cache comes from memory. */
static void caches(const bench *b, job *j, rg_team *team, const char *isa, rg_kvtype type)
{
    const int64_t kb = CTX * rg_kv_k_bytes(type, HD), vb = CTX * rg_kv_v_bytes(type, HD),
                  seqs = rg_max(b->threads, b->footprint / 2 / (kb + vb)), rows = seqs * RG_ATTN_NQ,
                  part = 4 * rg_attn_part_floats(b->threads, HD, CTX);
    char *k = bench_alloc(kb * seqs), *v = bench_alloc(vb * seqs);
    rg_seq_run *run = bench_alloc(seqs * (int64_t)sizeof *run);
    float row[HD];
    for (int64_t p = 0; p < CTX; p++) {
        for (int64_t d = 0; d < HD; d++) row[d] = (float)((p * 7 + d) % 19) * 0.1f - 0.9f;
        j->t.kv_put_k[type](k, HD, p, row);
        j->t.kv_put_v[type](v, HD, p, row);
    }
    for (int64_t i = 0; i < seqs; i++) {
        run[i] = (rg_seq_run){.seq = i, .pos = CTX - 1, .t0 = i, .n = 1};
        if (i) memcpy(k + i * kb, k, (size_t)kb), memcpy(v + i * vb, v, (size_t)vb);
    }
    j->t.act = RG_ACT_F32;
    j->kv = (rg_kv_layer){
        .k = k, .v = v, .k_stride = kb, .v_stride = vb, .k_type = type, .v_type = type, .heads = 1, .hd = HD};
    j->x = bench_alloc(4 * rows * HD);
    j->y = bench_alloc(4 * rows * HD);
    for (int64_t i = 0; i < rows * HD; i++) j->x[i] = (float)(i % 13) * 0.05f - 0.3f;
    for (int64_t nq = 1; nq <= RG_ATTN_NQ; nq *= 2) {
        j->shape = (rg_attn_shape){
            .heads = nq, .scale = 0.125f, .run = run, .n_runs = seqs, .m = seqs, .part = bench_alloc(part)};
        const figure f = {.op = "attn",
            .type = rg_kvtypes[type].name,
            .isa = isa,
            .shape = "hd64 ctx2048",
            .m = nq,
            .bytes = (double)((kb + vb) * seqs),
            .ops = (double)(nq * CTX * seqs) * (4.0 * HD + 5),
            .streams = true,
            .arith = RG_ARITH_FP32_FMA,
            .level = (rg_isa)j->t.level[RG_FN_attn_qk]};
        bench_figure(b, &f, team, attention, j);
        rg_big_free(j->shape.part, (size_t)part);
    }
    rg_big_free(k, (size_t)(kb * seqs));
    rg_big_free(v, (size_t)(vb * seqs));
    rg_big_free(run, (size_t)seqs * sizeof *run);
    rg_big_free(j->x, (size_t)(4 * rows * HD));
    rg_big_free(j->y, (size_t)(4 * rows * HD));
}

void bench_operators(const bench *b, rg_isa level, bool blas)
{
    job j = {.m = b->m};
    if (!rg_kernels_select(&j.t, level, blas)) return;
    rg_team *team = bench_team(b, &j.t);
    const char *isa = blas ? "blas" : rg_isa_names[level];
    for (int type = 0; type < RG_WT_COUNT; type++)
        for (int s = 0; s < b->n_shapes; s++)
            if (b->type[type]) matrix(b, &j, team, isa, (rg_wtype)type, b->shapes[s]);
    for (int type = 0; type < RG_KV_COUNT && !blas && bench_wanted(b, "attn"); type++)
        caches(b, &j, team, isa, (rg_kvtype)type);
    rg_team_close(team);
}
