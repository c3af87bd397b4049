/* Small tokenizers made by hand, and what the tokenizer tests share. */
#ifndef RG_TOK_FIXTURE_H
#define RG_TOK_FIXTURE_H

#include "testing.h"

#include "tokenizer/tokenizer.h"

/* Text and file images that grow. */
typedef struct blob {
    char *p;
    size_t n, cap;
} blob;

static inline void put(blob *b, const void *p, size_t n)
{
    if (b->cap - b->n < n + 1 || !b->p) {
        b->cap = b->cap * 2 + n + 64;
        b->p = realloc(b->p, b->cap);
        assert_non_null(b->p);
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = 0;
}

static inline void puts_to(blob *b, const char *s) { put(b, s, strlen(s)); }

static inline void drop(blob *b)
{
    free(b->p);
    *b = (blob){0};
}

static inline void put_u32(blob *b, uint32_t v) { put(b, &v, 4); }
static inline void put_u64(blob *b, uint64_t v) { put(b, &v, 8); }
static inline void put_f32(blob *b, float v) { put(b, &v, 4); }

/* Opens a tokenizer from bytes. */
static inline rg_status open_bytes(rg_tokenizer **t, const void *p, size_t n, int64_t vocab, rg_err *err)
{
    char path[] = "/tmp/ridge-tok-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), n);
    close(fd);
    *err = (rg_err){0};
    const rg_status st = rg_tokenizer_open(t, path, vocab, err);
    unlink(path);
    if (st != RG_OK) assert_true(err->msg[0] != 0 && *t == NULL);
    return st;
}

static inline rg_tokenizer *open_ok(const blob *b)
{
    rg_tokenizer *t;
    rg_err err;
    if (open_bytes(&t, b->p, b->n, 0, &err) != RG_OK) fail_msg("%s", err.msg);
    return t;
}

/* The parts of a tokenizer.json; NULL takes the default of a byte-fallback BPE. */
typedef struct json_parts {
    /* model: more keys, each followed by a comma */
    const char *normalizer, *pre, *post, *decoder, *added, *model;
    /* the members of the object and of the array */
    const char *vocab, *merges;
} json_parts;

#define SPACE "\xe2\x96\x81"
#define SPM_NORM \
    "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"" SPACE \
    "\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" SPACE "\"}]}"
#define SPM_DEC \
    "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"" SPACE \
    "\"},\"content\":\" " \
    "\"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\" " \
    "\",\"start\":1,\"stop\":0}]}"
#define BOS_POST \
    "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},{" \
    "\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]," \
    "\"pair\":[],\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[1],\"tokens\":[\"<s>\"]}}}"
#define THREE_ADDED \
    "{\"id\":0,\"content\":\"<unk>\",\"special\":true,\"normalized\":false},{\"id\":1,\"content\":\"<s>\"," \
    "\"special\":true,\"normalized\":false}," \
    "{\"id\":2,\"content\":\"</s>\",\"special\":true,\"normalized\":false}"
#define BYTE_LEVEL \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}"

/* "<unk>":0,"<s>":1,"</s>":2 and the 256 byte tokens from 3 */
static inline void put_byte_vocab(blob *b)
{
    char one[32];
    puts_to(b, "\"<unk>\":0,\"<s>\":1,\"</s>\":2");
    for (int i = 0; i < 256; i++) {
        snprintf(one, sizeof one, ",\"<0x%02X>\":%d", i, i + 3);
        puts_to(b, one);
    }
}

enum { BYTE0 = 3, FREE = 259 }; /* ids of byte 0 and of the first piece behind the bytes */

/* The character of a byte in byte-level BPE, as the GPT-2 code makes them: printable ones themselves, the
 * others from U+0100 on. */
static inline void put_byte_char(blob *b, int byte)
{
    int cp = 256;
    for (int i = 0; i <= byte; i++) {
        const int printable = (i >= '!' && i <= '~') || (i >= 0xa1 && i <= 0xac) || (i >= 0xae && i <= 0xff);
        if (i == byte && printable)
            cp = byte;
        else if (i < byte && !printable)
            cp++;
    }
    char u[3] = {(char)cp, 0, 0};
    if (cp >= 0x80) {
        u[0] = (char)(0xc0 | cp >> 6);
        u[1] = (char)(0x80 | (cp & 63));
    }
    if (cp == '"' || cp == '\\') puts_to(b, "\\");
    puts_to(b, u);
}

/* ids 0 to 255: the base characters */
static inline void put_base_vocab(blob *b)
{
    char one[16];
    for (int i = 0; i < 256; i++) {
        puts_to(b, i ? ",\"" : "\"");
        put_byte_char(b, i);
        snprintf(one, sizeof one, "\":%d", i);
        puts_to(b, one);
    }
}

static inline blob make_json(const json_parts *p, bool byte_level)
{
    blob b = {0};
    puts_to(&b, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[");
    puts_to(&b, p->added ? p->added : byte_level ? "" : THREE_ADDED);
    puts_to(&b, "],\"normalizer\":");
    puts_to(&b, p->normalizer ? p->normalizer : byte_level ? "null" : SPM_NORM);
    puts_to(&b, ",\"pre_tokenizer\":");
    puts_to(&b, p->pre ? p->pre : byte_level ? BYTE_LEVEL : "null");
    puts_to(&b, ",\"post_processor\":");
    puts_to(&b, p->post ? p->post : byte_level ? "null" : BOS_POST);
    puts_to(&b, ",\"decoder\":");
    puts_to(&b, p->decoder ? p->decoder : byte_level ? BYTE_LEVEL : SPM_DEC);
    puts_to(&b, ",\"model\":{\"type\":\"BPE\",");
    puts_to(&b,
        p->model         ? p->model
            : byte_level ? ""
                         : "\"unk_token\":\"<unk>\",\"fuse_unk\":true,\"byte_fallback\":true,");
    puts_to(&b, "\"vocab\":{");
    if (byte_level)
        put_base_vocab(&b);
    else
        put_byte_vocab(&b);
    puts_to(&b,
        p->vocab         ? p->vocab
            : byte_level ? ""
                         : ",\"" SPACE "\":259,\"a\":260,\"b\":261,\"ab\":262,\"" SPACE
                           "ab\":263,\"abab\":264");
    puts_to(&b, "},\"merges\":[");
    puts_to(&b, p->merges ? p->merges : byte_level ? "" : "\"a b\",\"" SPACE " ab\",\"ab ab\"");
    puts_to(&b, "]}}");
    return b;
}

/* Checks the ids of a text; want ends with -1. */
static inline void check_ids(const rg_tokenizer *t, const char *text, size_t len, int flags,
    const int32_t *want, size_t n_want, int line)
{
    int32_t *ids;
    size_t n;
    rg_err err;
    if (rg_tokenizer_encode(t, text, len, flags, &ids, &n, &err) != RG_OK)
        fail_msg("line %d: '%.*s': %s", line, (int)len, text, err.msg);
    bool same = n == n_want;
    for (size_t i = 0; same && i < n; i++) same = ids[i] == want[i];
    if (!same) {
        print_message("line %d: '%.*s' gives", line, (int)(len < 200 ? len : 200), text);
        for (size_t i = 0; i < n && i < 64; i++) print_message(" %d", ids[i]);
        print_message(", expected");
        for (size_t i = 0; i < n_want && i < 64; i++) print_message(" %d", want[i]);
        print_message("\n");
    }
    free(ids);
    assert_true(same);
}

#define CHECK_IDS(t, text, flags, ...) \
    check_ids(t, text, strlen(text), flags, (const int32_t[]){__VA_ARGS__, -1}, \
        sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t), __LINE__)

/* decode(encode(text)); the caller frees. */
static inline char *round_trip(const rg_tokenizer *t, const char *text, size_t len, size_t *out_len)
{
    int32_t *ids;
    size_t n, at = 0;
    rg_err err;
    rg_detok d;
    if (rg_tokenizer_encode(t, text, len, RG_TOK_BOS, &ids, &n, &err) != RG_OK) fail_msg("%s", err.msg);
    char *out = malloc(len * 3 + 4096);
    assert_non_null(out);
    rg_detok_init(&d, t, false);
    for (size_t i = 0; i < n; i++) {
        assert_true(ids[i] >= 0 && (size_t)ids[i] < rg_tokenizer_size(t));
        at += rg_detok_put(&d, ids[i], out + at, len * 3 + 4096 - at);
    }
    at += rg_detok_end(&d, out + at, len * 3 + 4096 - at);
    free(ids);
    *out_len = at;
    return out;
}

static inline void check_round_trip(const rg_tokenizer *t, const char *text, size_t len)
{
    size_t n;
    char *out = round_trip(t, text, len, &n);
    size_t same = 0;
    while (same < n && same < len && out[same] == text[same]) same++;
    const bool ok = n == len && same == len;
    if (!ok) print_message("round trip of %zu bytes gives %zu, first difference at %zu\n", len, n, same);
    free(out);
    assert_true(ok);
}

/* Strings that break tokenizers: spaces, digits, emoji with joiners, combining marks, right-to-left,
 * controls, code. */
static const char *const hostile_strings[] = {"", " ", "  ", "   leading and trailing   ", "\n",
    "\n\n \n\t\r\n", "a", "Hello, world!", "1", "12345678901234567890", "3.14159e-10",
    "na\xc3\xafve gar\xc3\xa7on",
    "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7 family",
    "e\xcc\x81\xcc\x82\xcc\x83", "\xd8\xa7\xd9\x84\xd8\xb9\xd8\xb1\xd8\xa8\xd9\x8a\xd8\xa9 \xd7\xa2\xd7\x91",
    "\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97\xe7\xac\xa6\xe3\x80\x81\xe3\x81\x8b\xe3\x81\xaa",
    "\x01\x02\x7f\x1b[0m", "\xc2\x85\xc2\xa0\xe2\x80\x83\xe3\x80\x80\xe1\xa0\x8e spaces",
    "it's they'll I'M WE'RE", "if (x >= 0) { y[i] <<= 3; }\n\t// tab",
    "\xe2\x96\x81\xe2\x96\x81 lower one eighth block \xe2\x96\x81", "\xef\xbf\xbd\xef\xbb\xbf bom",
    "<|im_start|>user", "<s>[INST] </s>", "<0x0A> <0xFF>", "\xf4\x8f\xbf\xbf last",
    "....!!!!?!?!----====", "\xc2\xb2\xc2\xb3\xc2\xbd \xe2\x85\xa7 \xd9\xa3"};
enum { N_HOSTILE = sizeof hostile_strings / sizeof *hostile_strings };

#endif
