/* The quantiser on whole small models: files say bit for bit what the codes say, AWQ's folding does not
 * change the model, calibrated methods make smaller errors of the outputs. */
#include "engine_fixture.h"

#include "model/quantizer.h"
#include "model_build.h"
#include "weights/export.h"

enum { WINDOW = 48, WINDOWS = 12 };

static int32_t calib[WINDOW * WINDOWS];

static rg_quantize_opts options(const rg_ckpt *c, rg_quant_method method, rg_qspec spec)
{
    random_tokens(calib, WINDOW * WINDOWS, rg_ckpt_config(c)->vocab, 21);
    rg_quantize_opts o = {.method = method, .spec = spec, .norm_type = RG_FT_F32, .engine = test_opts(2)};
    if (method == RG_QUANT_AWQ || method == RG_QUANT_GPTQ) {
        o.calib = calib;
        o.window = WINDOW;
        o.n_windows = WINDOWS;
    }
    return o;
}

/* What came out of the quantiser, to be compared with what a file gives back. */
typedef struct kept {
    rg_site site;
    int layer, expert;
    int64_t rows, cols;
    float *w; /* NULL: as in the source */
    bool q;
    double out_error;
    int64_t tokens;
} kept;
typedef struct sink {
    rg_export *e;
    kept t[256];
    int n;
} sink;

static rg_status take(void *user, const rg_quantized *t, rg_err *err)
{
    sink *s = user;
    kept *k = &s->t[s->n++];
    *k = (kept){.site = t->site,
        .layer = t->layer,
        .expert = t->expert,
        .rows = t->rows,
        .cols = t->cols,
        .q = t->q != NULL,
        .out_error = t->out_error,
        .tokens = t->tokens};
    if (t->q || t->f32) k->w = must_alloc(sizeof(float) * (size_t)(t->rows * t->cols));
    for (int64_t r = 0; r < t->rows && t->q; r++) rg_q_row_f32(t->q, r, k->w + r * t->cols);
    if (t->f32) memcpy(k->w, t->f32, sizeof(float) * (size_t)(t->rows * t->cols));
    return s->e ? rg_export_put(s->e, t->q, t->f32, err) : RG_OK;
}

static void drop(sink *s)
{
    for (int i = 0; i < s->n; i++) free(s->t[i].w);
    rg_export_close(s->e);
}

/* Quantises into a file, and keeps what came. */
static sink *export_to(const rg_ckpt *c, const rg_quantize_opts *o, rg_export_format format, const char *path)
{
    rg_err err = {0};
    rg_quantize_plan *p;
    size_t n;
    assert_int_equal(rg_quantize_plan_make(&p, &n, c, o, &err), RG_OK);
    rg_export_tensor *t = must_alloc(n * sizeof *t);
    for (size_t k = 0; k < n; k++)
        t[k] = (rg_export_tensor){p[k].site, p[k].layer, p[k].expert, p[k].rows, p[k].cols, p[k].quantised};
    sink *s = must_alloc(sizeof *s);
    *s = (sink){0};
    if (rg_export_open(&s->e, c, format, o->spec, t, n, o->untie, path, &err) != RG_OK)
        fail_msg("%s", err.msg);
    if (rg_quantize(c, o, take, s, &err) != RG_OK) fail_msg("%s", err.msg);
    assert_int_equal(s->n, n);
    assert_true(access(path, F_OK) != 0); /* not before it is whole */
    if (rg_export_commit(s->e, &err) != RG_OK) fail_msg("%s", err.msg);
    free(t), free(p);
    return s;
}

static bool keep_some(void *user, rg_site site, int layer)
{
    (void)user;
    return site == RG_SITE_FFN_DOWN && layer == 0;
}

/* Every tensor of a written file against what came out of the quantiser; how many are quantised. */
static int compare_file(const sink *s, const rg_ckpt *c, const char *path, const char *what)
{
    rg_err err = {0};
    rg_ckpt *back;
    int quantised = 0;
    if (rg_ckpt_open(&back, path, &err) != RG_OK) fail_msg("%s: %s", what, err.msg);
    for (int k = 0; k < s->n; k++) {
        const kept *a = &s->t[k];
        const rg_ckpt_tensor *b = rg_ckpt_find_expert(back, a->site, a->layer, a->expert),
                             *src = rg_ckpt_find_expert(c, a->site, a->layer, a->expert);
        assert_non_null(b);
        quantised += a->q;
        float *x = must_alloc(sizeof *x * (size_t)a->cols), *y = must_alloc(sizeof *y * (size_t)a->cols);
        for (int64_t r = 0; r < a->rows; r++) {
            rg_ckpt_row_f32(b, r, y);
            if (a->w)
                memcpy(x, a->w + r * a->cols, sizeof *x * (size_t)a->cols);
            else
                rg_ckpt_row_f32(src, r, x);
            for (int64_t q = 0; q < a->cols; q++)
                if (!(x[q] >= y[q] && x[q] <= y[q]))
                    fail_msg("%s: %s of layer %d, expert %d, row %d, column %d: %g in the file, %g expected",
                        what, rg_site_name(a->site), a->layer, a->expert, (int)r, (int)q, (double)y[q],
                        (double)x[q]);
        }
        free(x), free(y);
    }
    rg_ckpt_close(back);
    return quantised;
}

static void round_trips(void **state)
{
    (void)state;
    static const struct {
        rg_export_format format;
        rg_qspec spec;
        const char *name;
        bool head;
    } cases[] = {{RG_EXPORT_GGUF, {RG_QK_SYM4, 32}, "a.gguf", false},
        {RG_EXPORT_GGUF, {RG_QK_MIN4, 32}, "b.gguf", true},
        {RG_EXPORT_GGUF, {RG_QK_SYM8, 32}, "c.gguf", true}, {RG_EXPORT_PACKED, {RG_QK_SYM4, 32}, "d", false},
        {RG_EXPORT_PACKED, {RG_QK_SYM4, 64}, "e", true}, {RG_EXPORT_PACKED, {RG_QK_ZERO4, 32}, "f", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int method = 0; method < 3; method++) { /* AWQ changes norms and what it folds into */
            char path[600], what[64];
            rg_ckpt *c = model_open(MHA, RG_FT_F16, RG_SYNTH_SAFETENSORS);
            rg_quantize_opts o = options(c, (rg_quant_method)method, cases[i].spec);
            o.head = cases[i].head;
            o.untie = o.head && cases[i].format == RG_EXPORT_PACKED && rg_ckpt_config(c)->tied;
            o.keep = keep_some;
            o.norm_type = rg_export_norm_type(c, cases[i].format);
            snprintf(path, sizeof path, "%s/%d%s", scratch_dir(), method, cases[i].name);
            sink *s = export_to(c, &o, cases[i].format, path);
            snprintf(what, sizeof what, "case %zu, method %d", i, method);
            const int quantised = compare_file(s, c, path, what);
            /* else the other ffn_down stays too */
            const int whole = rg_ckpt_config(c)->ffn % cases[i].spec.group == 0;
            assert_int_equal(quantised, (int)rg_ckpt_config(c)->layers * 7 - 2 + whole + cases[i].head);
            drop(s), free(s);
            rg_ckpt_close(c);
        }
}

/* ---- architectures ---- */

static const struct {
    const char *arch;
    int64_t experts, shared;
    bool norm, gguf_only;
} archs[] = {{"qwen2", 0, 0, false, false}, {"qwen3", 0, 0, false, false}, {"granite", 0, 0, false, false},
    {"mixtral", 8, 0, true, false}, {"olmoe", 8, 0, false, false}, {"qwen3_moe", 8, 0, true, false},
    {"qwen2_moe", 8, 96, false, false}, {"granitemoe", 8, 0, true, true}};

static rg_ckpt *arch_model(size_t i, rg_planted planted, rg_synth_format format)
{
    static char path[600];
    rg_config c;
    rg_err err = {0};
    rg_shape shape = {"small",
        {.dim = 64,
            .ffn = archs[i].experts ? 0 : 96,
            .layers = 2,
            .heads = 2,
            .kv_heads = 1,
            .head_dim = 32,
            .vocab = 96,
            .ctx_train = 128,
            .rope_theta = 1e4,
            .eps = 1e-5,
            .experts = archs[i].experts,
            .experts_used = archs[i].experts ? 2 : 0,
            .expert_ffn = archs[i].experts ? 64 : 0,
            .shared_ffn = archs[i].shared}};
    snprintf(shape.config.arch, sizeof shape.config.arch, "%s", archs[i].arch);
    if (strncmp(archs[i].arch, "granite", 7) == 0) {
        shape.config.embd_scale = 12.0, shape.config.resid_scale = 0.22, shape.config.logit_scale = 6.0;
        shape.config.attn_scale = 0.2;
    }
    rg_shape_config(&shape, &c);
    c.experts_norm = archs[i].norm;
    snprintf(path, sizeof path, "%s/%s-%d%s", scratch_dir(), archs[i].arch, (int)planted,
        format == RG_SYNTH_GGUF ? ".gguf" : "");
    if (rg_synth_write_planted(&c, planted, RG_FT_BF16, format, 7, path, NULL, NULL, NULL, &err))
        fail_msg("%s", err.msg);
    return ckpt_open(path);
}

static void logits_of(const char *path, int dtype, float *out)
{
    int32_t token[40];
    rg_ckpt *c = ckpt_open(path);
    rg_engine_opts o = test_opts(2);
    o.dtype = dtype;
    rg_engine *e = engine_open(c, o);
    rg_session *s = session_open(e, (rg_session_opts){.ctx = 64, .max_logits = 40});
    random_tokens(token, 40, 96, 3);
    eval_all(s, token, 40, 40, 96, out);
    rg_session_close(s);
    rg_engine_close(e);
    rg_ckpt_close(c);
}

/* From both kinds of source to both formats: files hold what came; plain ones give the logits of --dtype. */
static void architectures_round_trip(void **state)
{
    (void)state;
    static const struct {
        rg_export_format format;
        rg_qspec spec;
        int dtype;
        const char *name;
    } out[] = {{RG_EXPORT_GGUF, {RG_QK_SYM4, 32}, RG_WT_Q4G32, "q4.gguf"},
        {RG_EXPORT_GGUF, {RG_QK_SYM8, 32}, RG_WT_Q8G32, "q8.gguf"},
        {RG_EXPORT_PACKED, {RG_QK_SYM4, 64}, RG_WT_Q4G64, "q4"},
        {RG_EXPORT_PACKED, {RG_QK_ZERO4, 32}, -1, "z4"}};
    for (size_t a = 0; a < sizeof archs / sizeof *archs; a++)
        for (int gguf = 0; gguf < 2; gguf++)
            for (size_t i = 0; i < sizeof out / sizeof *out; i++)
                for (int method = RG_QUANT_MSE; method <= RG_QUANT_AWQ; method++) {
                    char path[700], what[128];
                    if (archs[a].gguf_only && !gguf) continue;
                    if (gguf && i % 2 != 0 && !archs[a].gguf_only) continue;
                    rg_ckpt *c = arch_model(a, RG_PLANT_FREE, gguf ? RG_SYNTH_GGUF : RG_SYNTH_SAFETENSORS);
                    char source[700];
                    snprintf(source, sizeof source, "%s", rg_ckpt_path(c));
                    rg_quantize_opts o = options(c, (rg_quant_method)method, out[i].spec);
                    o.norm_type = rg_export_norm_type(c, out[i].format);
                    snprintf(what, sizeof what, "%s from %s to %s by %s", archs[a].arch,
                        gguf ? "GGUF" : "safetensors", out[i].name, rg_quant_methods[method]);
                    snprintf(
                        path, sizeof path, "%s/%zu-%d-%d-%s", scratch_dir(), a, gguf, method, out[i].name);
                    if (archs[a].gguf_only && out[i].format == RG_EXPORT_PACKED) {
                        rg_export *e;
                        rg_err err = {0};
                        const rg_export_tensor t = {.site = RG_SITE_ATTN_Q, .rows = 64, .cols = 64};
                        assert_int_equal(
                            rg_export_open(&e, c, out[i].format, o.spec, &t, 1, false, path, &err),
                            RG_E_UNSUPPORTED);
                        assert_non_null(strstr(err.msg, "all experts of a layer in one tensor"));
                        rg_ckpt_close(c);
                        continue;
                    }
                    sink *s = export_to(c, &o, out[i].format, path);
                    const int64_t in_layer =
                        4 + 3 * (archs[a].experts ? archs[a].experts : 1) + (archs[a].shared ? 3 : 0);
                    /* rows of 96 do not divide into groups of 64 */
                    const int left = out[i].spec.group == 64 && (!archs[a].experts || archs[a].shared);
                    assert_int_equal(compare_file(s, c, path, what), 2 * (in_layer - left));
                    rg_ckpt *back = ckpt_open(path);
                    assert_string_equal(rg_ckpt_config(back)->arch, rg_ckpt_config(c)->arch);
                    assert_int_equal(rg_ckpt_config(back)->extra, rg_ckpt_config(c)->extra);
                    assert_int_equal(rg_ckpt_config(back)->experts_norm, rg_ckpt_config(c)->experts_norm);
                    assert_int_equal(rg_ckpt_config(back)->shared_ffn, rg_ckpt_config(c)->shared_ffn);
                    rg_ckpt_close(back);
                    float *x = must_alloc(40 * 96 * sizeof *x), *y = must_alloc(40 * 96 * sizeof *y);
                    logits_of(path, -1, x);
                    const bool same = method == RG_QUANT_MSE && out[i].dtype >= 0 && !left;
                    logits_of(source, same ? out[i].dtype : -1, y);
                    expect_within(rel_diff_f(x, y, 40 * 96), same ? 0.0 : 0.4, "%s", what);
                    free(x), free(y);
                    drop(s), free(s);
                    rg_ckpt_close(c);
                }
}

static rg_config small(void)
{
    return (rg_config){.dim = 64,
        .ffn = 96,
        .layers = 2,
        .heads = 4,
        .kv_heads = 2,
        .head_dim = 32,
        .vocab = 96,
        .ctx_train = 128,
        .eps = 1e-5,
        .rope_theta = 10000.0,
        .tied = true};
}

/* What is written of a model with several matrices in one tensor is a plain Llama's, byte for byte. */
static void stacked_sources(void **state)
{
    (void)state;
    static const struct {
        rg_export_format format;
        const char *out, *files[3];
    } all[] = {{RG_EXPORT_GGUF, "out.gguf", {""}},
        {RG_EXPORT_PACKED, "out", {"/model.safetensors", "/config.json"}}};
    model_build b = {.c = small(), .seed = 5};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        unsigned char *got[2][2];
        size_t n[2][2];
        for (int stacked = 0; stacked < 2; stacked++) {
            char source[600], path[600], file[700];
            b.arch = stacked ? "Phi3ForCausalLM" : NULL;
            b.stacked = stacked ? STACK_PHI3 : STACK_NONE;
            snprintf(source, sizeof source, "%s/source", scratch_dir());
            snprintf(path, sizeof path, "%s/%d%s", scratch_dir(), stacked, all[i].out);
            build_hf(&b, source);
            build_drop(&b);
            rg_ckpt *c = ckpt_open(source);
            const rg_quantize_opts o = options(c, RG_QUANT_MSE, (rg_qspec){RG_QK_SYM4, 32});
            sink *s = export_to(c, &o, all[i].format, path);
            drop(s), free(s);
            for (int k = 0; k < 2 && all[i].files[k]; k++) {
                snprintf(file, sizeof file, "%s%s", path, all[i].files[k]);
                got[stacked][k] = read_all(file, &n[stacked][k]);
            }
            rg_ckpt_close(c);
        }
        for (int k = 0; k < 2 && all[i].files[k]; k++) {
            assert_int_equal(n[0][k], n[1][k]);
            assert_memory_equal(got[0][k], got[1][k], n[0][k]);
            free(got[0][k]), free(got[1][k]);
        }
    }
}

/* A window stays one, and what would be lost is refused. */
static void stacked_classes(void **state)
{
    (void)state;
    char source[600], path[600];
    model_build b = {.c = small(),
        .seed = 6,
        .arch = "Phi3ForCausalLM",
        .more = "\"sliding_window\": 7, \"auto_map\": {\"AutoConfig\": \"configuration_phi3.Phi3Config\"}",
        .stacked = STACK_PHI3};
    snprintf(source, sizeof source, "%s/source", scratch_dir());
    snprintf(path, sizeof path, "%s/window", scratch_dir());
    build_hf(&b, source);
    build_drop(&b);
    rg_ckpt *c = ckpt_open(source);
    const rg_quantize_opts o = options(c, RG_QUANT_RTN, (rg_qspec){RG_QK_SYM4, 32});
    sink *s = export_to(c, &o, RG_EXPORT_PACKED, path);
    drop(s), free(s);
    rg_ckpt_close(c);
    c = ckpt_open(path);
    assert_string_equal(rg_ckpt_config(c)->arch, "mistral");
    assert_int_equal(rg_ckpt_config(c)->window, 7);
    assert_null(rg_ckpt_note(c, 0)); /* no auto_map */
    rg_ckpt_close(c);
    /* attention_multiplier alone is no operator of its own */
    b.arch = "GraniteMoeHybridForCausalLM";
    b.more = "\"position_embedding_type\": \"rope\", \"shared_intermediate_size\": 96";
    b.stacked = STACK_GRANITE4;
    build_hf(&b, source);
    build_drop(&b);
    c = ckpt_open(source);
    rg_quantize_plan *p;
    rg_err err = {0};
    size_t n;
    assert_int_equal(rg_quantize_plan_make(&p, &n, c, &o, &err), RG_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "beyond a plain Llama"));
    rg_ckpt_close(c);
}

/* A layer run before and after the fold, on the same hidden states, in f32: the same function to rounding. */
static void folding_leaves_the_function(void **state)
{
    (void)state;
    static const shape_id shapes[] = {GQA, MHA, SLICED};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int norm = 0; norm < 2; norm++) {
            rg_err err = {0};
            rg_ckpt *c = model_open(shapes[i], RG_FT_F32, RG_SYNTH_SAFETENSORS);
            const rg_config *cfg = rg_ckpt_config(c);
            /* groups that divide nothing would leave nothing to scale: pretend that all divide, the fold does
             * not store codes */
            rg_quantize_opts o = options(c, RG_QUANT_AWQ, (rg_qspec){RG_QK_SYM4, 32});
            if (cfg->dim % 32 || cfg->ffn % 32 || rg_q_dim(cfg) % 32) {
                rg_ckpt_close(c);
                continue;
            }
            o.norm_type = norm ? RG_FT_F16 : RG_FT_F32;
            rg_quantizer z = {.c = c, .cfg = cfg, .o = &o, .threads = 2};
            assert_true(
                rg_kernels_select(&z.k, isa_cap() < rg_isa_best() ? isa_cap() : rg_isa_best(), false));
            assert_int_equal(rg_team_open(&z.team, 2, NULL, &z.k, 4096, 1 << 20, &err), RG_OK);
            for (int s = 0; s < RG_SITE_COUNT; s++) {
                const rg_ckpt_tensor *t = rg_site_in_layer(s) ? rg_ckpt_find(c, s, 0) : NULL;
                if (!t) continue;
                z.w[s] = must_alloc(sizeof(float) * (size_t)(t->rows * t->cols));
                for (int64_t r = 0; r < t->rows; r++) rg_ckpt_row_f32(t, r, z.w[s] + r * t->cols);
            }
            /* inputs of unequal size, or there is nothing to scale */
            for (int64_t k = 0; k < cfg->dim; k += 7)
                z.w[RG_SITE_ATTN_NORM][k] *= 8.0f, z.w[RG_SITE_FFN_NORM][k] *= 8.0f;
            if (rg_calib_open(&z, &err) != RG_OK) fail_msg("%s", err.msg);
            const int64_t n = WINDOW * WINDOWS * cfg->dim;
            float *in = must_alloc(sizeof *in * (size_t)n), *out = must_alloc(sizeof *out * (size_t)n),
                  *was = must_alloc(sizeof *was * (size_t)(cfg->dim));
            memcpy(in, z.hidden, sizeof *in * (size_t)n);
            memcpy(was, z.w[RG_SITE_ATTN_NORM], sizeof *was * (size_t)cfg->dim);
            if (rg_calib_run(&z, 0, true, true, &err) != RG_OK) fail_msg("%s", err.msg);
            memcpy(out, z.hidden, sizeof *out * (size_t)n);
            memcpy(z.hidden, in, sizeof *in * (size_t)n);
            if (rg_awq_fold_layer(&z, 0, &err) != RG_OK) fail_msg("%s", err.msg);
            assert_memory_not_equal(was, z.w[RG_SITE_ATTN_NORM], sizeof *was * (size_t)cfg->dim);
            if (norm) /* folded norms are exact in their type */
                for (int64_t k = 0; k < cfg->dim; k++) {
                    const float v = z.w[RG_SITE_FFN_NORM][k], h = rg_f16_to_f32(rg_f32_to_f16(v));
                    assert_true(v >= h && v <= h);
                }
            if (rg_calib_run(&z, 0, false, true, &err) != RG_OK) fail_msg("%s", err.msg);
            double diff = 0.0, size = 0.0;
            for (int64_t k = 0; k < n; k++) {
                diff = fmax(diff, fabs((double)z.hidden[k] - (double)out[k]));
                size = fmax(size, fabs((double)out[k] - (double)in[k]));
            }
            expect_within(
                diff / size, 2e-5, "%s, norms %s", shape_name(shapes[i]), rg_ftypes[o.norm_type].name);
            free(in), free(out), free(was);
            for (int s = 0; s < RG_SITE_COUNT; s++) free(z.w[s]);
            rg_calib_close(&z);
            rg_team_close(z.team);
            rg_ckpt_close(c);
        }
}

/* ---- experts ---- */

/* A quantiser with a layer in memory, and what its calibration showed. */
static void open_layer(rg_quantizer *z, const rg_ckpt *c, const rg_quantize_opts *o, int layer)
{
    rg_err err = {0};
    *z = (rg_quantizer){.c = c, .cfg = rg_ckpt_config(c), .o = o, .threads = 2};
    assert_true(rg_kernels_select(&z->k, isa_cap() < rg_isa_best() ? isa_cap() : rg_isa_best(), false));
    assert_int_equal(rg_team_open(&z->team, 2, NULL, &z->k, 4096, 1 << 20, &err), RG_OK);
    for (int s = 0; s < RG_SITE_COUNT; s++)
        for (int e = 0; rg_site_in_layer(s) && e < rg_site_matrices(z->cfg, s); e++) {
            const rg_ckpt_tensor *t = rg_ckpt_find_expert(c, s, layer, e);
            if (!t) continue;
            if (!z->w[s])
                z->w[s] =
                    must_alloc(sizeof(float) * (size_t)(rg_site_matrices(z->cfg, s) * t->rows * t->cols));
            for (int64_t r = 0; r < t->rows; r++)
                rg_ckpt_row_f32(t, r, rg_quantizer_weights(z, t) + r * t->cols);
        }
    if (rg_calib_open(z, &err) != RG_OK) fail_msg("%s", err.msg);
    if (rg_calib_run(z, layer, true, false, &err) != RG_OK) fail_msg("%s", err.msg);
}

static void close_layer(rg_quantizer *z)
{
    for (int s = 0; s < RG_SITE_COUNT; s++) free(z->w[s]);
    rg_calib_close(z);
    rg_team_close(z->team);
}

/* What a session shows of layer 0, gathered without the quantiser: inputs of all experts, and logits of its
 * router. */
typedef struct watched {
    float *x, *router;
    int64_t n, dim, experts;
} watched;

static void watch(void *user, const rg_seen *s)
{
    watched *w = user;
    if (s->layer != 0) return;
    if (s->site == RG_SITE_FFN_NORM)
        memcpy(w->x + w->n * w->dim, s->data, sizeof(float) * (size_t)(s->rows * s->cols));
    if (s->site != RG_SITE_FFN_GATE_INP) return;
    memcpy(w->router + w->n * w->experts, s->data, sizeof(float) * (size_t)(s->rows * s->cols));
    w->n += s->rows;
}

static double silu(double x) { return x / (1.0 + exp(-x)); }

/* Moments of each expert's inputs, against float64 over the tokens whose logits choose it. */
static void experts_see_their_tokens(void **state)
{
    (void)state;
    enum { OLMOE = 4, N = WINDOW * WINDOWS };
    rg_err err = {0};
    rg_ckpt *c = arch_model(OLMOE, RG_PLANT_ZIPF, RG_SYNTH_GGUF);
    const rg_config *cfg = rg_ckpt_config(c);
    const rg_quantize_opts o = options(c, RG_QUANT_GPTQ, (rg_qspec){RG_QK_SYM4, 32});
    rg_quantizer z;
    open_layer(&z, c, &o, 0);
    const int64_t dim = cfg->dim, ffn = cfg->expert_ffn, E = cfg->experts;
    watched w = {.x = must_alloc(sizeof(float) * (size_t)(N * dim)),
        .router = must_alloc(sizeof(float) * (size_t)(N * E)),
        .dim = dim,
        .experts = E};
    rg_engine_opts eo = test_opts(2);
    eo.dtype = RG_WT_F32;
    rg_engine *e = engine_open(c, eo);
    rg_session *s = session_open(e, (rg_session_opts){.ctx = WINDOW, .kv_k = RG_KV_F32, .kv_v = RG_KV_F32});
    rg_session_observe(s, watch, &w);
    for (int i = 0; i < WINDOWS; i++) {
        rg_session_truncate(s, 0, 0);
        assert_int_equal(
            rg_session_eval(s, &(rg_batch){.n = WINDOW, .token = calib + i * WINDOW}, RG_PREFILL, NULL, &err),
            RG_OK);
    }
    assert_int_equal(w.n, N);
    int64_t all = 0;
    double *h = must_alloc(sizeof *h * (size_t)(dim * dim)), *act = must_alloc(sizeof *act * (size_t)ffn),
           *ha = must_alloc(sizeof *ha * (size_t)(ffn * ffn));
    for (int x = 0; x < E; x++) {
        int64_t n = 0;
        memset(h, 0, sizeof *h * (size_t)(dim * dim));
        memset(ha, 0, sizeof *ha * (size_t)(ffn * ffn));
        const float *gate = z.w[RG_SITE_FFN_GATE_EXPS] + x * ffn * dim,
                    *up = z.w[RG_SITE_FFN_UP_EXPS] + x * ffn * dim;
        for (int64_t t = 0; t < N; t++) {
            const float *l = w.router + t * E, *row = w.x + t * dim;
            int better = 0; /* of equal ones the first is chosen */
            for (int j = 0; j < E; j++) better += l[j] > l[x] || (j < x && !(l[j] < l[x]));
            if (better >= cfg->experts_used) continue;
            n++;
            for (int64_t a = 0; a < dim; a++)
                for (int64_t b = 0; b < dim; b++) h[a * dim + b] += (double)row[a] * (double)row[b];
            for (int64_t r = 0; r < ffn; r++) {
                double g = 0.0, u = 0.0;
                for (int64_t k = 0; k < dim; k++) {
                    g += (double)gate[r * dim + k] * (double)row[k];
                    u += (double)up[r * dim + k] * (double)row[k];
                }
                act[r] = silu(g) * u;
            }
            for (int64_t a = 0; a < ffn; a++)
                for (int64_t b = 0; b < ffn; b++) ha[a * ffn + b] += act[a] * act[b];
        }
        assert_int_equal(rg_routed_tokens(&z, x), n);
        all += n;
        for (int which = 0; which < 2; which++) {
            const double *want = which ? ha : h;
            const rg_moments *m = rg_calib_input(&z, which ? RG_SITE_FFN_DOWN_EXPS : RG_SITE_FFN_UP_EXPS, x);
            assert_true((m != NULL) == (n > 0));
            double worst = 0.0, most = 0.0;
            for (int64_t a = 0; m && a < m->k; a++)
                for (int64_t b = 0; b < m->k; b++) {
                    const double v = want[a * m->k + b] / (double)n;
                    worst = fmax(worst, fabs((double)m->h[a * m->ld + b] - v));
                    most = fmax(most, fabs(v));
                }
            if (m) expect_within(worst / most, 2e-5, "expert %d, input %d, %d tokens", x, which, (int)n);
        }
    }
    assert_int_equal(all, N * cfg->experts_used);
    free(h), free(ha), free(act), free(w.x), free(w.router);
    rg_session_close(s);
    rg_engine_close(e);
    close_layer(&z);
    rg_ckpt_close(c);
}

/* Where all tokens choose the same experts, these are quantised as dense matrices of the same rows are, bit
 * for bit, and the others, which nobody chose, as by MSE. */
static void experts_as_dense(void **state)
{
    (void)state;
    enum { OLMOE = 4 };
    if (!rg_factor_available()) skip();
    rg_ckpt *c = arch_model(OLMOE, RG_PLANT_SAME, RG_SYNTH_GGUF);
    const rg_config *cfg = rg_ckpt_config(c);
    const rg_quantize_opts o = options(c, RG_QUANT_GPTQ, (rg_qspec){RG_QK_SYM4, 32}),
                           plain = options(c, RG_QUANT_MSE, (rg_qspec){RG_QK_SYM4, 32});
    rg_err err = {0};
    rg_quantizer z;
    sink *s[2];
    for (int i = 0; i < 2; i++) {
        s[i] = must_alloc(sizeof *s[i]);
        *s[i] = (sink){0};
        if (rg_quantize(c, i ? &plain : &o, take, s[i], &err) != RG_OK) fail_msg("%s", err.msg);
    }
    const rg_quantize_opts again = options(c, RG_QUANT_GPTQ, (rg_qspec){RG_QK_SYM4, 32});
    open_layer(&z, c, &again, 0);
    const int64_t dim = cfg->dim, ffn = cfg->expert_ffn;
    rg_moments *m = &z.in[2]; /* of ffn_norm, by all tokens */
    double used;
    assert_true(rg_factor(m->h, m->ld, m->k, 0.01, &used));
    int dense = 0, alone = 0;
    for (int i = 0; i < s[0]->n; i++) {
        const kept *k = &s[0]->t[i];
        const size_t bytes = sizeof(float) * (size_t)(k->rows * k->cols);
        if (!rg_op_of_experts(rg_site_op(k->site))) {
            assert_int_equal(k->tokens, -1);
            continue;
        }
        assert_int_equal(k->tokens, k->expert < cfg->experts_used ? WINDOW * WINDOWS : 0);
        assert_int_equal(s[1]->t[i].tokens, -1);
        if (k->tokens == 0) {
            assert_memory_equal(k->w, s[1]->t[i].w, bytes);
            assert_true(isnan(k->out_error));
            alone++;
            continue;
        }
        assert_memory_not_equal(k->w, s[1]->t[i].w, bytes);
        if (k->layer != 0 || k->site != RG_SITE_FFN_UP_EXPS) continue;
        /* inputs of a layer are seen before anything of it is quantised */
        float *w = z.w[k->site] + k->expert * ffn * dim,
              *rest = aligned_alloc(64, sizeof(float) * RG_Q_TILE * RG_Q_BLOCK);
        rg_qtensor q = {.spec = o.spec,
            .rows = ffn,
            .cols = dim,
            .code = must_alloc((size_t)(ffn * dim)),
            .scale = must_alloc(sizeof(uint16_t) * (size_t)(ffn * dim / 32)),
            .offset = must_alloc(sizeof(uint16_t) * (size_t)(ffn * dim / 32))};
        rg_qstats stats = {0};
        for (int64_t r = 0; r < ffn; r += RG_Q_TILE)
            rg_gptq_rows(&z.k, &q, w, m->h, m->ld, rest, r, rg_min(r + RG_Q_TILE, ffn), &stats);
        for (int64_t r = 0; r < ffn; r++) {
            float row[64];
            rg_q_row_f32(&q, r, row);
            assert_memory_equal(row, k->w + r * dim, sizeof row);
        }
        dense++;
        free(q.code), free(q.scale), free(q.offset), free(rest);
    }
    assert_int_equal(dense, cfg->experts_used);
    assert_int_equal(alone, 3 * cfg->layers * (cfg->experts - cfg->experts_used));
    close_layer(&z);
    for (int i = 0; i < 2; i++) drop(s[i]), free(s[i]);
    rg_ckpt_close(c);
}

/* AWQ in front of experts leaves their choice alone, and the function as it is. */
static void routers_stay(void **state)
{
    (void)state;
    static const size_t some[] = {3, 6}; /* Mixtral; with a shared network and biases */
    for (size_t i = 0; i < 2; i++) {
        rg_err err = {0};
        rg_ckpt *c = arch_model(some[i], RG_PLANT_FREE, RG_SYNTH_GGUF);
        const rg_config *cfg = rg_ckpt_config(c);
        const rg_quantize_opts o = options(c, RG_QUANT_AWQ, (rg_qspec){RG_QK_SYM4, 32});
        rg_quantizer z;
        open_layer(&z, c, &o, 0);
        const int64_t n = WINDOW * WINDOWS * cfg->dim, rows = WINDOW * WINDOWS * cfg->experts_used;
        int32_t *chosen = must_alloc(sizeof *chosen * (size_t)rows);
        float *in = must_alloc(sizeof *in * (size_t)n), *out = must_alloc(sizeof *out * (size_t)n);
        memcpy(in, z.hidden, sizeof *in * (size_t)n);
        /* inputs of unequal size, or there is nothing to scale */
        for (int64_t k = 0; k < cfg->dim; k += 7) z.w[RG_SITE_FFN_NORM][k] *= 8.0f;
        if (rg_calib_run(&z, 0, true, true, &err) != RG_OK) fail_msg("%s", err.msg);
        memcpy(chosen, z.routed.expert, sizeof *chosen * (size_t)rows);
        memcpy(out, z.hidden, sizeof *out * (size_t)n);
        memcpy(z.hidden, in, sizeof *in * (size_t)n);
        const float was = z.w[RG_SITE_FFN_NORM][0];
        if (rg_awq_fold_layer(&z, 0, &err) != RG_OK) fail_msg("%s", err.msg);
        assert_true(z.w[RG_SITE_FFN_NORM][0] < was);
        const rg_ckpt_tensor *t = rg_ckpt_find(c, RG_SITE_FFN_GATE_INP, 0);
        for (int64_t k = 0; k < t->rows * t->cols; k++) /* what its type can say */
            assert_true(rg_f32_bits(z.w[RG_SITE_FFN_GATE_INP][k]) % 65536 == 0);
        if (rg_calib_run(&z, 0, true, true, &err) != RG_OK) fail_msg("%s", err.msg);
        assert_memory_equal(chosen, z.routed.expert, sizeof *chosen * (size_t)rows);
        double diff = 0.0, size = 0.0;
        for (int64_t k = 0; k < n; k++) {
            diff = fmax(diff, fabs((double)z.hidden[k] - (double)out[k]));
            size = fmax(size, fabs((double)out[k] - (double)in[k]));
        }
        expect_within(diff / size, 2e-5, "%s", archs[some[i]].arch);
        free(chosen), free(in), free(out);
        close_layer(&z);
        rg_ckpt_close(c);
    }
}

/* The same whatever the number of threads (but for LAPACK's factor, whose last bits are its own affair); and
 * calibrated methods make smaller errors of the outputs. */
static void methods(void **state)
{
    (void)state;
    double mean[RG_QUANT_METHODS] = {0};
    for (int method = RG_QUANT_AWQ; method <= RG_QUANT_GPTQ; method++) {
        if (method == RG_QUANT_GPTQ && !rg_factor_available()) continue;
        sink *s[2];
        for (int threads = 1; threads <= 2; threads++) {
            rg_err err = {0};
            rg_ckpt *c = model_open(SLICED, RG_FT_F32, RG_SYNTH_SAFETENSORS);
            rg_quantize_opts o = options(c, (rg_quant_method)method, (rg_qspec){RG_QK_SYM4, 32});
            o.engine.threads = threads;
            sink *k = s[threads - 1] = must_alloc(sizeof *k);
            *k = (sink){0};
            if (rg_quantize(c, &o, take, k, &err) != RG_OK) fail_msg("%s", err.msg);
            rg_ckpt_close(c);
        }
        int n = 0;
        assert_int_equal(s[0]->n, s[1]->n);
        for (int i = 0; i < s[0]->n; i++) {
            const kept *a = &s[0]->t[i];
            if (a->w && method == RG_QUANT_AWQ)
                assert_memory_equal(a->w, s[1]->t[i].w, sizeof(float) * (size_t)(a->rows * a->cols));
            if (a->q) mean[method] += a->out_error, n++;
            if (a->q) assert_true(fabs(a->out_error - s[1]->t[i].out_error) < 0.05 * a->out_error);
        }
        mean[method] /= n;
        for (int i = 0; i < 2; i++) drop(s[i]), free(s[i]);
    }
    assert_true(mean[RG_QUANT_AWQ] > 0.0);
    /* random weights: little for scales to do */
    if (rg_factor_available()) assert_true(mean[RG_QUANT_GPTQ] < mean[RG_QUANT_AWQ]);
}

static void refusals(void **state)
{
    (void)state;
    rg_err err = {0};
    sink s = {0};
    rg_ckpt *c = model_open(MHA, RG_FT_Q8_0, RG_SYNTH_GGUF);
    rg_quantize_opts o = options(c, RG_QUANT_MSE, (rg_qspec){RG_QK_SYM4, 32});
    assert_int_equal(rg_quantize(c, &o, take, &s, &err), RG_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "quantised already"));
    rg_ckpt_close(c);
    c = model_open(MHA, RG_FT_F32, RG_SYNTH_SAFETENSORS);
    o = options(c, RG_QUANT_AWQ, (rg_qspec){RG_QK_SYM4, 32});
    o.n_windows = 0;
    assert_int_equal(rg_quantize(c, &o, take, &s, &err), RG_E_USAGE);
    o.n_windows = WINDOWS;
    calib[5] = 1 << 20;
    assert_int_equal(rg_quantize(c, &o, take, &s, &err), RG_E_USAGE);
    assert_int_equal(s.n, 0);
    rg_stop_flag stop = 1;
    o = options(c, RG_QUANT_MSE, (rg_qspec){RG_QK_SYM4, 32});
    o.engine.stop = &stop;
    assert_int_equal(rg_quantize(c, &o, take, &s, &err), RG_E_INTERRUPTED);
    rg_ckpt_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trips),
        cmocka_unit_test(architectures_round_trip), cmocka_unit_test(stacked_sources),
        cmocka_unit_test(stacked_classes), cmocka_unit_test(folding_leaves_the_function),
        cmocka_unit_test(experts_see_their_tokens), cmocka_unit_test(experts_as_dense),
        cmocka_unit_test(routers_stay), cmocka_unit_test(methods), cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
