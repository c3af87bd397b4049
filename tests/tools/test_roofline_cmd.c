/* ridge roofline as a user meets it: the published tables, rows of sweeps, JSON keys, refusals. */
#include "run_program.h"

static void has(const output *o, const char *text)
{
    if (!strstr(o->out, text)) fail_msg("'%s' is not in\n%s", text, o->out);
}

static void published_table(void **state)
{
    (void)state;
    output o = ridge("roofline", "--shape", "llama-2-7b", "--hardware", "nvidia_A6000", "--seqlen", "2048",
        "--batch", "1", "--cost", "llm-viewer", "-o", "md", NULL);
    expect_ok(&o);
    static const char *const rows[] = {
        "| q/k/v/o_proj      |  69G |   67M |      1024 |            155T | compute |",
        "| gate/up/down_proj | 185G |  152M |      1215 |            155T | compute |",
        "| qk/sv_matmul      |  34G |  302M |       114 |             87T | memory  |",
        "| softmax           | 671M |  537M |      1.25 |            960G | memory  |",
        "| attn/mlp_norm     |  59M |   34M |      1.75 |              1T | memory  |",
        "| attn/mlp_add      |   8M |   34M |      0.25 |            192G | memory  |",
        "| q/k/v/o_proj      |  34M |   34M |         1 |            768G | memory |",
        "| gate/up/down_proj |  90M |   90M |         1 |            768G | memory |",
        "| qk/sv_matmul      |  17M |   17M |      0.99 |            762G | memory |",
        "| softmax           | 328K |  262K |      1.25 |            960G | memory |",
        "| attn/mlp_norm     |  29K |   16K |      1.75 |              1T | memory |",
        "| attn/mlp_add      |   4K |   16K |      0.25 |            192G | memory |"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) has(&o, rows[i]);
    done(&o);
}

static void published_totals(void **state)
{
    (void)state;
    output o = ridge("roofline", "--shape", "llama-2-7b", "--hardware", "nvidia_A6000", "--seqlen", "1024",
        "--totals", "--cost", "llm-viewer", "-o", "md", NULL);
    expect_ok(&o);
    static const char *const numbers[] = {"13,820,530,524,160", "102.425198", "8,506,056,704", "536,870,912",
        "13,214,154,752", "8,153,790,976", "30,947,744,256", "13,743,685,632", "254,803,968",
        "12,952,010,752", "13,627,555,840", "17.926942", "8,314,880", "8,026,624", "524,288",
        "13,767,891,456", "13,489,130,496", "248,832"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) has(&o, numbers[i]);
    assert_null(strstr(o.out, "one layer"));
    done(&o);
}

static json_t *parse(const output *o)
{
    json_error_t e;
    json_t *j = json_loads(o->out, 0, &e);
    if (!j) fail_msg("line %d: %s", e.line, e.text);
    return j;
}

static void json_keys(void **state)
{
    (void)state;
    output o = ridge("roofline", "--shape", "llama-2-7b", "--hardware", "nvidia_A6000", "--seqlen",
        "512,1024", "--w-bit", "16,4", "--cost", "llm-viewer", "-o", "json", NULL);
    expect_ok(&o);
    json_t *j = parse(&o);
    assert_int_equal(json_array_size(json_object_get(j, "cases")), 4);
    const json_t *k = json_array_get(json_object_get(j, "cases"), 1);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(k, "input"), "w_bit")), 16);
    assert_true(json_number_value(json_object_get(
                    json_object_get(json_object_get(k, "total"), "prefill"), "OPs")) == 13820530524160.0);
    assert_true(json_number_value(json_object_get(
                    json_object_get(json_object_get(k, "decode"), "q_proj"), "load_weight")) == 33554432.0);
    json_decref(j);
    done(&o);
    o = ridge("roofline", "--shape", "tinyllama-1.1b", "--hardware", "amd_epyc_9654", "--dtype", "q4g64",
        "--seqlen", "100", "--gen", "10", "-o", "json", NULL);
    expect_ok(&o);
    j = parse(&o);
    k = json_array_get(json_object_get(j, "cases"), 0);
    /* 18 sites in both phases, three of them part of others */
    assert_int_equal(json_array_size(json_object_get(k, "ops")), 30);
    assert_string_equal(json_string_value(json_object_get(json_object_get(k, "input"), "fuse")), "act+add");
    assert_true(json_number_value(json_object_get(json_object_get(k, "task"), "tokens_per_s")) > 1.0);
    json_decref(j);
    done(&o);
}

/* Fused operators replace others, and bytes go away; what is split over devices cannot be added to before it
 * is summed. */
static void fusions(void **state)
{
    (void)state;
    static const struct {
        const char *fuse, *tp, *applied;
        size_t ops;
    } cases[] = {{"none", "1", "none", 36}, {"act", "1", "act", 34}, {"rope+add", "1", "add+rope", 30},
        {"all", "1", "act+add+rope", 28}, {"all", "2", "act+rope", 32}, {"norm", "1", "none", 36}};
    double bytes[6];
    for (size_t i = 0; i < 6; i++) {
        output o = ridge("roofline", "--shape", "tinyllama-1.1b", "--hardware", "amd_epyc_9654", "--seqlen",
            "64", "--fuse", cases[i].fuse, "--tp", cases[i].tp, "-o", "json", NULL);
        expect_ok(&o);
        json_t *j = parse(&o);
        const json_t *k = json_array_get(json_object_get(j, "cases"), 0);
        assert_int_equal(json_array_size(json_object_get(k, "ops")), cases[i].ops);
        assert_string_equal(
            json_string_value(json_object_get(json_object_get(k, "input"), "fuse")), cases[i].applied);
        bytes[i] = json_number_value(
            json_object_get(json_object_get(json_object_get(k, "total"), "prefill"), "total_bytes"));
        json_decref(j);
        done(&o);
    }
    assert_true(bytes[0] > bytes[1] && bytes[0] > bytes[2] && bytes[1] > bytes[3] && bytes[2] > bytes[3] &&
        bytes[5] == bytes[0]);
    assert_true(bytes[0] - bytes[1] == 22.0 * 8 * 64 * 5632); /* a layer's outputs of up, written and read */
    expect_error(ridge("roofline", "--shape", "tinyllama-1.1b", "--fuse", "act,add", NULL), 2, "--fuse",
        "act,add", "joined by +", NULL);
    expect_error(
        ridge("roofline", "--shape", "tinyllama-1.1b", "--cost", "llm-viewer", "--fuse", "act", NULL), 2,
        "--fuse", "--flash", NULL);
}

static int lines(const char *s)
{
    int n = 0;
    for (; *s; s++) n += *s == '\n';
    return n;
}

static void sweeps(void **state)
{
    (void)state;
    output o =
        ridge("roofline", "--shape", "tinyllama-1.1b", "--hardware", "amd_epyc_9654,apple_m1", "--dtype",
            "f16,q4g32,q4g64,q4g128", "--batch", "1-4*2", "--seqlen", "128-512+128", "-o", "csv", NULL);
    expect_ok(&o);
    assert_int_equal(lines(o.out), 1 + 2 * 4 * 3 * 4 * 2);
    done(&o);
    o = ridge("roofline", "--shape", "tinyllama-1.1b", "--hardware", "amd_epyc_9654", "--tp", "1,2,4",
        "--stage", "decode", "-o", "md", NULL);
    expect_ok(&o);
    has(&o, "| amd_epyc_9654 | f16     |   4 |");
    assert_null(strstr(o.out, "| prefill |"));
    done(&o);
}

static void own_hardware(void **state)
{
    (void)state;
    const char *text = "{\"schema\": \"ridge.hardware\", \"version\": 1, \"name\": \"my box\", "
                       "\"bandwidth_gbps\": 50, \"fp32_gflops\": 1000}";
    write_bytes(scratch("own.json"), text, strlen(text));
    output o = ridge("roofline", "--dims", "hidden=64,layers=1,heads=4,ffn=96,vocab=300,ctx=64", "--hardware",
        scratch("own.json"), "--seqlen", "8", NULL);
    expect_ok(&o);
    has(&o, "my box");
    done(&o);
    o = ridge(
        "roofline", "-m", tiny_model(), "--hardware", machine_file(), "--seqlen", "8", "-o", "md", NULL);
    expect_ok(&o);
    has(&o, "## memory");
    done(&o);
    char config[700]; /* config.json alone is enough */
    snprintf(config, sizeof config, "%s/config.json", tiny_model());
    o = ridge("roofline", "-m", config, "--hardware", "aws_graviton3", "--seqlen", "8", NULL);
    expect_ok(&o);
    has(&o, "tiny in f16");
    done(&o);
    o = ridge("roofline", "--list-hardware", "-o", "md", NULL);
    expect_ok(&o);
    has(&o, "| nvidia_A6000 ");
    has(&o, "ARK");
    done(&o);
}

static void explains(void **state)
{
    (void)state;
    output o = ridge("roofline", "--shape", "llama-3.1-8b", "--hardware", "amd_epyc_9654", "--dtype", "q4g64",
        "--seqlen", "512", "--explain", NULL);
    expect_ok(&o);
    has(&o, "attn_q: m = 512 k = 4096 n = 4096, q4g64: 4.25 bits per weight");
    has(&o, "2 * m * n * k = 17179869184 FLOP");
    has(&o, "(4 * hd + 5 + 3 * cap) * h * pairs");
    has(&o, "output matrix, one operation per multiply-add: 0.525 GFLOP there, 1.05 here (+100.0 %)");
    done(&o);
    expect_error(ridge("roofline", "--shape", "llama-3.1-8b", "--hardware", "nvidia_A40", "--seqlen", "1,2",
                     "--explain", NULL),
        2, "--explain", NULL);
    expect_error(ridge("roofline", "--shape", "llama-3.1-8b", "--hardware", "nvidia_A40", "--cost",
                     "llm-viewer", "--explain", NULL),
        2, "--explain", NULL);
    expect_error(ridge("roofline", "--quick", NULL), 2, "--validate", NULL);
}

static void studies(void **state)
{
    (void)state;
#define MODEL "--shape", "llama-3.1-8b", "--hardware"
    output o = ridge("roofline", MODEL, "amd_epyc_9654", "--study", "ablation", "-o", "md", NULL);
    expect_ok(&o);
    has(&o, "| + q4g64 weights ");
    has(&o, "| + batch 8 ");
    done(&o);
    o = ridge("roofline", MODEL, "amd_epyc_9654", "--dtype", "q4g64", "--study", "fit", "--memory", "24",
        "-o", "json", NULL);
    expect_ok(&o);
    json_t *j = parse(&o);
    assert_int_equal(json_array_size(json_object_get(j, "cases")), 2);
    const json_t *k = json_array_get(json_object_get(j, "cases"), 0);
    assert_true(json_number_value(json_object_get(json_object_get(k, "memory"), "total_bytes")) <=
        24.0 * 1073741824.0);
    json_decref(j);
    done(&o);
    o = ridge("roofline", MODEL, "nvidia_A40", "--study", "turning", NULL);
    expect_ok(&o);
    /* the ridge of 215 FLOP/byte, 1 FLOP per byte and sequence, and the activations */
    has(&o, "turn compute-bound at a batch of 2");
    done(&o);
    expect_error(ridge("roofline", MODEL, "amd_epyc_9654", "--study", "fit", NULL), 2, "--memory", NULL);
    expect_error(ridge("roofline", MODEL, "amd_epyc_9654", "--study", "fit", "--memory", "0.5", NULL), 5,
        "512 MiB", NULL);
    expect_error(
        ridge("roofline", MODEL, "amd_epyc_9654", "--study", "magic", NULL), 2, "magic", "ablation", NULL);
    expect_error(ridge("roofline", MODEL, "amd_epyc_9654", "--memory", "4", NULL), 2, "--memory", NULL);
#undef MODEL
}

/* On a terminal: the sentence, a table of at most ten rows, nothing wider than asked for. */
static void the_answer_first(void **state)
{
    (void)state;
#define MODEL "roofline", "--shape", "tinyllama-1.1b", "--hardware", "amd_epyc_9654"
    static const struct {
        const char *more[4], *first, *within;
        int lines;
    } row[] = {
        {{NULL}, "tinyllama-1.1b in f16 on amd_epyc_9654 at best writes ", "(limit: memory)", 20},
        {{"--stage", "prefill"}, "tinyllama-1.1b in f16 on amd_epyc_9654 at best reads a prompt at ", "", 20},
        {{"--batch", "1-64*2"}, "tinyllama-1.1b, fastest decode of 7 cases: ", "batch 64", 16},
        {{"--batch", "1-64*2", "--seqlen", "128-1024+128"},
            "tinyllama-1.1b, fastest decode of 56 cases: ", "46 more with --wide", 20},
        {{"--study", "turning"}, "Linear operators of decode", "first compute-bound", 12},
        {{"--list-hardware"}, "", "machines are known by name", 60},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const char *const *m = row[i].more;
        output o = ridge(MODEL, m[0], m[1], m[2], m[3], NULL);
        expect_ok(&o);
        if (strncmp(o.out, row[i].first, strlen(row[i].first)) != 0) fail_msg("row %zu:\n%s", i, o.out);
        has(&o, row[i].within);
        if (lines(o.out) > row[i].lines) fail_msg("%d lines:\n%s", lines(o.out), o.out);
        for (const char *l = o.out; *l; l += strcspn(l, "\n") + 1)
            if (strcspn(l, "\n") > 100) fail_msg("too wide:\n%s", l);
        done(&o);
    }
    output o = ridge(MODEL, "--batch", "1,2", "--wide", NULL);
    expect_ok(&o);
    has(&o, "fastest decode of 2 cases");
    has(&o, "| hardware ");
    done(&o);
    expect_error(ridge(MODEL, "--wide", "-o", "csv", NULL), 2, "--wide", "-o csv", NULL);
#undef MODEL
}

static void validates(void **state)
{
    (void)state;
#if defined(RIDGE_SANITIZED) /* minutes; the same code measures the model below */
    print_message("SKIPPED: the grid, which measures, under sanitizers\n");
    skip();
#endif
    output o = ridge("roofline", "--validate", "--quick", "-t", "1", "-o", "json", "--html",
        scratch("validation.html"), "--svg", scratch("validation.svg"), NULL);
    if (o.code != 0) fail_msg("exit code %d: %s", o.code, o.err);
    json_t *j = parse(&o);
    size_t i;
    json_t *p;
    assert_int_equal(json_array_size(json_object_get(j, "points")), 12);
    write_bytes(scratch("validation.json"), o.out, o.n_out);
    const int fits = schema_check("validation", scratch("validation.json"));
    if (fits == 77)
        print_message("SKIPPED: the check of the schema needs python3-jsonschema\n");
    else
        assert_int_equal(fits, 0);
    json_array_foreach (json_object_get(j, "points"), i, p) {
        const double m = json_number_value(json_object_get(p, "measured_ns")),
                     q = json_number_value(json_object_get(p, "predicted_ns"));
        /* other programs run beside tests: an order of magnitude is all that can be asked */
        assert_true(m > 0.0 && q > m / 100 && q < m * 100);
        assert_true(json_number_value(json_object_get(p, "ideal_ns")) > 0.0);
    }
    char *svg = read_all(scratch("validation.svg"), NULL);
    assert_non_null(strstr(svg, "data-at=\"points.11\""));
    free(svg);
    assert_true(file_exists(scratch("validation.html")));
    const json_t *e = json_object_get(json_object_get(j, "errors"), "decode");
    assert_int_equal(json_integer_value(json_object_get(e, "points")), 6);
    assert_true(
        json_number_value(json_object_get(e, "median")) <= json_number_value(json_object_get(e, "worst")));
    json_decref(j);
    done(&o);
}

/* One model that is named: its types, lengths and batches, each with its operators. */
static void validates_a_model(void **state)
{
    (void)state;
    output o = ridge("roofline", "--validate", "--dims",
        "hidden=64,layers=2,heads=4,kv_heads=2,ffn=128,vocab=300,ctx=64", "--dtype", "f16,q4g64", "-p",
        "8,16", "-n", "4", "--batch", "1,2", "-t", "1", "-o", "json", NULL);
    expect_ok(&o);
    json_t *j = parse(&o), *points = json_object_get(j, "points"), *p, *op;
    size_t i, k;
    assert_int_equal(json_array_size(points), 2 * 2 * 2 * 2);
    json_array_foreach (points, i, p) {
        const json_t *ops = json_object_get(p, "ops");
        assert_string_equal(json_string_value(json_object_get(p, "dtype")), i < 8 ? "f16" : "q4g64");
        assert_int_equal(json_integer_value(json_object_get(p, "prompt")), i / 2 % 2 ? 16 : 8);
        assert_int_equal(json_integer_value(json_object_get(p, "batch")), i / 4 % 2 ? 2 : 1);
        assert_int_equal(json_integer_value(json_object_get(p, "threads")), 1);
        assert_int_equal(json_array_size(ops), 15);
        double measured = 0.0;
        json_array_foreach (ops, k, op) {
            measured += json_number_value(json_object_get(op, "measured_ns"));
            assert_true(json_number_value(json_object_get(op, "predicted_ns")) > 0.0);
        }
        assert_true(measured > 0.0 && measured <= json_number_value(json_object_get(p, "measured_ns")));
    }
    assert_non_null(json_object_get(json_object_get(j, "errors"), "all operators of decode"));
    json_decref(j);
    done(&o);

    o = ridge("roofline", "--validate", "-m", RIDGE_SOURCE_DIR "/weights/demo", "-p", "8", "-n", "2", NULL);
    expect_ok(&o);
    has(&o, "prefill: predicted ");
    has(&o, "attn_core");
    done(&o);
}

/* What would be ignored is refused by its name, before anything is measured. */
static void validates_no_stranger(void **state)
{
    (void)state;
    static const char *const strangers[][2] = {{"--hardware", "apple_m1"}, {"--cost", "exact"},
        {"--seqlen", "64"}, {"--gen", "8"}, {"--stage", "decode"}, {"--w-bit", "4"}, {"--a-bit", "8"},
        {"--kv-bit", "8"}, {"--flash", "on"}, {"--tp", "2"}, {"--link", "10"}, {"--study", "fit"},
        {"--memory", "8"}, {"--explain", NULL}, {"--totals", NULL}, {"--list-hardware", NULL}};
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        expect_error(ridge("roofline", "--validate", strangers[i][0], strangers[i][1], NULL), 2,
            strangers[i][0], "--validate", NULL);
    expect_error(
        ridge("roofline", "--validate", "--quick", "--shape", "stories15m", NULL), 2, "--quick", NULL);
    expect_error(ridge("roofline", "--validate", "-m", "nowhere", NULL), 3, "nowhere", NULL);
    expect_error(
        ridge("roofline", "--validate", "-m", "a", "--shape", "stories15m", NULL), 2, "-m", "--shape", NULL);
    expect_error(ridge("roofline", "--validate", "--shape", "nothing", NULL), 2, "nothing", NULL);
    expect_error(ridge("roofline", "--validate", "--dtype", "f16,q5", NULL), 2, "q5", NULL);
    expect_error(ridge("roofline", "--validate", "-p", "8,x", NULL), 2, "-p", "x", NULL);
    expect_error(ridge("roofline", "--shape", "stories15m", "-p", "8", NULL), 2, "-p", "--validate", NULL);
    expect_error(ridge("roofline", "--shape", "stories15m", "-n", "8", NULL), 2, "-n", "--validate", NULL);
}

static void refusals(void **state)
{
    (void)state;
#define SHAPE "--shape", "tinyllama-1.1b", "--hardware"
    expect_error(ridge("roofline", SHAPE, "nvidia_a600", NULL), 2, "nvidia_a600", "nvidia_A6000", NULL);
    expect_error(ridge("roofline", SHAPE, "nowhere/x.json", NULL), 3, "nowhere/x.json", NULL);
    expect_error(ridge("roofline", SHAPE, "apple_m1", "--batch", "0", NULL), 2, "--batch", NULL);
    expect_error(ridge("roofline", SHAPE, "apple_m1", "--seqlen", "0", NULL), 2, "--seqlen", NULL);
    expect_error(ridge("roofline", SHAPE, "apple_m1", "--seqlen", "4096", NULL), 2, "4096", "2048", NULL);
    expect_error(ridge("roofline", SHAPE, "apple_m1", "--seqlen", "2000", "--gen", "100", NULL), 2, "--gen",
        "2048", NULL);
    expect_error(ridge("roofline", SHAPE, "apple_m1", "--seqlen", "1,x", NULL), 2, "--seqlen", "x", NULL);
    expect_error(ridge("roofline", SHAPE, "apple_m1", "--seqlen", "8-4", NULL), 2, "8-4", NULL);
    expect_error(ridge("roofline", SHAPE, "apple_m1", "--seqlen", "1-64*1", NULL), 2, "1-64*1", NULL);
    expect_error(ridge("roofline", SHAPE, "apple_m1", "--tp", "3", NULL), 2, "--tp", NULL);
    expect_error(ridge("roofline", SHAPE, "apple_m1", "--dtype", "q5", NULL), 2, "q5", NULL);
    expect_error(ridge("roofline", SHAPE, "apple_m1", "--dtype", "f16,,q4g64", NULL), 2, "--dtype",
        "empty value", NULL);
    expect_error(ridge("roofline", SHAPE, "apple_m1,", NULL), 2, "--hardware", "empty value", NULL);
    expect_error(ridge("roofline", SHAPE, "apple_m1", "--w-bit", "4", NULL), 2, "--w-bit", "--dtype", NULL);
    expect_error(ridge("roofline", SHAPE, "nvidia_A40", "--cost", "llm-viewer", "--dtype", "f16", NULL), 2,
        "--dtype", NULL);
    expect_error(ridge("roofline", SHAPE, "nvidia_A40", "--cost", "llm-viewer", "--w-bit", "3", NULL), 2,
        "--w-bit", "3", NULL);
    expect_error(ridge("roofline", SHAPE, "intel_13900k", "--cost", "llm-viewer", "--w-bit", "8", "--a-bit",
                     "8", "--kv-bit", "8", NULL),
        2, "INT8", NULL);
    expect_error(ridge("roofline", SHAPE, "apple_m1", "--stage", "generate", NULL), 2, "--gen", NULL);
    expect_error(ridge("roofline", "--shape", "nothing", "--hardware", "apple_m1", NULL), 2, "nothing", NULL);
    expect_error(
        ridge("roofline", "--dims", "hidden=64,layers=1,heads=5,kv_heads=3,ffn=96,vocab=300,head_dim=8",
            "--hardware", "apple_m1", NULL),
        2, "3 KV heads", NULL);
    expect_error(ridge("roofline", "--dims", "hidden=0,layers=1,heads=4,ffn=96,vocab=300", "--hardware",
                     "apple_m1", NULL),
        2, "hidden size", NULL);
    expect_error(
        ridge("roofline", "--dims", "hidden=100,layers=1,heads=3,kv_heads=3,ffn=96,vocab=300,head_dim=32",
            "--hardware", "nvidia_A40", "--cost", "llm-viewer", NULL),
        2, "hidden size 100", NULL);
}

/* Without --seqlen a model of a short context is no error: the length is what it allows. */
/* gpt-oss: its configuration alone says what its file does, whose experts are MXFP4. */
static void experts_in_mxfp4(void **state)
{
    (void)state;
    const char *dir = scratch("oss"), *config = scratch("oss/config.json");
    output o = ridge("synth", "--shape", "gpt-oss-small", "-o", dir, NULL);
    expect_ok(&o);
    done(&o);
    output a = ridge("roofline", "-m", dir, "--hardware", "amd_epyc_9654", "-o", "csv", NULL),
           b = ridge("roofline", "-m", config, "--hardware", "amd_epyc_9654", "-o", "csv", NULL);
    expect_ok(&a);
    expect_ok(&b);
    assert_string_equal(a.out, b.out);
    done(&a), done(&b);
}

static void short_contexts(void **state)
{
    (void)state;
    static const struct {
        const char *gen;
        int length;
    } t[] = {{"1", 63}, {"40", 24}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        output o =
            ridge("roofline", "--dims", "hidden=64,layers=1,heads=4,kv_heads=2,ffn=96,vocab=300,ctx=64",
                "--hardware", "amd_epyc_9654", "--gen", t[i].gen, "-o", "json", NULL);
        expect_ok(&o);
        json_t *j = parse(&o);
        const json_t *input = json_object_get(json_array_get(json_object_get(j, "cases"), 0), "input");
        assert_int_equal(json_integer_value(json_object_get(input, "seqlen")), t[i].length);
        json_decref(j);
        done(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(published_table), cmocka_unit_test(published_totals),
        cmocka_unit_test(json_keys), cmocka_unit_test(fusions), cmocka_unit_test(sweeps),
        cmocka_unit_test(own_hardware), cmocka_unit_test(explains), cmocka_unit_test(studies),
        cmocka_unit_test(the_answer_first), cmocka_unit_test(validates), cmocka_unit_test(validates_a_model),
        cmocka_unit_test(validates_no_stranger), cmocka_unit_test(refusals),
        cmocka_unit_test(experts_in_mxfp4), cmocka_unit_test(short_contexts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
