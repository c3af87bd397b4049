/* What to fix next: ranks and worths are those of the figures, causes and options those of remedies.def. */
#include "testing.h"

#include "report/fixes.h"
#include "roof_fixture.h"

static json_t *op_of(const json_t *j, const char *phase, const char *site)
{
    json_t *o;
    size_t i;
    json_array_foreach (json_object_get(j, "ops"), i, o)
        if (strcmp(json_string_value(json_object_get(o, "phase")), phase) == 0 &&
            strcmp(json_string_value(json_object_get(o, "site")), site) == 0)
            return o;
    fail_msg("no %s in %s", site, phase);
    return NULL;
}

static double number(const json_t *o, const char *key) { return json_number_value(json_object_get(o, key)); }
static void set(json_t *o, const char *key, double x) { json_object_set_new(o, key, json_real(x)); }

/* An operator that takes half of the prefill at a share of its roof, bound by its bytes or its arithmetic. */
static json_t *at_share(const json_t *j, const char *site, double share, bool computes)
{
    json_t *o = op_of(j, "prefill", site), *a = json_object_get(o, "analytic");
    const double t = 0.5 * number(json_array_get(json_object_get(j, "phases"), 0), "t_ns");
    json_object_set_new(o, "t_ns", json_integer((json_int_t)t));
    json_object_set_new(o, "wait_ns", json_integer(0));
    json_object_set_new(o, "bound", json_string(computes ? "compute" : "memory"));
    set(o, "share", 0.5);
    set(o, "roof_fraction", share);
    set(o, "bytes_ratio", 1.0);
    set(a, "ideal_ns", share * t);
    set(a, "mem_ns", (computes ? 0.1 : 1.0) * share * t);
    set(a, "flop_ns", (computes ? 1.0 : 0.1) * share * t);
    return o;
}

static void standing(void **state)
{
    (void)state;
    assert_int_equal(rg_standing_of(NAN), RG_UNKNOWN_ROOF);
    assert_int_equal(rg_standing_of(0.89), RG_BELOW_ROOF);
    assert_int_equal(rg_standing_of(0.91), RG_AT_ROOF);
    assert_int_equal(rg_standing_of(1.004), RG_AT_ROOF);
    assert_int_equal(rg_standing_of(1.006), RG_ABOVE_ROOF);
}

static void ranks_and_worths(void **state)
{
    (void)state;
    json_t *j = fixture_run_json();
    at_share(j, "ffn_gate", 0.95, false);
    at_share(j, "ffn_up", 1.5, false);
    rg_reports s = fixture_open(j);
    rg_fixes f;
    rg_fixes_of(&f, s.run);
    assert_true(f.n_below > 4);
    assert_string_equal(f.below[0].op->site, "ffn_down");
    assert_int_equal(f.below[0].op->phase, RG_DECODE);
    for (int i = 0; i < f.n_below; i++) {
        const rg_fix *x = &f.below[i];
        const rg_doc_phase *p = &s.run->phase[x->op->phase];
        assert_near(x->recoverable_ns, x->op->t_ns - x->op->analytic.ideal_ns, 0.0);
        assert_true(i == 0 || x->recoverable_ns <= f.below[i - 1].recoverable_ns);
        assert_true(x->op->t_ns >= 0.03 * p->t_ns && x->op->roof_fraction < 0.9);
        assert_near(p->tokens_per_s + x->worth, 1e9 * p->tokens / (p->t_ns - x->recoverable_ns),
            1e-6 * p->tokens_per_s);
        assert_true(x->why[0] != 0);
    }
    assert_int_equal(f.n_at, 1);
    assert_string_equal(f.at[0]->site, "ffn_gate");
    assert_int_equal(f.n_above, 1);
    assert_string_equal(f.above[0]->site, "ffn_up");
    rg_reports_close(&s);
}

/* ---- causes ---- */

static void rereads(json_t *o) { set(o, "bytes_ratio", 1.9); }
static void waits(json_t *o)
{
    json_object_set_new(o, "wait_ns", json_integer((json_int_t)number(o, "t_ns")));
}
static void scores(json_t *o) { json_object_set_new(o, "site", json_string("attn_qk")); }
static void barriers(json_t *o)
{
    json_object_set_new(o, "bound", json_string("overhead"));
    json_object_set_new(o, "calls", json_integer((json_int_t)(number(o, "t_ns") / 2000.0)));
}

static json_t *run;
static void post_norm(json_t *o)
{
    (void)o;
    json_object_set_new(op_of(run, "prefill", "ffn_norm"), "site", json_string("attn_post_norm"));
}
static void part_rotates(json_t *o)
{
    (void)o;
    json_object_set_new(json_object_get(json_object_get(run, "model"), "dims"), "rotated", json_integer(8));
}

static void causes(void **state)
{
    (void)state;
    static const struct {
        const char *site;
        void (*edit)(json_t *op);
        const char *why, *option;
    } row[] = {
        {"ffn_down", NULL, "in its kernel", ""},
        {"ffn_down", rereads, "streams 1.90 times its bytes", ""},
        {"ffn_down", waits, "its threads wait 50.0 % of it", "fewer threads (-t)"},
        {"ffn_down", barriers, "2.05 us a call, of which a barrier takes 500 ns", "fewer threads (-t)"},
        {"ffn_act", NULL, "a pass of its own", "--fuse act"},
        {"attn_add", NULL, "a pass of its own", "--fuse add"},
        {"attn_kv_put", NULL, "a pass of its own", "--fuse rope"},
        {"attn_core", scores, "the scores go through memory", "-fa on"},
        {"attn_add", post_norm, "a pass of its own: attn_post_norm stands between", ""},
        {"attn_kv_put", part_rotates, "a pass of its own: RoPE leaves layers or values out", ""},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        json_t *j = fixture_run_json(), *o = at_share(j, row[i].site, 0.5, false);
        run = j;
        if (row[i].edit) row[i].edit(o);
        char site[32];
        snprintf(site, sizeof site, "%s", json_string_value(json_object_get(o, "site")));
        rg_reports s = fixture_open(j);
        rg_fixes f;
        rg_fixes_of(&f, s.run);
        const rg_fix *x = NULL;
        for (int k = 0; k < f.n_below; k++)
            if (strcmp(f.below[k].op->site, site) == 0 && f.below[k].op->phase == RG_PREFILL) x = &f.below[k];
        if (!x) fail_msg("row %zu: %s is not below its roof", i, site);
        if (strncmp(x->why, row[i].why, strlen(row[i].why)) != 0 || strcmp(x->option, row[i].option) != 0)
            fail_msg("row %zu: %s: '%s', try '%s'", i, site, x->why, x->option);
        rg_reports_close(&s);
    }
}

/* A fusion that is on already, or that something between the operators forbids, is not proposed. */
static void no_idle_fusions(void **state)
{
    (void)state;
    json_t *j = fixture_run_json(), *o = op_of(j, "prefill", "ffn_norm");
    at_share(j, "attn_add", 0.5, false);
    json_object_set_new(o, "site", json_string("attn_out_scale"));
    json_object_set_new(json_object_get(j, "run"), "fuse", json_string("act"));
    at_share(j, "attn_kv_put", 0.5, false);
    rg_reports s = fixture_open(j);
    rg_fixes f;
    rg_fixes_of(&f, s.run);
    int seen = 0;
    for (int k = 0; k < f.n_below; k++) {
        if (f.below[k].op->phase != RG_PREFILL) continue;
        if (strcmp(f.below[k].op->site, "attn_add") == 0) assert_string_equal(f.below[k].option, ""), seen++;
        if (strcmp(f.below[k].op->site, "attn_kv_put") == 0)
            assert_string_equal(f.below[k].option, "--fuse act+rope"), seen++;
    }
    assert_int_equal(seen, 2);
    rg_reports_close(&s);
}

/* ---- options ---- */

static const rg_saving *saving(const rg_fixes *f, rg_phase phase, const char *option)
{
    for (int i = 0; i < f->n_savings; i++)
        if (f->saving[i].phase == phase && strcmp(f->saving[i].option, option) == 0) return &f->saving[i];
    return NULL;
}

/* The saved time of an option in prefill, as a part of the ideal time of the one operator that it helps. */
static void check_saving(json_t *j, const json_t *op, const char *option, double part)
{
    const double ideal = number(json_object_get(op, "analytic"), "ideal_ns");
    rg_reports s = fixture_open(j);
    rg_fixes f;
    rg_fixes_of(&f, s.run);
    const rg_saving *x = saving(&f, RG_PREFILL, option);
    if (!x && part > 0.0) fail_msg("%s is not named", option);
    if (x && part <= 0.0) fail_msg("%s is named: %g ns", option, x->saved_ns);
    if (x) {
        const rg_doc_phase *p = &s.run->phase[RG_PREFILL];
        assert_near(x->saved_ns, part * ideal, 1e-6 * ideal);
        assert_near(
            p->tokens_per_s + x->worth, 1e9 * p->tokens / (p->t_ns - x->saved_ns), 1e-6 * p->tokens_per_s);
        assert_near(x->share, 0.5, 1e-9);
    }
    rg_reports_close(&s);
}

/* Weights or cache that take part of the memory time: at 10 GB/s, which that footprint has. */
static json_t *streams(json_t *j, const char *site, const char *bytes, double part)
{
    json_t *o = at_share(j, site, 0.92, false), *a = json_object_get(o, "analytic");
    json_object_set_new(a, bytes, json_integer((json_int_t)(10.0 * part * number(a, "ideal_ns") + 0.5)));
    return o;
}

static void options(void **state)
{
    (void)state;
    json_t *j = fixture_run_json(), *o = streams(j, "output", "weight_bytes", 0.8), *roof;
    check_saving(j, o, "--quantize-head", 0.8 * (1.0 - 4.25 / 16.0));
    j = fixture_run_json(), o = streams(j, "ffn_down", "weight_bytes", 0.8);
    check_saving(j, o, "--dtype q4g64", 0.0); /* it has that type */
    j = fixture_run_json(), o = streams(j, "ffn_down", "weight_bytes", 0.8);
    json_object_set_new(o, "weight_type", json_string("q8g32"));
    check_saving(j, o, "--dtype q4g64", 0.8 * (1.0 - 4.25 / 8.5));
    j = fixture_run_json(), o = streams(j, "attn_core", "kv_read_bytes", 0.8);
    check_saving(j, o, "-ctk q8_0 -ctv q8_0", 0.0); /* heads of 16 have no blocks of 32 */
    j = fixture_run_json(), o = streams(j, "attn_core", "kv_read_bytes", 0.8);
    json_object_set_new(json_object_get(json_object_get(j, "model"), "dims"), "head_dim", json_integer(64));
    check_saving(j, o, "-ctk q8_0 -ctv q8_0", 0.8 * (1.0 - 34.0 / 64.0));
    j = fixture_run_json(), o = at_share(j, "ffn_gate", 0.92, true);
    check_saving(j, o, "--act q8", 0.0); /* gemm */
    j = fixture_run_json(), o = at_share(j, "ffn_gate", 0.92, true);
    json_object_set_new(o, "kernel", json_string("gemm i16 q4g64 avx512vnni"));
    check_saving(j, o, "--act q8", 0.5);
    for (int has = 0; has < 2; has++) {
        j = fixture_run_json(), o = at_share(j, "ffn_gate", 0.92, true);
        json_object_set_new(json_object_get(j, "machine"), "isa", json_string(has ? "avx512bf16" : "avx512"));
        roof = json_deep_copy(json_array_get(json_object_get(json_object_get(j, "machine"), "roofs"), 4));
        json_object_set_new(roof, "name", json_string("bf16 dot avx512bf16"));
        json_object_set_new(roof, "class", json_string("bf16_dot"));
        set(roof, "value_gflops", 400.0); /* FP32: 200 */
        json_array_append_new(json_object_get(json_object_get(j, "machine"), "roofs"), roof);
        for (size_t i = 0; i < json_array_size(json_object_get(j, "ops")); i++) {
            json_t *other = json_array_get(json_object_get(j, "ops"), i);
            if (other != o) json_object_set_new(other, "kernel", json_string("elem avx512"));
        }
        check_saving(j, o, "--act bf16", has ? 0.5 : 0.0);
    }
}

/* A prompt cut into four streams its weights four times. */
static void pieces(void **state)
{
    (void)state;
    json_t *j = fixture_run_json();
    streams(j, "ffn_down", "weight_bytes", 0.8);
    json_object_set_new(json_array_get(json_object_get(j, "phases"), 0), "calls", json_integer(4));
    rg_reports s = fixture_open(j);
    rg_fixes f;
    rg_fixes_of(&f, s.run);
    const rg_saving *x = saving(&f, RG_PREFILL, "-ub 8");
    assert_non_null(x);
    assert_true(x->saved_ns >= 0.75 * 0.8 * 0.92 * 0.5 * s.run->phase[RG_PREFILL].t_ns - 1.0);
    assert_null(saving(&f, RG_DECODE, "-ub 8"));
    rg_reports_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standing),
        cmocka_unit_test(ranks_and_worths),
        cmocka_unit_test(causes),
        cmocka_unit_test(no_idle_fusions),
        cmocka_unit_test(options),
        cmocka_unit_test(pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
