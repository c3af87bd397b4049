/* One operator, once, through the engine's own driver, with cold caches: what the cache simulation is run on.
 * Prints what the driver counted. Runs alone too.
 *
 *   one_op OP KEY=VALUE...
 *   OP: linear linear_add linear_swiglu linear_exps linear_swiglu_exps linear_sum_exps rmsnorm add
 *       swiglu rope kv_put attn none;
 *       none is a record without an operator
 *   m k n tokens, inputs, outputs;  h g hd query heads, KV heads, head size;
 *   pos position of the first token;  type, kv, act: names
 *   e u experts, those of a token;  route: whom tokens choose: uniform (by chance, all as often), same (the
 *   first ones), zipf (expert i about 1 / (i + 1) times as often as the first)
 *   l2 the private cache that the drivers reckon with, in bytes;
 *   empty=1 collects an empty operator instead: what the call itself costs
 *
 * The simulator collects inside of rg_collected only. There the operator runs, then a block larger than the
 * cache is read, so that every line that the operator left dirty is written back: reads of the operator are
 * the read misses minus the lines of that block, its writes are the dirty evictions. Before, the same block
 * is read, so that nothing is in the cache and nothing in it is dirty; the code, stack and record of a call
 * are warmed by a small operator of the same kind. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/num.h"
#include "exec/drive.h"

/* What comes before is not simulated, and so ten times as fast. */
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION
#endif

typedef enum route { UNIFORM, SAME, ZIPF, ROUTES } route;
static const char *const routes[ROUTES] = {"uniform", "same", "zipf"};

typedef struct shape {
    int64_t m, k, n, h, g, hd, pos, l2, flush, empty, e, u;
    route route;
    rg_wtype type;
    rg_kvtype kv;
    rg_act act;
} shape;

typedef struct operands {
    shape s;
    const char *op;
    rg_weight w;
    float *x, *y, *q, *cs, *part;
    char *xq, *xe;
    float *logits; /* [m][e] */
    rg_choice choice;
    rg_kv_layer kv;
    rg_seq_run run;
    rg_attn_shape attn;
} operands;

static void die(const char *what, const char *which)
{
    fprintf(stderr, "one_op: %s%s\n", what, which);
    exit(2);
}

/* Filled, so that its pages exist. */
static void *block(int64_t bytes)
{
    char *p = rg_big_alloc((size_t)rg_max(bytes, 64));
    if (!p) die("out of memory", "");
    memset(p, 0, (size_t)rg_max(bytes, 64));
    return p;
}

/* What rg_topk fills, and logits by the route. */
static void make_choice(operands *o)
{
    const shape *s = &o->s;
    const int64_t rows = s->m * s->u;
    uint64_t r = 42;
    rg_choice *c = &o->choice;
    *c = (rg_choice){.used = s->u};
    c->expert = block(4 * s->e);
    c->first = block(4 * (s->e + 1));
    c->token = block(4 * rows);
    c->sorted = block(4 * rows);
    c->place = block(4 * s->e);
    c->own_id = c->all_id = block(4 * rows);
    c->own_weight = c->all_weight = block(4 * rows);
    o->logits = block(4 * s->m * s->e);
    for (int64_t i = 0; i < s->m * s->e; i++) {
        const double rank = (double)(i % s->e + 1);
        r = r * 6364136223846793005u + 1442695040888963407u;
        const double by_chance = ((double)(r >> 11) + 0.5) * 0x1p-53;
        /* the largest of u^(rank) are drawn with weights 1 / rank */
        o->logits[i] = (float)(s->route == SAME ? -rank
                : s->route == ZIPF              ? rank * log(by_chance)
                                                : by_chance);
    }
}

static void choose(rg_ctx *cx, void *arg)
{
    operands *o = arg;
    rg_topk(cx, RG_SITE_FFN_TOPK, &o->choice, o->logits, o->s.m, o->s.e, true);
}

static operands make(const char *op, shape s)
{
    operands o = {.op = op, .s = s};
    const int64_t width = rg_max(rg_max(s.k, s.n), s.h * s.hd), end = s.pos + s.m, rows = s.m * s.u;
    o.x = block(4 * rows * width);
    o.y = block(4 * rows * width);
    o.q = block(4 * rows * rg_max(width, s.g * s.hd));
    o.w = (rg_weight){
        .type = s.type, .n = s.n, .k = s.k, .data = block(s.e * rg_packed_bytes(s.type, s.n, s.k))};
    o.xe = block(rg_xe_bytes(width));
    make_choice(&o);
    o.cs = block(4 * rg_max(end * s.hd, s.k));
    o.part = block(4 * rg_attn_part_floats(1, s.hd, end));
    o.kv = (rg_kv_layer){.k_type = s.kv, .v_type = s.kv, .heads = s.g, .hd = s.hd};
    o.kv.k_stride = rg_round_up(rg_round_up(end, RG_KV_BLOCK) * rg_kv_k_bytes(s.kv, s.hd), 64);
    o.kv.v_stride = rg_round_up(rg_round_up(end, RG_KV_BLOCK) * rg_kv_v_bytes(s.kv, s.hd), 64);
    o.kv.k = block(s.g * o.kv.k_stride);
    o.kv.v = block(s.g * o.kv.v_stride);
    o.xq = block(rg_xq_bytes_exps(1, s.m, s.u, s.e, width));
    o.run = (rg_seq_run){.pos = s.pos, .n = s.m};
    return o;
}

/* Runs inside the team. */
static void call(rg_ctx *cx, void *arg)
{
    operands *o = arg;
    const shape *s = &o->s;
    cx->xq = o->xq;
    cx->xe = o->xe;
    cx->xe_bytes = rg_xe_bytes(rg_max(rg_max(s->k, s->n), s->h * s->hd));
    o->attn = (rg_attn_shape){.heads = s->h,
        .run = &o->run,
        .n_runs = 1,
        .m = s->m,
        .rot = s->hd,
        .cs = o->cs,
        .cs_q = o->cs,
        .part = o->part};
    if (strcmp(o->op, "linear") == 0)
        rg_linear(cx, RG_SITE_FFN_UP, o->y, o->x, &o->w, s->m, true);
    else if (strcmp(o->op, "linear_add") == 0)
        rg_linear_fused(cx, RG_SITE_FFN_DOWN_ADD, o->q, o->y, o->x, &o->w, s->m);
    else if (strcmp(o->op, "linear_swiglu") == 0)
        rg_linear_fused(cx, RG_SITE_FFN_UP_ACT, o->q, o->y, o->x, &o->w, s->m);
    else if (strcmp(o->op, "linear_exps") == 0)
        rg_linear_exps(cx, RG_SITE_FFN_GATE_EXPS, o->y, o->y, o->x, &o->w, NULL, &o->choice, true);
    else if (strcmp(o->op, "linear_swiglu_exps") == 0)
        rg_linear_exps(cx, RG_SITE_FFN_UP_ACT_EXPS, o->q, o->y, o->x, &o->w, NULL, &o->choice, true);
    else if (strcmp(o->op, "linear_sum_exps") == 0)
        rg_linear_exps(cx, RG_SITE_FFN_DOWN_EXPS, o->q, o->y, o->x, &o->w, NULL, &o->choice, true);
    else if (strcmp(o->op, "rmsnorm") == 0)
        rg_rmsnorm(cx, RG_SITE_FFN_NORM, o->y, o->x, o->cs, NULL, s->m, s->k, 1e-5f, false);
    else if (strcmp(o->op, "add") == 0)
        rg_add(cx, RG_SITE_FFN_ADD, o->x, o->y, s->m, s->k);
    else if (strcmp(o->op, "swiglu") == 0)
        rg_gate(cx, RG_SITE_FFN_ACT, o->x, o->y, s->m, s->k);
    else if (strcmp(o->op, "rope") == 0)
        rg_rope(cx, o->x, o->q, &o->kv, &o->attn);
    else if (strcmp(o->op, "kv_put") == 0)
        rg_kv_put(cx, o->x, o->y, &o->kv, &o->attn);
    else if (strcmp(o->op, "attn") == 0)
        rg_attn(cx, o->y, o->x, &o->kv, &o->attn);
    else if (strcmp(o->op, "none") == 0)
        rg_op_end(cx,
            &(rg_op_desc){
                .site = RG_SITE_FFN_ADD, .wtype = RG_WT_COUNT, .kv_k = RG_KV_COUNT, .kv_v = RG_KV_COUNT});
    else
        die("no such operator: ", o->op);
}

/* What an operator writes of the threads' scratch stays in a private cache from call to call, so those lines
 * are there, dirty, before it begins. Which lines they are shows after a call on a pattern. */
typedef struct scratch_lines {
    int64_t n;
    bool *written; /* [n] */
} scratch_lines;

enum { PATTERN = 0xa5, SCRATCH_LINE = 64 };

static void fill_scratch(rg_ctx *cx, void *arg)
{
    const scratch_lines *l = arg;
    memset(cx->scratch, PATTERN, (size_t)(l->n * SCRATCH_LINE));
}

static void find_written(rg_ctx *cx, void *arg)
{
    scratch_lines *l = arg;
    for (int64_t i = 0; i < l->n; i++)
        for (int b = 0; b < SCRATCH_LINE; b++)
            l->written[i] |= (unsigned char)cx->scratch[i * SCRATCH_LINE + b] != PATTERN;
}

static void warm_written(rg_ctx *cx, void *arg)
{
    const scratch_lines *l = arg;
    for (int64_t i = 0; i < l->n; i++)
        if (l->written[i]) memset(cx->scratch + i * SCRATCH_LINE, 0, SCRATCH_LINE);
}

static void read_all(const char *p, int64_t bytes)
{
    for (int64_t i = 0; i < bytes; i += 64) (void)*(const volatile char *)(p + i);
}

/* What the simulator looks at: see the top. */
__attribute__((noinline)) void rg_collected(rg_team *t, operands *o, rg_log *log, const char *flush);
void rg_collected(rg_team *t, operands *o, rg_log *log, const char *flush)
{
    const rg_step step = {.phase = RG_DECODE, .tokens = o->s.m};
    rg_team_run(t, call, o, log, &step, 1);
    read_all(flush, o->s.flush);
}

static void once(rg_team *t, operands *o, rg_log *log, const char *flush,
    void (*run)(rg_team *, operands *, rg_log *, const char *))
{
    rg_log_clear(log);
    run(t, o, log, flush);
}

static void uncollected(rg_team *t, operands *o, rg_log *log, const char *flush)
{
    const rg_step step = {.phase = RG_DECODE, .tokens = o->s.m};
    (void)flush;
    rg_team_run(t, call, o, log, &step, 1);
}

int main(int argc, char **argv)
{
    shape s = {.m = 1, .k = 64, .n = 64, .h = 4, .g = 2, .hd = 64, .l2 = 512 << 10, .e = 1, .u = 1};
    rg_err err = {0};
    rg_log log;
    rg_ktab k;
    rg_team *t;
    for (int i = 2; i < argc; i++) {
        const struct {
            const char *name;
            int64_t *to;
        } keys[] = {{"m=", &s.m}, {"k=", &s.k}, {"n=", &s.n}, {"h=", &s.h}, {"g=", &s.g}, {"hd=", &s.hd},
            {"pos=", &s.pos}, {"l2=", &s.l2}, {"empty=", &s.empty}, {"e=", &s.e}, {"u=", &s.u}};
        bool known = false;
        for (size_t j = 0; j < sizeof keys / sizeof *keys; j++)
            if (strncmp(argv[i], keys[j].name, strlen(keys[j].name)) == 0) {
                *keys[j].to = strtoll(argv[i] + strlen(keys[j].name), NULL, 10);
                known = *keys[j].to >= 0;
            }
        for (int j = 0; j < RG_WT_COUNT; j++)
            if (strncmp(argv[i], "type=", 5) == 0 && strcmp(argv[i] + 5, rg_wtypes[j].name) == 0)
                s.type = (rg_wtype)j, known = true;
        for (int j = 0; j < RG_KV_COUNT; j++)
            if (strncmp(argv[i], "kv=", 3) == 0 && strcmp(argv[i] + 3, rg_kvtypes[j].name) == 0)
                s.kv = (rg_kvtype)j, known = true;
        for (int j = 0; j < RG_ACT_COUNT; j++)
            if (strncmp(argv[i], "act=", 4) == 0 && strcmp(argv[i] + 4, rg_act_names[j]) == 0)
                s.act = (rg_act)j, known = true;
        for (int j = 0; j < ROUTES; j++)
            if (strncmp(argv[i], "route=", 6) == 0 && strcmp(argv[i] + 6, routes[j]) == 0)
                s.route = (route)j, known = true;
        if (!known) die("cannot use ", argv[i]);
    }
    if (argc < 2) die("which operator?", "");
    if (s.u < 1 || s.u > s.e || s.e > RG_MAX_EXPERTS) die("that many experts of a token: ", "u");
    s.flush = 4 * s.l2;
    shape small = s;
    small.m = 1;
    small.k = rg_min(s.k, 256);
    small.n = 32;
    small.e = s.u;
    small.h = small.g = 1;
    small.pos = 0;
    rg_kernels_select(&k, rg_isa_best(), false);
    k.act = s.act;
    const size_t scratch = rg_drive_scratch(&k);
    if (rg_team_open(&t, 1, NULL, &k, scratch, s.l2, &err) != RG_OK) die(err.msg, "");
    if (rg_log_open(&log, 1, 1) != 0) die("out of memory", "");
    operands o = make(argv[1], s), warm = make(argv[1], small);
    const char *flush = block(s.flush);
    rg_team_run(t, choose, &o, NULL, NULL, 0);
    rg_team_run(t, choose, &warm, NULL, NULL, 0);
    scratch_lines lines = {.n = (int64_t)scratch / SCRATCH_LINE};
    lines.written = block(lines.n);
    rg_team_run(t, fill_scratch, &lines, NULL, NULL, 0);
    once(t, &o, &log, flush, uncollected);
    rg_team_run(t, find_written, &lines, NULL, NULL, 0);
    CALLGRIND_START_INSTRUMENTATION;
    read_all(flush, s.flush);
    once(t, &warm, &log, flush, uncollected);
    rg_team_run(t, warm_written, &lines, NULL, NULL, 0);
    if (s.empty) o.op = "none";
    once(t, &o, &log, flush, rg_collected);
    const rg_tally *c = &log.rec[0].tally;
    printf("{\"flush\": %lld, \"isa\": \"%s\", \"kernel\": \"%s\", \"w_rd\": %llu, \"act_rd\": %llu, "
           "\"act_wr\": %llu, "
           "\"kv_rd\": %llu, \"kv_wr\": %llu}\n",
        (long long)s.flush, rg_isa_names[log.rec[0].isa], rg_kernel_kinds[log.rec[0].kernel],
        (unsigned long long)c->w_rd, (unsigned long long)c->act_rd, (unsigned long long)c->act_wr,
        (unsigned long long)c->kv_rd, (unsigned long long)c->kv_wr);
    return 0; /* the system takes the memory back: the simulator need not watch it */
}
