/* Small hostile GGUF files, built byte by byte: one for each published advisory of GGUF readers that applies
 * to a reader of files, and the list of bad files that llama.cpp's own tests keep. Memory is capped
 * meanwhile: a file of some hundred bytes must not make us allocate. */
#include "ckpt_fixture.h"

#include <sys/resource.h>

#include "base/num.h"
#include "model_build.h"

#if defined(__SANITIZE_ADDRESS__) /* gcc */
#define SANITIZED 1
#elif defined(__has_feature) /* clang */
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static int setup(void **state)
{
#ifndef SANITIZED /* whose shadow memory is address space too */
    const struct rlimit cap = {.rlim_cur = 128u << 20, .rlim_max = RLIM_INFINITY};
    setrlimit(RLIMIT_AS, &cap);
#endif
    (void)state;
    return 0;
}

/* A file is said by its header counts, metadata and tensors; 0 means "as it is". */
typedef struct hostile {
    const char *id; /* advisory or llama.cpp's name, and what is wrong */
    void (*kv)(gguf_build *g);
    uint64_t n_kv, n_tensors; /* said in the header */
    struct {
        uint64_t name_len; /* said */
        uint32_t rank, type;
        uint64_t ne[4], offset;
    } t;         /* token_embd.weight */
    size_t data; /* bytes of data behind it; 0: none */
    uint32_t version;
    const char *magic;
    rg_status code;
    const char *word;
} hostile;

static void good_kv(gguf_build *g)
{
    gg_str(g, "general.architecture", "llama");
    static const char *const keys[] = {"llama.block_count", "llama.context_length", "llama.embedding_length",
        "llama.feed_forward_length", "llama.vocab_size", "llama.attention.head_count"};
    static const uint32_t values[] = {1, 16, 32, 64, 16, 4};
    for (int i = 0; i < 6; i++) gg_u32(g, keys[i], values[i]);
    gg_f32(g, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
}

static void str_wraps(gguf_build *g)
{
    gg_key(g, "general.architecture", 8);
    put_int(&g->kv, UINT64_MAX, 8);
}

static void str_huge(gguf_build *g)
{
    gg_key(g, "general.architecture", 8);
    put_int(&g->kv, 1ull << 40, 8);
    put_bytes(&g->kv, "llama", 5);
}

static void array_of(gguf_build *g, uint32_t elem, uint64_t n)
{
    good_kv(g);
    gg_key(g, "tokenizer.ggml.tokens", 9);
    put_int(&g->kv, elem, 4);
    put_int(&g->kv, n, 8);
}

static void array_wraps(gguf_build *g) { array_of(g, 10, 1ull << 61); }
static void array_of_strings_wraps(gguf_build *g) { array_of(g, 8, UINT64_MAX / 16 + 1); }
static void array_of_arrays(gguf_build *g) { array_of(g, 9, 1); }
static void array_of_unknown(gguf_build *g) { array_of(g, 77, 1); }

static void array_ends_inside(gguf_build *g)
{
    array_of(g, 8, 3);
    put_int(&g->kv, 1, 8);
    put_bytes(&g->kv, "a", 1);
    put_int(&g->kv, 100000, 8); /* the second string does not fit */
}

static void vocab(gguf_build *g, uint64_t len, size_t real)
{
    static char big[80000];
    memset(big, 'x', sizeof big);
    good_kv(g);
    gg_str(g, "tokenizer.ggml.model", "llama");
    gg_key(g, "tokenizer.ggml.tokens", 9);
    put_int(&g->kv, 8, 4);
    put_int(&g->kv, 1, 8);
    put_int(&g->kv, len, 8);
    put_bytes(&g->kv, big, real);
}

static void token_of_4g(gguf_build *g) { vocab(g, (1ull << 32) + 8, 64); }
static void token_of_70k(gguf_build *g) { vocab(g, 70000, 70000); }

static void no_keys(gguf_build *g) { gg_str(g, "general.architecture", "llama"); }
static void no_arch(gguf_build *g) { gg_u32(g, "llama.block_count", 1); }
static void arch_is_a_number(gguf_build *g) { gg_u32(g, "general.architecture", 1); }

static void without(gguf_build *g, const char *key, uint32_t value)
{
    good_kv(g);
    for (size_t i = 0; i + strlen(key) + 8 <= g->kv.n; i++) /* the value stands behind key and type */
        if (memcmp(g->kv.p + i, key, strlen(key)) == 0 && g->kv.p[i + strlen(key)] == 4)
            put_le(g->kv.p + i + strlen(key) + 4, value, 4);
}

static void no_heads(gguf_build *g) { without(g, "llama.attention.head_count", 0); }
static void many_layers(gguf_build *g) { without(g, "llama.block_count", 0x7fffffff); }
static void no_layers(gguf_build *g) { without(g, "llama.block_count", 0); }

static void duplicate(gguf_build *g)
{
    good_kv(g);
    gg_u32(g, "llama.block_count", 1);
}

static void bad_kv_type(gguf_build *g)
{
    good_kv(g);
    gg_key(g, "general.quantization_version", 13);
    put_int(&g->kv, 2, 4);
}

static void key_wraps(gguf_build *g)
{
    put_int(&g->kv, UINT64_MAX, 8);
    g->n_kv = 1;
}

static void key_long(gguf_build *g)
{
    put_int(&g->kv, 1ull << 30, 8);
    put_bytes(&g->kv, "general", 7);
    g->n_kv = 1;
}

static void align(gguf_build *g, uint32_t type, uint64_t v, int width)
{
    good_kv(g);
    gg_key(g, "general.alignment", type);
    put_int(&g->kv, v, width);
}

static void align_0(gguf_build *g) { align(g, 4, 0, 4); }
static void align_13(gguf_build *g) { align(g, 4, 13, 4); }
static void align_wraps(gguf_build *g) { align(g, 10, 1ull << 63, 8); }
static void align_float(gguf_build *g) { align(g, 6, 0x42000000, 4); }
static void align_string(gguf_build *g)
{
    good_kv(g);
    gg_str(g, "general.alignment", "32");
}

#define OFF 0x7fffffffffffffe0ull
static const hostile cases[] = {
    /* header */
    {"CVE-2024-21836: n_tensors times the size of a description wraps", good_kv,
        .n_tensors = UINT64_MAX / 48 + 2, .code = RG_E_FILE, .word = "do not fit"},
    {"CVE-2024-23605: n_kv times the size of an entry wraps", good_kv, .n_kv = UINT64_MAX / 40 + 2,
        .code = RG_E_FILE, .word = "do not fit"},
    {"Databricks 2024-03: metadata walked beyond the file", good_kv, .n_kv = 1000, .code = RG_E_FILE},
    {"#27203: n_tensors bounded by a smaller struct", good_kv, .n_tensors = 1 << 20, .code = RG_E_FILE,
        .word = "do not fit"},
    {"BAD_MAGIC", good_kv, .magic = "FUGG", .code = RG_E_FILE},
    {"BAD_VERSION_1", good_kv, .version = 1, .code = RG_E_UNSUPPORTED, .word = "version 1"},
    {"BAD_VERSION_FUTURE", good_kv, .version = 4, .code = RG_E_UNSUPPORTED, .word = "version 4"},
    {"BAD_VERSION of the other endianness", good_kv, .version = 3u << 24, .code = RG_E_UNSUPPORTED,
        .word = "endian"},
    {"BAD_N_TENSORS", good_kv, .n_tensors = UINT64_MAX, .code = RG_E_FILE, .word = "do not fit"},
    {"BAD_N_KV", good_kv, .n_kv = UINT64_MAX, .code = RG_E_FILE, .word = "do not fit"},
    {"BAD_N_KV: one less than there are", good_kv, .n_kv = 6, .code = RG_E_FILE},
    /* metadata */
    {"CVE-2024-23496: string length plus one wraps to 0", str_wraps, .code = RG_E_FILE,
        .word = "general.architecture"},
    {"CVE-2024-23496: string beyond the file", str_huge, .code = RG_E_FILE, .word = "general.architecture"},
    {"CVE-2024-21825: array of strings, count times size wraps", array_of_strings_wraps, .code = RG_E_FILE,
        .word = "tokenizer.ggml.tokens"},
    {"Databricks 2024-03: array, count times size wraps", array_wraps, .code = RG_E_FILE,
        .word = "tokenizer.ggml.tokens"},
    {"CVE-2024-32878: the file ends inside an array of strings", array_ends_inside, .code = RG_E_FILE,
        .word = "tokenizer.ggml.tokens"},
    {"CVE-2024-41130: keys that code relies on are missing", no_keys, .code = RG_E_FILE,
        .word = "hidden size"},
    {"CVE-2024-41130: no architecture", no_arch, .code = RG_E_FILE, .word = "architecture"},
    {"the architecture is a number", arch_is_a_number, .code = RG_E_FILE, .word = "architecture"},
    {"CVE-2025-49847: token longer than 2^32", token_of_4g, .code = RG_E_FILE, .word = "tokens"},
    {"CVE-2025-49847: token longer than a piece may be", token_of_70k, .code = RG_E_FILE, .word = "at most"},
    {"arrays of arrays", array_of_arrays, .code = RG_E_FILE, .word = "arrays"},
    {"arrays of an unknown type", array_of_unknown, .code = RG_E_FILE, .word = "type 77"},
    {"BAD_KEY_SIZE: wraps", key_wraps, .code = RG_E_FILE},
    {"BAD_KEY_SIZE: 2^30", key_long, .code = RG_E_FILE},
    {"BAD_TYPE of a value", bad_kv_type, .code = RG_E_FILE, .word = "type 13"},
    {"DUPLICATE_KEY", duplicate, .code = RG_E_FILE, .word = "twice"},
    {"BAD_ALIGN: 0", align_0, .code = RG_E_FILE, .word = "alignment"},
    {"BAD_ALIGN: 13", align_13, .code = RG_E_FILE, .word = "alignment"},
    {"PR #26318: alignment of another type: u64", align_wraps, .code = RG_E_FILE, .word = "alignment"},
    {"PR #26318: alignment of another type: float", align_float, .code = RG_E_FILE, .word = "alignment"},
    {"PR #26318: alignment of another type: string", align_string, .code = RG_E_FILE, .word = "alignment"},
    {"1bit-MONSTER #455: no heads", no_heads, .code = RG_E_FILE, .word = "heads is 0"},
    {"1bit-MONSTER #694: 2^31 layers", many_layers, .code = RG_E_FILE, .word = "layers"},
    {"no layers", no_layers, .code = RG_E_FILE, .word = "layers is 0"},
    /* tensors */
    {"CVE-2024-21802: dimensions beyond 2^63", good_kv, .t = {0, 2, 0, {1ull << 63, 2}, 0}, .data = 2048,
        .code = RG_E_FILE, .word = "dimension"},
    {"CVE-2026-33298: exabytes in a file of 4 KiB", good_kv, .t = {0, 2, 0, {1ull << 60, 1ull << 3}, 0},
        .data = 4096, .code = RG_E_FILE},
    {"CVE-2026-33298: bytes wrap to what the file has", good_kv, .t = {0, 2, 0, {1ull << 62, 1}, 0},
        .data = 4096, .code = RG_E_FILE, .word = "impossible size"},
    {"CVE-2025-53630: the running total of sizes wraps", good_kv, .t = {0, 2, 0, {32, 16}, UINT64_MAX - 31},
        .data = 4096, .code = RG_E_FILE, .word = "beyond"},
    {"CVE-2026-27940: offset plus size wraps", good_kv, .t = {0, 2, 0, {32, 16}, 0xfffffffffffff800ull},
        .data = 4096, .code = RG_E_FILE, .word = "beyond"},
    {"PR #24759: padding wraps to 0", good_kv, .t = {0, 1, 0, {UINT64_MAX / 4}, 0}, .data = 64,
        .code = RG_E_FILE},
    {"#27203: the product of dimensions wraps", good_kv, .t = {0, 4, 0, {1ull << 32, 1ull << 32, 2, 2}, 0},
        .data = 64, .code = RG_E_FILE, .word = "dimension"},
    {"#26366: a dimension of 0", good_kv, .t = {0, 2, 0, {0, 16}, 0}, .data = 64, .code = RG_E_FILE,
        .word = "dimension 0"},
    {"#24263: a second dimension of 0", good_kv, .t = {0, 2, 0, {32, 0}, 0}, .data = 64, .code = RG_E_FILE,
        .word = "dimension 1"},
    {"#26946: a removed type (4)", good_kv, .t = {0, 2, 4, {32, 16}, 0}, .data = 2048,
        .code = RG_E_UNSUPPORTED, .word = "Q4_2"},
    {"#26946: a removed type (31)", good_kv, .t = {0, 2, 31, {32, 16}, 0}, .data = 2048,
        .code = RG_E_UNSUPPORTED, .word = "Q4_0_4_4"},
    {"CVE-2026-7482: the shape says more than the file has", good_kv, .t = {0, 2, 0, {32, 16}, 0},
        .data = 1024, .code = RG_E_FILE, .word = "beyond"},
    {"CVE-2026-7482: no data at all", good_kv, .t = {0, 2, 0, {32, 16}, 0}, .code = RG_E_FILE,
        .word = "beyond"},
    {"another shape than the configuration implies", good_kv, .t = {0, 2, 0, {32, 17}, 0}, .data = 4096,
        .code = RG_E_FILE},
    {"BAD_NAME_SIZE", good_kv, .t = {64, 2, 0, {32, 16}, 0}, .data = 2048, .code = RG_E_FILE},
    {"BAD_NAME_SIZE: wraps", good_kv, .t = {UINT64_MAX, 2, 0, {32, 16}, 0}, .data = 2048, .code = RG_E_FILE},
    {"BAD_N_DIMS: 5", good_kv, .t = {0, 5, 0, {32, 16, 1, 1}, 0}, .data = 2048, .code = RG_E_FILE,
        .word = "5 dimensions"},
    {"BAD_N_DIMS: 0", good_kv, .t = {0, 1u << 31, 0, {32, 16, 1, 1}, 0}, .data = 2048, .code = RG_E_FILE,
        .word = "dimensions"},
    {"BAD_SHAPE: negative", good_kv, .t = {0, 2, 0, {(uint64_t)-32, 16}, 0}, .data = 2048, .code = RG_E_FILE,
        .word = "dimension"},
    {"NE_TOO_BIG", good_kv, .t = {0, 2, 0, {(uint64_t)INT64_MAX, (uint64_t)INT64_MAX}, 0}, .data = 2048,
        .code = RG_E_FILE, .word = "dimension"},
    {"NBYTES_TOO_BIG", good_kv, .t = {0, 2, 0, {(uint64_t)INT64_MAX - 31, 1}, 0}, .data = 2048,
        .code = RG_E_FILE, .word = "size"},
    {"BAD_TYPE of a tensor", good_kv, .t = {0, 2, 43, {32, 16}, 0}, .data = 2048, .code = RG_E_FILE,
        .word = "type number 43"},
    {"BAD_TYPE of a tensor: 2^32 - 1", good_kv, .t = {0, 2, UINT32_MAX, {32, 16}, 0}, .data = 2048,
        .code = RG_E_FILE, .word = "type number"},
    {"BAD_OFFSET", good_kv, .t = {0, 2, 0, {32, 16}, OFF}, .data = 2048, .code = RG_E_FILE, .word = "beyond"},
    {"INCONSISTENT_ALIGN", good_kv, .t = {0, 2, 0, {32, 16}, 8}, .data = 4096, .code = RG_E_FILE,
        .word = "multiple of the alignment"},
    {"NOT_ENOUGH_DATA", good_kv, .t = {0, 2, 0, {32, 16}, 32}, .data = 2048, .code = RG_E_FILE,
        .word = "beyond"},
    {"rows that are no whole blocks", good_kv, .t = {0, 2, 12, {32, 16}, 0}, .data = 2048, .code = RG_E_FILE,
        .word = "whole Q4_K blocks"},
};

static void make(const hostile *bare, const char *path)
{
    hostile with = *bare;
    const hostile *h = &with;
    if (with.t.rank == 0) { /* a good tensor behind hostile metadata, so that they are read to the end */
        with.t.rank = 2;
        with.t.ne[0] = 32;
        with.t.ne[1] = 16;
        with.data = 2048;
    }
    gguf_build g = {0};
    byte_buf out = {0};
    static const char name[] = "token_embd.weight";
    h->kv(&g);
    put_bytes(&out, h->magic ? h->magic : "GGUF", 4);
    put_int(&out, h->version ? h->version : 3, 4);
    put_int(&out, h->n_tensors ? h->n_tensors : 1, 8);
    put_int(&out, h->n_kv ? h->n_kv : g.n_kv, 8);
    put_bytes(&out, g.kv.p, g.kv.n);
    put_int(&out, h->t.name_len ? h->t.name_len : sizeof name - 1, 8);
    put_bytes(&out, name, sizeof name - 1);
    for (size_t i = sizeof name - 1; i < h->t.name_len && i < 100; i++) put_int(&out, 'x', 1);
    put_int(&out, h->t.rank, 4);
    for (uint32_t i = 0; i < h->t.rank && i < 4; i++) put_int(&out, h->t.ne[i], 8);
    put_int(&out, h->t.type, 4);
    put_int(&out, h->t.offset, 8);
    while (out.n % 32) put_int(&out, 0, 1);
    for (size_t i = 0; i < h->data; i++) put_int(&out, 0, 1);
    save_bytes(&out, path);
    drop_bytes(&out);
    drop_bytes(&g.kv);
}

static void every_hostile_file_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make(&cases[i], at("hostile.gguf"));
        must_refuse(cases[i].id, at("hostile.gguf"), cases[i].code, cases[i].word);
        rg_ckpt *c = NULL; /* and as a vocabulary */
        rg_err err = {0};
        if (rg_ckpt_open_vocab(&c, at("hostile.gguf"), &err) != RG_OK && !err.msg[0])
            fail_msg("%s: refused without a word", cases[i].id);
        rg_ckpt_close(c);
    }
}

/* Two tensors: the same name, the same place, and sizes whose sum wraps. */
static void pairs_of_tensors(void **state)
{
    (void)state;
    static const float zeros[512];
    static const uint64_t ne[2] = {32, 16};
    for (int i = 0; i < 3; i++) {
        gguf_build g = {0};
        good_kv(&g);
        gg_tensor(&g, "token_embd.weight", 0, 2, ne, zeros, sizeof zeros);
        gg_tensor(&g, i == 0 ? "token_embd.weight" : "output.weight", 0, 2, ne, zeros, sizeof zeros);
        if (i == 1) put_le(g.info.p + g.info.n - 8, 0, 8);          /* over the first */
        if (i == 2) put_le(g.info.p + g.info.n - 8, 1ull << 63, 8); /* CVE-2025-53630 with two */
        gg_write(&g, at("two.gguf"));
        static const char *const words[] = {"twice", "overlap", "beyond"};
        must_refuse("two tensors", at("two.gguf"), RG_E_FILE, words[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_hostile_file_is_refused), cmocka_unit_test(pairs_of_tensors)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
