/* Ids that the original tokenizers give: the demo checkpoint's, and those of real models where the optional
 * data is present. */
#include <jansson.h>
#include <time.h>

#include "tok_files.h"

static rg_tokenizer *open_path(const char *path)
{
    rg_tokenizer *t;
    rg_err err;
    if (rg_tokenizer_open(&t, path, 0, &err) != RG_OK) fail_msg("%s", err.msg);
    return t;
}

/* Path of optional data that outlives the next call; NULL: not here. */
static const char *data(const char *rel)
{
    static char path[4][1024];
    static int turn;
    turn = (turn + 1) % 4;
    return optional_data(path[turn], sizeof path[turn], rel);
}

/* [{"text": ..., "ids": [...]}, ...] */
static void check_vectors(const rg_tokenizer *t, const char *path)
{
    json_error_t je;
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &je), *row, *id;
    if (!root) fail_msg("%s: %s", path, je.text);
    size_t i, k;
    assert_true(json_array_size(root) > 0);
    json_array_foreach (root, i, row) {
        const json_t *text = json_object_get(row, "text"), *ids = json_object_get(row, "ids");
        int32_t *want = malloc((json_array_size(ids) + 1) * sizeof *want);
        assert_non_null(want);
        json_array_foreach (ids, k, id) want[k] = (int32_t)json_integer_value(id);
        check_ids(t, json_string_value(text), json_string_length(text), RG_TOK_BOS | RG_TOK_SPECIAL, want,
            json_array_size(ids), (int)i);
        free(want);
    }
    print_message("%zu vectors agree\n", json_array_size(root));
    json_decref(root);
}

static void demo_vectors(void **state)
{
    (void)state;
    char path[1024];
    rg_tokenizer *t = open_path(project_file(path, sizeof path, "weights/demo/tokenizer.json"));
    check_vectors(t, project_file(path, sizeof path, "tests/data/demo_golden/tokenizer_vectors.json"));
    for (int i = 0; i < N_HOSTILE; i++)
        if (!strstr(hostile_strings[i], SPACE))
            check_round_trip(t, hostile_strings[i], strlen(hostile_strings[i]));
    rg_tokenizer_close(t);
}

static void demo_checkpoint(void **state)
{
    (void)state;
    char path[1024];
    rg_ckpt *c;
    rg_tokenizer *t;
    rg_err err;
    if (rg_ckpt_open(&c, project_file(path, sizeof path, "weights/demo"), &err) != RG_OK)
        fail_msg("%s", err.msg);
    if (rg_tokenizer_open_for(&t, c, NULL, &err) != RG_OK) fail_msg("%s", err.msg);
    const rg_config *cfg = rg_ckpt_config(c);
    assert_true(rg_tokenizer_size(t) <= (size_t)cfg->vocab);
    if (cfg->bos >= 0) assert_int_equal(rg_tokenizer_bos(t), cfg->bos);
    for (int i = 0; i < cfg->n_eos; i++) assert_true(rg_tokenizer_is_end(t, cfg->eos[i]));
    rg_ckpt_close(c); /* the tokenizer does not need it */
    check_vectors(t, project_file(path, sizeof path, "tests/data/demo_golden/tokenizer_vectors.json"));
    rg_tokenizer_close(t);
}

static void tinystories(void **state)
{
    (void)state;
    const char *tok = data("tinystories-656k-hf/tokenizer.json"),
               *vec = data("tinystories-656k-hf/tokenizer_vectors.json");
    if (!tok || !vec) skip();
    rg_tokenizer *t = open_path(tok);
    check_vectors(t, vec);
    rg_tokenizer_close(t);
}

/* The generated text of the reference, from its ids. */
static void tinystories_text(void **state)
{
    (void)state;
    const char *tok = data("tinystories-656k-hf/tokenizer.json"),
               *ids = data("tinystories-656k-hf/ref_greedy.tokens.i32"),
               *text = data("tinystories-656k-hf/ref_greedy.txt");
    if (!tok || !ids || !text) skip();
    size_t n, len, at = 0;
    char *want = read_all(text, &len);
    int32_t *id = read_all(ids, &n);
    char *got = malloc(len + 4096);
    assert_non_null(got);
    rg_tokenizer *t = open_path(tok);
    rg_detok d;
    rg_detok_init(&d, t, false);
    for (size_t i = 0; i < n / 4 && at < len; i++) at += rg_detok_put(&d, id[i], got + at, 1024);
    while (len > 0 && want[len - 1] == '\n') len--; /* a text file ends with a line break */
    while (at > 0 && got[at - 1] == '\n') at--;
    assert_int_equal(at, len);
    assert_memory_equal(got, want, len);
    rg_tokenizer_close(t);
    free(got);
    free(want);
    free(id);
}

/* Paragraphs, each encoded by itself without BOS, one behind the other. */
static void tinystories_paragraphs(void **state)
{
    (void)state;
    const char *tok = data("tinystories-656k-hf/tokenizer.json"),
               *ref = data("tinystories-656k-hf/tinystories_val_60paras.tokens.i32"),
               *txt = data("eval-text/tinystories_val.txt");
    if (!tok || !ref || !txt) skip();
    size_t n, len, k, at = 0;
    int32_t *want = read_all(ref, &n), *ids;
    char *text = read_all(txt, &len), *p = text;
    rg_tokenizer *t = open_path(tok);
    rg_err err;
    int paras = 0;
    for (; paras < 60 && *p; paras++) {
        char *end = strstr(p, "\n\n");
        const size_t m = end ? (size_t)(end - p) : strlen(p);
        assert_int_equal(rg_tokenizer_encode(t, p, m, 0, &ids, &k, &err), RG_OK);
        for (size_t i = 0; i < k; i++)
            if (at + i >= n / 4 || ids[i] != want[at + i]) fail_msg("paragraph %d, token %zu", paras, i);
        at += k;
        free(ids);
        p += m;
        while (*p == '\n') p++;
    }
    assert_int_equal(at, n / 4);
    rg_tokenizer_close(t);
    free(text);
    free(want);
}

/* llama.cpp's vectors: texts in .inp, a line of ids for each in .out. */
static void check_ggml(const char *tok, const char *stem)
{
    char rel[256];
    snprintf(rel, sizeof rel, "gguf-vocab/ggml-vocab-%s.gguf.inp", stem);
    const char *path = data(tok), *inp = data(rel);
    snprintf(rel, sizeof rel, "gguf-vocab/ggml-vocab-%s.gguf.out", stem);
    const char *out = data(rel);
    if (!path || !inp || !out) skip();
    static const char sep[] = "\n__ggml_vocab_test__\n";
    size_t len, k;
    char *texts = read_all(inp, &len), *lines = read_all(out, NULL), *p = texts, *q = lines, *end;
    rg_tokenizer *t = open_path(path);
    int n = 0;
    for (; (end = strstr(p, sep)) != NULL; p = end + strlen(sep), n++) {
        int32_t want[1024];
        char *eol = strchrnul(q, '\n');
        for (k = 0; q < eol; k++) {
            assert_true(k < 1024);
            want[k] = (int32_t)strtol(q, &q, 10);
            while (q < eol && *q == ' ') q++;
        }
        check_ids(t, p, (size_t)(end - p), RG_TOK_SPECIAL, want, k, n);
        q = *eol ? eol + 1 : eol;
    }
    assert_true(n >= 40);
    print_message("%s: %d vectors agree\n", tok, n);
    rg_tokenizer_close(t);
    free(texts);
    free(lines);
}

static void llama2_gguf(void **state)
{
    (void)state;
    check_ggml("gguf-vocab/ggml-vocab-llama-spm.gguf", "llama-spm");
}

static void llama2_sentencepiece(void **state)
{
    (void)state;
    check_ggml("llama2-tokenizer/tokenizer.model", "llama-spm");
}

static void llama2_json(void **state)
{
    (void)state;
    check_ggml("llama2-tokenizer/tokenizer.tinyllama.json", "llama-spm");
}

static void llama3_json(void **state)
{
    (void)state;
    check_ggml("llama3-tokenizer/tokenizer.llama-3.1-3.2.json", "llama-bpe");
}

static void check_stories(const char *tok)
{
    const char *path = data(tok), *txt = data("eval-text/tinystories_val_first40000.txt"),
               *ref = data("stories260K/tinystories_val_first40000.tokens.i32");
    if (!path || !txt || !ref) skip();
    size_t len, n, k;
    char *text = read_all(txt, &len);
    int32_t *want = read_all(ref, &n), *ids;
    rg_tokenizer *t = open_path(path);
    rg_err err;
    assert_int_equal(rg_tokenizer_encode(t, text, len, 0, &ids, &k, &err), RG_OK);
    assert_int_equal(k, n / 4);
    assert_memory_equal(ids, want, n);
    print_message("%s: %zu ids agree\n", tok, k);
    free(ids);
    free(text);
    free(want);
    rg_tokenizer_close(t);
}

static void stories_bin(void **state)
{
    (void)state;
    check_stories("stories260K/tok512.bin");
}

static void stories_model(void **state)
{
    (void)state;
    check_stories("stories260K/tok512.model");
}

static void stories_gguf(void **state)
{
    (void)state;
    check_stories("gguf/stories260K.gguf");
}

static void check_wiki(const char *tok, bool hostile)
{
    const char *path = data(tok), *txt = data("eval-text/wiki.test.raw");
    if (!path || !txt) skip();
    size_t len, n;
    rg_err err;
    int32_t *ids;
    char *text = read_all(txt, &len);
    rg_tokenizer *t = open_path(path);
    const clock_t start = clock();
    assert_int_equal(rg_tokenizer_encode(t, text, len, 0, &ids, &n, &err), RG_OK);
    const double s = (double)(clock() - start) / CLOCKS_PER_SEC;
    print_message("%s: %zu bytes, %zu ids, %.3f s of CPU, %.2f MB/s\n", tok, len, n, s,
        s > 0 ? (double)len / s * 1e-6 : 0.0);
    free(ids);
    check_round_trip(t, text, len);
    for (int i = 0; i < N_HOSTILE && hostile; i++)
        check_round_trip(t, hostile_strings[i], strlen(hostile_strings[i]));
    rg_tokenizer_close(t);
    free(text);
}

static void wiki_llama3(void **state)
{
    (void)state;
    check_wiki("llama3-tokenizer/tokenizer.llama-3.1-3.2.json", true);
}

static void wiki_smollm2(void **state)
{
    (void)state;
    check_wiki("smollm2-tokenizer/tokenizer.json", true);
}

static void wiki_llama2(void **state)
{
    (void)state;
    check_wiki("llama2-tokenizer/tokenizer.model", false); /* U+2581 in a text comes back as a space */
}

/* Whatever the file format, one vocabulary gives one list of ids. */
static void llama2_formats_agree(void **state)
{
    (void)state;
    const char *a = data("llama2-tokenizer/tokenizer.model"),
               *b = data("llama2-tokenizer/tokenizer.tinyllama.json"), *txt = data("eval-text/wiki.test.raw");
    if (!a || !b || !txt) skip();
    size_t len, n, m;
    rg_err err;
    int32_t *x, *y;
    char *text = read_all(txt, &len);
    rg_tokenizer *t = open_path(a), *u = open_path(b);
    assert_int_equal(rg_tokenizer_encode(t, text, len, RG_TOK_BOS, &x, &n, &err), RG_OK);
    assert_int_equal(rg_tokenizer_encode(u, text, len, RG_TOK_BOS, &y, &m, &err), RG_OK);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n * sizeof *x);
    free(x);
    free(y);
    free(text);
    rg_tokenizer_close(t);
    rg_tokenizer_close(u);
}

/* The same vocabulary written as GGUF. */
static blob gguf_of_json(const char *path, const char *pre)
{
    json_error_t je;
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &je), *v;
    if (!root) fail_msg("%s: %s", path, je.text);
    const json_t *model = json_object_get(root, "model"), *vocab = json_object_get(model, "vocab"),
                 *merges = json_object_get(model, "merges");
    const json_t *added = json_object_get(root, "added_tokens");
    size_t n = 0, i;
    const char *key;
    json_object_foreach ((json_t *)(uintptr_t)vocab, key, v)
        n = json_integer_value(v) >= (json_int_t)n ? (size_t)json_integer_value(v) + 1 : n;
    json_array_foreach (added, i, v) {
        const json_int_t id = json_integer_value(json_object_get(v, "id"));
        n = id >= (json_int_t)n ? (size_t)id + 1 : n;
    }
    const char **text_of = calloc(n, sizeof *text_of);
    uint32_t *type = calloc(n, sizeof *type);
    assert_true(text_of && type);
    for (i = 0; i < n; i++) {
        text_of[i] = "[hole]";
        type[i] = 5;
    }
    json_object_foreach ((json_t *)(uintptr_t)vocab, key, v) {
        text_of[json_integer_value(v)] = key;
        type[json_integer_value(v)] = 1;
    }
    json_array_foreach (added, i, v) {
        const json_int_t id = json_integer_value(json_object_get(v, "id"));
        text_of[id] = json_string_value(json_object_get(v, "content"));
        type[id] = json_is_true(json_object_get(v, "special")) ? 3 : 4;
    }
    blob b = gguf_start(6);
    gguf_string(&b, "general.architecture", "llama");
    gguf_string(&b, "tokenizer.ggml.model", "gpt2");
    gguf_string(&b, "tokenizer.ggml.pre", pre);
    gguf_array(&b, "tokenizer.ggml.tokens", 8, n);
    for (i = 0; i < n; i++) put_str(&b, text_of[i], strlen(text_of[i]));
    gguf_array(&b, "tokenizer.ggml.token_type", 5, n);
    for (i = 0; i < n; i++) put_u32(&b, type[i]);
    gguf_array(&b, "tokenizer.ggml.merges", 8, json_array_size(merges));
    json_array_foreach (merges, i, v) {
        char both[2048];
        if (json_is_string(v))
            snprintf(both, sizeof both, "%s", json_string_value(v));
        else
            snprintf(both, sizeof both, "%s %s", json_string_value(json_array_get(v, 0)),
                json_string_value(json_array_get(v, 1)));
        put_str(&b, both, strlen(both));
    }
    free(text_of);
    free(type);
    json_decref(root);
    return b;
}

static void check_gguf_copy(const char *tok, const char *pre)
{
    const char *path = data(tok), *txt = data("eval-text/wiki.test.raw");
    if (!path || !txt) skip();
    size_t len, n, m;
    rg_err err;
    int32_t *x, *y;
    blob b = gguf_of_json(path, pre);
    char *text = read_all(txt, &len);
    rg_tokenizer *t = open_path(path), *u = open_ok(&b);
    assert_int_equal(rg_tokenizer_encode(t, text, len, 0, &x, &n, &err), RG_OK);
    assert_int_equal(rg_tokenizer_encode(u, text, len, 0, &y, &m, &err), RG_OK);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n * sizeof *x);
    free(x);
    free(y);
    free(text);
    rg_tokenizer_close(t);
    rg_tokenizer_close(u);
    drop(&b);
}

static void smollm2_as_gguf(void **state)
{
    (void)state;
    check_gguf_copy("smollm2-tokenizer/tokenizer.json", "smollm");
}

static void llama3_as_gguf(void **state)
{
    (void)state;
    check_gguf_copy("llama3-tokenizer/tokenizer.llama-3.1-3.2.json", "llama-bpe");
}

static void smollm2_digits_and_ends(void **state)
{
    (void)state;
    const char *path = data("smollm2-tokenizer/tokenizer.json");
    if (!path) skip();
    rg_tokenizer *t = open_path(path);
    int32_t *ids;
    size_t n;
    rg_err err;
    assert_int_equal(rg_tokenizer_encode(t, "20240607", 8, RG_TOK_BOS, &ids, &n, &err), RG_OK);
    assert_int_equal(n, 8); /* one token per digit, and no BOS */
    free(ids);
    CHECK_IDS(t, "<|im_start|><|im_end|>", RG_TOK_SPECIAL, 1, 2);
    assert_int_equal(rg_tokenizer_encode(t, "<|im_end|>", 10, 0, &ids, &n, &err), RG_OK);
    for (size_t i = 0; i < n; i++) assert_false(rg_tokenizer_is_control(t, ids[i]));
    free(ids);
    assert_true(rg_tokenizer_is_end(t, 0) && rg_tokenizer_is_end(t, 2) && !rg_tokenizer_is_end(t, 1));
    rg_tokenizer_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(demo_vectors), cmocka_unit_test(demo_checkpoint),
        cmocka_unit_test(tinystories), cmocka_unit_test(tinystories_text),
        cmocka_unit_test(tinystories_paragraphs), cmocka_unit_test(llama2_gguf),
        cmocka_unit_test(llama2_sentencepiece), cmocka_unit_test(llama2_json), cmocka_unit_test(llama3_json),
        cmocka_unit_test(stories_bin), cmocka_unit_test(stories_model), cmocka_unit_test(stories_gguf),
        cmocka_unit_test(wiki_llama3), cmocka_unit_test(wiki_smollm2), cmocka_unit_test(wiki_llama2),
        cmocka_unit_test(llama2_formats_agree), cmocka_unit_test(smollm2_as_gguf),
        cmocka_unit_test(llama3_as_gguf), cmocka_unit_test(smollm2_digits_and_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
