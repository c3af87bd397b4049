/* `ridge run` as a conversation: turns, commands, Ctrl-C, full contexts; session files; what the options
 * refuse. */
#include "run_program.h"

static output chat(const char *input, const char *a, const char *b, const char *c, const char *d)
{
    write_bytes(scratch("input.txt"), input, strlen(input));
    return ridge_with(&(run_opts){.in_path = scratch("input.txt")}, "run", "-cnv", "--temp", "0", "-n", "12",
        a ? a : "--no-status", b ? b : "--no-status", c ? c : "--no-status", d ? d : "--no-status", NULL);
}

static void expect_in(const char *text, const char *what)
{
    if (!strstr(text, what)) fail_msg("no '%s' in\n%s", what, text);
}

static void turns_and_commands(void **state)
{
    (void)state;
    output o = chat("Once upon a time\n/help\n/system\n/stats\n/regen\n/nonsense\n/load "
                    "/nonexistent/x\n/save\n//slash\n/clear\nOnce upon a time\n/exit\nnever read\n",
        NULL, NULL, NULL, NULL);
    expect_ok(&o);
    expect_in(o.err, "no chat template");
    expect_in(o.err, "/regen");
    expect_in(o.err, "[no system prompt]");
    expect_in(o.err, "context =");
    expect_in(o.err, "/nonsense: no such command");
    expect_in(o.err, "/nonexistent/x: cannot open");
    expect_in(o.err, "/save: name a file");
    expect_in(o.err, "eval time");
    /* greedy: the answer, the answer drawn again, the answer after /clear are the same line */
    char first[256];
    snprintf(first, sizeof first, "%.*s", (int)strcspn(o.out, "\n"), o.out);
    assert_true(strlen(first) > 10);
    int times = 0;
    for (const char *p = o.out; (p = strstr(p, first)) != NULL; p++) times++;
    if (times != 3) fail_msg("'%s' appears %d times in\n%s", first, times, o.out);
    done(&o);
    /* the answer is what a completion of the same text says */
    output c = ridge("run", "-p", "Once upon a time", "--temp", "0", "-n", "12", "--quiet", NULL);
    expect_in(c.out, first);
    done(&c);
    o = chat("", NULL, NULL, NULL, NULL);
    expect_ok(&o);
    done(&o);
}

static void several_lines(void **state)
{
    (void)state;
    char cmd[3][600];
    for (int i = 0; i < 3; i++) {
        static const char *const how[] = {"Once upon\\\na time\n/save %s\n",
            "\"\"\"\nOnce upon\na time\n\"\"\"\n/save %s\n", "Once upon\na time\n/save %s\n"};
        snprintf(cmd[i], sizeof cmd[i], how[i], scratch("lines.kv"));
        output o = chat(cmd[i], "--quiet", NULL, NULL, NULL);
        expect_ok(&o);
        done(&o);
        size_t n;
        char *p = read_all(scratch("lines.kv"), &n);
        char *q = NULL;
        size_t k = 0;
        if (i > 0) q = read_all(scratch("lines0.kv"), &k);
        if (i == 0) write_bytes(scratch("lines0.kv"), p, n);
        if (i == 1) { /* the same message in another writing */
            assert_int_equal(n, k);
            assert_memory_equal(p, q, n);
        }
        if (i == 2) assert_true(n != k); /* two messages */
        free(p);
        free(q);
    }
}

static void saved_and_loaded(void **state)
{
    (void)state;
    char in[900];
    snprintf(in, sizeof in, "Once upon a time\n/save %s\nThen\n", scratch("talk.kv"));
    output whole = chat(in, "--quiet", NULL, NULL, NULL);
    expect_ok(&whole);
    snprintf(in, sizeof in, "/load %s\nThen\n", scratch("talk.kv"));
    output later = chat(in, "--quiet", NULL, NULL, NULL);
    expect_ok(&later);
    const char *second = strchr(whole.out, '\n');
    assert_non_null(second);
    assert_string_equal(second + 1, later.out);
    done(&whole);
    done(&later);
    output o = chat(in, "--dtype", "q4g64", NULL, NULL);
    expect_ok(&o);
    expect_in(o.err, "another model or another --dtype");
    done(&o);
}

static void templates_on_the_command_line(void **state)
{
    (void)state;
    output o = ridge(
        "run", "-st", "-p", "Hi", "--chat-template", "chatml", "-sys", "Be kind.", "--dump-prompt", NULL);
    expect_ok(&o);
    assert_string_equal(o.out,
        "<s><|im_start|>system\nBe "
        "kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n\n");
    expect_in(o.err, "tokens: 1 ");
    done(&o);
    o = ridge("run", "-p", "Once upon a time", "--dump-prompt", NULL);
    expect_ok(&o);
    assert_string_equal(o.out, "<s>Once upon a time\n");
    expect_in(o.err, "5 tokens: 1 719 762 328 626\n");
    done(&o);
    o = ridge("run", "-st", "-p", "Once upon a time", "-n", "8", "--temp", "0", "--quiet", NULL);
    expect_ok(&o);
    assert_true(o.n_out > 10 && o.n_err == 0);
    done(&o);
    expect_error(ridge("run", "-cnv", "--chat-template", "jinja", NULL), 2, "jinja", "zephyr", NULL);
    expect_error(ridge("run", "-p", "x", "--chat-date", "2026-01-31", NULL), 2, "--chat-date", "-st", NULL);
    expect_error(ridge("run", "-sys", "x", "-p", "y", NULL), 2, "-sys", "-cnv", NULL);
    expect_error(
        ridge("run", "--chat-template", "chatml", "-p", "y", NULL), 2, "--chat-template", "-st", NULL);
    expect_error(ridge("run", "-st", NULL), 2, "-st", NULL);
    expect_error(ridge("run", "-cnv", "--dump-prompt", NULL), 2, "--dump-prompt", NULL);
    expect_error(ridge("run", "-cnv", "--token-ids", "x", NULL), 2, "--token-ids", NULL);
    expect_error(ridge("run", "-p", "x", "--keep", "3", NULL), 2, "--context-shift", NULL);
    expect_error(ridge("run", "-p", "x", "--prompt-cache-ro", NULL), 2, "--prompt-cache", NULL);
    expect_error(ridge("run", "-p", "x", "--context-shift", "-ctk", "q8_0", NULL), 4, "q8_0", "f16", NULL);
}

static void put_template(const char *text) { write_bytes(scratch("t.jinja"), text, strlen(text)); }

/* A template of one's own: what it writes, what it refuses, what it needs and we lack. */
static void templates_from_files(void **state)
{
    (void)state;
    put_template("{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}\n{% endfor %}{{ "
                 "strftime_now('%d "
                 "%b %Y') }}\n<think>{{ '\n' }}");
    output o = ridge("run", "-st", "-p", " Hi ", "-sys", "S", "--chat-template", scratch("t.jinja"),
        "--chat-date", "2026-01-31", "--dump-prompt", NULL);
    expect_ok(&o);
    assert_string_equal(o.out, "<s><system>S\n<user>Hi\n31 Jan 2026\n<think>\n\n");
    expect_in(o.err, "chat template: ");
    expect_in(o.err, "tokens: 1 ");
    done(&o);
    put_template("x\n{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') "
                 "}}{% endif %}");
    expect_error(ridge("run", "-st", "-p", "Hi", "-sys", "S", "--chat-template", scratch("t.jinja"),
                     "--dump-prompt", NULL),
        2, "t.jinja: line 2", "System role not supported", NULL);
    expect_error(
        ridge("run", "-st", "-p", "Hi", "-sys", "S", "--chat-template", scratch("t.jinja"), "--quiet", NULL),
        2, "t.jinja: line 2", "System role not supported", NULL);
    put_template("x\n{% include 'y' %}");
    expect_error(
        ridge("run", "-st", "-p", "Hi", "--chat-template", scratch("t.jinja"), "--dump-prompt", NULL), 4,
        "t.jinja: line 2", "include", NULL);
    put_template("{% if messages|length > 2 %}{{ raise_exception('Once is enough') }}{% endif %}{{ "
                 "messages[0].content }}");
    o = chat("Once upon a time\nAnd\n", "--chat-template", scratch("t.jinja"), NULL, NULL);
    expect_ok(&o);
    expect_in(o.err, "Once is enough; the message is taken back");
    done(&o);
    o = ridge("run", "-st", "-p", "Once", "--dump-prompt", NULL);
    expect_ok(&o);
    expect_in(o.err, "no chat template");
    done(&o);
}

/* The second answer is what a completion of the whole conversation says, whether the template keeps the
 * first one or drops it. */
static void turns_through_templates(void **state)
{
    (void)state;
    for (int drops = 0; drops < 2; drops++) {
        char prompt[400], first[200], second[200];
        put_template(drops ? "{% for m in messages if m.role == 'user' %}{{ m.content }}. {% endfor %}"
                           : "{% for m in messages %}{{ m.content }}{{ '. ' if m.role == 'user' else ' So. ' "
                             "}}{% endfor %}");
        output o =
            chat("Once upon a time\nThe dog\n", "--chat-template", scratch("t.jinja"), "--quiet", NULL);
        expect_ok(&o);
        const char *nl = strchr(o.out, '\n');
        assert_non_null(nl);
        snprintf(first, sizeof first, "%.*s", (int)(nl - o.out), o.out);
        snprintf(second, sizeof second, "%.*s", (int)strcspn(nl + 1, "\n"), nl + 1);
        done(&o);
        if (drops)
            snprintf(prompt, sizeof prompt, "Once upon a time. The dog. ");
        else
            snprintf(prompt, sizeof prompt, "Once upon a time. %s So. The dog. ", first);
        output c = ridge("run", "-p", prompt, "--temp", "0", "-n", "12", "--quiet", NULL);
        expect_ok(&c);
        if (strlen(second) < 10) fail_msg("'%s'", second);
        expect_in(c.out, second);
        done(&c);
    }
}

#define LONG \
    "Once upon a time, there was a dog who had a red ball. The dog liked the ball. One day the ball was " \
    "lost, and the dog"

static output cached(const char *prompt, const char *option, const char *n)
{
    return ridge(
        "run", "-p", prompt, "--prompt-cache", scratch("prompt.kv"), "--temp", "0", "-n", n, option, NULL);
}

static void prompt_cache(void **state)
{
    (void)state;
    output plain = ridge(
        "run", "-p", LONG, "--temp", "0", "-n", "30", "--quiet", "--dump-tokens", scratch("plain.i32"), NULL);
    expect_ok(&plain);
    for (int i = 0; i < 3; i++) { /* without the file, with it, read only */
        output o = cached(LONG, i == 2 ? "--prompt-cache-ro" : "--no-status", "30");
        expect_ok(&o);
        assert_string_equal(o.out, plain.out);
        assert_int_equal(strstr(o.err, "not evaluated again") != NULL, i > 0);
        if (i > 0) expect_in(o.err, "/     0 tokens");
        done(&o);
    }
    done(&plain);
    /* a longer prompt, and one that differs: the common part is used, the answer is as without */
    static const char *const others[] = {LONG
        " was very sad. His mother said that they could look for it together",
        "Once upon a time, there was a cat who lived in a big old house near the sea"};
    for (int i = 0; i < 2; i++) {
        plain = ridge("run", "-p", others[i], "--temp", "0", "-n", "30", "--quiet", NULL);
        output o = cached(others[i], "--prompt-cache-ro", "30");
        expect_ok(&o);
        assert_string_equal(o.out, plain.out);
        expect_in(o.err, "not evaluated again");
        done(&o);
        done(&plain);
    }
    /* the beginning of the cached prompt alone: its last token is evaluated again */
    plain =
        ridge("run", "-p", "Once upon a time, there was a dog", "--temp", "0", "-n", "30", "--quiet", NULL);
    output o = cached("Once upon a time, there was a dog", "--prompt-cache-ro", "30");
    assert_string_equal(o.out, plain.out);
    expect_in(o.err, "/     1 tokens");
    done(&o);
    done(&plain);
    /* answers too */
    o = cached(LONG, "--prompt-cache-all", "5");
    expect_ok(&o);
    char more[600];
    snprintf(more, sizeof more, "%.*s", (int)strcspn(o.out, "\n"), o.out);
    done(&o);
    o = cached(more, "--prompt-cache-ro", "5");
    expect_ok(&o);
    expect_in(o.err, "not evaluated again");
    done(&o);
}

static void prompt_cache_refusals(void **state)
{
    (void)state;
    unlink(scratch("prompt.kv"));
    output o = cached(LONG, "--quiet", "3");
    expect_ok(&o);
    done(&o);
    size_t n, k;
    char *p = read_all(scratch("prompt.kv"), &n);
    expect_error(cached(LONG, "--dtype=q4g64", "3"), 4, "prompt.kv", "another model", NULL);
    write_bytes(scratch("prompt.kv"), p, n / 2);
    expect_error(cached(LONG, "--quiet", "3"), 3, "prompt.kv", "cut off", NULL);
    char *cut = read_all(scratch("prompt.kv"), &k);
    assert_true(k == n / 2 && memcmp(cut, p, k) == 0); /* left as it is */
    free(cut);
    p[n / 2] ^= 1;
    write_bytes(scratch("prompt.kv"), p, n);
    expect_error(cached(LONG, "--quiet", "3"), 3, "prompt.kv", "checksum", NULL);
    write_bytes(scratch("prompt.kv"), "hello", 5);
    expect_error(cached(LONG, "--quiet", "3"), 3, "prompt.kv", "not a session file", NULL);
    free(p);
    unlink(scratch("prompt.kv"));
}

static void full_contexts(void **state)
{
    (void)state;
    output o = ridge("run", "-p", "Once upon a time", "-n", "200", "-c", "40", "--temp", "0", "--ignore-eos",
        "--quiet", NULL);
    assert_int_equal(o.code, 2);
    expect_in(o.err, "the context holds 40");
    expect_in(o.err, "--context-shift");
    assert_true(o.n_out > 50); /* what was drawn so far */
    done(&o);
    static const char *const keep[] = {"0", "-1", "8"};
    for (int i = 0; i < 3; i++) {
        o = ridge("run", "-p", "Once upon a time", "-n", "200", "-c", "40", "--temp", "0", "--ignore-eos",
            "--context-shift", "--keep", keep[i], NULL);
        expect_ok(&o);
        expect_in(o.err, "context shifts =");
        expect_in(o.err, "/   200 runs");
        done(&o);
    }
    /* in a conversation it ends the answer, then the message, never the program */
    o = chat(
        "Once upon a time there was a dog and a cat\nAnd\nAnd then\n/clear\nOnce\n", "-c", "24", NULL, NULL);
    expect_ok(&o);
    expect_in(o.err, "the context holds 24");
    done(&o);
    o = chat("Once upon a time there was a dog and a cat\nAnd\nAnd then\nOnce\n", "-c", "24",
        "--context-shift", NULL);
    expect_ok(&o);
    assert_null(strstr(o.err, "taken back"));
    done(&o);
}

/* The demo with a window of 24: with calls of 16 tokens the cache of its layers is a ring of 256 positions,
 * with calls of 400 the whole context. */
static const char *windowed(void)
{
    char cmd[1200];
    snprintf(cmd, sizeof cmd,
        "mkdir -p '%s' && cp '%s'/weights/demo/*.json '%s'/weights/demo/*.safetensors '%s' && sed -i "
        "'s/LlamaForCausalLM/MistralForCausalLM/; s/\"llama\"/\"mistral\"/; "
        "s/\"use_cache\"/\"sliding_window\": "
        "24, \"use_cache\"/' '%s/config.json'",
        scratch("windowed"), RIDGE_SOURCE_DIR, RIDGE_SOURCE_DIR, scratch("windowed"), scratch("windowed"));
    assert_int_equal(system(cmd), 0);
    return scratch("windowed");
}

static void windows_forget(void **state)
{
    (void)state;
    const char *m = windowed(), *in = "Once upon a time\n/regen\n";
    /* an answer drawn again lies farther back than the ring goes */
    write_bytes(scratch("input.txt"), in, strlen(in));
    output o = ridge_with(&(run_opts){.in_path = scratch("input.txt")}, "run", "-m", m, "-cnv", "--temp", "0",
        "-n", "300", "-c", "400", "-ub", "16", "--ignore-eos", "--quiet", NULL);
    expect_ok(&o);
    const size_t half = o.n_out / 2;
    assert_true(o.n_out % 2 == 0 && half > 300);
    assert_memory_equal(o.out, o.out + half, half);
    done(&o);
    /* shifts */
    output whole = ridge("run", "-m", m, "-p", "Once upon a time", "--temp", "0", "-n", "900", "-c", "400",
        "-ub", "400", "--ignore-eos", "--context-shift", NULL);
    expect_ok(&whole);
    o = ridge("run", "-m", m, "-p", "Once upon a time", "--temp", "0", "-n", "900", "-c", "400", "-ub", "16",
        "--ignore-eos", "--context-shift", NULL);
    expect_ok(&o);
    expect_in(o.err, "context shifts =");
    assert_string_equal(o.out, whole.out);
    done(&o);
    done(&whole);
    /* the beginning of a cached text, whose window is gone: evaluated again */
    for (int i = 0; i < 2; i++) {
        o = ridge("run", "-m", m, "-p", "Once upon a time", "--temp", "0", "-n", "300", "-c", "400", "-ub",
            i ? "400" : "16", "--ignore-eos", "--prompt-cache", scratch("w.kv"), "--prompt-cache-all", NULL);
        expect_ok(&o);
        done(&o);
        whole = ridge("run", "-m", m, "-p", "Once upon a time, there", "--temp", "0", "-n", "20", "-c", "400",
            "-ub", "16", "--quiet", NULL);
        o = ridge("run", "-m", m, "-p", "Once upon a time, there", "--temp", "0", "-n", "20", "-c", "400",
            "-ub", "16", "--prompt-cache", scratch("w.kv"), "--prompt-cache-ro", NULL);
        expect_ok(&o);
        assert_string_equal(o.out, whole.out);
        assert_null(strstr(o.err, "not evaluated again"));
        done(&o);
        done(&whole);
    }
}

/* The first Ctrl-C ends the answer, not the conversation: what is typed next is answered. */
static void interrupted_answers(void **state)
{
    (void)state;
    const char *path = scratch("slow");
    output o = ridge("synth", "--dims", "hidden=256,layers=8,heads=4,kv_heads=2,ffn=1024,vocab=512,ctx=8192",
        "--dtype", "f16", "-o", path, NULL);
    expect_ok(&o);
    done(&o);
    write_bytes(scratch("input.txt"), "Once\n/stats\n/exit\n", 18);
    const run_opts mid = {.sigint_after_bytes = 40, .in_path = scratch("input.txt")};
    o = ridge_with(&mid, "run", "-m", path, "-cnv", "-n", "8000", "--ignore-eos", "-c", "8192", NULL);
    expect_ok(&o);
    expect_in(o.err, "[stopped; the conversation goes on]");
    expect_in(o.err, "of 8192 tokens");
    done(&o);
}

static void memory_options(void **state)
{
    (void)state;
    output plain = ridge("run", "-p", "Once", "-n", "8", "--temp", "0", "--quiet", NULL);
    output o = ridge("run", "-p", "Once", "-n", "8", "--temp", "0", "--quiet", "--mlock", NULL);
    if (o.code == 0)
        assert_string_equal(o.out, plain.out);
    else
        expect_in(o.err, "--mlock");
    assert_true(o.code == 0 || o.code == 5);
    done(&o);
    o = ridge("run", "-p", "Once", "-n", "8", "--temp", "0", "--quiet", "--no-mmap", NULL);
    expect_ok(&o);
    assert_string_equal(o.out, plain.out);
    done(&o);
    o = ridge("run", "-p", "Once", "-n", "8", "--temp", "0", "--quiet", "--check-nan", NULL);
    assert_string_equal(o.out, plain.out);
    done(&o);
    done(&plain);
}

/* What the table promises is what the plan allows: its context fits, and where it is not the model's own, one
 * block more does not. */
static void what_fits(void **state)
{
    (void)state;
    output o = ridge("synth", "--dims",
        "hidden=64,layers=64,heads=8,kv_heads=8,head_dim=128,ffn=64,vocab=512,ctx=16777216", "--dtype",
        "q4_0", "-o", scratch("long.gguf"), NULL);
    expect_ok(&o);
    done(&o);
    o = ridge("inspect", "-m", scratch("long.gguf"), "--fit", "-o", "json", NULL);
    expect_ok(&o);
    json_t *root = json_loads(o.out, 0, NULL), *fit = json_object_get(root, "fit"), *row;
    assert_non_null(fit);
    const json_int_t available = json_integer_value(json_object_get(fit, "available_bytes"));
    size_t i;
    json_int_t last = 0;
    assert_true(json_array_size(json_object_get(fit, "rows")) > 8);
    json_array_foreach (json_object_get(fit, "rows"), i, row) {
        const json_t *kv = json_object_get(row, "kv");
        const json_int_t f32 = json_integer_value(json_object_get(json_object_get(kv, "f32"), "longest_ctx"));
        const json_int_t f16 = json_integer_value(json_object_get(json_object_get(kv, "f16"), "longest_ctx"));
        const json_int_t q8 = json_integer_value(json_object_get(json_object_get(kv, "q8_0"), "longest_ctx"));
        const json_int_t total =
            json_integer_value(json_object_get(json_object_get(kv, "f16"), "total_bytes"));
        assert_true(f32 > 0 && f32 < f16 && f16 < q8 && q8 < 16777216);
        assert_true(total <= available && total > available - available / 100);
        if (i == 0) last = f16;
    }
    json_decref(root);
    done(&o);
    /* too much is refused with the breakdown before anything is taken, and the advice is about what the table
     * says */
    char ctx[32];
    snprintf(ctx, sizeof ctx, "%lld", (long long)last * 2);
    expect_error(ridge("run", "-m", scratch("long.gguf"), "--token-ids", scratch("none"), "-c", ctx, NULL), 3,
        "none", NULL);
    const int32_t id = 1;
    write_bytes(scratch("one.i32"), &id, sizeof id);
    expect_error(ridge("run", "-m", scratch("long.gguf"), "--token-ids", scratch("one.i32"), "-c", ctx, NULL),
        5, "weights", "KV cache", "activations", "use -c", NULL);
    o = ridge("inspect", "--fit", NULL);
    expect_ok(&o);
    expect_in(o.out, "What fits");
    expect_in(o.out, "(all)");
    done(&o);
    unlink(scratch("long.gguf"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(turns_and_commands), cmocka_unit_test(several_lines),
        cmocka_unit_test(saved_and_loaded), cmocka_unit_test(templates_on_the_command_line),
        cmocka_unit_test(templates_from_files), cmocka_unit_test(turns_through_templates),
        cmocka_unit_test(prompt_cache), cmocka_unit_test(prompt_cache_refusals),
        cmocka_unit_test(windows_forget), cmocka_unit_test(full_contexts),
        cmocka_unit_test(interrupted_answers), cmocka_unit_test(memory_options), cmocka_unit_test(what_fits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
