/* GGUF: good files, and one bent file per known way to lie, made by overwriting bytes of a good one. */
#include "ckpt_fixture.h"

#include "base/num.h"

static unsigned char *good, *bent, *voc;
static size_t good_n, voc_n, data_at;

static int setup(void **state)
{
    (void)state;
    rg_config c = tiny_config();
    synth(&c, RG_FT_F32, RG_SYNTH_GGUF, 1, at("good.gguf"));
    good = read_all(at("good.gguf"), &good_n);
    bent = malloc(good_n + 64);
    c.vocab = 360; /* large enough for an embedded vocabulary */
    synth(&c, RG_FT_F32, RG_SYNTH_GGUF, 1, at("voc.gguf"));
    voc = read_all(at("voc.gguf"), &voc_n);
    const rg_config t = tiny_config();
    data_at = good_n -
        4 *
            (size_t)(t.vocab * t.dim + 3 * t.dim + 2 * t.dim * t.dim + 2 * rg_kv_dim(&t) * t.dim +
                3 * t.dim * t.ffn);
    return bent ? 0 : -1;
}

static int teardown(void **state)
{
    free(good);
    free(bent);
    free(voc);
    (void)state;
    return 0;
}

/* Where the bytes behind a string begin (its length stands before it). */
static size_t behind(const unsigned char *p, size_t n, const char *key)
{
    unsigned char want[128];
    const size_t k = strlen(key);
    put_le(want, k, 8);
    memcpy(want + 8, key, k);
    const unsigned char *hit = memmem(p, n, want, 8 + k);
    if (!hit) fail_msg("%s is not in the file", key);
    return (size_t)(hit - p) + 8 + k;
}

typedef struct bend {
    const char *label, *anchor; /* NULL: the begin of the file */
    int skip, width;
    uint64_t value;
    rg_status code;
    const char *word;
} bend;

#define HUGE64 0x7fffffffffffffffu
#define Q "blk.0.attn_q.weight"

static const bend bends[] = {
    {"magic", NULL, 0, 4, 0x46554746, RG_E_FILE, NULL},
    {"version 0", NULL, 4, 4, 0, RG_E_UNSUPPORTED, "version 0"},
    {"version 1", NULL, 4, 4, 1, RG_E_UNSUPPORTED, "version 1"},
    {"version 4", NULL, 4, 4, 4, RG_E_UNSUPPORTED, "expected 2 or 3"},
    {"other endianness", NULL, 4, 4, 0x03000000, RG_E_UNSUPPORTED, "endian"},
    {"no tensors", NULL, 8, 8, 0, RG_E_FILE, "no tensors"},
    {"one tensor too few", NULL, 8, 8, 10, RG_E_FILE, NULL},
    {"one tensor too many", NULL, 8, 8, 12, RG_E_FILE, NULL},
    {"2^63 tensors", NULL, 8, 8, 1ull << 63, RG_E_FILE, "do not fit"},
    {"tensor count wraps", NULL, 8, 8, UINT64_MAX, RG_E_FILE, "do not fit"},
    {"tensor count times a struct wraps", NULL, 8, 8, (UINT64_MAX / 48) + 2, RG_E_FILE, "do not fit"},
    {"metadata count wraps", NULL, 16, 8, UINT64_MAX, RG_E_FILE, "do not fit"},
    {"2^60 metadata entries", NULL, 16, 8, 1ull << 60, RG_E_FILE, "do not fit"},
    {"metadata one too many", NULL, 16, 8, 17, RG_E_FILE, NULL},
    {"no metadata", NULL, 16, 8, 0, RG_E_FILE, NULL},
    {"key of no bytes", NULL, 24, 8, 0, RG_E_FILE, "metadata entry 0"},
    {"key of 2^63 bytes", NULL, 24, 8, 1ull << 63, RG_E_FILE, "metadata entry 0"},
    {"key length wraps", NULL, 24, 8, UINT64_MAX, RG_E_FILE, "metadata entry 0"},
    {"key of 65536 bytes", NULL, 24, 8, 65536, RG_E_FILE, NULL},
    {"value of type 13", "llama.block_count", 0, 4, 13, RG_E_FILE, "type 13"},
    {"value of type 2^32 - 1", "llama.block_count", 0, 4, UINT32_MAX, RG_E_FILE, "llama.block_count"},
    {"value is an array", "llama.block_count", 0, 4, 9, RG_E_FILE, NULL},
    {"value is a string", "llama.block_count", 0, 4, 8, RG_E_FILE, NULL},
    {"value is a part of one", "llama.block_count", 0, 4, 6, RG_E_FILE, "whole number"},
    {"epsilon is an integer", "llama.attention.layer_norm_rms_epsilon", 0, 4, 4, RG_E_FILE, "epsilon"},
    {"string of 2^62 bytes", "general.name", 4, 8, 1ull << 62, RG_E_FILE, "general.name"},
    {"string length wraps", "general.name", 4, 8, UINT64_MAX, RG_E_FILE, "general.name"},
    {"architecture", "general.architecture", 12, 5, 0x61626d616d /* mamba */, RG_E_UNSUPPORTED, "mamba"},
    {"an architecture without its keys", "general.architecture", 12, 5, 0x616d6d6567 /* gemma */, RG_E_FILE,
        "hidden size"},
    {"key missing", "llama.embedding_length", -6, 6, 0x687464697764, RG_E_FILE, "hidden size"},
    {"alignment 0", "general.alignment", 4, 4, 0, RG_E_FILE, "alignment is 0"},
    {"alignment 3", "general.alignment", 4, 4, 3, RG_E_FILE, "power of two"},
    {"alignment 2^31", "general.alignment", 4, 4, 1u << 31, RG_E_FILE, "alignment is 2147483648"},
    {"alignment 2^17", "general.alignment", 4, 4, 1u << 17, RG_E_FILE, "alignment"},
    {"alignment of another type", "general.alignment", 0, 4, 5, RG_E_FILE, "u32"},
    {"no heads", "llama.attention.head_count", 4, 4, 0, RG_E_FILE, "heads is 0"},
    {"no KV heads", "llama.attention.head_count_kv", 4, 4, 0, RG_E_FILE, "KV heads is 0"},
    {"KV heads do not divide", "llama.attention.head_count_kv", 4, 4, 3, RG_E_FILE, "do not divide"},
    {"2^32 - 1 heads", "llama.attention.head_count", 4, 4, UINT32_MAX, RG_E_FILE, "heads"},
    {"no layers", "llama.block_count", 4, 4, 0, RG_E_FILE, "layers is 0"},
    {"513 layers", "llama.block_count", 4, 4, 513, RG_E_FILE, "layers is 513"},
    {"2 layers, but tensors of one", "llama.block_count", 4, 4, 2, RG_E_FILE, "blk.1.attn_norm is missing"},
    {"hidden size 0", "llama.embedding_length", 4, 4, 0, RG_E_FILE, "hidden size is 0"},
    {"hidden size 2^31", "llama.embedding_length", 4, 4, 1u << 31, RG_E_FILE, "hidden size"},
    {"another hidden size", "llama.embedding_length", 4, 4, 64, RG_E_FILE, "expected"},
    {"intermediate size 0", "llama.feed_forward_length", 4, 4, 0, RG_E_FILE, "intermediate"},
    {"another intermediate size", "llama.feed_forward_length", 4, 4, 65, RG_E_FILE, "ffn_gate"},
    {"no vocabulary", "llama.vocab_size", 4, 4, 0, RG_E_FILE, "vocabulary is 0"},
    {"vocabulary of 2^21", "llama.vocab_size", 4, 4, 1u << 21, RG_E_FILE, "vocabulary"},
    {"another vocabulary", "llama.vocab_size", 4, 4, 17, RG_E_FILE, "token_embd"},
    {"no context", "llama.context_length", 4, 4, 0, RG_E_FILE, "context is 0"},
    {"odd head size", "llama.attention.key_length", 4, 4, 7, RG_E_FILE, "odd"},
    {"head size 0", "llama.attention.key_length", 4, 4, 0, RG_E_FILE, "head size is 0"},
    {"another head size", "llama.attention.value_length", 4, 4, 16, RG_E_UNSUPPORTED, "differ"},
    {"RoPE on a part of a head", "llama.rope.dimension_count", 4, 4, 4, RG_E_UNSUPPORTED, "differ"},
    {"epsilon 0", "llama.attention.layer_norm_rms_epsilon", 4, 4, 0, RG_E_FILE, "epsilon"},
    {"epsilon 1", "llama.attention.layer_norm_rms_epsilon", 4, 4, 0x3f800000, RG_E_FILE, "epsilon"},
    {"epsilon NaN", "llama.attention.layer_norm_rms_epsilon", 4, 4, 0x7fc00000, RG_E_FILE, "epsilon"},
    {"RoPE base 0", "llama.rope.freq_base", 4, 4, 0, RG_E_FILE, "RoPE base"},
    {"RoPE base infinite", "llama.rope.freq_base", 4, 4, 0x7f800000, RG_E_FILE, "RoPE base"},
    {"tensor name of no bytes", Q, -27, 8, 0, RG_E_FILE, NULL},
    {"tensor name of 64 bytes", Q, -27, 8, 64, RG_E_FILE, NULL},
    {"tensor name of 2^63 bytes", Q, -27, 8, 1ull << 63, RG_E_FILE, "name"},
    {"tensor of another layer", Q, -15, 1, '1', RG_E_FILE, "layer 1"},
    {"unknown tensor", Q, -6, 6, 0x736569626263, RG_E_UNSUPPORTED, "not part of a Llama model"},
    {"tensor twice", "blk.0.attn_v.weight", -8, 1, 'k', RG_E_FILE, "twice"},
    {"no dimensions", Q, 0, 4, 0, RG_E_FILE, "0 dimensions"},
    {"five dimensions", Q, 0, 4, 5, RG_E_FILE, "5 dimensions"},
    {"2^31 dimensions", Q, 0, 4, 1u << 31, RG_E_FILE, "dimensions"},
    {"dimension 0", Q, 4, 8, 0, RG_E_FILE, "dimension 0"},
    {"second dimension 0", Q, 12, 8, 0, RG_E_FILE, "dimension 1"},
    {"dimension 2^63", Q, 4, 8, 1ull << 63, RG_E_FILE, "dimension 0"},
    {"product of dimensions wraps", Q, 4, 8, 1ull << 60, RG_E_FILE, Q},
    {"bytes wrap, product does not", Q, 4, 8, 1ull << 58, RG_E_FILE, Q},
    {"another dimension", Q, 4, 8, 31, RG_E_FILE, "expected [32, 32]"},
    {"rows that are no whole blocks", Q, 20, 4, 12, RG_E_FILE, "whole Q4_K blocks"},
    {"IQ2_XXS", Q, 20, 4, 16, RG_E_UNSUPPORTED, "IQ2_XXS"},
    {"IQ3_S", Q, 20, 4, 21, RG_E_UNSUPPORTED, "IQ3_S"},
    {"TQ2_0", Q, 20, 4, 35, RG_E_UNSUPPORTED, "TQ2_0"},
    {"removed type", Q, 20, 4, 4, RG_E_UNSUPPORTED, "Q4_2, which ggml has removed"},
    {"type 255", Q, 20, 4, 255, RG_E_FILE, "type number 255"},
    {"type 2^32 - 1", Q, 20, 4, UINT32_MAX, RG_E_FILE, "type number"},
    {"offset not aligned", Q, 24, 8, 1, RG_E_FILE, "alignment 32"},
    {"offset beyond the file", Q, 24, 8, 1ull << 40, RG_E_FILE, "beyond"},
    {"offset wraps", Q, 24, 8, UINT64_MAX - 31, RG_E_FILE, "beyond"},
    {"offset 2^63", Q, 24, 8, HUGE64 & ~31ull, RG_E_FILE, "beyond"},
    {"tensors overlap", Q, 24, 8, 0, RG_E_FILE, "overlap"},
};

static const bend vocab_bends[] = {
    {"array of arrays", "tokenizer.ggml.tokens", 4, 4, 9, RG_E_FILE, "arrays of arrays"},
    {"array of type 13", "tokenizer.ggml.tokens", 4, 4, 13, RG_E_FILE, "array of type 13"},
    {"array of type 2^31", "tokenizer.ggml.tokens", 4, 4, 1u << 31, RG_E_FILE, NULL},
    {"2^61 strings", "tokenizer.ggml.tokens", 8, 8, 1ull << 61, RG_E_FILE, "tokens"},
    {"count of strings wraps", "tokenizer.ggml.tokens", 8, 8, UINT64_MAX, RG_E_FILE, "tokens"},
    {"no tokens", "tokenizer.ggml.tokens", 8, 8, 0, RG_E_FILE, NULL},
    {"token of 2^63 bytes", "tokenizer.ggml.tokens", 16, 8, 1ull << 63, RG_E_FILE, "tokens"},
    {"token length wraps", "tokenizer.ggml.tokens", 16, 8, UINT64_MAX, RG_E_FILE, "tokens"},
    {"2^62 scores", "tokenizer.ggml.scores", 8, 8, 1ull << 62, RG_E_FILE, "scores"},
    {"count times size wraps to 0", "tokenizer.ggml.scores", 8, 8, 1ull << 62, RG_E_FILE, "scores"},
    {"scores of another type", "tokenizer.ggml.scores", 4, 4, 4, RG_E_FILE, "scores"},
    {"types of another type", "tokenizer.ggml.token_type", 4, 4, 6, RG_E_FILE, "token_type"},
    {"model of 2^40 bytes", "tokenizer.ggml.model", 4, 8, 1ull << 40, RG_E_FILE, "model"},
};

static void try_bends(const unsigned char *file, size_t n, const bend *b, size_t count)
{
    unsigned char *copy = malloc(n);
    assert_non_null(copy);
    for (size_t i = 0; i < count; i++) {
        memcpy(copy, file, n);
        put_le(copy + (b[i].anchor ? behind(file, n, b[i].anchor) : 0) + b[i].skip, b[i].value, b[i].width);
        write_file(at("bent.gguf"), copy, n);
        must_refuse(b[i].label, at("bent.gguf"), b[i].code, b[i].word);
    }
    free(copy);
}

static void every_lie_is_refused(void **state)
{
    (void)state;
    try_bends(good, good_n, bends, sizeof bends / sizeof *bends);
    try_bends(voc, voc_n, vocab_bends, sizeof vocab_bends / sizeof *vocab_bends);
}

static void products_that_wrap_are_refused(void **state)
{
    (void)state;
    static const uint64_t dims[][2] = {{1ull << 32, 1ull << 32}, {1ull << 31, 1ull << 33}, {1ull << 62, 4},
        {INT64_MAX, INT64_MAX}, {1ull << 61, 2}, {32, 1ull << 56}};
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        memcpy(bent, good, good_n);
        put_le(bent + behind(good, good_n, Q) + 4, dims[i][0], 8);
        put_le(bent + behind(good, good_n, Q) + 12, dims[i][1], 8);
        write_file(at("bent.gguf"), bent, good_n);
        must_refuse("product", at("bent.gguf"), RG_E_FILE, Q);
    }
}

static void a_key_twice_is_refused(void **state)
{
    (void)state;
    memcpy(bent, good, good_n);
    const size_t v = behind(good, good_n, "llama.rope.dimension_count");
    memcpy(bent + v - 26, "llama.attention.key_length", 26); /* two keys of the same length */
    write_file(at("bent.gguf"), bent, good_n);
    must_refuse("key twice", at("bent.gguf"), RG_E_FILE, "twice");
}

/* Cut at every length: in the header byte by byte, in the data in strides. */
static void every_truncation_is_refused(void **state)
{
    (void)state;
    write_file(at("cut.gguf"), good, good_n);
    for (size_t n = good_n; n-- > 0;) {
        if (n > data_at + 8 && n < good_n - 8 && n % 509) continue;
        cut_file(at("cut.gguf"), n);
        must_refuse("truncated", at("cut.gguf"), RG_E_FILE, NULL);
    }
    write_file(at("cut.gguf"), voc, voc_n);
    for (size_t n = behind(voc, voc_n, "blk.0.attn_norm.weight"); n-- > 0;) {
        cut_file(at("cut.gguf"), n);
        must_refuse("truncated", at("cut.gguf"), RG_E_FILE, NULL);
    }
}

/* Damage at random: any answer but a crash or a status that says nothing about the file. */
static void random_damage_never_crashes(void **state)
{
    (void)state;
    const uint64_t seed = 20240607;
    rg_rng r = {seed};
    const size_t header = data_at;
    memcpy(bent, good, good_n);
    FILE *f = fopen(at("fuzz.gguf"), "wb");
    assert_non_null(f);
    setvbuf(f, NULL, _IONBF, 0);
    fwrite(good, 1, good_n, f);
    for (int i = 0; i < 6000; i++) {
        rg_err err;
        for (int k = 0; k < 1 + i % 4; k++) {
            const size_t pos = (size_t)rng_in(&r, 4, (int64_t)header - 1);
            const uint64_t v = rng_u64(&r);
            bent[pos] = (unsigned char)(v % 3 == 0 ? 0xff : v % 3 == 1 ? 0 : v >> 32);
        }
        fseek(f, 0, SEEK_SET);
        fwrite(bent, 1, header, f);
        const rg_status st = try_open(at("fuzz.gguf"), &err);
        if (st != RG_OK && st != RG_E_FILE && st != RG_E_UNSUPPORTED)
            fail_msg("seed %llu, round %d: status %d: %s", (unsigned long long)seed, i, (int)st, err.msg);
        memcpy(bent, good, header);
    }
    fclose(f);
}

static void a_good_file_opens(void **state)
{
    (void)state;
    rg_ckpt *c = must_open(at("good.gguf"));
    const rg_config *f = rg_ckpt_config(c);
    const rg_config t = tiny_config();
    assert_string_equal(rg_ckpt_format(c), "GGUF v3");
    assert_string_equal(f->name, "tiny");
    assert_true(f->tied);
    assert_int_equal(f->dim, t.dim);
    assert_int_equal(f->kv_heads, t.kv_heads);
    assert_int_equal(rg_ckpt_count(c), TINY_TENSORS);
    assert_null(rg_ckpt_find(c, RG_SITE_OUTPUT, -1));
    assert_null(rg_ckpt_embedded_vocab(c));
    assert_int_equal(rg_ckpt_find(c, RG_SITE_ATTN_Q, 0)->interleaved, 8);
    assert_int_equal(rg_ckpt_find(c, RG_SITE_ATTN_V, 0)->interleaved, 0);
    for (size_t i = 0; i < rg_ckpt_count(c); i++) rg_ckpt_release(c, rg_ckpt_at(c, i));
    rg_ckpt_close(c);
    memcpy(bent, good, good_n);
    put_le(bent + 4, 2, 4);
    write_file(at("v2.gguf"), bent, good_n);
    c = must_open(at("v2.gguf"));
    assert_string_equal(rg_ckpt_format(c), "GGUF v2");
    rg_ckpt_close(c);
    rg_ckpt_close(NULL);
}

static void the_vocabulary_is_in_the_mapping(void **state)
{
    (void)state;
    rg_ckpt *c = NULL;
    rg_err err = {0};
    if (rg_ckpt_open_vocab(&c, at("voc.gguf"), &err) != RG_OK) fail_msg("%s", err.msg);
    const rg_ckpt_vocab *v = rg_ckpt_embedded_vocab(c);
    assert_non_null(v);
    assert_string_equal(v->model, "llama");
    assert_int_equal(v->n, 360);
    assert_memory_equal(v->piece[1], "<s>", v->piece_len[1]);
    assert_int_equal(v->type[1], 3);
    assert_int_equal(v->type[3], 6);
    assert_int_equal(v->bos, 1);
    assert_int_equal(v->eot, -1);
    assert_int_equal(v->add_bos, -1);
    rg_ckpt_close(c);
    assert_int_equal(rg_ckpt_open_vocab(&c, at("good.gguf"), &err), RG_OK);
    assert_null(rg_ckpt_embedded_vocab(c));
    rg_ckpt_close(c);
    write_text(at("text.gguf"), "no");
    assert_int_equal(rg_ckpt_open_vocab(&c, at("text.gguf"), &err), RG_E_FILE);
}

static void hostile_names_are_made_printable(void **state)
{
    (void)state;
    memcpy(bent, good, good_n);
    memcpy(bent + behind(good, good_n, "general.name") + 12, "\x1b\xff\n\xe2", 4);
    write_file(at("name.gguf"), bent, good_n);
    rg_ckpt *c = must_open(at("name.gguf"));
    assert_string_equal(rg_ckpt_config(c)->name, "????");
    rg_ckpt_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_good_file_opens),
        cmocka_unit_test(the_vocabulary_is_in_the_mapping),
        cmocka_unit_test(hostile_names_are_made_printable), cmocka_unit_test(every_lie_is_refused),
        cmocka_unit_test(products_that_wrap_are_refused), cmocka_unit_test(a_key_twice_is_refused),
        cmocka_unit_test(every_truncation_is_refused), cmocka_unit_test(random_damage_never_crashes)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
