/* Plans, refusals and interruptions: wrong calls leave a session as it was, memory is planned before it is
 * taken, a stop is clean, and damaged weights are named. */
#include "engine_fixture.h"

#include "base/num.h"

enum { N = 40, CTX = 64 };

typedef struct setup {
    rg_ckpt *c;
    rg_engine *e;
    rg_session *s;
    int64_t vocab;
    int32_t token[N];
    rg_stop_flag stop;
} setup;

static void begin(setup *x, shape_id shape, rg_session_opts so)
{
    x->stop = 0;
    x->c = model_open(shape, RG_FT_F32, RG_SYNTH_SAFETENSORS);
    rg_engine_opts o = test_opts(2);
    o.stop = &x->stop;
    x->e = engine_open(x->c, o);
    x->s = session_open(x->e, so);
    x->vocab = rg_ckpt_config(x->c)->vocab;
    random_tokens(x->token, N, x->vocab, 17);
}

static void end(setup *x)
{
    rg_session_close(x->s);
    rg_engine_close(x->e);
    rg_ckpt_close(x->c);
}

static rg_status eval(rg_session *s, rg_batch b, rg_err *err)
{
    *err = (rg_err){0};
    return rg_session_eval(s, &b, b.n > 1 ? RG_PREFILL : RG_DECODE, NULL, err);
}

/* The next token of sequence 0 gives the same bits as in a session that never saw trouble. */
static void expect_untouched(setup *x, int64_t len, rg_session_opts so)
{
    rg_err err;
    assert_int_equal(rg_session_length(x->s, 0), len);
    rg_session *y = session_open(x->e, so);
    if (len) assert_int_equal(eval(y, (rg_batch){.n = len, .token = x->token}, &err), RG_OK);
    assert_int_equal(eval(y, (rg_batch){.n = 3, .token = x->token + len}, &err), RG_OK);
    assert_int_equal(eval(x->s, (rg_batch){.n = 3, .token = x->token + len}, &err), RG_OK);
    assert_memory_equal(
        rg_session_logits(x->s, 0), rg_session_logits(y, 0), (size_t)x->vocab * sizeof(float));
    rg_session_close(y);
}

static void wrong_batches_change_nothing(void **state)
{
    (void)state;
    const rg_session_opts so = {.ctx = CTX, .n_seq = 2, .ubatch = 4};
    setup x;
    rg_err err;
    begin(&x, GQA, so);
    assert_int_equal(eval(x.s, (rg_batch){.n = 10, .token = x.token}, &err), RG_OK);
    int32_t t[CTX + 1];
    random_tokens(t, CTX + 1, x.vocab, 3);
    int32_t low[6], high[6];
    memcpy(low, t, sizeof low);
    memcpy(high, t, sizeof high);
    low[5] = -1; /* behind the first call of 4 tokens */
    high[5] = (int32_t)x.vocab;
    char at_vocab[32];
    snprintf(at_vocab, sizeof at_vocab, "is %lld", (long long)x.vocab);
    const struct {
        rg_batch b;
        const char *says;
    } cases[] = {
        {{.n = 0, .token = t}, "no tokens"},
        {{.n = -3, .token = t}, "no tokens"},
        {{.n = 6, .token = low}, "is -1"},
        {{.n = 6, .token = high}, at_vocab},
        {{.n = 2, .token = t, .seq = (const int32_t[]){0, 2}}, "sequence 2"},
        {{.n = 2, .token = t, .seq = (const int32_t[]){0, -1}}, "sequence -1"},
        {{.n = 3, .token = t, .seq = (const int32_t[]){0, 1, 0}}, "neighbours"},
        {{.n = 1, .token = t, .pos = (const int64_t[]){11}}, "position 11"},
        {{.n = 1, .token = t, .pos = (const int64_t[]){-1}}, "position -1"},
        {{.n = 2, .token = t, .pos = (const int64_t[]){10, 12}}, "position 12"},
        {{.n = 2, .token = t, .pos = (const int64_t[]){10, 10}}, "position 10"},
        {{.n = 1, .token = t, .seq = (const int32_t[]){1}, .pos = (const int64_t[]){1}}, "position 1"},
        {{.n = 3, .token = t, .want = (const uint8_t[]){1, 1, 1}}, "3 rows"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rg_log log;
        assert_int_equal(rg_log_open(&log, 8, rg_session_ops_per_step(x.s)), 0);
        err = (rg_err){0};
        if (rg_session_eval(x.s, &cases[i].b, RG_PREFILL, &log, &err) != RG_E_USAGE ||
            !strstr(err.msg, cases[i].says))
            fail_msg("case %zu: status %d, '%s', expected a usage error with '%s'", i, (int)err.code, err.msg,
                cases[i].says);
        assert_int_equal(log.n + log.n_steps + log.dropped, 0);
        assert_int_equal(rg_session_length(x.s, 0), 10);
        assert_int_equal(rg_session_length(x.s, 1), 0);
        rg_log_close(&log);
    }
    expect_untouched(&x, 10, so);
    end(&x);
}

static void a_full_context_is_an_error_with_both_numbers(void **state)
{
    (void)state;
    const rg_session_opts so = {.ctx = 24};
    setup x;
    rg_err err;
    begin(&x, GQA, so);
    assert_int_equal(eval(x.s, (rg_batch){.n = 20, .token = x.token}, &err), RG_OK);
    assert_int_equal(eval(x.s, (rg_batch){.n = 5, .token = x.token + 20}, &err), RG_E_USAGE);
    assert_non_null(strstr(err.msg, "24"));   /* what there is, and where it would end */
    assert_non_null(strstr(err.msg, "1024")); /* what the model could do */
    assert_int_equal(rg_session_length(x.s, 0), 20);
    /* the last places can be used */
    assert_int_equal(eval(x.s, (rg_batch){.n = 4, .token = x.token + 20}, &err), RG_OK);
    assert_int_equal(eval(x.s, (rg_batch){.n = 1, .token = x.token}, &err), RG_E_USAGE);
    rg_session_truncate(x.s, 0, 20);
    assert_int_equal(eval(x.s, (rg_batch){.n = 4, .token = x.token + 20}, &err), RG_OK);
    end(&x);
}

static void refuses(rg_engine *e, rg_session_opts so, rg_status want, const char *a, const char *b)
{
    rg_session *s = (rg_session *)1;
    rg_err err = {0};
    const rg_status st = rg_session_open(&s, e, &so, &err);
    if (st != want || !strstr(err.msg, a) || !strstr(err.msg, b))
        fail_msg("status %d: '%s', expected %d with '%s' and '%s'", (int)st, err.msg, (int)want, a, b);
    assert_null(s);
}

static void impossible_sessions_are_refused(void **state)
{
    (void)state;
    setup x;
    begin(&x, GQA, (rg_session_opts){.ctx = CTX});
    refuses(x.e, (rg_session_opts){.ctx = 1025}, RG_E_USAGE, "1025", "1024");
    refuses(x.e, (rg_session_opts){.ctx = INT64_C(1) << 40}, RG_E_USAGE, "1099511627776", "1024");
    refuses(x.e, (rg_session_opts){.ctx = CTX, .n_seq = 5000}, RG_E_USAGE, "5000", "4096");
    refuses(x.e, (rg_session_opts){.ctx = CTX, .kv_k = RG_KV_Q8_0}, RG_E_UNSUPPORTED, "q8_0", "8");
    refuses(x.e, (rg_session_opts){.ctx = CTX, .max_logits = INT64_C(1) << 40}, RG_E_NOMEM,
        "not enough memory", "MiB");
    end(&x);
}

static void impossible_engines_are_refused(void **state)
{
    (void)state;
    rg_ckpt *c = model_open(GQA, RG_FT_F32, RG_SYNTH_SAFETENSORS);
    rg_engine *e = (rg_engine *)1;
    rg_err err = {0};
    rg_engine_opts o = test_opts(5000);
    assert_int_equal(rg_engine_open(&e, c, &o, &err), RG_E_USAGE);
    assert_null(e);
    assert_non_null(strstr(err.msg, "5000"));
    rg_ckpt_close(c);
    rg_engine_close(NULL);
    rg_session_close(NULL);
}

static void defaults(void **state)
{
    (void)state;
    setup x;
    rg_memory_plan p;
    begin(&x, GQA, (rg_session_opts){0});
    rg_session_get_plan(x.s, &p);
    assert_int_equal(p.ctx, 1024); /* min(model, 4096) */
    assert_int_equal(rg_session_steps_for(x.s, 513), 2);
    rg_engine_info i;
    rg_engine *e = engine_open(x.c, test_opts(0));
    rg_engine_get_info(e, &i);
    assert_true(i.threads >= 1 && i.threads <= (int)sysconf(_SC_NPROCESSORS_CONF));
    assert_null(i.cpus);
    rg_engine_close(e);
    end(&x);
}

/* The plan made before is what is taken. */
static void plans_are_kept(void **state)
{
    (void)state;
    for (shape_id shape = 0; shape < N_SHAPES; shape++)
        for (int unfused = 0; unfused < 2; unfused++) {
            const rg_session_opts so = {.ctx = 200,
                .n_seq = 3,
                .ubatch = 17,
                .kv_k = RG_KV_F16,
                .kv_v = RG_KV_F32,
                .unfused = unfused,
                .max_logits = 5};
            setup x;
            rg_memory_plan before, after;
            begin(&x, shape, so);
            rg_engine_info info;
            rg_engine_get_info(x.e, &info);
            const rg_config *c = info.config;
            rg_plan_memory(&before, c, info.resident_bytes, false, info.threads, &so);
            rg_session_get_plan(x.s, &after);
            assert_int_equal(before.weights, info.resident_bytes);
            assert_int_equal(before.kv, after.kv);
            assert_int_equal(before.scratch, after.scratch);
            assert_int_equal(before.logits, after.logits);
            assert_int_equal(before.total, before.weights + before.kv + before.scratch + before.logits);
            assert_int_equal(before.ctx, 200);
            assert_int_equal(after.logits, 5 * c->vocab * 4);
            /* whole blocks of positions in cache lines: at least the positions themselves, at most one block
             * and a line more per head */
            const uint64_t heads = (uint64_t)(c->layers * 3 * c->kv_heads),
                           pos = (uint64_t)(rg_kv_k_bytes(so.kv_k, c->head_dim) +
                               rg_kv_v_bytes(so.kv_v, c->head_dim));
            assert_true(after.kv >= heads * 200 * pos && after.kv <= heads * (208 * pos + 128));
            rg_plan_memory(&before, c, info.resident_bytes, true, info.threads, &so);
            assert_int_equal(before.weights, 0);
            end(&x);
        }
}

static void weights_are_planned(void **state)
{
    (void)state;
    static const shape_id some[] = {GQA, WIDE};
    for (size_t i = 0; i < 2; i++)
        for (int t = -1; t < RG_WT_COUNT; t++)
            for (int head = 0; head < 2; head++) {
                rg_ckpt *c = model_open(some[i], RG_FT_F16, RG_SYNTH_SAFETENSORS);
                const rg_config *cfg = rg_ckpt_config(c);
                rg_engine_opts o = test_opts(1);
                o.dtype = t;
                o.quant_head = head;
                uint64_t bytes;
                rg_err err = {0};
                rg_engine_info info;
                assert_int_equal(rg_plan_weights(c, &o, &bytes, &err), RG_OK);
                rg_engine *e = engine_open(c, o);
                rg_engine_get_info(e, &info);
                assert_int_equal(info.resident_bytes, bytes);
                const int64_t embd = cfg->vocab * cfg->dim,
                              linear = embd +
                    cfg->layers * cfg->dim * (2 * rg_q_dim(cfg) + 2 * rg_kv_dim(cfg) + 3 * cfg->ffn);
                assert_int_equal(info.linear_weights, linear);
                assert_int_equal(
                    info.params, linear + (cfg->tied ? 0 : embd) + (2 * cfg->layers + 1) * cfg->dim);
                assert_int_equal(info.params, rg_ckpt_params(c));
                /* an untied embedding stays as in the file; a step reads one row */
                const uint64_t rows = cfg->tied ? 0 : (uint64_t)(embd * 2);
                assert_true(info.resident_bytes - info.stream_bytes >= rows &&
                    info.resident_bytes - info.stream_bytes < rows + 64);
                rg_engine_close(e);
                rg_ckpt_close(c);
            }
}

static rg_status plan_with(rg_memory_plan *p, const rg_config *c, uint64_t weights, int threads,
    rg_session_opts so, uint64_t available, rg_err *err)
{
    *err = (rg_err){0};
    rg_plan_memory(p, c, weights, false, threads, &so);
    p->available = available;
    p->source = "a test";
    return rg_plan_check(p, c, &so, err);
}

static void too_large_plans_name_a_context_that_fits(void **state)
{
    (void)state;
    static const int threads[] = {1, 2, 64};
    rg_ckpt *ck = model_open(MHA, RG_FT_F32, RG_SYNTH_SAFETENSORS);
    rg_config c = *rg_ckpt_config(ck);
    rg_ckpt_close(ck);
    c.ctx_train = 1 << 20;
    const uint64_t weights = 123456789;
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        const rg_session_opts so = {.ctx = 1 << 20, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16};
        rg_memory_plan p, all;
        rg_err err;
        rg_plan_memory(&all, &c, weights, false, threads[i], &so);
        assert_int_equal(plan_with(&p, &c, weights, threads[i], so, all.total, &err), RG_OK);
        assert_int_equal(plan_with(&p, &c, weights, threads[i], so, 0, &err), RG_OK); /* unknown */
        for (uint64_t available = all.total - 1; available > weights + (64u << 20); available /= 2) {
            assert_int_equal(plan_with(&p, &c, weights, threads[i], so, available, &err), RG_E_NOMEM);
            const char *advice = strstr(err.msg, "-c ");
            if (!advice || !strstr(err.msg, "weights 117.7") || !strstr(err.msg, "a test"))
                fail_msg("no breakdown or advice in '%s'", err.msg);
            rg_session_opts less = so;
            less.ctx = strtoll(advice + 3, NULL, 10);
            if (plan_with(&p, &c, weights, threads[i], less, available, &err) != RG_OK)
                fail_msg("-c %lld was advised and does not fit %d threads", (long long)less.ctx, threads[i]);
            less.ctx += 32;
            /* and hardly more would */
            assert_int_equal(plan_with(&p, &c, weights, threads[i], less, available, &err), RG_E_NOMEM);
        }
        assert_int_equal(plan_with(&p, &c, weights, threads[i], so, weights, &err), RG_E_NOMEM);
        assert_non_null(strstr(err.msg, "no context fits"));
    }
}

/* ---- interruption ---- */

/* A probe that raises the stop flag at its n-th reading by thread 0. */
typedef struct raiser {
    rg_stop_flag *stop;
    int left;
} raiser;

static int raiser_open(void *self, int tid) { return (void)self, (void)tid, 0; }
static void raiser_close(void *self, int tid) { (void)self, (void)tid; }
static void raiser_read(void *self, int tid, uint64_t *ctr)
{
    raiser *r = self;
    ctr[0] = 0;
    if (tid == 0 && r->left-- == 0) *r->stop = 1;
}

/* Interrupts an eval at the n-th reading. Returns its status; what was logged must be whole calls. */
static rg_status interrupted_eval(setup *x, rg_batch b, int after, rg_err *err)
{
    raiser r = {.stop = &x->stop, .left = after};
    const rg_probe p = {.self = &r,
        .n_ctr = 1,
        .thread_open = raiser_open,
        .read = raiser_read,
        .thread_close = raiser_close};
    rg_log log;
    assert_int_equal(rg_log_open(&log, rg_session_steps_for(x->s, b.n), rg_session_ops_per_step(x->s)), 0);
    rg_engine_set_probe(x->e, &p);
    *err = (rg_err){0};
    const rg_status st = rg_session_eval(x->s, &b, RG_PREFILL, &log, err);
    rg_engine_set_probe(x->e, NULL);
    size_t recs = 0, outs = 0;
    for (size_t i = 0; i < log.n_steps; i++) outs += log.step[i].logits > 0;
    recs = log.n_steps * (rg_session_ops_per_step(x->s) - 2) + 2 * outs;
    assert_int_equal(log.n, recs);
    assert_int_equal(log.dropped, 0);
    if (log.n) assert_int_equal(log.rec[log.n - 1].step, log.n_steps - 1);
    rg_log_close(&log);
    x->stop = 0;
    return st;
}

static void a_stop_is_seen_at_every_operator(void **state)
{
    (void)state;
    static const shape_id some[] = {GQA, ONE};
    for (size_t i = 0; i < 2; i++) {
        const rg_session_opts so = {.ctx = CTX, .ubatch = 5};
        int cut = 0, whole = 0;
        for (int after = 0; after < 120; after += 7) {
            setup x;
            rg_err err;
            begin(&x, some[i], so);
            assert_int_equal(eval(x.s, (rg_batch){.n = 10, .token = x.token}, &err), RG_OK);
            const rg_status st =
                interrupted_eval(&x, (rg_batch){.n = 15, .token = x.token + 10}, after, &err);
            const int64_t len = rg_session_length(x.s, 0);
            if (st == RG_E_INTERRUPTED) {
                cut++;
                assert_true(len >= 10 && len < 25 && len % 5 == 0);
            } else {
                whole++;
                assert_int_equal(st, RG_OK);
                assert_int_equal(len, 25);
            }
            expect_untouched(&x, len, so);
            end(&x);
        }
        assert_true(cut > 0 && cut + whole > 0);
    }
}

static void a_stop_before_the_call_is_seen(void **state)
{
    (void)state;
    static const shape_id some[] = {GQA, ONE};
    for (size_t i = 0; i < 2; i++) {
        const rg_session_opts so = {.ctx = CTX};
        setup x;
        rg_err err;
        begin(&x, some[i], so);
        assert_int_equal(eval(x.s, (rg_batch){.n = 7, .token = x.token}, &err), RG_OK);
        x.stop = 1;
        for (int n = 1; n < 9; n += 7)
            assert_int_equal(eval(x.s, (rg_batch){.n = n, .token = x.token + 7}, &err), RG_E_INTERRUPTED);
        x.stop = 0;
        expect_untouched(&x, 7, so);
        end(&x);
    }
}

/* A call that rewrites old positions and is cut in a later layer has spoilt them: they are forgotten. */
static void a_cut_rewrite_forgets_what_it_spoilt(void **state)
{
    (void)state;
    const rg_session_opts so = {.ctx = CTX, .ubatch = 5};
    setup x;
    rg_err err;
    begin(&x, GQA, so);
    assert_int_equal(eval(x.s, (rg_batch){.n = 20, .token = x.token}, &err), RG_OK);
    const int64_t pos[] = {5, 6, 7};
    assert_int_equal(interrupted_eval(&x, (rg_batch){.n = 3, .token = x.token + 30, .pos = pos}, 0, &err),
        RG_E_INTERRUPTED);
    assert_int_equal(rg_session_length(x.s, 0), 5);
    expect_untouched(&x, 5, so);
    end(&x);
}

static void a_stop_ends_the_load(void **state)
{
    (void)state;
    rg_ckpt *c = model_open(GQA, RG_FT_F32, RG_SYNTH_SAFETENSORS);
    rg_stop_flag stop = 1;
    rg_engine_opts o = test_opts(1);
    rg_engine *e = (rg_engine *)1;
    rg_err err = {0};
    o.stop = &stop;
    assert_int_equal(rg_engine_open(&e, c, &o, &err), RG_E_INTERRUPTED);
    assert_null(e);
    rg_ckpt_close(c);
}

static void note_progress(void *user, const char *what, double fraction)
{
    double *last = user;
    assert_non_null(what);
    if (!(fraction >= *last && fraction <= 1.0 + 1e-9))
        *last = INFINITY;
    else
        *last = fraction;
}

static void progress_rises_to_one(void **state)
{
    (void)state;
    static const shape_id some[] = {GQA, MQA};
    for (size_t i = 0; i < 2; i++) {
        rg_ckpt *c = model_open(some[i], RG_FT_F32, RG_SYNTH_SAFETENSORS);
        rg_engine_opts o = test_opts(1);
        double last = 0.0;
        o.progress = note_progress;
        o.progress_user = &last;
        rg_engine_close(engine_open(c, o));
        assert_true(last == 1.0);
        rg_ckpt_close(c);
    }
}

/* ---- damaged weights ---- */

/* A copy of a float32 checkpoint with one value of a tensor replaced. */
static rg_ckpt *damaged(shape_id shape, rg_site site, int layer, float value, char *name, size_t n)
{
    char path[512], cmd[2048];
    const char *source = model_path(shape, RG_FT_F32, RG_SYNTH_SAFETENSORS);
    snprintf(
        cmd, sizeof cmd, "rm -rf %s/damaged && cp -r %s %s/damaged", scratch_dir(), source, scratch_dir());
    assert_int_equal(system(cmd), 0);
    snprintf(path, sizeof path, "%s/damaged/model.safetensors", scratch_dir());
    rg_ckpt *c = ckpt_open(source);
    const rg_ckpt_tensor *t = rg_ckpt_find(c, site, layer);
    snprintf(name, n, "%s", t->file_name);
    size_t len;
    char *file = read_all(path, &len), *at = memmem(file, len, t->data, 64);
    assert_non_null(at);
    /* of the last row, where a walk that stops early would miss it */
    const int64_t last = (t->rows * t->cols - 1) * 4;
    memcpy(at + last, &value, sizeof value);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(file, 1, len, f), len);
    fclose(f);
    free(file);
    rg_ckpt_close(c);
    snprintf(path, sizeof path, "%s/damaged", scratch_dir());
    return ckpt_open(path);
}

static void damaged_weights_are_named(void **state)
{
    (void)state;
    static const struct {
        shape_id shape;
        rg_site site;
        int layer;
    } cases[] = {{MQA, RG_SITE_ATTN_Q, 1}, {MQA, RG_SITE_FFN_DOWN, 0}, {MQA, RG_SITE_ATTN_NORM, 1},
        {MQA, RG_SITE_OUTPUT, -1}, {MQA, RG_SITE_OUTPUT_NORM, -1}, {MQA, RG_SITE_TOKEN_EMBD, -1},
        {GQA, RG_SITE_TOKEN_EMBD, -1}};
    static const int dtypes[] = {-1, RG_WT_F16, RG_WT_BF16, RG_WT_Q8G32, RG_WT_Q4G64, RG_WT_Q4G32M};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int v = 0; v < 2; v++) {
            char name[128];
            rg_ckpt *c =
                damaged(cases[i].shape, cases[i].site, cases[i].layer, v ? INFINITY : NAN, name, sizeof name);
            for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++) {
                rg_engine *e = NULL;
                rg_err err = {0};
                rg_engine_opts o = test_opts(2);
                o.dtype = dtypes[d];
                const rg_status st = rg_engine_open(&e, c, &o, &err);
                if (st != RG_E_FILE || !strstr(err.msg, name))
                    fail_msg("%s holds %s: status %d, '%s'", name, v ? "inf" : "nan", (int)st, err.msg);
                assert_null(e);
            }
            rg_ckpt_close(c);
        }
}

static void weights_beyond_a_type_are_named(void **state)
{
    (void)state;
    static const rg_wtype bad[] = {RG_WT_F16, RG_WT_Q8G32, RG_WT_Q4G64, RG_WT_Q4G32M},
                          good[] = {RG_WT_F32, RG_WT_BF16};
    char name[128];
    rg_ckpt *c = damaged(MQA, RG_SITE_FFN_UP, 0, 1e30f, name, sizeof name);
    rg_engine *e = NULL;
    rg_err err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rg_engine_opts o = test_opts(1);
        o.dtype = (int)bad[i];
        const rg_status st = rg_engine_open(&e, c, &o, &err);
        if (st != RG_E_UNSUPPORTED || !strstr(err.msg, name) || !strstr(err.msg, "bf16"))
            fail_msg("%s: status %d, '%s'", rg_wtypes[bad[i]].name, (int)st, err.msg);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        rg_engine_opts o = test_opts(1);
        o.dtype = (int)good[i];
        rg_engine_close(engine_open(c, o));
    }
    rg_ckpt_close(c);
}

/* Finite weights whose logits are not: an error, never a silent garbage token. */
static void logits_that_overflow_are_an_error(void **state)
{
    (void)state;
    char name[128];
    rg_ckpt *c = damaged(MQA, RG_SITE_OUTPUT, -1, 3e38f, name, sizeof name);
    rg_engine *e = engine_open(c, test_opts(1));
    rg_session *s = session_open(e, (rg_session_opts){.ctx = CTX});
    int32_t t[8];
    rg_err err = {0};
    int refused = 0;
    random_tokens(t, 8, rg_ckpt_config(c)->vocab, 5);
    for (int i = 0; i < 8; i++)
        refused += eval(s, (rg_batch){.n = 1, .token = t + i}, &err) == RG_E_UNSUPPORTED &&
            strstr(err.msg, "finite");
    assert_true(refused > 0);
    rg_session_close(s);
    rg_engine_close(e);
    rg_ckpt_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(wrong_batches_change_nothing),
        cmocka_unit_test(a_full_context_is_an_error_with_both_numbers),
        cmocka_unit_test(impossible_sessions_are_refused), cmocka_unit_test(impossible_engines_are_refused),
        cmocka_unit_test(defaults), cmocka_unit_test(plans_are_kept), cmocka_unit_test(weights_are_planned),
        cmocka_unit_test(too_large_plans_name_a_context_that_fits),
        cmocka_unit_test(a_stop_is_seen_at_every_operator), cmocka_unit_test(a_stop_before_the_call_is_seen),
        cmocka_unit_test(a_cut_rewrite_forgets_what_it_spoilt), cmocka_unit_test(a_stop_ends_the_load),
        cmocka_unit_test(progress_rises_to_one), cmocka_unit_test(damaged_weights_are_named),
        cmocka_unit_test(weights_beyond_a_type_are_named),
        cmocka_unit_test(logits_that_overflow_are_an_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
