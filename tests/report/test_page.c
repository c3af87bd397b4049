/* The HTML report: policy and hashes, escaping, the data block, every row and picture in it. */
#include "testing.h"

#include <jansson.h>

#include "report/html/page.h"
#include "report/html/page_impl.h"
#include "report/html/sha256.h"
#include "report/html/whatif.h"
#include "report/svg/pictures.h"
#include "roof_fixture.h"
#include "roofline/model/exact.h"
#include "svg_check.h"

static const char HOSTILE[] = "</script><script>alert(1)</script><!--\"'& onerror=x \x01\xff";

static rg_reports make(const char *name, int n, bool layers, char **json)
{
    static const char *const types[] = {"f16", "q4g64"};
    const rg_machine m = fixture_machine();
    rg_report *r[2] = {NULL, NULL};
    rg_err err = {0};
    for (int i = 0; i < n; i++) {
        rg_model_info info = fixture_model();
        rg_run_info u = fixture_run();
        rg_log l;
        if (name) snprintf(info.config.name, sizeof info.config.name, "%s", name);
        if (name) info.path = u.command = u.pmu_reason = name;
        info.dtype = types[i];
        u.per_layer = layers;
        fixture_log(&l);
        if (rg_report_build(&r[i], &m, &info, &u, &l, &err) != RG_OK) fail_msg("%s", err.msg);
        rg_log_close(&l);
    }
    rg_reports s = fixture_reports((const rg_report *const *)r, n);
    if (json) *json = json_dumps(s.doc->json, JSON_SORT_KEYS);
    for (int i = 0; i < n; i++) rg_report_close(r[i]);
    return s;
}

/* Text between the marks, which must both be there; the first time. */
static char *between(const char *t, const char *from, const char *to)
{
    const char *a = strstr(t, from), *b = a ? strstr(a + strlen(from), to) : NULL;
    if (!b) fail_msg("no '%s' ... '%s'", from, to);
    return strndup(a + strlen(from), (size_t)(b - a) - strlen(from));
}

static void test_sha256(void **state)
{
    (void)state;
    static const struct {
        const char *text, *digest;
    } known[] = {{"", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
        {"abc", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "JI1qYdIGOLjlwCaTDD5gOaM85Flk/yFn9uzt1BnbBsE="}};
    char out[45];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        rg_sha256_base64(out, known[i].text, strlen(known[i].text));
        assert_string_equal(out, known[i].digest);
    }
    char *million = malloc(1000000);
    memset(million, 'a', 1000000);
    rg_sha256_base64(out, million, 1000000);
    assert_string_equal(out, "zcduXJkU+5KBocfihNc+Z/GAmkiklyAOBG05zMcRLNA=");
    free(million);
}

static json_t *unpack(const json_t *v);

/* A column of a packed list, as the page's script does it. */
static json_t *column(const json_t *c, size_t n)
{
    static const char places[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const json_t *different = json_object_get(c, "$d");
    if (!different) return unpack(c);
    const char *at = json_string_value(json_object_get(c, "$i"));
    const size_t width = json_array_size(different) > 64 ? 2 : 1;
    json_t *out = json_array();
    assert_int_equal(strlen(at), n * width);
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        for (size_t w = 0; w < width; w++) k = 64 * k + (size_t)(strchr(places, at[width * i + w]) - places);
        assert_true(k < json_array_size(different));
        json_array_append_new(out, unpack(json_array_get(different, k)));
    }
    return out;
}

/* {"$k": keys, "$n": how many, "$c": columns} back to a list of objects. */
static json_t *unpack(const json_t *v)
{
    json_t *out, *e, *keys = json_object_get(v, "$k");
    const char *key;
    size_t i, k;
    if (keys) {
        const size_t n = (size_t)json_integer_value(json_object_get(v, "$n"));
        out = json_array();
        for (i = 0; i < n; i++) json_array_append_new(out, json_object());
        assert_int_equal(json_array_size(json_object_get(v, "$c")), json_array_size(keys));
        for (k = 0; k < json_array_size(keys); k++) {
            json_t *c = column(json_array_get(json_object_get(v, "$c"), k), n);
            assert_int_equal(json_array_size(c), n);
            json_array_foreach (c, i, e)
                json_object_set(json_array_get(out, i), json_string_value(json_array_get(keys, k)), e);
            json_decref(c);
        }
        return out;
    }
    if (json_is_array(v)) {
        out = json_array();
        json_array_foreach (v, i, e) json_array_append_new(out, unpack(e));
        return out;
    }
    if (json_is_object(v)) {
        out = json_object();
        json_object_foreach ((json_t *)(uintptr_t)v, key, e) json_object_set_new(out, key, unpack(e));
        return out;
    }
    return json_deep_copy(v);
}

/* The contents name every section once, in their order. */
static void check_contents(const char *t)
{
    const char *section = t;
    int n = 0;
    for (const char *a = t; (a = strstr(a, "<a href=\"#")); a++, n++) {
        char *name = between(a, "\"#", "\">"), *title = between(a, "\">", "</a>"), head[256];
        snprintf(head, sizeof head, "<section id=\"%s\"><h2>%s</h2>", name, title);
        section = strstr(section, head);
        if (!section) fail_msg("no section '%s' behind the one before", head);
        free(name);
        free(title);
    }
    assert_true(n >= 5);
    assert_int_equal(n, svg_count(t, "<section "));
}

static void check_page(const char *t)
{
    char hash[45], *style = between(t, "<style>", "</style>"),
                   *policy = between(t, "Content-Security-Policy\" content=\"", "\">");
    const char *last = NULL;
    for (const char *p = t; (p = strstr(p, "<script>")); p++) last = p;
    assert_non_null(last);
    char *script = between(last, "<script>", "</script>");
    assert_true(strncmp(policy, "default-src 'none';", 19) == 0);
    assert_null(strstr(policy, "unsafe-inline"));
    rg_sha256_base64(hash, style, strlen(style));
    assert_non_null(strstr(policy, hash));
    rg_sha256_base64(hash, script, strlen(script));
    assert_non_null(strstr(policy, hash));
    assert_int_equal(svg_count(t, "<script"), 2); /* the data and the program */
    assert_int_equal(svg_count(t, "<style"), 1);
    assert_int_equal(svg_count(t, " style=\""), 0);
    assert_int_equal(svg_count(t, "<link"), 0);
    assert_int_equal(svg_count(t, "src=\""), 0);
    assert_int_equal(svg_count(t, " href=\""), svg_count(t, "<a href=\"#")); /* of the contents */
    assert_int_equal(svg_count(t, "http"), svg_count(t, "http://www.w3.org/2000/svg") + 1); /* http-equiv */
    free(style);
    free(policy);
    free(script);
    check_contents(t);
}

static int pictures_of(const rg_picture *p, const rg_reports *s)
{
    int n = 0;
    for (size_t i = 0; i < rg_picture_count(p, s); i++) n += p->can(s, i);
    return n;
}

static void add_json(rg_reports *s, json_t *j)
{
    rg_doc d;
    rg_err err = {0};
    if (rg_doc_open(&d, j, "test", &err) != RG_OK || rg_reports_add(s, &d, "test", &err) != RG_OK)
        fail_msg("%s", err.msg);
}

static void test_page(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        const bool layers = variant & 1;
        const int n = variant & 2 ? 2 : 1;
        char *json;
        rg_reports s = make(variant == 1 ? HOSTILE : NULL, n, layers, &json);
        char *t = fixture_show(rg_page_write, &s), *again = fixture_show(rg_page_write, &s);
        assert_string_equal(t, again);
        check_page(t);
        assert_null(strstr(t, "alert(1)</"));
        assert_null(strstr(t, "<!--"));
        assert_null(strstr(t, ">nan"));
        /* a table row per operator row, in the order of the file */
        size_t rows = 0;
        for (size_t i = 0; i < s.n; i++) rows += s.run[i].d->n_ops;
        char *table = between(t, "<section id=\"table\">", "</section>");
        assert_int_equal(svg_count(table, "<tr data-op=\""), rows);
        free(table);
        assert_int_equal(svg_count(t, "class=\"ops\""), (layers ? 2 : 1) * n);
        for (int i = 0; i < rg_n_pictures; i++) {
            char mark[64];
            if (rg_pictures[i].kind != RG_DOC_profile) continue;
            snprintf(mark, sizeof mark, "data-chart=\"%s\"", rg_pictures[i].name);
            if (svg_count(t, mark) != (pictures_of(&rg_pictures[i], &s)))
                fail_msg("%s: %d pictures", rg_pictures[i].name, svg_count(t, mark));
        }
        /* what is embedded is the file */
        char *data = between(t, "id=\"ridge-data\">", "</script>");
        json_t *j = json_loads(data, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(j);
        assert_true(json_is_true(json_object_get(j, "packed")));
        json_t *file = unpack(json_array_get(json_object_get(j, "files"), 0));
        char *unpacked = json_dumps(file, JSON_SORT_KEYS);
        assert_string_equal(unpacked, json);
        /* null where the toolchain is missing, and then the page says so */
        json_t *whatif = json_object_get(j, "whatif");
        assert_int_equal(json_is_null(whatif), svg_count(t, "Not included in this page") == 1);
        char *extra = json_dumps(whatif, JSON_COMPACT | JSON_ENCODE_ANY);
        assert_true(strlen(data) < strlen(json) + strlen(extra) + 8000);
        free(extra);
        /* formulas are filled in for all linear operators, and give the right figure */
        const json_t *filled = json_array_get(json_object_get(j, "filled"), 0);
        assert_string_equal(
            json_string_value(json_object_get(filled, "prefill/attn_q")), "2 layers * (2 * 8 * 64 * 64)");
        assert_string_equal(json_string_value(json_object_get(filled, "decode/output")), "2 * 3 * 96 * 64");
        assert_string_equal(json_string_value(json_object_get(filled, "prefill/attn_core")),
            "2 layers * ((4 * 16 + 5 + 3 * 0) * 4 * 36 + 3 * 0 * 8 * 4)");
        json_decref(file);
        json_decref(j);
        free(unpacked);
        free(data);
        free(json);
        free(t);
        free(again);
        rg_reports_close(&s);
    }
}

/* A card per run with both phases and their shares, findings, and what to fix, ranked. */
static void test_summary(void **state)
{
    (void)state;
    rg_reports s = make(NULL, 2, false, NULL);
    char *t = fixture_show(rg_page_write, &s),
         *summary = between(t, "<section id=\"summary\">", "</section>"),
         *title = between(t, "<h1>", "</h1>"), *fixes = between(t, "<section id=\"fixes\">", "</section>");
    assert_string_equal(title, "paper on Paper CPU");
    assert_int_equal(svg_count(summary, "<article class=\"card\""), 2);
    assert_int_equal(svg_count(summary, "class=\"share\""), 4);
    assert_int_equal(svg_count(summary, "<h3>f16</h3>"), 2); /* its card, and its sentences */
    const int findings = svg_count(strstr(summary, "class=\"findings\""), "</li>");
    assert_in_range(findings, 1, 3);
    assert_true(svg_count(summary, "cannot be told apart") + svg_count(summary, "do not compare them") == 1);
    double last = INFINITY;
    for (const char *row = fixes; (row = strstr(row, "<tr data-op=\"")); row++) {
        const rg_doc_op *w = &s.run[0].d->ops[strtoul(row + 13, NULL, 10)];
        if (strstr(row, "<h3>q4g64</h3>")) {
            assert_true(w->t_ns - w->analytic.ideal_ns <= last);
            last = w->t_ns - w->analytic.ideal_ns;
        }
    }
    assert_true(isfinite(last));
    free(t);
    free(summary);
    free(title);
    free(fixes);
    rg_reports_close(&s);
}

/* Many rows, few and many different values: two characters per place from 65 on, plain lists where most
 * differ. */
static void test_packing(void **state)
{
    (void)state;
    char *json;
    rg_reports s = make(NULL, 1, false, &json), long_one = {0};
    json_t *j = json_deep_copy(s.doc->json), *rows = json_array();
    for (int i = 0; i < 1000; i++)
        json_array_append_new(rows,
            json_pack("{s:i, s:s, s:i, s:n, s:{s:i, s:f}, s:i}", "few", i % 3, "same", "x", "many", i % 200,
                "none", "nested", "a", i % 70, "b", 0.5 * (i % 7), "all", i * i));
    json_object_set_new(j, "rows", rows);
    char *text = json_dumps(j, JSON_SORT_KEYS);
    add_json(&long_one, j);
    char *t = fixture_show(rg_page_write, &long_one), *data = between(t, "id=\"ridge-data\">", "</script>");
    json_t *d = json_loads(data, 0, NULL), *file = unpack(json_array_get(json_object_get(d, "files"), 0));
    char *again = json_dumps(file, JSON_SORT_KEYS);
    assert_string_equal(again, text);
    const json_t *columns =
        json_object_get(json_object_get(json_array_get(json_object_get(d, "files"), 0), "rows"), "$c");
    int packed = 0, plain = 0, wide = 0;
    for (size_t i = 0; i < json_array_size(columns); i++) {
        const json_t *c = json_array_get(columns, i), *different = json_object_get(c, "$d");
        packed += different != NULL;
        plain += json_is_array(c);
        wide += json_array_size(different) > 64;
    }
    assert_int_equal(plain, 1); /* all differ */
    assert_int_equal(wide, 2);  /* 200 numbers, 70 x 7 / common objects */
    assert_int_equal(packed, 5);
    json_decref(d);
    json_decref(file);
    json_decref(j);
    free(again);
    free(text);
    free(t);
    free(data);
    free(json);
    rg_reports_close(&s);
    rg_reports_close(&long_one);
}

/* A file that uses the packing's own markers is embedded as it is. */
static void test_markers(void **state)
{
    (void)state;
    char *json;
    rg_reports s = make(NULL, 1, false, &json), evil = {0};
    json_t *j = json_deep_copy(s.doc->json);
    json_object_set_new(j, "extra", json_pack("{s:[s], s:[]}", "$d", "</script>", "$i"));
    add_json(&evil, j);
    char *t = fixture_show(rg_page_write, &evil), *data = between(t, "id=\"ridge-data\">", "</script>");
    json_t *d = json_loads(data, 0, NULL);
    assert_true(json_is_false(json_object_get(d, "packed")));
    assert_true(json_equal(json_array_get(json_object_get(d, "files"), 0), j));
    json_decref(d);
    json_decref(j);
    free(t);
    free(data);
    free(json);
    rg_reports_close(&s);
    rg_reports_close(&evil);
}

/* A run becomes a model of another architecture: a window in one of its layers, another one does not rotate,
 * half heads rotate, scores are capped, norms of all queries and behind attention in place of those in
 * front. */
static void other_architecture(json_t *run)
{
    static const struct {
        const char *key;
        int n;
    } dims[] = {{"window", 4}, {"window_layers", 1}, {"rotated", 8}, {"rotated_layers", 1}, {"qk_norm", 64},
        {"score_cap", 50}};
    json_t *d = json_object_get(json_object_get(run, "model"), "dims"), *op;
    size_t i;
    for (size_t k = 0; k < sizeof dims / sizeof *dims; k++)
        json_object_set_new(d, dims[k].key, json_integer(dims[k].n));
    json_array_foreach (json_object_get(run, "ops"), i, op) {
        const char *site = json_string_value(json_object_get(op, "site"));
        const char *now = strcmp(site, "attn_norm") == 0 ? "attn_q_norm"
            : strcmp(site, "ffn_norm") == 0              ? "attn_post_norm"
                                                         : NULL;
        if (now) json_object_set_new(op, "site", json_string(now));
    }
}

/* It becomes a mixture of experts, that read as many as counted. */
static void mixture(json_t *run)
{
    json_t *d = json_object_get(json_object_get(run, "model"), "dims");
    json_object_set_new(d, "ffn", json_integer(0));
    json_object_set_new(d, "experts", json_integer(16));
    json_object_set_new(d, "experts_used", json_integer(2));
    json_object_set_new(d, "expert_ffn", json_integer(64));
    json_object_set_new(d, "shared_ffn", json_integer(32));
}

static void put_pairs(const json_t *pairs)
{
    const json_t *p;
    size_t i;
    json_array_foreach (pairs, i, p)
        rg_whatif_in()[json_integer_value(json_array_get(p, 0))] = json_number_value(json_array_get(p, 1));
}

/* What the page's numbers say is what the exact model says of the run's configuration. */
static void test_whatif(void **state)
{
    (void)state;
    if (!rg_page_has_whatif()) skip();
    for (int kind = 0; kind < 3; kind++) {
        const bool other = kind == 1;
        json_t *j = fixture_run_json();
        if (other) other_architecture(j);
        if (kind == 2) mixture(j);
        rg_reports s = fixture_open(j);
        json_t *w = rg_page_whatif(&s);
        const double *in = rg_whatif_in();
        memset(rg_whatif_in(), 0, RG_WI_IN_COUNT * sizeof *in);
        put_pairs(json_array_get(json_object_get(w, "base"), 0));
        put_pairs(json_array_get(json_object_get(w, "own"), 0));
        assert_int_equal(rg_whatif(), 0);
        const rg_config c = rg_run_config(s.run);
        assert_int_equal(c.window, other ? 4 : 0);
        assert_int_equal(c.no_pre_norm && c.whole_qk_norm, other);
        assert_int_equal(rg_site_exists(&c, RG_SITE_ATTN_Q_NORM), other);
        const rg_exact_input x = {.dtype = (rg_wtype)in[RG_WI_dtype],
            .head = (rg_wtype)in[RG_WI_head],
            .router = (rg_wtype)in[RG_WI_router],
            .expert = (rg_wtype)in[RG_WI_dtype],
            .embd_row = (int64_t)in[RG_WI_embd_row],
            .kv_k = (rg_kvtype)in[RG_WI_kv],
            .kv_v = (rg_kvtype)in[RG_WI_kv],
            .act = (rg_exact_act)in[RG_WI_act],
            .batch = (int64_t)in[RG_WI_batch],
            .seqlen = (int64_t)in[RG_WI_seqlen],
            .ubatch = (int64_t)in[RG_WI_ubatch],
            .tp = 1,
            .flash = in[RG_WI_flash] > 0.0,
            .fuse = (unsigned)in[RG_WI_fuse] << 1};
        const rg_hardware h = {.bandwidth = 1e9};
        static rg_cost_result r;
        assert_int_equal(rg_exact(&r, &c, &h, &x, NULL), RG_OK);
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
            const double *o = rg_whatif_out() + ph * RG_WO_PHASE;
            assert_true(o[RG_WO_flop] > 0.0 && o[RG_WO_flop] == r.total[ph].flop);
            assert_true(o[RG_WO_bytes] == r.total[ph].bytes);
            assert_true(o[RG_WO_mem_kv] == r.memory[ph].kv);
            assert_true(o[RG_WO_experts_read] == r.experts[ph].read);
        }
        if (kind == 2) { /* all the same; then a batch in which a count of the run's is too large */
            rg_whatif_in()[RG_WI_routing] = RG_ROUTING_SAME;
            assert_int_equal(rg_whatif(), 0);
            assert_true(rg_whatif_out()[RG_WO_PHASE + RG_WO_experts_read] == 2.0);
            assert_true(rg_whatif_out()[RG_WO_experts_read] == 2.0);
            rg_whatif_in()[RG_WI_routing] = RG_ROUTING_COUNTED;
            rg_whatif_in()[RG_WI_counted] = 11.5;
            assert_int_equal(rg_whatif(), 0);
            assert_true(rg_whatif_out()[RG_WO_PHASE + RG_WO_experts_read] == 2.0);
            rg_whatif_in()[RG_WI_routing] = 4;
            assert_true(rg_whatif() != 0);
            rg_whatif_in()[RG_WI_routing] = 0;
            rg_whatif_in()[RG_WI_experts_used] = 17;
            assert_true(rg_whatif() != 0);
            rg_whatif_in()[RG_WI_experts_used] = 2;
            assert_int_equal(rg_whatif(), 0);
        }
        assert_int_equal((int)rg_whatif_out()[RG_WO_POINTS], r.n);
        json_decref(w);
        rg_reports_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whatif), cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_page), cmocka_unit_test(test_summary), cmocka_unit_test(test_packing),
        cmocka_unit_test(test_markers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
