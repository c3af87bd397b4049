/* Images of tokenizer files: llama2.c tokenizer.bin, SentencePiece models, GGUF files that hold only a
 * vocabulary. */
#ifndef RG_TOK_FILES_H
#define RG_TOK_FILES_H

#include "tok_fixture.h"

typedef struct piece {
    const char *s;
    float score;
    int type; /* 1 normal 2 unknown 3 control 4 user 5 unused 6 byte */
} piece;

static inline void put_bin_piece(blob *b, const char *s, float score)
{
    put_f32(b, score);
    put_u32(b, (uint32_t)strlen(s));
    puts_to(b, s);
}

/* <unk>, BOS, EOS, 256 bytes, then the pieces from FREE. */
static inline blob make_bin(const piece *p, size_t n)
{
    blob b = {0};
    char byte[8];
    put_u32(&b, 16);
    put_bin_piece(&b, "<unk>", 0);
    put_bin_piece(&b, "\n<s>\n", 0);
    put_bin_piece(&b, "\n</s>\n", 0);
    for (int i = 0; i < 256; i++) {
        snprintf(byte, sizeof byte, "<0x%02X>", i);
        put_bin_piece(&b, byte, 0);
    }
    for (size_t i = 0; i < n; i++) put_bin_piece(&b, p[i].s, p[i].score);
    return b;
}

static inline void put_varint(blob *b, uint64_t v)
{
    do {
        const unsigned char c = (unsigned char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        put(b, &c, 1);
        v >>= 7;
    } while (v);
}

static inline void put_field(blob *b, int number, const void *p, size_t n)
{
    put_varint(b, (uint64_t)number << 3 | 2);
    put_varint(b, n);
    put(b, p, n);
}

static inline void put_number(blob *b, int number, uint64_t v)
{
    put_varint(b, (uint64_t)number << 3);
    put_varint(b, v);
}

static inline void put_sp_piece(blob *b, const char *s, float score, int type)
{
    blob m = {0};
    put_field(&m, 1, s, strlen(s));
    put_varint(&m, 2 << 3 | 5);
    put_f32(&m, score);
    if (type != 1) put_number(&m, 3, (uint64_t)type);
    put_field(b, 1, m.p, m.n);
    drop(&m);
}

typedef struct sp_opts {
    bool no_bytes, no_prefix, squeeze, suffix;
    int model_type; /* 0: BPE */
    const char *charsmap;
} sp_opts;

static inline blob make_sp(const piece *p, size_t n, const sp_opts *o)
{
    blob b = {0}, m = {0};
    char byte[8];
    put_sp_piece(&b, "<unk>", 0, 2);
    put_sp_piece(&b, "<s>", 0, 3);
    put_sp_piece(&b, "</s>", 0, 3);
    for (int i = 0; i < 256 && !o->no_bytes; i++) {
        snprintf(byte, sizeof byte, "<0x%02X>", i);
        put_sp_piece(&b, byte, 0, 6);
    }
    for (size_t i = 0; i < n; i++) put_sp_piece(&b, p[i].s, p[i].score, p[i].type);
    put_number(&m, 3, o->model_type ? (uint64_t)o->model_type : 2);
    if (o->suffix) put_number(&m, 24, 1);
    put_number(&m, 43, UINT64_MAX); /* pad_id -1: a ten-byte number */
    put_field(&b, 2, m.p, m.n);
    drop(&m);
    put_field(&m, 1, "identity", 8);
    if (o->charsmap) put_field(&m, 2, o->charsmap, strlen(o->charsmap));
    put_number(&m, 3, !o->no_prefix);
    put_number(&m, 4, o->squeeze);
    put_field(&b, 3, m.p, m.n);
    drop(&m);
    return b;
}

/* ---- GGUF ---- */

static inline void put_str(blob *b, const char *s, size_t n)
{
    put_u64(b, n);
    put(b, s, n);
}

static inline void gguf_key(blob *b, const char *key, uint32_t type)
{
    put_str(b, key, strlen(key));
    put_u32(b, type);
}

static inline void gguf_string(blob *b, const char *key, const char *v)
{
    gguf_key(b, key, 8);
    put_str(b, v, strlen(v));
}

static inline void gguf_u32(blob *b, const char *key, uint32_t v)
{
    gguf_key(b, key, 4);
    put_u32(b, v);
}

static inline void gguf_array(blob *b, const char *key, uint32_t type, uint64_t n)
{
    gguf_key(b, key, 9);
    put_u32(b, type);
    put_u64(b, n);
}

static inline blob gguf_start(uint64_t n_kv)
{
    blob b = {0};
    put(&b, "GGUF", 4);
    put_u32(&b, 3);
    put_u64(&b, 0);
    put_u64(&b, n_kv);
    return b;
}

#endif
