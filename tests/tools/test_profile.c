/* `ridge profile` end to end: JSON that adds up, CSV, the table for people, two weight types, layers,
 * Ctrl-C. */
#include "json_util.h"

static const char *const byte_fields[] = {
    "weight_bytes", "act_read_bytes", "act_write_bytes", "kv_read_bytes", "kv_write_bytes"};

static void check_bytes(const json_t *op, const char *kind)
{
    const json_t *b = json_object_get(op, kind);
    double sum = 0.0;
    for (size_t i = 0; i < 5; i++) sum += number(b, byte_fields[i]);
    if (sum != number(b, "total_bytes"))
        fail_msg("%s: the %s bytes add up to %.0f, total_bytes is %.0f", text(op, "site"), kind, sum,
            number(b, "total_bytes"));
}

/* One phase and its operators (rows that are sums over the layers). */
static void check_phase(const json_t *run, const char *name, double tokens)
{
    const json_t *p = item(json_object_get(run, "phases"), "phase", name), *ops = json_object_get(run, "ops"),
                 *op;
    double ns = 0.0, share = 0.0, flop = 0.0, analytic = 0.0, counted = 0.0;
    size_t i;
    json_array_foreach (ops, i, op) {
        if (strcmp(text(op, "phase"), name) != 0 || !json_is_null(json_object_get(op, "layer"))) continue;
        const char *bound = text(op, "bound");
        assert_true(
            strcmp(bound, "memory") == 0 || strcmp(bound, "compute") == 0 || strcmp(bound, "overhead") == 0);
        check_bytes(op, "analytic");
        check_bytes(op, "counted");
        assert_true(number(op, "calls") >= 1.0);
        assert_true(strlen(text(op, "op")) > 0 && strlen(text(op, "kernel")) > 0);
        number(op, "wait_ns");
        number_or_null(op, "gflops"), number_or_null(op, "gbps"), number_or_null(op, "ai_analytic"),
            number_or_null(op, "ai_counted");
        number_or_null(op, "attainable_gflops"), number_or_null(op, "roof_fraction");
        assert_true(json_is_string(json_object_get(op, "roof")) || json_is_null(json_object_get(op, "roof")));
        assert_true(number(op, "predicted_ns") > 0.0);
        ns += number(op, "t_ns");
        share += number(op, "share");
        flop += number(op, "flop");
        analytic += number(json_object_get(op, "analytic"), "total_bytes");
        counted += number(json_object_get(op, "counted"), "total_bytes");
    }
    const double t = number(p, "t_ns");
    assert_true(t > 0.0 && number(p, "predicted_ns") > 0.0);
    if (fabs(ns + number(p, "overhead_ns") - t) > 0.01 * t)
        fail_msg("%s: operators %.0f + overhead %.0f = %.0f ns, the phase took %.0f", name, ns,
            number(p, "overhead_ns"), ns + number(p, "overhead_ns"), t);
    assert_true(fabs(share - ns / t) < 1e-6);
    assert_true(number(p, "tokens") == tokens);
    assert_true(fabs(number(p, "tokens_per_s") - 1e9 * tokens / t) < 1e-3 * number(p, "tokens_per_s"));
    assert_true(number(p, "flop") == flop);
    assert_true(number(p, "bytes_analytic") == analytic);
    assert_true(number(p, "bytes_counted") == counted);
    assert_true(counted >= analytic);
    assert_true(fabs(number(p, "ai_counted") * counted - flop) < 1e-3 * flop);
    number_or_null(p, "bytes_pmu"), number_or_null(p, "mbu"), number_or_null(p, "mfu"), number(p, "gflops"),
        number(p, "gbps"), text(p, "bound");
}

static void check_run(const json_t *run, double prompt, double gen)
{
    assert_string_equal(text(run, "schema"), "ridge.profile");
    assert_true(number(run, "version") >= 1.0);
    assert_int_equal(strncmp(text(run, "command"), "ridge profile", 13), 0);
    assert_int_equal(strlen(text(run, "started")), strlen("2026-01-01T00:00:00Z"));
    const json_t *m = json_object_get(run, "machine"), *pmu = json_object_get(m, "pmu"),
                 *model = json_object_get(run, "model");
    assert_true(strlen(text(m, "cpu")) > 0 && number(m, "threads") >= 1.0);
    assert_true(json_array_size(json_object_get(m, "roofs")) >= 2);
    text(pmu, "status");
    /* an absence has a reason */
    if (strcmp(text(pmu, "status"), "hardware") != 0) assert_true(strlen(text(pmu, "reason")) > 0);
    assert_true(number(model, "params") > 0.0 && number(model, "resident_bytes") > 0.0 &&
        number(model, "bits_per_weight_resident") > 0.0);
    check_phase(run, "prefill", prompt);
    check_phase(run, "decode", gen);
    assert_true(json_array_size(json_object_get(run, "verdict")) > 0);
    assert_true(json_is_array(json_object_get(run, "notes")));
}

static double decode_ai(const json_t *run)
{
    return number(item(json_object_get(run, "phases"), "phase", "decode"), "ai_counted");
}

static void json_of_the_demo(void **state)
{
    (void)state;
    output o = ridge("profile", "--machine", machine_file(), "-p", "60", "-n", "20", "-o", "json", NULL);
    expect_ok(&o);
    json_t *j = parse(&o);
    check_run(j, 60.0, 20.0);
    const double ai = decode_ai(j);
    if (!(ai > 0.5 && ai < 1.1))
        fail_msg("decode with 16-bit weights has intensity %g, expected about 1", ai);
    /* analytic FLOP of a linear layer: 2 * weights * tokens, and the additions to the residual stream */
    const json_t *op = item(json_object_get(j, "ops"), "site", "ffn_down_add");
    assert_true(number(op, "flop") == (2.0 * 256 * 512 + 256) * 4 * 60);
    assert_string_equal(text(json_object_get(j, "run"), "fuse"), "act+add+norm");
    assert_true(number(op, "calls") == 4.0);
    json_decref(j);
    done(&o);
}

static void two_types_have_a_verdict(void **state)
{
    (void)state;
    output o = ridge("profile", "--machine", machine_file(), "-p", "30", "-n", "10", "--dtype", "f16,q4g64",
        "-o", "json", NULL);
    expect_ok(&o);
    json_t *j = parse(&o);
    assert_string_equal(text(j, "schema"), "ridge.profile.set");
    const json_t *runs = json_object_get(j, "runs");
    assert_int_equal(json_array_size(runs), 2);
    static const char *const types[] = {"f16", "q4g64"};
    for (size_t i = 0; i < 2; i++) {
        check_run(json_array_get(runs, i), 30.0, 10.0);
        assert_string_equal(text(json_object_get(json_array_get(runs, i), "model"), "dtype"), types[i]);
    }
    assert_true(decode_ai(json_array_get(runs, 1)) > 1.5 * decode_ai(json_array_get(runs, 0)));
    assert_true(json_array_size(json_object_get(j, "verdict")) > 0);
    json_decref(j);
    done(&o);
    o = ridge("profile", "--machine", machine_file(), "-p", "30", "-n", "10", "--dtype", "f16,q4g64", NULL);
    expect_ok(&o);
    for (size_t i = 0; i < 2; i++) assert_non_null(strstr(o.out, types[i]));
    done(&o);
}

/* A run for each length and number of sequences, drawn as one sweep; other work is not compared. */
static void lengths_and_sequences(void **state)
{
    (void)state;
    char folder[64], path[96];
    snprintf(folder, sizeof folder, "/tmp/ridge-sweep-%ld", (long)getpid());
    output o = ridge("profile", "--machine", machine_file(), "-p", "4,9", "-B", "1,3", "-n", "2", "-r", "1",
        "-o", "json", "--svg", folder, NULL);
    expect_ok(&o);
    json_t *j = parse(&o);
    const json_t *runs = json_object_get(j, "runs"), *run;
    size_t i;
    assert_int_equal(json_array_size(runs), 4);
    json_array_foreach (runs, i, run) {
        const double prompt = i % 2 ? 9.0 : 4.0, seqs = i < 2 ? 1.0 : 3.0;
        const json_t *phases = json_object_get(run, "phases"), *decode = item(phases, "phase", "decode");
        assert_true(number(json_object_get(run, "run"), "prompt_tokens") == prompt);
        assert_true(number(item(phases, "phase", "prefill"), "tokens") == prompt * seqs);
        assert_true(number(decode, "batch") == seqs && number(decode, "tokens") == 2.0 * seqs);
    }
    assert_int_equal(json_array_size(json_object_get(j, "verdict")), 0);
    json_decref(j);
    done(&o);
    snprintf(path, sizeof path, "%s/sweep.svg", folder);
    assert_int_equal(access(path, R_OK), 0);
    snprintf(path, sizeof path, "rm -r %s", folder);
    assert_int_equal(system(path), 0);
    static const struct {
        const char *p, *b, *expect;
    } wrong[] = {{"0", "1", "-p: '0', expected counts from 1 to 16777216"},
        {"4,,5", "1", "-p: '4,,5' has an empty value"}, {"4", "0", "-B: '0', expected counts"},
        {"1-9", "1-16", "144 runs of --dtype, -B and -p together"}};
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        o = ridge("profile", "--machine", machine_file(), "-p", wrong[i].p, "-B", wrong[i].b, NULL);
        assert_int_equal(o.code, 2);
        assert_non_null(strstr(o.err, wrong[i].expect));
        done(&o);
    }
}

/* How the report, the table and the page name activations, and where the page's what-if begins. */
static void activations_are_named(void **state)
{
    (void)state;
    const char *page = scratch("act.html");
    static const char *const formats[] = {"json", "md"};
    for (int i = 0; i < 2; i++) {
        output o = ridge("profile", "--machine", machine_file(), "-p", "8", "-n", "2", "-r", "1", "--dtype",
            "q4g64", "--act", "q8", "--html", page, "-o", formats[i], NULL);
        expect_ok(&o);
        json_t *j = i == 0 ? parse(&o) : NULL;
        if (j) assert_string_equal(text(json_object_get(j, "model"), "act"), "q8");
        if (!j) assert_non_null(strstr(o.out, "; activations q8\n"));
        json_decref(j);
        done(&o);
    }
    char *t = read_all(page, NULL), *data = strstr(t, "id=\"ridge-data\">");
    assert_non_null(strstr(t, "activations q8"));
    assert_non_null(data);
    json_t *j = json_loads(strchr(data, '>') + 1, JSON_DISABLE_EOF_CHECK, NULL), *pair;
    const json_t *w = json_object_get(j, "whatif");
    assert_non_null(w);
    size_t i;
    double act = NAN;
    json_array_foreach (json_array_get(json_object_get(w, "base"), 0), i, pair)
        if (json_number_value(json_array_get(pair, 0)) == number(json_object_get(w, "in"), "act"))
            act = json_number_value(json_array_get(pair, 1));
    if (!json_is_null(w)) /* null without the compiler of the what-if */
        assert_string_equal(json_string_value(json_array_get(json_object_get(w, "acts"), (size_t)act)), "q8");
    json_decref(j);
    free(t);
}

static void layers_add_up(void **state)
{
    (void)state;
    output o = ridge("profile", "--machine", machine_file(), "-p", "20", "-n", "5", "--per-layer", "-fa",
        "off", "-o", "json", NULL);
    expect_ok(&o);
    json_t *j = parse(&o);
    check_run(j, 20.0, 5.0);
    const json_t *ops = json_object_get(j, "ops"), *sum, *op;
    size_t i, k;
    int summed = 0;
    json_array_foreach (ops, i, sum) {
        if (!json_is_null(json_object_get(sum, "layer"))) continue;
        double ns = 0.0, calls = 0.0, counted = 0.0, layers = 0.0;
        json_array_foreach (ops, k, op) {
            if (json_is_null(json_object_get(op, "layer")) ||
                strcmp(text(op, "site"), text(sum, "site")) != 0 ||
                strcmp(text(op, "phase"), text(sum, "phase")) != 0)
                continue;
            ns += number(op, "t_ns");
            calls += number(op, "calls");
            counted += number(json_object_get(op, "counted"), "total_bytes");
            layers += 1.0;
        }
        if (layers == 0.0) continue; /* outside the layers */
        assert_true(layers == 4.0);
        assert_true(ns == number(sum, "t_ns") && calls == number(sum, "calls") &&
            counted == number(json_object_get(sum, "counted"), "total_bytes"));
        summed++;
    }
    /* unfused attention: 17 sites in a layer, three of them part of others; two phases */
    assert_int_equal(summed, 2 * 14);
    json_decref(j);
    done(&o);
}

/* Columns of a line, commas inside quotes not counted. */
static int columns(const char *line, size_t n)
{
    int c = 1;
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        if (line[i] == '"') quoted = !quoted;
        c += line[i] == ',' && !quoted;
    }
    return c;
}

static void csv_is_a_table(void **state)
{
    (void)state;
    output o = ridge("profile", "--machine", machine_file(), "-p", "20", "-n", "5", "-o", "csv", NULL);
    expect_ok(&o);
    int rows = 0, want = 0;
    for (const char *line = o.out; *line;) {
        const size_t n = strcspn(line, "\n");
        if (n && *line != '#') {
            const int c = columns(line, n);
            if (rows == 0) {
                want = c;
                static const char *const names[] = {"phase", "site", "t_ns", "predicted_ns",
                    "counted_total_bytes", "analytic_total_bytes", "roof_fraction"};
                for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                    if (!memmem(line, n, names[i], strlen(names[i])))
                        fail_msg("no column %s in %.*s", names[i], (int)n, line);
            }
            if (c != want)
                fail_msg("row %d has %d columns, the head has %d: %.*s", rows, c, want, (int)n, line);
            rows++;
        }
        line += n + (line[n] == '\n');
    }
    assert_true(want > 10);
    assert_int_equal(rows, 1 + 2 * 15); /* head; per phase embedding, 12 sites, output norm, output */
    done(&o);
}

/* The screenful, and everything; each has its words. */
static void the_views_for_people(void **state)
{
    (void)state;
    static const struct {
        const char *option, *value, *words[8];
    } row[] = {
        {NULL, NULL,
            {"prefill 40", "decode 10", "of roof", "tok/s", "where the time goes", "ffn down", "outside"}},
        {"-o", "md", {"refill", "ecode", "ffn_down", "predicted", "GB/s", "GFLOP", "output"}},
        {"--wide", NULL, {"refill", "ecode", "ffn_down", "predicted", "GB/s", "GFLOP", "output"}},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        output o = ridge("profile", "--machine", machine_file(), "-p", "40", "-n", "10", row[i].option,
            row[i].value, NULL);
        expect_ok(&o);
        for (int k = 0; row[i].words[k]; k++)
            if (!strstr(o.out, row[i].words[k])) fail_msg("no '%s' in\n%s", row[i].words[k], o.out);
        assert_null(strstr(o.out, "nan"));
        assert_null(strstr(o.out, "inf "));
        done(&o);
    }
}

static void prompts_and_counters(void **state)
{
    (void)state;
    static const char *const modes[] = {"off", "op", "auto"};
    for (int i = 0; i < 3; i++) {
        output o = ridge("profile", "--machine", machine_file(), "-p", "Once upon a time", "-n", "3", "-r",
            "1", "--counters", modes[i], "-o", "json", NULL);
        expect_ok(&o);
        json_t *j = parse(&o);
        check_run(j, 5.0, 3.0);
        const char *status = text(json_object_get(json_object_get(j, "machine"), "pmu"), "status");
        const json_t *op = json_array_get(json_object_get(j, "ops"), 0);
        if (i == 0) assert_string_equal(status, "off");
        assert_int_equal(json_is_null(json_object_get(op, "pmu")), strcmp(status, "off") == 0);
        json_decref(j);
        done(&o);
    }
}

static int64_t ns_at(const json_t *o, const char *key) { return (int64_t)(1000.0 * number(o, key) + 0.5); }

/* The trace of a real run: its slices lie inside one another in every thread, and thread 0's operators last
 * as long as the report says of that repetition. */
static void a_trace_beside_the_report(void **state)
{
    (void)state;
    enum { THREADS = 2, DEEP = 8 };
    const char *path = scratch("trace.json");
    output o = ridge("profile", "--machine", machine_file(), "-p", "Once upon a time", "-n", "4", "-r", "2",
        "-t", "2", "--oversubscribe", "--counters", "off", "--trace", path, "-o", "json", NULL);
    expect_ok(&o);
    json_t *run = parse(&o), *trace = json_load_file(path, JSON_REJECT_DUPLICATES, NULL), *e;
    assert_non_null(trace);
    int64_t sum = 0, open_end[THREADS][DEEP] = {{0}}, last[THREADS] = {0};
    int depth[THREADS] = {0}, slices[THREADS] = {0};
    size_t i;
    json_array_foreach (json_object_get(trace, "traceEvents"), i, e) {
        if (strcmp(text(e, "ph"), "X") != 0) continue;
        const int tid = (int)number(e, "tid");
        const int64_t begin = ns_at(e, "ts"), end = begin + ns_at(e, "dur");
        assert_true(tid < THREADS && begin >= last[tid]);
        last[tid] = begin;
        while (depth[tid] > 0 && open_end[tid][depth[tid] - 1] <= begin) depth[tid]--;
        if (depth[tid] > 0 && end > open_end[tid][depth[tid] - 1])
            fail_msg("%s of thread %d reaches beyond what it lies in", text(e, "name"), tid);
        assert_true(depth[tid] < DEEP);
        open_end[tid][depth[tid]++] = end;
        slices[tid]++;
        if (tid == 0 && strcmp(text(e, "cat"), "operator") == 0) sum += end - begin;
    }
    assert_true(slices[0] > 5 * 63 && slices[1] > 5 * 63);
    const json_t *phases = json_object_get(run, "phases"), *system = json_object_get(run, "run");
    double ops = 0.0, wall = 0.0; /* the report has the shorter call of two, the trace one repetition */
    for (int p = 0; p < 2; p++) {
        const json_t *ph = item(phases, "phase", p ? "decode" : "prefill");
        ops += number(ph, "ops_ns");
        wall += number(ph, "wall_ns");
    }
    if ((double)sum < ops || (double)sum > wall)
        fail_msg("the trace's operators last %lld ns, expected %.0f to %.0f", (long long)sum, ops, wall);
    /* what is outside of operators has its own numbers */
    assert_true(number(system, "tokenize_ns") > 0.0);
    assert_true(number(system, "first_token_ns") >
        number(item(phases, "phase", "prefill"), "t_ns") + number(system, "tokenize_ns"));
    assert_int_equal(json_array_size(json_object_get(item(phases, "phase", "decode"), "call_ns")), 4);
    assert_true(number(item(phases, "phase", "prefill"), "first_call_ns") > 0.0);
    /* the cache's pages */
    assert_true(
        number(json_object_get(item(phases, "phase", "prefill"), "first_call_system"), "minor_faults") > 0.0);
    json_decref(trace);
    json_decref(run);
    done(&o);
    /* bounded, and it says so */
    o = ridge("profile", "--machine", machine_file(), "-p", "8", "-n", "8", "-r", "1", "--trace", path,
        "--trace-events", "1500", NULL);
    assert_int_equal(o.code, 0);
    assert_non_null(strstr(o.err, "forward calls are not in it"));
    trace = json_load_file(path, 0, NULL);
    assert_true(json_array_size(json_object_get(trace, "traceEvents")) <= 1500);
    assert_true(number(json_object_get(trace, "otherData"), "dropped_calls") > 0.0);
    json_decref(trace);
    done(&o);
    expect_error(ridge("profile", "--machine", machine_file(), "-p", "8", "-n", "1", "-r", "1", "--trace",
                     "/nowhere/trace.json", NULL),
        3, "/nowhere/trace.json", NULL);
}

static void blas_is_named(void **state)
{
    (void)state;
    output o = ridge("profile", "--machine", machine_file(), "-p", "40", "-n", "3", "-r", "1", "--kernel",
        "blas", "-o", "json", NULL);
    if (o.code == 4) {
        print_message("SKIPPED: %s", o.err);
        done(&o);
        skip();
    }
    expect_ok(&o);
    json_t *j = parse(&o);
    check_run(j, 40.0, 3.0);
    assert_non_null(strstr(text(item(json_object_get(j, "ops"), "site", "ffn_down_add"), "kernel"), "blas"));
    json_decref(j);
    done(&o);
}

/* The report so far is whole, says that it was cut, and the exit code is 130. */
static void interrupted(void **state)
{
    (void)state;
    const char *path = scratch("slow");
    output o = ridge("synth", "--dims", "hidden=256,layers=8,heads=4,kv_heads=2,ffn=1024,vocab=512,ctx=65536",
        "--dtype", "f16", "-o", path, NULL);
    expect_ok(&o);
    done(&o);
    const run_opts stop = {.sigint_after_ms = 3000};
    o = ridge_with(&stop, "profile", "-m", path, "-p", "8", "-n", "60000", "--machine", machine_file(), "-o",
        "json", NULL);
    assert_int_equal(o.code, 130);
    json_t *j = parse(&o);
    assert_true(json_is_true(json_object_get(json_object_get(j, "run"), "interrupted")));
    const json_t *p = item(json_object_get(j, "phases"), "phase", "decode");
    const double tokens = number(p, "tokens");
    assert_true(tokens > 0.0 && tokens < 60000.0);
    check_phase(j, "prefill", 8.0);
    check_phase(j, "decode", tokens);
    json_decref(j);
    done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(json_of_the_demo),
        cmocka_unit_test(two_types_have_a_verdict), cmocka_unit_test(lengths_and_sequences),
        cmocka_unit_test(activations_are_named), cmocka_unit_test(layers_add_up),
        cmocka_unit_test(csv_is_a_table), cmocka_unit_test(the_views_for_people),
        cmocka_unit_test(prompts_and_counters), cmocka_unit_test(a_trace_beside_the_report),
        cmocka_unit_test(blas_is_named), cmocka_unit_test(interrupted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
