/* Damaged and malicious tokenizer files, and texts made to be slow. */
#include "tok_files.h"

static const piece pieces[] = {{SPACE, -9, 1}, {"a", -1, 1}, {"aa", -2, 1}, {"aaaa", -3, 1},
    {SPACE SPACE, -4, 1}, {"b", -5, 1}, {"ab", -6, 1}, {"abab", -7, 4}, {"ba", -8, 5}};
enum { N_PIECES = 9 };

static blob small_model(int kind)
{
    switch (kind) {
    case 0:
        return make_json(&(json_parts){0}, false);
    case 1:
        return make_json(&(json_parts){.vocab = ",\"he\":256,\"aa\":257,\"aaaa\":258",
                             .merges = "\"h e\",\"a a\",\"aa aa\""},
            true);
    case 2:
        return make_sp(pieces, N_PIECES, &(sp_opts){0});
    default:
        return make_bin(pieces, N_PIECES);
    }
}

/* Opens whatever it is; if it opens, it must work. */
static rg_status poke(const void *p, size_t n)
{
    static const char text[] = "ab <s> abab\xff\xc3\xa9 1 aaaa";
    rg_tokenizer *t;
    rg_err err;
    const rg_status st = open_bytes(&t, p, n, 0, &err);
    assert_true(st == RG_OK || st == RG_E_FILE || st == RG_E_UNSUPPORTED || st == RG_E_NOMEM);
    if (st != RG_OK) return st;
    for (int flags = 0; flags < 4; flags++) {
        int32_t *ids;
        size_t k;
        const rg_status se = rg_tokenizer_encode(t, text, sizeof text - 1, flags, &ids, &k, &err);
        assert_true(se == RG_OK || se == RG_E_USAGE || se == RG_E_UNSUPPORTED);
        rg_detok d;
        char buf[256];
        rg_detok_init(&d, t, true);
        for (size_t i = 0; se == RG_OK && i < k; i++) {
            assert_true(ids[i] >= 0 && (size_t)ids[i] < rg_tokenizer_size(t));
            assert_true(rg_detok_put(&d, ids[i], buf, sizeof buf) < sizeof buf);
        }
        if (se == RG_OK) free(ids);
    }
    rg_tokenizer_close(t);
    return st;
}

static void truncated(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        blob b = small_model(kind);
        for (size_t n = 1; n < b.n; n += n < 200 || n + 200 > b.n ? 1 : 17) {
            const rg_status st = poke(b.p, n);
            /* a tokenizer.bin that ends between two tokens is a smaller one; the others know that they are
             * cut off, except that the last message of a SentencePiece model (the normaliser) may be missing
             * as a whole */
            if (st == RG_OK && kind < 2) fail_msg("a tokenizer.json of %zu of %zu bytes opens", n, b.n);
        }
        assert_int_equal(poke(b.p, b.n), RG_OK);
        drop(&b);
    }
}

static void flipped(void **state)
{
    (void)state;
    const uint64_t seed = 77;
    rg_rng rng = {seed};
    for (int kind = 0; kind < 4; kind++) {
        blob b = small_model(kind);
        for (int round = 0; round < 600; round++) {
            char *p = malloc(b.n);
            assert_non_null(p);
            memcpy(p, b.p, b.n);
            const int64_t flips = rng_in(&rng, 1, 4);
            for (int64_t i = 0; i < flips; i++) p[rng_in(&rng, 0, (int64_t)b.n - 1)] = (char)rng_u64(&rng);
            poke(p, b.n);
            free(p);
        }
        drop(&b);
    }
}

static void check_bad(blob *b, rg_status want, const char *says, int line)
{
    rg_tokenizer *t;
    rg_err err;
    const rg_status st = open_bytes(&t, b->p, b->n, 0, &err);
    if (st != want || !strstr(err.msg, says))
        fail_msg("line %d: status %d \"%s\", expected %d with \"%s\"", line, st, err.msg, want, says);
    drop(b);
}
#define CHECK_BAD(b, st, says) check_bad(b, st, says, __LINE__)

static void bad_binaries(void **state)
{
    (void)state;
    blob b = {0};
    puts_to(&b, "this is not a tokenizer");
    CHECK_BAD(&b, RG_E_FILE, "not a tokenizer");
    put_u32(&b, 8);
    put_f32(&b, 0);
    put_u32(&b, 0xffffffffu); /* a length that wraps */
    CHECK_BAD(&b, RG_E_FILE, "does not fit");
    put_u32(&b, 8);
    CHECK_BAD(&b, RG_E_FILE, "0 tokens");
    put_u32(&b, 8);
    put_f32(&b, NAN);
    put_u32(&b, 1);
    puts_to(&b, "x");
    CHECK_BAD(&b, RG_E_FILE, "finite");
    put(&b, "GGUF", 4);
    put_u32(&b, 3);
    put_u64(&b, UINT64_MAX);
    put_u64(&b, UINT64_MAX);
    CHECK_BAD(&b, RG_E_FILE, "");
}

static void bad_protobufs(void **state)
{
    (void)state;
    blob b = make_sp(pieces, N_PIECES, &(sp_opts){0});
    put(&b, "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11); /* length 2^64 - 1 */
    CHECK_BAD(&b, RG_E_FILE, "malformed");
    b = make_sp(pieces, N_PIECES, &(sp_opts){0});
    put(&b, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11); /* a number that does not end */
    CHECK_BAD(&b, RG_E_FILE, "malformed");
    b = make_sp(pieces, N_PIECES, &(sp_opts){0});
    put(&b, "\x0b", 1); /* a group */
    CHECK_BAD(&b, RG_E_FILE, "malformed");
    b = make_sp(pieces, N_PIECES, &(sp_opts){0});
    put(&b, "\x02\x01x", 3); /* field 0 */
    CHECK_BAD(&b, RG_E_FILE, "malformed");
    put(&b, "\x0a\x03\x0a\x05x", 5); /* an inner length beyond the outer one */
    CHECK_BAD(&b, RG_E_FILE, "malformed");
    put_sp_piece(&b, "<unk>", 0, 2);
    CHECK_BAD(&b, RG_E_FILE, "trainer_spec");
    b = make_sp(pieces, N_PIECES, &(sp_opts){0});
    put(&b, "\x7a\x03xyz", 5); /* an unknown extension is skipped, as protocol buffers do */
    assert_int_equal(poke(b.p, b.n), RG_OK);
    drop(&b);
    blob big = {0};
    for (int i = 0; i < (1 << 16) + 1; i++) put(&big, "x", 1);
    put_sp_piece(&b, "<unk>", 0, 2);
    put_sp_piece(&b, big.p, 0, 1);
    drop(&big);
    CHECK_BAD(&b, RG_E_FILE, "65537 bytes");
}

static void bad_json(void **state)
{
    (void)state;
    blob b = {0};
    puts_to(&b, "{");
    CHECK_BAD(&b, RG_E_FILE, ":1:1");
    puts_to(&b, "{\"model\":7}");
    CHECK_BAD(&b, RG_E_FILE, "model");
    /* an empty key: once read beyond a table */
    puts_to(&b,
        "{\"\":1,\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]},\"decoder\":" SPM_DEC "}");
    CHECK_BAD(&b, RG_E_UNSUPPORTED, "unknown key");
    puts_to(&b, "{\"model\":{\"type\":\"WordPiece\"}}");
    CHECK_BAD(&b, RG_E_UNSUPPORTED, "WordPiece");
    puts_to(&b, "{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]},\"decoder\":" SPM_DEC "}");
    CHECK_BAD(&b, RG_E_FILE, "empty");
    puts_to(&b, "{\"model\":{\"type\":\"BPE\",\"vocab\":[],\"merges\":[]},\"decoder\":" SPM_DEC "}");
    CHECK_BAD(&b, RG_E_FILE, "vocab");
    puts_to(&b, "{\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":64}"); /* a config.json */
    CHECK_BAD(&b, RG_E_FILE, "not a tokenizer.json");
    puts_to(&b, "{\"model\":");
    for (int i = 0; i < 100000; i++) puts_to(&b, "[");
    CHECK_BAD(&b, RG_E_FILE, "depth");
    puts_to(&b, "{\"decoder\":");
    for (int i = 0; i < 900; i++) puts_to(&b, "{\"type\":\"Sequence\",\"decoders\":[");
    puts_to(&b, "{\"type\":\"Fuse\"}");
    for (int i = 0; i < 900; i++) puts_to(&b, "]}");
    puts_to(&b, ",\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}");
    CHECK_BAD(&b, RG_E_FILE, "empty"); /* deep, but sound so far */
    puts_to(&b, "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\xff\":0},\"merges\":[]}}");
    CHECK_BAD(&b, RG_E_FILE, "unable to decode");
    puts_to(&b, "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\\ud800\":0},\"merges\":[]}}");
    CHECK_BAD(&b, RG_E_FILE, ":1:");
    /* rules that lead in circles cannot be written: a merge always gives the longer piece */
    b = make_json(&(json_parts){.vocab = ",\"a\":260,\"b\":261,\"ab\":262,\"ba\":263",
                      .merges = "\"a b\",\"b a\",\"a b\",\"b a\""},
        false);
    assert_int_equal(poke(b.p, b.n), RG_OK);
    drop(&b);
    rg_tokenizer *t;
    rg_err err;
    assert_int_equal(rg_tokenizer_open(&t, "/nonexistent/tokenizer.json", 0, &err), RG_E_FILE);
    assert_int_equal(rg_tokenizer_open(&t, "/tmp", 0, &err), RG_E_FILE);
}

/* A pattern with nested repetition must not hang: it gives up with an error, or answers. */
static void catastrophic_pattern(void **state)
{
    (void)state;
    blob b = make_json(
        &(json_parts){.pre = "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{"
                             "\"Regex\":\"(a+)+!\"},\"behavior\":\"Isolated\"}," BYTE_LEVEL "]}"},
        true);
    rg_tokenizer *t = open_ok(&b);
    char text[64];
    int32_t *ids;
    size_t n;
    rg_err err;
    memset(text, 'a', sizeof text);
    const rg_status st = rg_tokenizer_encode(t, text, sizeof text, 0, &ids, &n, &err);
    assert_true(st == RG_OK || st == RG_E_USAGE);
    if (st == RG_OK) free(ids);
    rg_tokenizer_close(t);
    drop(&b);
}

/* One megabyte each; a quadratic step anywhere would take hours and hit the time limit of the test. */
static void a_megabyte_of_anything(void **state)
{
    (void)state;
    enum { MB = 1 << 20 };
    static const char *const units[] = {"a", " ", "ab", "\n", "1", "\xff", "\xc3\xa9", "a ", "\xe2\x82",
        "<s>", "<", " \n", "\xf0\x9f\x98\x80", "'", "aaab"};
    char *text = malloc(MB);
    assert_non_null(text);
    for (int kind = 0; kind < 4; kind++) {
        blob b = small_model(kind);
        rg_tokenizer *t = open_ok(&b);
        for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
            const size_t k = strlen(units[u]);
            for (size_t i = 0; i < MB; i++) text[i] = units[u][i % k];
            int32_t *ids;
            size_t n;
            rg_err err;
            if (rg_tokenizer_encode(t, text, MB, RG_TOK_SPECIAL, &ids, &n, &err) != RG_OK)
                fail_msg("kind %d unit %zu: %s", kind, u, err.msg);
            assert_true(n > 0);
            free(ids);
        }
        rg_tokenizer_close(t);
        drop(&b);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(truncated), cmocka_unit_test(flipped),
        cmocka_unit_test(bad_binaries), cmocka_unit_test(bad_protobufs), cmocka_unit_test(bad_json),
        cmocka_unit_test(catastrophic_pattern), cmocka_unit_test(a_megabyte_of_anything)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
