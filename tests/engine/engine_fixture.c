/* Shapes, checkpoints and engines that the engine's tests share. */
#include "engine_fixture.h"
#include "tempdir.h"

#include <sys/stat.h>

#include "base/num.h"

static const struct {
    const char *name;
    int64_t dim, ffn, layers, heads, kv_heads, hd, vocab;
    bool tied;
    rg_rope_scaling scaling;
} shapes[N_SHAPES] = {
    [GQA] = {"gqa", 72, 172, 2, 9, 3, 8, 300, true, RG_ROPE_NONE},
    [MQA] = {"mqa", 96, 200, 2, 5, 1, 48, 277, false, RG_ROPE_NONE},
    [MHA] = {"mha", 128, 352, 2, 2, 2, 64, 288, true, RG_ROPE_NONE},
    [WIDE] = {"wide", 100, 140, 2, 3, 3, 100, 301, false, RG_ROPE_LLAMA3},
    [SLICED] = {"sliced", 64, 96, 2, 20, 1, 16, 275, true, RG_ROPE_NONE},
    [ONE] = {"one", 64, 96, 1, 4, 2, 16, 288, false, RG_ROPE_LINEAR},
};

const char *scratch_dir(void) { return temp_dir(); }

const char *shape_name(shape_id s) { return shapes[s].name; }

const char *model_path(shape_id s, rg_ftype type, rg_synth_format format)
{
    static char path[256];
    rg_err err = {0};
    snprintf(path, sizeof path, "%s/%s-%s%s", scratch_dir(), shapes[s].name, rg_ftypes[type].name,
        format == RG_SYNTH_GGUF ? ".gguf" : "");
    if (access(path, F_OK) == 0) return path;
    rg_config c = {.arch = "llama",
        .dim = shapes[s].dim,
        .ffn = shapes[s].ffn,
        .layers = shapes[s].layers,
        .heads = shapes[s].heads,
        .kv_heads = shapes[s].kv_heads,
        .head_dim = shapes[s].hd,
        .vocab = shapes[s].vocab,
        .ctx_train = 1024,
        .eps = 1e-5,
        .rope_theta = 10000.0,
        .tied = shapes[s].tied,
        .rope_scaling = shapes[s].scaling,
        .rope_factor = 4.0,
        .rope_low_freq = 1.0,
        .rope_high_freq = 4.0,
        .rope_orig_ctx = 64,
        .bos = 1,
        .eos = {2},
        .n_eos = 1};
    snprintf(c.name, sizeof c.name, "%s", shapes[s].name);
    if (rg_synth_write(&c, type, format, 1, path, NULL, NULL, NULL, &err) != RG_OK)
        fail_msg("synth %s: %s", path, err.msg);
    return path;
}

rg_ckpt *ckpt_open(const char *path)
{
    rg_ckpt *c;
    rg_err err = {0};
    if (rg_ckpt_open(&c, path, &err) != RG_OK) fail_msg("%s: %s", path, err.msg);
    return c;
}

rg_ckpt *model_open(shape_id s, rg_ftype type, rg_synth_format format)
{
    return ckpt_open(model_path(s, type, format));
}

const char *arch_path(const rg_shape *s, int64_t window, rg_synth_format format)
{
    const bool gguf = format == RG_SYNTH_GGUF;
    rg_shape small = *s;
    rg_config *m = &small.config, c;
    rg_err err = {0};
    static char path[300];
    m->dim = 64;
    m->ffn = 96;
    m->layers = rg_min(m->layers, 6);
    m->kv_heads = m->kv_heads == m->heads ? 4 : 2;
    m->heads = 4;
    m->head_dim = 16;
    m->vocab = 275;
    m->ctx_train = 1024;
    if (m->window && window) m->window = window;
    if (m->rope_orig_ctx) m->rope_orig_ctx = 64;
    if (m->rope_dim) m->rope_dim = 12;
    rg_shape_config(&small, &c);
    snprintf(
        path, sizeof path, "%s/%s-%lld%s", scratch_dir(), s->name, (long long)m->window, gguf ? ".gguf" : "");
    if (access(path, F_OK) != 0) {
        const rg_status st = rg_synth_write(&c, RG_FT_F32, format, 1, path, NULL, NULL, NULL, &err);
        if (gguf && st == RG_E_UNSUPPORTED && strstr(err.msg, "GGUF has no word")) return NULL;
        if (st) fail_msg("synth %s: %s", path, err.msg);
    }
    return path;
}

rg_ckpt *arch_open(const rg_shape *s, int64_t window, rg_synth_format format)
{
    const char *path = arch_path(s, window, format);
    return path ? ckpt_open(path) : NULL;
}

rg_isa isa_cap(void)
{
    const char *env = getenv("RIDGE_ISA");
    const int i = env && *env ? rg_isa_from_name(env) : -1;
    return rg_isa_capped(i >= 0 ? (rg_isa)i : RG_ISA_COUNT);
}

double float_bound(double bound) { return isa_cap() >= RG_ISA_AMX ? fmax(bound, 1e-4) : bound; }

rg_engine_opts test_opts(int threads)
{
    return (rg_engine_opts){.threads = threads, .no_pin = true, .dtype = -1, .isa_cap = isa_cap()};
}

rg_engine *engine_open(const rg_ckpt *c, rg_engine_opts o)
{
    rg_engine *e;
    rg_err err = {0};
    if (rg_engine_open(&e, c, &o, &err) != RG_OK) fail_msg("%s: %s", rg_ckpt_path(c), err.msg);
    return e;
}

rg_session *session_open(rg_engine *e, rg_session_opts o)
{
    rg_session *s;
    rg_err err = {0};
    if (rg_session_open(&s, e, &o, &err) != RG_OK) fail_msg("session: %s", err.msg);
    return s;
}

void random_tokens(int32_t *t, int64_t n, int64_t vocab, uint64_t seed)
{
    rg_rng r = {.s = seed};
    for (int64_t i = 0; i < n; i++) t[i] = (int32_t)rng_in(&r, 0, vocab - 1);
}

void eval_all(rg_session *s, const int32_t *t, int64_t n, int64_t step, int64_t vocab, float *out)
{
    rg_err err = {0};
    uint8_t *want = must_alloc((size_t)step);
    memset(want, 1, (size_t)step);
    for (int64_t at = 0; at < n; at += step) {
        const int64_t m = rg_min(step, n - at);
        if (rg_session_eval(s, &(rg_batch){.n = m, .token = t + at, .want = want},
                m > 1 ? RG_PREFILL : RG_DECODE, NULL, &err) != RG_OK)
            fail_msg("eval: %s", err.msg);
        for (int64_t i = 0; i < m; i++)
            memcpy(out + (at + i) * vocab, rg_session_logits(s, i), (size_t)vocab * sizeof *out);
    }
    free(want);
}

double rel_diff(const float *a, const double *b, int64_t n)
{
    double low = INFINITY, high = -INFINITY, worst = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - b[i]);
        if (!isfinite(d)) return INFINITY;
        low = fmin(low, b[i]);
        high = fmax(high, b[i]);
        worst = fmax(worst, d);
    }
    return worst / (high - low);
}

double rel_diff_f(const float *a, const float *b, int64_t n)
{
    double *d = must_alloc((size_t)n * sizeof *d);
    for (int64_t i = 0; i < n; i++) d[i] = (double)b[i];
    const double r = rel_diff(a, d, n);
    free(d);
    return r;
}

void expect_within(double diff, double bound, const char *fmt, ...)
{
    char what[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    if (getenv("RIDGE_TEST_VERBOSE"))
        print_message("%s: %.3g of the range (bound %.3g)\n", what, diff, bound);
    if (!(diff <= bound)) fail_msg("%s: differs by %.3g of the range, bound %.3g", what, diff, bound);
}

void *must_alloc(size_t n)
{
    void *p = malloc(n ? n : 1);
    if (!p) fail_msg("out of memory");
    return p;
}
