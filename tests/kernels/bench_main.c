/* checkkern --bench: options, roofs, lines. Medians and quartiles; the machine is noisy. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_kernels.h"

enum { MAX_REPS = 1001 };

bool bench_wanted(const bench *b, const char *op)
{
    return !b->only || strncmp(op, b->only, strlen(b->only)) == 0;
}

static _Noreturn void give_up(const rg_err *err)
{
    fprintf(stderr, "checkkern: %s\n", err->msg);
    exit((int)err->code);
}

void *bench_alloc(int64_t bytes)
{
    void *p = rg_big_alloc((size_t)bytes);
    if (!p) {
        rg_err err;
        rg_fail(&err, RG_E_NOMEM, "no memory for %lld bytes", (long long)bytes);
        give_up(&err);
    }
    return p;
}

rg_team *bench_team(const bench *b, const rg_ktab *k)
{
    rg_team *t;
    rg_err err;
    if (rg_team_open(&t, b->threads, NULL, k, rg_drive_scratch(k), 1 << 20, &err) != RG_OK) give_up(&err);
    return t;
}

void bench_row_source(void *k, int64_t r, float *dst)
{
    uint32_t v = (uint32_t)r * 2654435761u + 1u;
    for (int64_t c = 0; c < *(const int64_t *)k; c++) {
        v = v * 1664525u + 1013904223u;
        dst[c] = ((float)(v >> 8) * 0x1p-24f - 0.5f) * 0.1f;
    }
}

char *bench_matrix(const rg_ktab *t, rg_wtype type, shape s, int64_t copies)
{
    const int64_t bytes = rg_packed_bytes(type, s.n, s.k), need = rg_pack_scratch(type, s.k);
    char *w = bench_alloc(bytes * copies);
    void *scratch = bench_alloc(need);
    rg_pack(t, type, w, s.n, s.k, 0, rg_panels(s.n), bench_row_source, &s.k, scratch, NULL, NULL);
    rg_big_free(scratch, (size_t)need);
    for (int64_t i = 1; i < copies; i++) memcpy(w + i * bytes, w, (size_t)bytes);
    return w;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static const char *unit(rg_arith a)
{
    return a == RG_ARITH_INT8_DOT ? "dot8"
        : a == RG_ARITH_BF16_DOT  ? "bf16"
        : a == RG_ARITH_FP32_FMA  ? "fma"
                                  : "tiles";
}

void bench_figure(const bench *b, const figure *f, rg_team *team, rg_team_fn *fn, void *user)
{
    static double t[MAX_REPS];
    for (int i = -1; i < b->reps; i++) { /* -1 warms up */
        const uint64_t start = rg_now_ns();
        rg_team_run(team, fn, user, NULL, NULL, 0);
        if (i >= 0) t[i] = 1e-9 * (double)(rg_now_ns() - start);
    }
    qsort(t, (size_t)b->reps, sizeof *t, by_value);
    const double median = t[b->reps / 2], q1 = t[b->reps / 4], q3 = t[b->reps * 3 / 4],
                 gbps = f->bytes / median * 1e-9, gops = f->ops / median * 1e-9;
    const double read = f->streams ? rg_machine_bw(&b->roofs, b->footprint) : 0.0,
                 peak = f->arith < RG_ARITH_COUNT ? rg_machine_peak_of(&b->roofs, f->arith, f->level) : 0.0;
    const double by = read > 0.0 ? gbps / read : 0.0, fl = peak > 0.0 ? gops / peak : 0.0,
                 share = by > fl ? by : fl;
    const char *roof = !(share > 0.0) ? "none" : by > fl ? "mem" : unit(f->arith);
    char text[32] = "", rate[32] = "";
    if (share > 0.0)
        snprintf(text, sizeof text, b->csv ? "%.4f" : "%3.0f %%", b->csv ? share : 100.0 * share);
    if (share > 0.0) snprintf(rate, sizeof rate, "%.1f", by > fl ? read : peak);
    if (b->csv)
        printf("%s,%s,%s,%d,%s,%lld,%.2f,%.2f,%.2f,%.2f,%.2f,%s,%s,%s\n", f->op, f->type, f->isa, b->threads,
            f->shape, (long long)f->m, 1e6 * median, 1e6 * q1, 1e6 * q3, gbps, gops, text, roof, rate);
    else
        printf("%-12s %-8s %-10s %-14s %4lld %10.1f %8.1f-%8.1f %8.1f %9.1f %5s %s\n", f->op, f->type, f->isa,
            f->shape, (long long)f->m, 1e6 * median, 1e6 * q1, 1e6 * q3, gbps, gops, text, roof);
    fflush(stdout);
}

/* ---- options ---- */

static void usage(FILE *f)
{
    fputs("usage: checkkern --bench [--isa NAME|best] [--type f32,f16,...] [--model SHAPE] [--shape NxK]...\n"
          "                 [--op NAME] [--tokens M] [--threads T] [--footprint MiB] [--reps R] [--csv]\n"
          "Times every row of kernels.def, and the products, attention and packing that the engine makes of "
          "them.\n"
          "--isa: the rows and operators of that level. --op: a kind of kernels.def, a kernel as reports "
          "name it, or\n"
          "how such names begin: gemv, dot, mm, 'gemm i8', tile, attn, pack ...\n"
          "--model: the matrices of a shape of weights/shapes.def (ridge synth --list). Without --isa, "
          "--type, --op: all of them.\n"
          "Roof: the larger share of the read bandwidth and of the rate of the instruction used, as measured "
          "in this run. Tokens 0: a part of an operation.\n"
          "--csv: a line per figure; times in microseconds (median, quartiles), rates in 1e9 per second, "
          "share of the roof from 0 to 1, the roof and its rate.\n",
        f);
}

/* The distinct matrices of a model, output matrix last. */
static int shapes_of_model(bench *b, const char *name)
{
    static const struct {
        const char *name;
        int64_t dim, ffn, heads, kv_heads, hd, vocab;
    } all[] = {
#define RG_SHAPE(name, type, hidden, ffn, layers, heads, kv, hd, vocab, ...) \
    {name, hidden, ffn, heads, kv, hd, vocab},
#include "weights/shapes.def"
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(all[i].name, name) != 0) continue;
        const shape s[] = {{all[i].heads * all[i].hd, all[i].dim}, {all[i].kv_heads * all[i].hd, all[i].dim},
            {all[i].dim, all[i].heads * all[i].hd}, {all[i].ffn, all[i].dim}, {all[i].dim, all[i].ffn},
            {all[i].vocab, all[i].dim}};
        for (size_t k = 0; k < sizeof s / sizeof *s; k++) {
            bool there = false;
            for (int q = 0; q < b->n_shapes; q++)
                there = there || (b->shapes[q].n == s[k].n && b->shapes[q].k == s[k].k);
            if (!there && b->n_shapes < MAX_SHAPES) b->shapes[b->n_shapes++] = s[k];
        }
        return 0;
    }
    return -1;
}

/* "f16,q4g64" */
static int types_of(bench *b, char *list)
{
    for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
        const int type = rg_wtype_from_name(name);
        if (type < 0) return -1;
        b->type[type] = true;
    }
    return 0;
}

static int number(const char *text, int64_t most, int64_t *to)
{
    *to = atoll(text);
    return *to < 1 || *to > most ? -1 : 0;
}

static int parse(bench *b, int argc, char **argv)
{
    static const struct option longs[] = {{"isa", 1, 0, 'i'}, {"type", 1, 0, 't'}, {"shape", 1, 0, 's'},
        {"model", 1, 0, 'M'}, {"op", 1, 0, 'o'}, {"tokens", 1, 0, 'm'}, {"threads", 1, 0, 'n'},
        {"footprint", 1, 0, 'f'}, {"reps", 1, 0, 'r'}, {"csv", 0, 0, 'c'}, {"help", 0, 0, 'h'}, {0, 0, 0, 0}};
    *b = (bench){.isa = -1, .reps = 11, .m = 128, .footprint = 256ll << 20};
    bool any_type = false;
    for (int c, bad = 0; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        int64_t v = 0;
        switch (c) {
        case 'i':
            b->isa = strcmp(optarg, "best") == 0 ? (int)rg_isa_best() : rg_isa_from_name(optarg);
            bad = b->isa < 0;
            break;
        case 't':
            bad = types_of(b, optarg);
            any_type = true;
            break;
        case 'M':
            bad = shapes_of_model(b, optarg);
            break;
        case 's': {
            long long n, k;
            bad = b->n_shapes == MAX_SHAPES || sscanf(optarg, "%lldx%lld", &n, &k) != 2 || n < 1 || k < 1;
            if (!bad) b->shapes[b->n_shapes++] = (shape){n, k};
        } break;
        case 'o':
            b->only = optarg;
            break;
        case 'm':
            bad = number(optarg, 1 << 20, &b->m);
            break;
        case 'n':
            bad = number(optarg, MAX_THREADS, &v);
            b->threads = (int)v;
            break;
        case 'f':
            bad = number(optarg, 1 << 20, &v);
            b->footprint = v << 20;
            break;
        case 'r':
            bad = number(optarg, MAX_REPS, &v);
            b->reps = (int)v;
            break;
        case 'c':
            b->csv = true;
            break;
        case 'h':
            usage(stdout);
            exit(0);
        default:
            bad = 1;
        }
        if (bad) return -1;
    }
    if (optind < argc) return -1;
    for (int i = 0; i < RG_WT_COUNT && !any_type; i++) b->type[i] = true;
    if (b->n_shapes == 0) {
        static const shape usual[] = {{576, 576}, {2048, 2048}, {5632, 2048}, {2048, 5632}, {32000, 2048}};
        b->n_shapes = (int)(sizeof usual / sizeof *usual);
        memcpy(b->shapes, usual, sizeof usual);
    }
    return 0;
}

/* The row is what its level would take: the last of its kind and type up to there. */
static bool chosen(const rg_kernel_row *row, rg_isa level)
{
    const rg_kernel_row *best = NULL;
    for (const rg_kernel_row *r = rg_kernel_rows; r < rg_kernel_rows + rg_kernel_row_count; r++)
        if (r->kind == row->kind && r->type == row->type && r->isa <= level && rg_isa_has(r->isa)) best = r;
    return row == best;
}

static void bench_all(bench *b, rg_isa top)
{
    rg_err err;
    /* by the loops of `ridge machine`, without the whole ladder */
    if (rg_machine_measure(&b->roofs, b->threads, NULL, b->footprint, true, NULL, NULL, NULL, &err) != RG_OK)
        give_up(&err);
    if (!b->csv) {
        printf("\n# %d thread%s: read %.1f GB/s over %lld MiB;", b->threads, b->threads > 1 ? "s" : "",
            rg_machine_bw(&b->roofs, b->footprint), (long long)(b->footprint >> 20));
        for (int i = 0; i < RG_ARITH_COUNT; i++)
            printf(" %s %.0f;", rg_arith_names[i], rg_machine_peak_of(&b->roofs, (rg_arith)i, top));
        printf(" 1e9 operations/s (0: none)\n%-12s %-8s %-10s %-14s %4s %10s %17s %8s %9s %6s\n", "op",
            "type", "isa", "shape", "m", "median us", "quartiles", "GB/s", "Gop/s", "roof");
    }
    for (const rg_kernel_row *r = rg_kernel_rows; r < rg_kernel_rows + rg_kernel_row_count; r++)
        if (b->isa < 0 ? r->isa <= top && rg_isa_has(r->isa) : chosen(r, top)) bench_row(b, r);
    for (rg_isa i = RG_ISA_C; i <= top; i++) {
        if (!rg_isa_has(i) || (b->isa >= 0 && (int)i != b->isa)) continue;
        bench_operators(b, i, false);
        if (i == top) bench_operators(b, i, true);
    }
}

int bench_main(int argc, char **argv)
{
    static bench b;
    if (parse(&b, argc, argv)) {
        usage(stderr);
        return 2;
    }
    const rg_isa top = b.isa >= 0 ? (rg_isa)b.isa : rg_isa_best();
    if (!rg_isa_has(top)) {
        fprintf(stderr, "checkkern: this CPU has no %s\n", rg_isa_names[top]);
        return 2;
    }
    if (b.csv)
        puts("op,type,isa,threads,shape,tokens,median_us,q1_us,q3_us,gbps,gops,roof_share,roof,roof_rate");
    else
        printf("# cpu=%s blas=%s footprint=%lld MiB reps=%d stat=median\n", rg_cpu_name(), rg_blas_describe(),
            (long long)(b.footprint >> 20), b.reps);
    if (b.threads) {
        bench_all(&b, top);
        return 0;
    }
    const int most = rg_team_has_openmp() ? (int)rg_min(MAX_THREADS, sysconf(_SC_NPROCESSORS_ONLN)) : 1;
    b.threads = 1;
    bench_all(&b, top);
    b.threads = most;
    if (most > 1) bench_all(&b, top);
    return 0;
}
