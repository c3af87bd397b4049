/* A pool of bytes for the pieces, and a hash table over it. */
#include "tokenizer/vocab.h"

#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/grow.h"
#include "base/utf8.h"

uint64_t rg_hash_bytes(const char *p, size_t n)
{
    const uint64_t k = 0x9e3779b97f4a7c15ull;
    uint64_t h = n * k;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        h = (h ^ w) * 0xff51afd7ed558ccdull;
        h ^= h >> 32;
    }
    uint64_t tail = 0;
    for (size_t i = 0; i < n; i++) tail |= (uint64_t)(unsigned char)p[i] << (8 * i);
    h = (h ^ tail) * 0xc4ceb9fe1a85ec53ull;
    h ^= h >> 29;
    h *= k;
    return h ^ h >> 32;
}

static rg_status pool_add(rg_vocab *v, const char *s, size_t len, rg_pool_span *span, rg_err *err)
{
    if (!rg_grow(&v->pool, &v->pool_cap, v->pool_len + len + 1, 1)) return rg_no_memory(err, "tokenizer");
    if (len) memcpy(v->pool + v->pool_len, s, len); /* an empty text may be NULL */
    v->pool[v->pool_len + len] = 0;
    *span = (rg_pool_span){v->pool_len, (uint32_t)len};
    v->pool_len += len + 1;
    return RG_OK;
}

rg_status rg_vocab_set(
    rg_vocab *v, int64_t id, const char *piece, size_t len, rg_toktype type, float score, const rg_src *src)
{
    if (id < 0 || id >= RG_MAX_VOCAB)
        return rg_bad(src, "token id %lld, expected 0 to %d", (long long)id, RG_MAX_VOCAB - 1);
    if (len > RG_PIECE_MAX)
        return rg_bad(
            src, "token %lld has %zu bytes, at most %d are allowed", (long long)id, len, RG_PIECE_MAX);
    const size_t i = (size_t)id;
    if (i < v->n && v->type[i] != RG_TT_HOLE) return rg_bad(src, "token id %zu appears twice", i);
    size_t cap[4] = {v->cap, v->cap, v->cap, v->cap};
    if (!rg_grow(&v->piece, &cap[0], i + 1, sizeof *v->piece) ||
        !rg_grow(&v->text, &cap[1], i + 1, sizeof *v->text) ||
        !rg_grow(&v->score, &cap[2], i + 1, sizeof *v->score) || !rg_grow(&v->type, &cap[3], i + 1, 1))
        return rg_no_memory(src->err, src->name);
    v->cap = cap[0];
    if (!v->pool) { /* offset 0 is the empty string of holes */
        rg_pool_span none;
        const rg_status st = pool_add(v, "", 0, &none, src->err);
        if (st) return st;
    }
    for (; v->n <= i; v->n++) {
        v->piece[v->n] = v->text[v->n] = (rg_pool_span){0, 0};
        v->score[v->n] = 0.0f;
        v->type[v->n] = RG_TT_HOLE;
    }
    v->score[i] = score;
    const rg_status st = pool_add(v, piece, len, &v->piece[i], src->err);
    if (st) return st;
    v->type[i] = (uint8_t)type;
    v->text[i] = v->piece[i];
    return RG_OK;
}

rg_status rg_vocab_set_text(rg_vocab *v, size_t id, const char *text, size_t len, rg_err *err)
{
    if (len == v->piece[id].len && (len == 0 || memcmp(text, rg_vocab_piece(v, id), len) == 0)) return RG_OK;
    return pool_add(v, text, len, &v->text[id], err);
}

static bool is_plain(const rg_vocab *v, size_t id)
{
    return v->type[id] == RG_TT_NORMAL || v->type[id] == RG_TT_USER || v->type[id] == RG_TT_UNUSED;
}

static rg_pool_span key_of(const rg_vocab *v, size_t id) { return v->by_text ? v->text[id] : v->piece[id]; }

static size_t probe(const rg_vocab *v, const char *key, size_t len)
{
    size_t i = rg_hash_bytes(key, len) & v->mask;
    for (; v->slot[i]; i = (i + 1) & v->mask) {
        const rg_pool_span k = key_of(v, v->slot[i] - 1);
        if (k.len == len && memcmp(v->pool + k.off, key, len) == 0) break;
    }
    return i;
}

rg_status rg_vocab_index(rg_vocab *v, bool by_text, int64_t *twice, rg_err *err)
{
    size_t slots = 16;
    while (slots < v->n * 2) slots *= 2;
    free(v->slot);
    v->slot = calloc(slots, sizeof *v->slot);
    if (!v->slot) return rg_fail(err, RG_E_NOMEM, "tokenizer: index of %zu tokens", v->n);
    v->mask = slots - 1;
    v->by_text = by_text;
    v->longest = 0;
    if (twice) *twice = -1;
    for (int plain = 1; plain >= 0; plain--) { /* plain tokens win over others of the same key */
        for (size_t id = 0; id < v->n; id++) {
            const rg_pool_span k = key_of(v, id);
            if (is_plain(v, id) != plain || k.len == 0) continue;
            const size_t i = probe(v, v->pool + k.off, k.len);
            if (v->slot[i] == 0)
                v->slot[i] = (uint32_t)id + 1;
            else if (plain && twice)
                *twice = (int64_t)id;
            if (k.len > v->longest) v->longest = k.len;
        }
    }
    return RG_OK;
}

int32_t rg_vocab_find_any(const rg_vocab *v, const char *key, size_t len)
{
    if (len == 0 || len > v->longest) return -1;
    return (int32_t)v->slot[probe(v, key, len)] - 1;
}

int32_t rg_vocab_find(const rg_vocab *v, const char *key, size_t len)
{
    const int32_t id = rg_vocab_find_any(v, key, len);
    return id >= 0 && is_plain(v, (size_t)id) ? id : -1;
}

int32_t rg_vocab_scan(const rg_vocab *v, const char *piece)
{
    const size_t len = strlen(piece);
    for (size_t id = 0; id < v->n; id++)
        if (v->type[id] != RG_TT_HOLE && v->piece[id].len == len &&
            memcmp(rg_vocab_piece(v, id), piece, len) == 0)
            return (int32_t)id;
    return -1;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0'
        : c >= 'A' && c <= 'F'  ? c - 'A' + 10
        : c >= 'a' && c <= 'f'  ? c - 'a' + 10
                                : -1;
}

int rg_byte_piece(const char *piece, size_t len)
{
    if (len != 6 || memcmp(piece, "<0x", 3) != 0 || piece[5] != '>') return -1;
    const int a = hex(piece[3]), b = hex(piece[4]);
    return a < 0 || b < 0 ? -1 : a * 16 + b;
}

/* Printable Latin-1 stands for itself; the other 68 bytes (0-32, 127-160, 173) are U+0100 onwards. */
static int bytemap_byte(uint32_t cp)
{
    if ((cp >= 33 && cp <= 126) || (cp >= 161 && cp <= 172) || (cp >= 174 && cp <= 255)) return (int)cp;
    if (cp < 256 || cp > 256 + 67) return -1;
    const int i = (int)cp - 256;
    return i <= 32 ? i : i <= 66 ? i - 33 + 127 : 173;
}

int64_t rg_bytemap_decode(unsigned char *dst, const unsigned char *piece, size_t n)
{
    int64_t out = 0;
    for (size_t i = 0; i < n;) {
        const size_t k = rg_utf8_len(piece + i, piece + n);
        const int b = k ? bytemap_byte(rg_utf8_get(piece + i, k)) : -1;
        if (b < 0) return -1;
        dst[out++] = (unsigned char)b;
        i += k;
    }
    return out;
}

void rg_vocab_free(rg_vocab *v)
{
    free(v->piece);
    free(v->text);
    free(v->score);
    free(v->type);
    free(v->pool);
    free(v->slot);
    *v = (rg_vocab){0};
}
