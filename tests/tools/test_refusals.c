/* Wrong files and impossible wishes: one line that says what and where, the right exit code, and nothing half
 * written. */
#include "run_program.h"

#include <sys/wait.h>

static void edit_config(const char *dir, const char *key, json_t *value)
{
    char path[600];
    json_error_t e;
    snprintf(path, sizeof path, "%s/config.json", dir);
    json_t *c = json_load_file(path, 0, &e);
    if (!c) fail_msg("%s: %s", path, e.text);
    if (value)
        json_object_set_new(c, key, value);
    else
        json_object_del(c, key);
    assert_int_equal(json_dump_file(c, path, JSON_INDENT(2)), 0);
    json_decref(c);
}

static const char *in(const char *dir, const char *name)
{
    static char path[4][600];
    static int turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

/* Each command that opens a model refuses it in the same way. */
static void all_refuse(const char *path, int code, const char *a, const char *b)
{
    expect_error(ridge("run", "-m", path, "-p", "x", NULL), code, a, b, NULL);
    expect_error(ridge("profile", "-m", path, NULL), code, a, b, NULL);
    expect_error(ridge("inspect", "-m", path, NULL), code, a, b, NULL);
}

static void missing_and_empty_files(void **state)
{
    (void)state;
    all_refuse(scratch("not-there.gguf"), 3, "not-there.gguf", NULL);
    static const char *const names[] = {"empty.gguf", "empty.bin", "empty.safetensors"};
    for (int i = 0; i < 3; i++) {
        write_bytes(scratch(names[i]), "", 0);
        all_refuse(scratch(names[i]), 3, names[i], "empty");
    }
    write_bytes(scratch("noise.bin"),
        "this is not a model at all, whatever its name "
        "says.............................................................................",
        120);
    all_refuse(scratch("noise.bin"), 3, "noise.bin", NULL);
    char cmd[400];
    snprintf(cmd, sizeof cmd, "mkdir -p '%s'", scratch("hollow"));
    assert_int_equal(system(cmd), 0);
    all_refuse(scratch("hollow"), 3, "hollow", "config.json");
}

static void truncated_gguf(void **state)
{
    (void)state;
    const char *whole = scratch("whole.gguf");
    output o = ridge("synth", "--dims", "hidden=64,layers=1,heads=4,kv_heads=2,ffn=96,vocab=300,ctx=64",
        "--dtype", "q8_0", "-o", whole, NULL);
    expect_ok(&o);
    done(&o);
    size_t n;
    char *file = read_all(whole, &n);
    const size_t cuts[] = {4, 23, 24, 200, n / 2, n - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        write_bytes(scratch("cut.gguf"), file, cuts[i]);
        expect_error(ridge("inspect", "-m", scratch("cut.gguf"), NULL), 3, "cut.gguf", NULL);
        if (i > 3)
            expect_error(ridge("run", "-m", scratch("cut.gguf"), "-p", "x", NULL), 3, "cut.gguf", NULL);
    }
    free(file);
}

/* 16 unused bytes behind the first tensor; all offsets are right. */
static void safetensors_with_a_hole(void **state)
{
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s", in(copy_of_tiny("holed"), "model.safetensors"));
    size_t n;
    json_error_t e;
    char *file = read_all(path, &n);
    uint64_t head;
    memcpy(&head, file, 8);
    json_t *h = json_loadb(file + 8, head, 0, &e), *t;
    assert_non_null(h);
    const char *key;
    json_int_t first_end = INT64_MAX;
    json_object_foreach (h, key, t) {
        json_t *off = json_object_get(t, "data_offsets");
        if (off && json_integer_value(json_array_get(off, 0)) == 0)
            first_end = json_integer_value(json_array_get(off, 1));
    }
    assert_true(first_end < (json_int_t)n);
    json_object_foreach (h, key, t) {
        json_t *off = json_object_get(t, "data_offsets");
        for (size_t i = 0; off && json_integer_value(json_array_get(off, 1)) > first_end && i < 2; i++)
            json_array_set_new(off, i, json_integer(json_integer_value(json_array_get(off, i)) + 16));
    }
    char *text = json_dumps(h, JSON_COMPACT);
    const uint64_t len = (strlen(text) + 7) / 8 * 8;
    const size_t data = n - 8 - head;
    char *out = calloc(1, 8 + len + data + 16);
    assert_non_null(out);
    memcpy(out, &len, 8);
    memset(out + 8, ' ', len);
    memcpy(out + 8, text, strlen(text));
    memcpy(out + 8 + len, file + 8 + head, (size_t)first_end);
    memcpy(out + 8 + len + first_end + 16, file + 8 + head + first_end, data - (size_t)first_end);
    write_bytes(path, out, 8 + len + data + 16);
    all_refuse(scratch("holed"), 3, "model.safetensors", NULL);
    free(out);
    free(text);
    free(file);
    json_decref(h);
}

static void damaged_weights_name_the_tensor(void **state)
{
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s", in(copy_of_tiny("nan"), "model.safetensors"));
    size_t n;
    char *file = read_all(path, &n);
    const float bad = NAN;
    memcpy(file + n - 4, &bad, 4);
    write_bytes(path, file, n);
    free(file);
    expect_error(ridge("run", "-m", scratch("nan"), "-p", "x", NULL), 3, "tensor", "not finite", NULL);
}

static void unsupported_models_say_what_is_missing(void **state)
{
    (void)state;
    const char *dir = copy_of_tiny("qwen2");
    edit_config(dir, "model_type", json_string("qwen2"));
    edit_config(dir, "architectures", json_pack("[s]", "Qwen2ForCausalLM"));
    all_refuse(dir, 3, "attn_q_bias", NULL); /* supported, but this file has no biases */
    dir = copy_of_tiny("qwen3");
    edit_config(dir, "model_type", json_string("qwen3"));
    edit_config(dir, "architectures", json_pack("[s]", "Qwen3ForCausalLM"));
    edit_config(dir, "head_dim", json_integer(16));
    all_refuse(dir, 3, "attn_q_norm is missing", NULL); /* nor norms of q and k */
    dir = copy_of_tiny("mamba");
    edit_config(dir, "model_type", json_string("mamba"));
    edit_config(dir, "architectures", json_pack("[s]", "MambaForCausalLM"));
    all_refuse(dir, 4, "amba", NULL);
}

static void config_and_weights_must_agree(void **state)
{
    (void)state;
    const char *dir = copy_of_tiny("shapes");
    edit_config(dir, "intermediate_size", json_integer(128));
    all_refuse(dir, 3, "128", "96");
    dir = copy_of_tiny("nohidden");
    edit_config(dir, "hidden_size", NULL);
    all_refuse(dir, 3, "config.json", "hidden");
    dir = copy_of_tiny("layers");
    edit_config(dir, "num_hidden_layers", json_integer(3));
    all_refuse(dir, 3, "2.", "missing");
    dir = copy_of_tiny("noconfig");
    unlink(in(dir, "config.json"));
    all_refuse(dir, 3, "config.json", NULL);
    dir = copy_of_tiny("brokenjson");
    write_bytes(in(dir, "config.json"), "{\"hidden_size\": 64,", 19);
    all_refuse(dir, 3, "config.json", NULL);
}

static void missing_tokenizer(void **state)
{
    (void)state;
    const char *dir = copy_of_tiny("mute");
    unlink(in(dir, "tokenizer.json"));
    expect_error(ridge("run", "-m", dir, "-p", "x", NULL), 3, "tokenizer", "-z", NULL);
    expect_error(ridge("tokenize", "-m", dir, "-p", "x", NULL), 3, "tokenizer", NULL);
    expect_error(ridge("run", "-m", tiny_model(), "-z", scratch("no-such-tokenizer.json"), "-p", "x", NULL),
        3, "no-such-tokenizer.json", NULL);
    /* a text is not needed to measure, nor when ids are given */
    const int32_t ids[] = {1, 5, 7};
    write_bytes(scratch("ids.i32"), ids, sizeof ids);
    output o =
        ridge("run", "-m", dir, "--token-ids", scratch("ids.i32"), "--temp", "0", "-n", "4", "--quiet", NULL);
    expect_ok(&o);
    assert_true(o.n_out > 4);
    done(&o);
}

static void token_files(void **state)
{
    (void)state;
    const int32_t high[] = {1, 512}, low[] = {1, -1};
    write_bytes(scratch("odd.i32"), "abcde", 5);
    write_bytes(scratch("high.i32"), high, sizeof high);
    write_bytes(scratch("low.i32"), low, sizeof low);
    write_bytes(scratch("none.i32"), "", 0);
    expect_error(ridge("run", "-m", tiny_model(), "--token-ids", scratch("odd.i32"), NULL), 3, "odd.i32",
        "5 bytes", NULL);
    expect_error(
        ridge("run", "-m", tiny_model(), "--token-ids", scratch("none.i32"), NULL), 3, "none.i32", NULL);
    expect_error(ridge("run", "-m", tiny_model(), "--token-ids", scratch("high.i32"), NULL), 3, "high.i32",
        "512", NULL);
    expect_error(ridge("profile", "-m", tiny_model(), "--token-ids", scratch("low.i32"), NULL), 3, "low.i32",
        "-1", NULL);
    expect_error(ridge("run", "-m", tiny_model(), "-f", scratch("no-such-prompt.txt"), NULL), 3,
        "no-such-prompt.txt", NULL);
}

static void more_context_than_the_model(void **state)
{
    (void)state;
    expect_error(ridge("run", "-m", tiny_model(), "-p", "x", "-c", "257", NULL), 2, "257", "256", NULL);
    /* to be measured it may be longer, with a note */
    output o = ridge(
        "profile", "-m", tiny_model(), "--machine", machine_file(), "-p", "250", "-n", "10", "-r", "1", NULL);
    expect_ok(&o);
    assert_non_null(strstr(o.err, "260 positions, the model was made for 256"));
    done(&o);
    o = ridge("bench", "-m", tiny_model(), "--machine", machine_file(), "-p", "0", "-n", "4", "-d", "300",
        "-r", "1", NULL);
    expect_ok(&o);
    assert_non_null(strstr(o.err, "304 positions, the model was made for 256"));
    done(&o);
    expect_error(
        ridge("profile", "-m", tiny_model(), "-p", "10", "-n", "10", "-c", "19", NULL), 2, "10", "19", NULL);
    char prompt[2001];
    memset(prompt, 'x', sizeof prompt - 1);
    prompt[sizeof prompt - 1] = 0;
    expect_error(ridge("run", "-m", tiny_model(), "-p", prompt, NULL), 2, "context", "256", NULL);
}

/* Text that does not fit is printed as far as it goes; then one line with the numbers. Nothing is dumped. */
static void the_context_fills_up(void **state)
{
    (void)state;
    const char *dump = scratch("never.f32"), *ids = scratch("never.i32");
    output o = ridge("run", "-m", tiny_model(), "-p", "x", "-c", "12", "-n", "40", "--temp", "0",
        "--ignore-eos", "--dump-logits", dump, "--dump-tokens", ids, NULL);
    assert_int_equal(o.code, 2);
    assert_non_null(strstr(o.err, "12 tokens"));
    assert_non_null(strstr(o.err, "256"));
    assert_false(file_exists(dump));
    assert_false(file_exists(ids));
    done(&o);
}

static void more_context_than_memory(void **state)
{
    (void)state;
    const char *dir = copy_of_tiny("vast");
    edit_config(dir, "max_position_embeddings", json_integer(1 << 30));
    output o = ridge("inspect", "-m", dir, NULL);
    const bool opens = o.code == 0;
    done(&o);
    if (!opens) { /* the loader may hold so long a context for nonsense: then half of it must do */
        edit_config(dir, "max_position_embeddings", json_integer(1 << 27));
    }
    const char *ctx = opens ? "1073741824" : "134217728";
    expect_error(ridge("run", "-m", dir, "-p", "x", "-c", ctx, "-ctk", "f32", "-ctv", "f32", NULL), 5,
        "not enough memory", "KV cache", "use -c", NULL);
    expect_error(ridge("profile", "-m", dir, "-p", "4", "-n", "4", "-c", ctx, "-ctk", "f32", NULL), 5,
        "not enough memory", "MiB", NULL);
}

/* Whatever a limit on the address space lets through ends well, or with what was wanted and what the limit
 * leaves: never by a signal, a hang, or another program's words. */
static void little_address_space(void **state)
{
    (void)state;
#ifdef RIDGE_SANITIZED
    print_message("SKIPPED: sanitizers take terabytes of address space\n");
    return;
#endif
    static const char *const commands[] = {"run -m '%s' -p x -n 2 --quiet",
        "profile -m '%s' -p 4 -n 2 -r 1 --counters off", "bench -m '%s' -p 4 -n 2 -r 1",
        "run -m '%s' -p x -n 2 --quiet --kernel blas"};
    int well = 0, short_of = 0;
    char out[300], line[300], cmd[1200];
    snprintf(out, sizeof out, "%s", scratch("limited.txt"));
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        for (int kib = 20000; kib < 400000; kib += kib / 3) {
            snprintf(line, sizeof line, commands[i], tiny_model());
            snprintf(cmd, sizeof cmd,
                "(ulimit -v %d; exec timeout 60 '%s' %s%s%s) </dev/null >/dev/null 2>'%s'", kib,
                getenv("RIDGE_BIN"), line, strncmp(line, "run", 3) == 0 ? "" : " --machine ",
                strncmp(line, "run", 3) == 0 ? "" : machine_file(), out);
            const int rc = system(cmd), code = WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
            char *said = read_all(out, NULL);
            const bool loader = strstr(said, "shared librar") != NULL,
                       blas = code == 4 && strstr(said, "ulimit -v");
            if (!loader && code != 0 && code != 5 && code != 7 && !blas)
                fail_msg("%s under ulimit -v %d: %d: %s", line, kib, code, said);
            well += code == 0;
            short_of += code == 5 && strstr(said, "ulimit -v") && strstr(said, "MiB");
            free(said);
        }
    assert_true(well > 0 && short_of > 0);
}

static void outputs_that_cannot_be_written(void **state)
{
    (void)state;
    output o = ridge("run", "-m", tiny_model(), "-p", "x", "-n", "3", "--quiet", "--dump-logits",
        scratch("no/dir/l.f32"), NULL);
    assert_int_equal(o.code, 3);
    assert_non_null(strstr(o.err, "l.f32"));
    done(&o);
    o = ridge("synth", "--dims", "hidden=64,layers=1,heads=3,kv_heads=2,ffn=96,vocab=300", "-o",
        scratch("odd"), NULL);
    assert_true(o.code == 2 || o.code == 3);
    assert_non_null(strstr(o.err, "heads"));
    done(&o);
    assert_false(file_exists(scratch("odd")));
    /* a full disk and a closed pipe are errors, not silence */
    static const char *const commands[][6] = {{"run", "-p", "x", "-n", "4", NULL}, {"inspect", NULL},
        {"tokenize", "-p", "hello", NULL}, {"profile", "-p", "4", "-n", "2", NULL}, {"--version", NULL},
        {"help", NULL}};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const char *const *c = commands[i];
        const bool model = i < 4;
        for (int closed = 0; closed < 2; closed++) {
            const run_opts full = {.out_path = closed ? NULL : "/dev/full", .closed_out = closed};
            const char *m = model ? "-m" : c[1], *path = model ? tiny_model() : NULL;
            if (strcmp(c[0], "profile") == 0)
                o = ridge_with(&full, c[0], m, path, "-p", "4", "-n", "2", "--machine", machine_file(), "-o",
                    "json", NULL);
            else if (model)
                o = ridge_with(&full, c[0], m, path, c[1] ? c[1] : "--per-layer", c[2], c[2] ? c[3] : NULL,
                    c[3] ? c[4] : NULL, NULL);
            else
                o = ridge_with(&full, c[0], NULL);
            if (o.code != 3)
                fail_msg("ridge %s with %s: exit code %d, expected 3: %s", c[0],
                    closed ? "a closed output" : "a full disk", o.code, o.err);
            assert_non_null(strstr(o.err, "write"));
            done(&o);
        }
    }
}

/* Texts say how they are written, or what is wrong with them. */
static void texts_of_other_encodings(void **state)
{
    (void)state;
    static const char plain[] = "h\xc3\xa9 \xf0\x9f\x98\x80 x";
    static const struct {
        const char *bytes;
        size_t n;
        int code;
        const char *word; /* of the note or the refusal */
    } all[] = {
        {plain, sizeof plain - 1, 0, NULL},
        {"\xef\xbb\xbfh\xc3\xa9 \xf0\x9f\x98\x80 x", 13, 0, "byte order mark"},
        {"\xff\xfeh\0\xe9\0 \0\x3d\xd8\0\xde \0x\0", 16, 0, "decoded from UTF-16"},
        {"\xfe\xff\0h\0\xe9\0 \xd8\x3d\xde\0\0 \0x", 16, 0, "decoded from UTF-16"},
        {"\xff\xfeh\0\x3d\xd8x\0", 8, 3, "UTF-16 that breaks off"},
        {"\xff\xfeh\0x", 5, 3, "UTF-16 that breaks off"},
        {"\xff\xfe\0\0h\0\0\0", 8, 4, "UTF-32"},
        {"h\0e\0l\0l\0o\0", 10, 4, "iconv"},
    };
    char *want = NULL;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        write_bytes(scratch("text.txt"), all[i].bytes, all[i].n);
        output o = ridge("tokenize", "-m", tiny_model(), "-f", scratch("text.txt"), NULL);
        if (o.code != all[i].code || (all[i].word && !strstr(o.err, all[i].word)) || (!all[i].word && *o.err))
            fail_msg("text %zu: code %d: %s", i, o.code, o.err);
        if (i == 0) want = strdup(o.out);
        if (!o.code) assert_string_equal(o.out, want);
        done(&o);
    }
    free(want);
    write_bytes(scratch("text.txt"), "a\r\nb\r\n", 6);
    output o = ridge("tokenize", "-m", tiny_model(), "-f", scratch("text.txt"), NULL);
    assert_non_null(strstr(o.err, "2 line ends are CRLF"));
    done(&o);
}

/* What is not followed is said: beside the text, in inspect's JSON, and not with --quiet. */
static void notes_are_said(void **state)
{
    (void)state;
    const char *dir = copy_of_tiny("noted");
    edit_config(dir, "no_such_member", json_true());
    output o = ridge("run", "-m", dir, "-p", "x", "-n", "1", NULL);
    expect_ok(&o);
    assert_non_null(strstr(o.err, "note: "));
    assert_non_null(strstr(o.err, "no_such_member"));
    done(&o);
    o = ridge("run", "-m", dir, "-p", "x", "-n", "1", "--quiet", NULL);
    assert_null(strstr(o.err, "no_such_member"));
    done(&o);
    o = ridge("inspect", "-m", dir, "-o", "json", NULL);
    json_t *j = json_loads(o.out, 0, NULL);
    const char *note = json_string_value(json_array_get(json_object_get(j, "notes"), 0));
    assert_non_null(note);
    assert_non_null(strstr(note, "no_such_member"));
    json_decref(j);
    done(&o);
    o = ridge("inspect", "-m", dir, "-o", "md", NULL);
    assert_non_null(strstr(o.out, "| note | "));
    done(&o);
}

static void what_is_beyond_llama_is_said(void **state)
{
    (void)state;
    const char *dir = copy_of_tiny("beyond");
    edit_config(dir, "model_type", json_string("smollm3"));
    edit_config(dir, "architectures", json_pack("[s]", "SmolLM3ForCausalLM"));
    edit_config(dir, "no_rope_layer_interval", json_integer(1));
    edit_config(dir, "rope_scaling",
        json_pack(
            "{s:s,s:f,s:i}", "rope_type", "yarn", "factor", 4.0, "original_max_position_embeddings", 32));
    static const char *const forms[][2] = {{"text", "no RoPE in all layers"},
        {"md", "| no RoPE in all layers |"}, {"text", "RoPE scaling: yarn, factor 4, from 32 to 1 turns"},
        {"md", "original context 32, cosines and sines"}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        output o = ridge("inspect", "-m", dir, "-o", forms[i][0], NULL);
        expect_ok(&o);
        if (!strstr(o.out, forms[i][1])) fail_msg("no '%s' in %s", forms[i][1], o.out);
        done(&o);
    }
    edit_config(dir, "model_type", json_string("mistral"));
    edit_config(dir, "architectures", json_pack("[s]", "MistralForCausalLM"));
    edit_config(dir, "sliding_window", json_integer(8));
    output o = ridge("inspect", "-m", dir, "-o", "json", NULL);
    expect_ok(&o);
    json_t *j = json_loads(o.out, 0, NULL), *c = json_object_get(j, "config");
    assert_int_equal(json_integer_value(json_object_get(c, "window")), 8);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(c, "window_layers"), 0)), 0);
    assert_string_equal(json_string_value(json_object_get(c, "rope_scaling")), "yarn");
    assert_int_equal(json_integer_value(json_object_get(c, "rope_original_ctx")), 32);
    assert_true(json_is_null(json_object_get(c, "qk_norm")));
    json_decref(j);
    done(&o);
}

/* A folder may be called anything: the report stays JSON. */
static void names_that_are_not_utf8(void **state)
{
    (void)state;
    const char *dir = copy_of_tiny("odd\xff\xfe\"name");
    static const char *const commands[][5] = {
        {"inspect"}, {"tokenize", "-p", "x"}, {"roofline", "--hardware", "apple_m1"}};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const char *const *c = commands[i];
        output o = ridge(c[0], "-m", dir, "-o", "json", c[1], c[2], NULL);
        expect_ok(&o);
        json_error_t e;
        json_t *j = json_loads(o.out, 0, &e);
        if (!j) fail_msg("%s: line %d: %s", c[0], e.line, e.text);
        json_decref(j);
        done(&o);
    }
}

/* Before anything is measured: nothing is printed, and no time was spent. */
static void outputs_are_tried_first(void **state)
{
    (void)state;
    static const char *const options[][3] = {{"profile", "--html", "x.html"}, {"profile", "--svg", "x.svg"},
        {"profile", "--svg", "folder"}, {"profile", "--trace", "t.json"}, {"profile", "--junit", "j.xml"},
        {"bench", "--html", "x.html"}, {"bench", "--summary", "s.md"}, {"compare", "--svg", "x.svg"},
        {"roofline", "--html", "x.html"}, {"machine", "--save", "m.json"}, {"run", "--dump-tokens", "t.i32"},
        {"run", "--prompt-cache", "p.kv"}, {"report", "--svg", "x.svg"},
        {"tokenize", "--token-ids-out", "t.i32"}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        char path[700];
        snprintf(path, sizeof path, "%s/%s", scratch("no/dir"), options[i][2]);
        expect_error(ridge(options[i][0], options[i][1], path, NULL), 3, options[i][2], "cannot write", NULL);
    }
    assert_false(file_exists(scratch("no")));
}

/* A limit on the size of files is a full disk, not a death by signal with half a file; what is opened does
 * not become a closed stream's file. */
static void outputs_under_limits(void **state)
{
    (void)state;
    char cmd[2048];
    const char *bin = getenv("RIDGE_BIN");
    assert_non_null(bin);
    static const char dims[] = "--dims hidden=64,layers=1,heads=4,kv_heads=2,ffn=96,vocab=300,ctx=64";
    snprintf(cmd, sizeof cmd, "ulimit -f 8; '%s' synth %s -o '%s' 2>'%s'", bin, dims, scratch("limited.gguf"),
        scratch("limited.err"));
    const int rc = system(cmd);
    assert_true(WIFEXITED(rc));
    assert_int_equal(WEXITSTATUS(rc), 3);
    char *text = read_all(scratch("limited.err"), NULL);
    assert_non_null(strstr(text, "limited.gguf"));
    free(text);
    snprintf(cmd, sizeof cmd, "! ls '%s' | grep limited.gguf", scratch("."));
    assert_int_equal(system(cmd), 0);
    snprintf(cmd, sizeof cmd, "'%s' synth %s -o '%s' >&- 2>&-", bin, dims, scratch("streams.gguf"));
    assert_int_equal(WEXITSTATUS(system(cmd)), 3); /* its summary could not be printed */
    snprintf(cmd, sizeof cmd, "'%s' synth %s -o '%s' >/dev/null && cmp '%s' '%s'", bin, dims,
        scratch("plain.gguf"), scratch("plain.gguf"), scratch("streams.gguf"));
    assert_int_equal(system(cmd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(missing_and_empty_files),
        cmocka_unit_test(truncated_gguf), cmocka_unit_test(safetensors_with_a_hole),
        cmocka_unit_test(damaged_weights_name_the_tensor),
        cmocka_unit_test(unsupported_models_say_what_is_missing),
        cmocka_unit_test(config_and_weights_must_agree), cmocka_unit_test(missing_tokenizer),
        cmocka_unit_test(token_files), cmocka_unit_test(more_context_than_the_model),
        cmocka_unit_test(the_context_fills_up), cmocka_unit_test(more_context_than_memory),
        cmocka_unit_test(little_address_space), cmocka_unit_test(outputs_that_cannot_be_written),
        cmocka_unit_test(outputs_are_tried_first), cmocka_unit_test(names_that_are_not_utf8),
        cmocka_unit_test(outputs_under_limits), cmocka_unit_test(texts_of_other_encodings),
        cmocka_unit_test(notes_are_said), cmocka_unit_test(what_is_beyond_llama_is_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
