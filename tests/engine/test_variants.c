/* Models that are Llama but for something, and every storage of weights, against the float64 forward pass. */
#include "engine_fixture.h"

#include "base/num.h"
#include "model_build.h"

/* Quantised weights may meet activations in 16 bits per group (2^-16 of the largest): then the second one. */
static const double F32_BOUND = 5e-6, I16_BOUND = 3e-4;

static rg_config shape(void)
{
    return (rg_config){.dim = 128,
        .ffn = 192,
        .layers = 2,
        .heads = 6,
        .kv_heads = 2,
        .head_dim = 32,
        .vocab = 96,
        .ctx_train = 512,
        .eps = 1e-5,
        .rope_theta = 10000.0,
        .tied = true};
}

static const char *place(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", scratch_dir(), name);
    return path;
}

static rg_ckpt *from_hf(model_build *b, const char *name)
{
    build_hf(b, place(name));
    build_drop(b);
    return ckpt_open(place(name));
}

static rg_ckpt *from_gguf(model_build *b, const char *name)
{
    build_gguf(b, place(name));
    build_drop(b);
    return ckpt_open(place(name));
}

/* Every counted byte and operation of a one-thread record of these operators is what the formula says. */
static void check_log(const rg_log *log, const char *what)
{
    for (size_t i = 0; i < log->n; i++) {
        const rg_rec *r = &log->rec[i];
        const rg_op op = rg_site_op(r->site);
        if (op != RG_OP_BIAS && op != RG_OP_SCALE && op != RG_OP_REORDER) continue;
        const rg_tally a = rg_cost(op, &r->dims, (rg_wtype)r->wtype, (rg_kvtype)r->kv_k, (rg_kvtype)r->kv_v);
        if (memcmp(&a, &r->tally, sizeof a) != 0)
            fail_msg("%s: %s counts %llu bytes, its formula %llu", what, rg_site_name(r->site),
                (unsigned long long)rg_tally_bytes(&r->tally), (unsigned long long)rg_tally_bytes(&a));
    }
}

/* Logits of n tokens by `step`, against the weights that the engine holds (resident) or that the file
 * means. */
static void compare(const rg_ckpt *c, int dtype, bool resident, int64_t n, double bound, const char *what)
{
    const rg_config *cfg = rg_ckpt_config(c);
    int32_t *token = must_alloc((size_t)n * sizeof *token);
    double *want = must_alloc((size_t)(n * cfg->vocab) * sizeof *want);
    float *got = must_alloc((size_t)(n * cfg->vocab) * sizeof *got);
    random_tokens(token, n, cfg->vocab, 11);
    for (int threads = 1; threads <= 3; threads += 2) {
        rg_engine_opts o = test_opts(threads);
        o.dtype = dtype;
        rg_engine *e = engine_open(c, o);
        ref_model *r = resident ? ref_from_engine(e) : ref_from_ckpt(c);
        ref_forward(r, token, n, want);
        for (int unfused = 0; unfused < 2; unfused++) {
            rg_session *s = session_open(e,
                (rg_session_opts){
                    .ctx = 512, .kv_k = RG_KV_F32, .kv_v = RG_KV_F32, .max_logits = n, .unfused = unfused});
            const int64_t steps[] = {n, 1, 9};
            for (int i = 0; i < 3; i++) {
                rg_session_truncate(s, 0, 0);
                eval_all(s, token, n, steps[i], cfg->vocab, got);
                expect_within(rel_diff(got, want, n * cfg->vocab), bound,
                    "%s, %d threads, %lld tokens by %lld, %s", what, threads, (long long)n,
                    (long long)steps[i], unfused ? "unfused" : "fused");
            }
            rg_log log;
            rg_err err = {0};
            assert_int_equal(rg_log_open(&log, 1, rg_session_ops_per_step(s)), 0);
            rg_session_truncate(s, 0, 0);
            if (rg_session_eval(s, &(rg_batch){.n = rg_min(n, 20), .token = token}, RG_PREFILL, &log, &err) !=
                RG_OK)
                fail_msg("%s: %s", what, err.msg);
            assert_int_equal(log.dropped, 0);
            if (threads == 1) check_log(&log, what);
            rg_log_close(&log);
            rg_session_close(s);
        }
        ref_close(r);
        rg_engine_close(e);
    }
    free(token);
    free(want);
    free(got);
}

static void biases(void **state)
{
    (void)state;
    static const struct {
        const char *name, *arch, *more;
        bool qkv, o, mlp;
    } all[] = {{"llama-attention-bias", NULL, "\"attention_bias\": true", true, true, false},
        {"llama-mlp-bias", NULL, "\"mlp_bias\": true", false, false, true},
        {"llama-all-biases", NULL, "\"attention_bias\": true, \"mlp_bias\": true", true, true, true},
        {"qwen2", "Qwen2ForCausalLM",
            "\"use_sliding_window\": false, \"sliding_window\": 4, \"max_window_layers\": 1", true, false,
            false}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        model_build b = {.c = shape(),
            .seed = i + 1,
            .arch = all[i].arch,
            .more = all[i].more,
            .qkv_bias = all[i].qkv,
            .o_bias = all[i].o,
            .mlp_bias = all[i].mlp};
        rg_ckpt *c = from_hf(&b, all[i].name);
        assert_int_equal(
            __builtin_popcountll(rg_ckpt_config(c)->extra), 3 * all[i].qkv + all[i].o + 3 * all[i].mlp);
        compare(c, -1, false, 40, float_bound(F32_BOUND), all[i].name);
        rg_ckpt_close(c);
    }
    /* rows of q and k, and so their biases, are permuted in one of the two */
    static const char *const archs[] = {"llama", "qwen2"};
    for (size_t i = 0; i < 2; i++) {
        model_build b = {.c = shape(), .seed = 9, .arch = archs[i], .ggml = 0, .qkv_bias = true};
        char file[32];
        snprintf(file, sizeof file, "%s.gguf", archs[i]);
        rg_ckpt *c = from_gguf(&b, file);
        assert_int_equal(rg_ckpt_find(c, RG_SITE_ATTN_K_BIAS, 1)->interleaved, i == 0 ? 32 : 0);
        compare(c, -1, false, 40, float_bound(F32_BOUND), archs[i]);
        rg_ckpt_close(c);
    }
}

/* The truth of a bias in GGUF comes from the builder, not from the reader under test. */
static void gguf_biases_are_permuted_like_their_rows(void **state)
{
    (void)state;
    model_build b = {.c = shape(), .seed = 12, .ggml = 0, .qkv_bias = true};
    build_gguf(&b, place("permuted.gguf"));
    rg_ckpt *c = ckpt_open(place("permuted.gguf"));
    float got[256];
    for (size_t i = 0; i < rg_ckpt_count(c); i++) {
        const rg_ckpt_tensor *t = rg_ckpt_at(c, i);
        const double *w = build_truth(&b, t->file_name);
        if (rg_site_op(t->site) != RG_OP_BIAS) continue;
        rg_ckpt_row_f32(t, 0, got);
        for (int64_t k = 0; k < t->cols; k++) assert_true((double)got[k] == w[k]);
    }
    rg_ckpt_close(c);
    build_drop(&b);
}

static void granite(void **state)
{
    (void)state;
    model_build b = {.c = shape(),
        .seed = 20,
        .arch = "GraniteForCausalLM",
        .more = "\"embedding_multiplier\": 12.0, \"attention_multiplier\": 0.125, \"residual_multiplier\": "
                "0.22, \"logits_scaling\": 8.0"};
    rg_ckpt *c = from_hf(&b, "granite");
    assert_true(rg_ckpt_config(c)->embd_scale == 12.0);
    compare(c, -1, false, 40, float_bound(F32_BOUND), "granite");
    rg_ckpt_close(c);
    b = (model_build){.c = shape(), .seed = 21, .arch = "granite", .ggml = 0};
    b.c.embd_scale = 12.0;
    b.c.attn_scale = 0.125;
    b.c.resid_scale = 0.22;
    b.c.logit_scale = 8.0;
    c = from_gguf(&b, "granite.gguf");
    assert_true(rg_ckpt_config(c)->logit_scale == 8.0);
    compare(c, -1, false, 40, float_bound(F32_BOUND), "granite, GGUF");
    rg_ckpt_close(c);
}

/* Logits of n tokens. */
static void logits_of(const rg_ckpt *c, int64_t n, float *out)
{
    int32_t token[64];
    random_tokens(token, n, rg_ckpt_config(c)->vocab, 17);
    rg_engine *e = engine_open(c, test_opts(2));
    rg_session *s =
        session_open(e, (rg_session_opts){.ctx = 512, .kv_k = RG_KV_F32, .kv_v = RG_KV_F32, .max_logits = n});
    eval_all(s, token, n, 9, rg_ckpt_config(c)->vocab, out);
    rg_session_close(s);
    rg_engine_close(e);
}

/* A model with matrices of several in one tensor, and the one whose matrices they are: the same bits. */
static void stacked_is_split(void **state)
{
    (void)state;
    enum { N = 40 };
    static const struct {
        const char *name, *arch, *plain; /* with a point: GGUF */
        const char *more, *plain_more;
        stacking stacked;
        int ggml;
    } all[] = {{"phi3", "Phi3ForCausalLM", NULL, NULL, NULL, STACK_PHI3, 0},
        {"phi3-window", "Phi3ForCausalLM", "MistralForCausalLM", "\"sliding_window\": 7",
            "\"sliding_window\": 7", STACK_PHI3, 0},
        {"granite4", "GraniteMoeHybridForCausalLM", "GraniteForCausalLM",
            "\"shared_intermediate_size\": 192, \"position_embedding_type\": \"rope\", "
            "\"num_local_experts\": 0, \"embedding_multiplier\": 12.0, \"logits_scaling\": 8.0",
            "\"embedding_multiplier\": 12.0, \"logits_scaling\": 8.0", STACK_GRANITE4, 0},
        {"phi3.gguf", "phi3", "qwen2", NULL, NULL, STACK_PHI3, 0},
        {"phi3-q8.gguf", "phi3", "qwen2", NULL, NULL, STACK_PHI3, 8},
        {"phi3-q4k.gguf", "phi3", "qwen2", NULL, NULL, STACK_PHI3, 12}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        model_build b = {.c = shape(), .seed = 90 + i, .ggml = all[i].ggml};
        const bool gguf = strchr(all[i].name, '.');
        float *got[2];
        b.c.ffn = all[i].ggml == 12 ? b.c.dim = 256 : 192;
        for (int k = 0; k < 2; k++) {
            b.arch = k ? all[i].arch : all[i].plain;
            b.more = k ? all[i].more : all[i].plain_more;
            b.stacked = k ? all[i].stacked : STACK_NONE;
            rg_ckpt *c = (gguf ? from_gguf : from_hf)(&b, all[i].name);
            got[k] = must_alloc((size_t)(N * b.c.vocab) * sizeof *got[k]);
            logits_of(c, N, got[k]);
            if (k && all[i].ggml == 0) compare(c, -1, false, N, float_bound(F32_BOUND), all[i].name);
            rg_ckpt_close(c);
        }
        if (memcmp(got[0], got[1], (size_t)(N * b.c.vocab) * sizeof **got) != 0)
            fail_msg("%s: other logits than the plain model", all[i].name);
        free(got[0]);
        free(got[1]);
    }
}

static void sliding_windows(void **state)
{
    (void)state;
    static const int windows[] = {1, 7, 16, 39, 40, 270};
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        char more[64], what[64];
        snprintf(more, sizeof more, "\"sliding_window\": %d", windows[i]);
        snprintf(what, sizeof what, "window of %d", windows[i]);
        model_build b = {.c = shape(), .seed = 30 + i, .arch = "MistralForCausalLM", .more = more};
        rg_ckpt *c = from_hf(&b, "mistral");
        assert_int_equal(rg_ckpt_config(c)->window, windows[i]);
        /* 300 tokens: more than a chunk of the context, whose begin the window leaves behind */
        compare(c, -1, false, i % 2 ? 300 : 40, float_bound(F32_BOUND), what);
        rg_ckpt_close(c);
    }
}

/* The attention of a windowed model costs what its tokens see: pairs and positions in closed form against a
 * sum. */
static void windows_count_what_they_see(void **state)
{
    (void)state;
    model_build b = {
        .c = shape(), .seed = 33, .arch = "MistralForCausalLM", .more = "\"sliding_window\": 24"};
    rg_ckpt *c = from_hf(&b, "mistral-count");
    rg_engine *e = engine_open(c, test_opts(1));
    rg_session *s = session_open(e, (rg_session_opts){.ctx = 512, .kv_k = RG_KV_F32, .kv_v = RG_KV_F32});
    rg_log log;
    rg_err err = {0};
    int32_t token[64];
    random_tokens(token, 64, 96, 3);
    assert_int_equal(rg_log_open(&log, 8, rg_session_ops_per_step(s)), 0);
    static const int64_t calls[] = {10, 1, 30, 1, 20};
    for (int i = 0; i < 5; i++)
        if (rg_session_eval(s, &(rg_batch){.n = calls[i], .token = token}, RG_PREFILL, &log, &err) != RG_OK)
            fail_msg("%s", err.msg);
    int64_t pos = 0;
    for (int i = 0; i < 5; pos += calls[i++]) {
        int64_t pairs = 0, ctx = pos + calls[i] - rg_max(0, pos - 23);
        for (int64_t p = pos; p < pos + calls[i]; p++) pairs += rg_min(p + 1, 24);
        for (size_t n = 0; n < log.n; n++) {
            const rg_rec *r = &log.rec[n];
            if (r->site != RG_SITE_ATTN_CORE || r->step != (uint32_t)i) continue;
            assert_int_equal(r->dims.pairs, pairs);
            assert_int_equal(r->dims.ctx, ctx);
            /* blocks of 16 positions are read whole, and chunks per 16 query rows (3 query heads per KV head:
             * 5 tokens) anew */
            const rg_tally a = rg_cost(RG_OP_ATTN, &r->dims, RG_WT_COUNT, RG_KV_F32, RG_KV_F32);
            assert_true(r->tally.kv_rd >= a.kv_rd && r->tally.kv_rd <= a.kv_rd + 2 * 15 * 2 * 32 * 4);
        }
    }
    rg_log_close(&log);
    rg_session_close(s);
    rg_engine_close(e);
    rg_ckpt_close(c);
}

/* Weights kept as codes, in the order of their columns or sorted by group. resident: against what the engine
 * holds, exactly; else against the file, within what f16 scales can do. */
static void int4_models(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int4_kind kind;
        int group;
        bool symmetric, act_order;
        rg_wtype type;
    } all[] = {{"awq", INT4_AWQ, 64, false, false, RG_WT_Q4G64M},
        {"gptq", INT4_GPTQ, 32, false, false, RG_WT_Q4G32M},
        {"gptq-sym", INT4_GPTQ, 64, true, false, RG_WT_Q4G64},
        {"gptq-act-order", INT4_GPTQ, 64, true, true, RG_WT_Q4G64},
        {"gptq-v2-act-order", INT4_GPTQ_V2, 32, false, true, RG_WT_Q4G32M},
        {"gptq-stacked", INT4_GPTQ, 64, true, true, RG_WT_Q4G64},
        {"packed", INT4_PACKED, -1, true, false, RG_WT_Q4G128},
        {"packed-act-order", INT4_PACKED, 64, false, true, RG_WT_Q4G64M},
        {"packed-bytes", INT8_PACKED, 32, true, false, RG_WT_Q8G32},
        {"gptq-bytes", INT8_GPTQ, 64, true, true, RG_WT_Q8G32},
        {"mlx", INT4_MLX, 32, true, false, RG_WT_Q4G32M}, /* both ends too, in halves */
        {"mlx-tied", INT4_MLX, 64, true, false, RG_WT_Q4G64M}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        model_build b = {.c = shape(),
            .seed = 50 + i,
            .int4 = all[i].kind,
            .group = all[i].group,
            .symmetric = all[i].symmetric,
            .act_order = all[i].act_order};
        b.stacked = strstr(all[i].name, "stacked") ? STACK_PHI3 : STACK_NONE;
        b.qkv_bias = i == 3; /* bias behind a sorted weight */
        b.more = i == 3 ? "\"attention_bias\": true" : NULL;
        b.o_bias = i == 3;
        b.head_too = i == 4; /* whose order nobody follows */
        b.c.tied = !b.head_too;
        if (all[i].kind == INT4_MLX) b.head_too = b.embd_too = true;
        if (all[i].kind == INT4_MLX) b.c.tied = all[i].group == 64;
        rg_ckpt *c = from_hf(&b, all[i].name);
        rg_engine *e = engine_open(c, test_opts(2));
        rg_engine_info info;
        rg_engine_get_info(e, &info);
        assert_int_equal(info.dtype, all[i].type);
        if (all[i].symmetric) assert_true(info.round_rel == 0.0);
        assert_true(info.round_rel < (i == 4 ? 1e-2 : 1e-3));
        assert_int_equal((info.config->extra & rg_site_bit(RG_SITE_FFN_DOWN_ORDER)) != 0, all[i].act_order);
        rg_engine_close(e);
        compare(c, -1, true, 40, I16_BOUND, all[i].name);
        compare(c, -1, false, 40, i == 4 ? 3e-2 : all[i].symmetric ? I16_BOUND : 3e-3, all[i].name);
        compare(c, RG_WT_F32, false, 20, float_bound(F32_BOUND), all[i].name); /* no codes, so no order */
        rg_ckpt_close(c);
    }
}

/* A byte of a tensor's data. */
static void spoil(const char *dir, const char *tensor, unsigned char byte)
{
    char path[600];
    size_t n;
    unsigned long long head = 0, begin;
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    unsigned char *p = read_all(path, &n);
    for (int i = 7; i >= 0; i--) head = head << 8 | p[i];
    const char *at = strstr((const char *)p + 8, tensor);
    assert_int_equal(sscanf(strstr(at, "data_offsets"), "data_offsets\":[%llu", &begin), 1);
    p[8 + head + begin] = byte;
    byte_buf out = {.p = p, .n = n};
    save_bytes(&out, path);
    drop_bytes(&out);
}

/* Codes of a byte beside scales of blocks, rows and matrices. FP8 becomes f16, which changes it less than
 * bf16 and new codes do. */
static void scaled_models(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int4_kind kind;
        int tall, group;
        bool power_of_two;
        rg_wtype type;
        double rounding; /* at most */
    } all[] = {{"fp8-blocks", FP8_BLOCKS, 40, 48, false, RG_WT_F16, 3e-4},
        {"fp8-exact", FP8_ROWS, 0, -1, true, RG_WT_F16, 0.0},
        {"fp8-matrix", FP8_ROWS, -1, -1, false, RG_WT_F16, 3e-4},
        {"int8-rows", INT8_ROWS, 0, -1, false, RG_WT_Q8G32, 0.0},
        {"nf4", NF4, 0, 64, false, RG_WT_Q8G32, 8e-3}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        model_build b = {.c = shape(),
            .seed = 90 + i,
            .int4 = all[i].kind,
            .tall = all[i].tall,
            .group = all[i].group,
            .power_of_two = all[i].power_of_two,
            .double_quant = true,
            .scale_dtype = all[i].kind == INT8_ROWS ? "BF16" : NULL};
        const bool fp8 = all[i].type == RG_WT_F16;
        double lost[4];
        rg_ckpt *c = from_hf(&b, all[i].name);
        static const rg_wtype types[] = {RG_WT_F16, RG_WT_BF16, RG_WT_Q8G32};
        for (int k = 0; k < 4; k++) {
            rg_engine_opts o = test_opts(2);
            if (k < 3) o.dtype = types[k];
            o.quant_head = k < 3;
            rg_engine *e = engine_open(c, o);
            rg_engine_info info;
            rg_engine_get_info(e, &info);
            if (k == 3) assert_int_equal(info.dtype, all[i].type);
            lost[k] = info.round_rel;
            rg_engine_close(e);
        }
        print_message("%s: f16 changes it by %.2g, bf16 by %.2g, q8g32 by %.2g\n", all[i].name, lost[0],
            lost[1], lost[2]);
        assert_true(lost[3] <= all[i].rounding);
        if (fp8) assert_true(lost[0] < lost[1] && lost[1] < lost[2]);
        compare(c, -1, true, 40, fp8 ? float_bound(F32_BOUND) : I16_BOUND, all[i].name);
        compare(c, -1, false, 40, all[i].kind == NF4 ? 3e-2 : fp8 ? 1e-3 : I16_BOUND, all[i].name);
        compare(c, RG_WT_F32, false, 20, float_bound(F32_BOUND), all[i].name);
        rg_ckpt_close(c);
        if (!fp8) continue;
        spoil(place(all[i].name), "layers.1.mlp.down_proj.weight", 0xff);
        c = ckpt_open(place(all[i].name));
        rg_engine *e = NULL;
        rg_err err = {0};
        const rg_engine_opts o = test_opts(2);
        assert_int_equal(rg_engine_open(&e, c, &o, &err), RG_E_FILE);
        assert_non_null(strstr(err.msg, "not finite"));
        rg_ckpt_close(c);
    }
}

static void gguf_types(void **state)
{
    (void)state;
    static const int types[] = {3, 6, 7, 10, 11, 12, 13, 14, 20, 23, 39};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const rg_ftype t = (rg_ftype)rg_ftype_from_ggml(types[i]);
        model_build b = {
            .c = shape(), .seed = 80 + i, .ggml = types[i], .ggml_down = 14, .rope_freqs = i % 2};
        b.c.dim = 256;
        b.c.ffn = 256;
        b.c.tied = i % 2;
        rg_ckpt *c = from_gguf(&b, "types.gguf");
        compare(c, -1, true, 30, I16_BOUND, rg_ftypes[t].name);
        compare(c, -1, false, 30, I16_BOUND, rg_ftypes[t].name); /* the file's weights, exactly */
        compare(c, RG_WT_F32, false, 20, float_bound(F32_BOUND), rg_ftypes[t].name);
        rg_ckpt_close(c);
    }
}

/* A model of one block type, opened with other bytes in one of its blocks. */
static rg_status open_with(
    int ggml, int at, const unsigned char *bytes, int n_bytes, int dtype, int64_t dim, rg_err *err)
{
    model_build b = {.c = shape(), .seed = 90, .ggml = ggml};
    b.c.dim = dim;
    size_t n;
    rg_engine *e = NULL;
    rg_ckpt *c = from_gguf(&b, "patched.gguf");
    unsigned char *file = read_all(place("patched.gguf"), &n),
                  *block = memmem(file, n, rg_ckpt_find(c, RG_SITE_FFN_UP, 1)->data, 17);
    rg_ckpt_close(c);
    assert_non_null(block);
    memcpy(block + at, bytes, (size_t)n_bytes);
    FILE *f = fopen(place("patched.gguf"), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(file, 1, n, f), n);
    fclose(f);
    free(file);
    c = ckpt_open(place("patched.gguf"));
    rg_engine_opts o = test_opts(1);
    o.dtype = dtype;
    *err = (rg_err){0};
    const rg_status st = rg_engine_open(&e, c, &o, err);
    rg_engine_close(e);
    rg_ckpt_close(c);
    return st;
}

/* Powers of two that halves have are kept; a file with others is refused, not rounded. */
static void exponents_of_mxfp4(void **state)
{
    (void)state;
    static const struct {
        unsigned char e;
        int dtype;
        rg_status want;
        const char *why;
    } all[] = {{104, -1, RG_OK, ""}, {143, -1, RG_OK, ""},
        {103, -1, RG_E_UNSUPPORTED, "q8g32 cannot express"},
        {144, -1, RG_E_UNSUPPORTED, "q8g32 cannot express"}, {103, RG_WT_F32, RG_OK, ""},
        {144, RG_WT_BF16, RG_OK, ""}, {255, -1, RG_E_FILE, "not finite"},
        {255, RG_WT_F32, RG_E_FILE, "not finite"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        rg_err err;
        /* two codes that are not zero, which any scale may have */
        const rg_status st =
            open_with(39, 0, (const unsigned char[]){all[i].e, 0x77}, 2, all[i].dtype, 128, &err);
        if (st != all[i].want || !strstr(err.msg, all[i].why))
            fail_msg("exponent %d: %d, %s", all[i].e, (int)st, err.msg);
    }
}

/* An infinity or a NaN as d or dmin of one block. */
static void scales_that_are_not_finite(void **state)
{
    (void)state;
    static const struct {
        int ggml, at[2];
    } all[] = {{8, {0, -1}}, {2, {0, -1}}, {3, {0, 2}}, {6, {0, -1}}, {7, {0, 2}}, {10, {80, 82}},
        {11, {108, -1}}, {12, {0, 2}}, {13, {0, 2}}, {14, {208, -1}}, {20, {0, -1}}, {23, {0, -1}}};
    static const unsigned char bad[2][2] = {{0x00, 0x7c}, {0x01, 0xfe}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int k = 0; k < 4; k++) {
            const int at = all[i].at[k / 2];
            rg_err err;
            if (at < 0) continue;
            const rg_status st = open_with(all[i].ggml, at, bad[k % 2], 2, -1, 256, &err);
            if (st != RG_E_FILE || !strstr(err.msg, "not finite"))
                fail_msg("type %d: %d, %s", all[i].ggml, (int)st, err.msg);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(biases),
        cmocka_unit_test(gguf_biases_are_permuted_like_their_rows), cmocka_unit_test(granite),
        cmocka_unit_test(stacked_is_split), cmocka_unit_test(sliding_windows),
        cmocka_unit_test(windows_count_what_they_see), cmocka_unit_test(int4_models),
        cmocka_unit_test(scaled_models), cmocka_unit_test(gguf_types), cmocka_unit_test(exponents_of_mxfp4),
        cmocka_unit_test(scales_that_are_not_finite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
