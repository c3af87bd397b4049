/* What reports say of a mixture of experts, against numbers worked out by hand. */
#include "testing.h"

#include "report/join.h"
#include "report/verdict.h"
#include "roof_fixture.h"
#include "roofline/model/exact.h"
#include "weights/synth.h"

enum { BATCH = 4, E = 16, K = 2 };

static rg_report *build(const rg_model_info *i, bool per_layer)
{
    const rg_machine m = fixture_machine();
    rg_run_info u = fixture_run();
    rg_report *r = NULL;
    rg_err err = {0};
    rg_log l;
    u.per_layer = per_layer;
    fixture_log_of(&l, &i->config, BATCH);
    if (rg_report_build(&r, &m, i, &u, &l, &err) != RG_OK) fail_msg("%s", err.msg);
    rg_log_close(&l);
    return r;
}

/* Bytes of one expert: gate and up of 64 x 64, down of 64 x 64. */
static double expert(void) { return 3.0 * (double)rg_packed_bytes(RG_WT_Q4G64, 64, 64); }

static void counted(void **state)
{
    (void)state;
    const rg_model_info i = fixture_mixture();
    rg_report *r = build(&i, true);
    rg_reports s = fixture_reports((const rg_report *const *)&r, 1);
    const rg_doc_profile *d = s.run[0].d;
    /* both phases, then two layers of each */
    assert_int_equal(d->n_experts, 6);
    const rg_doc_experts *e = rg_run_experts(&s.run[0], RG_DECODE);
    assert_non_null(e);
    const double by_chance = E * (1.0 - pow(1.0 - (double)K / E, BATCH)), bound = K * BATCH;
    assert_true(e->calls == 3.0 && e->tokens == BATCH && e->layer < 0);
    assert_near(e->read, (K + bound) / 2.0, 1e-9); /* the mean of both layers */
    assert_near(e->expected, by_chance, 1e-9);
    assert_near(e->bound, bound, 1e-9);
    assert_near(e->tokens_each, 2.0 * K * BATCH / (K + bound), 1e-9);
    assert_near(e->imbalance, 1.0, 1e-9); /* each that was read has as many */
    /* counted, in closed form, and of a dense model: three steps of two layers */
    assert_near(e->weight_bytes, 3.0 * (K + bound) * expert(), 0.5);
    assert_near(e->weight_bytes_analytic, e->weight_bytes, 0.0);
    assert_near(e->dense_weight_bytes, 3.0 * 2.0 * K * expert(), 0.5);
    /* other weights and a token's own experts, four times, over what was read */
    const double all = (double)r->phase[RG_DECODE].analytic.w_rd;
    assert_near(e->batch_gain, BATCH * (all - e->weight_bytes + e->dense_weight_bytes) / all, 1e-6);
    assert_true(e->batch_gain > 1.0 && e->batch_gain < BATCH);
    const rg_doc_experts *same = NULL, *others = NULL;
    for (size_t k = 0; k < d->n_experts; k++)
        if (d->experts[k].phase == RG_DECODE && d->experts[k].layer >= 0)
            *(d->experts[k].layer ? &others : &same) = &d->experts[k];
    assert_true(same && others);
    assert_true(same->read == K && same->tokens_each == BATCH && isnan(same->batch_gain));
    assert_true(others->read == bound && others->tokens_each == 1.0 && others->calls == 3.0);
    /* the model's own sizes go through the document */
    const rg_config c = rg_run_config(&s.run[0]);
    assert_true(c.experts == E && c.experts_used == K && c.expert_ffn == 64 && c.ffn == 0);
    assert_true(d->model.active_params == rg_exact_active(&i.config));
    /* weights per step are those that were read */
    assert_near(d->model.stream_bytes, all / 3.0, 0.5);
    rg_reports_close(&s);
    rg_report_close(r);
}

/* Every view says it. */
static void views(void **state)
{
    (void)state;
    const rg_model_info i = fixture_mixture();
    rg_report *r = build(&i, false);
    char *md = fixture_text(rg_profile_md, (const rg_report *const *)&r, 1);
    assert_non_null(strstr(md, "### decode: experts that were read"));
    assert_non_null(strstr(md, "experts  16 a layer, 64 wide; a token goes to 2"));
    assert_non_null(
        strstr(md, "of 16 experts a layer, calls of 4 tokens read 5 (by chance 6.62, at most 8)"));
    free(md);
    char *json = fixture_text(fixture_json, (const rg_report *const *)&r, 1);
    assert_non_null(strstr(json, "\"experts_used\""));
    assert_non_null(strstr(json, "\"active_params\""));
    free(json);
    rg_report_close(r);
    /* and nothing of a dense model */
    const rg_model_info dense = fixture_model();
    r = build(&dense, false);
    json = fixture_text(fixture_json, (const rg_report *const *)&r, 1);
    assert_non_null(strstr(json, "\"experts\": []"));
    assert_null(strstr(json, "experts_used"));
    assert_null(strstr(json, "active_params"));
    free(json);
    rg_report_close(r);
}

/* A run has no list of the optional tensors: they follow from the operators that it has, fused or apart, also
 * those that have no operator of their own (sinks, biases of experts). */
static void tensors_follow_from_operators(void **state)
{
    (void)state;
    for (const rg_shape *shape = rg_shapes; shape->name; shape++)
        for (int fused = 0; fused < 2; fused++) {
            rg_doc_op ops[RG_SITE_COUNT] = {0};
            rg_doc_profile doc = {.ops = ops};
            const rg_run run = {.d = &doc};
            rg_config c;
            rg_shape_config(shape, &c);
            for (int s = 0; s < RG_SITE_COUNT; s++)
                if (rg_site_runs(&c, (rg_site)s, fused ? RG_FUSE_DEFAULT : 0))
                    ops[doc.n_ops++] = (rg_doc_op){.site = rg_site_name((rg_site)s), .layer = -1};
            doc.model.dims.experts = (double)c.experts;
            doc.model.dims.experts_used = (double)c.experts_used;
            const uint64_t extra = rg_run_config(&run).extra;
            if (extra != c.extra)
                fail_msg("%s, %s: optional sites %#llx, the model has %#llx", shape->name,
                    fused ? "fused" : "apart", (unsigned long long)extra, (unsigned long long)c.extra);
        }
}

/* A dense and a sparse model of the same active size, held against each other in words. */
static void sparse_and_dense(void **state)
{
    (void)state;
    rg_model_info a = fixture_model(), b = fixture_mixture();
    a.params = (uint64_t)rg_exact_params(&a.config);
    b.params = (uint64_t)rg_exact_params(&b.config);
    rg_report *const r[] = {build(&a, false), build(&b, false)};
    rg_reports s = fixture_reports((const rg_report *const *)r, 2);
    for (int way = 0; way < 2; way++) {
        rg_lines said = {0};
        char all[4000] = "";
        rg_verdict_sparse(&said, &s.run[way], &s.run[!way]);
        for (int k = 0; k < said.n; k++) rg_text_add(all, sizeof all, "%s\n", said.s[k]);
        if (said.n != 3 || !strstr(all, "is a mixture") ||
            !strstr(all, "about as many as are active there") ||
            !strstr(all, "went to 5 of 16 experts in a layer, where one goes to 2"))
            fail_msg("%s", all);
        rg_lines_free(&said);
    }
    rg_lines none = {0};
    rg_verdict_sparse(&none, &s.run[0], &s.run[0]);
    assert_int_equal(none.n, 0);
    rg_reports_close(&s);
    rg_report_close(r[0]);
    rg_report_close(r[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counted), cmocka_unit_test(views),
        cmocka_unit_test(tensors_follow_from_operators), cmocka_unit_test(sparse_and_dense)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
