/* Added tokens in a trie; the longest match that its flags allow wins. */
#include "tokenizer/added.h"

#include <stdlib.h>

#include "base/grow.h"
#include "base/utf8.h"
#include "tokenizer/unicode.h"

const rg_trust rg_trust_all = {.all = true}, rg_trust_none = {0};

bool rg_trusted(const rg_trust *t, size_t from, size_t to)
{
    size_t lo = 0, hi = t->n; /* spans before lo end at or before from */
    if (t->all) return true;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (t->span[mid].to <= from)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < t->n && t->span[lo].from <= from && to <= t->span[lo].to;
}

static rg_status new_node(rg_added *a, unsigned char byte, uint32_t *out, rg_err *err)
{
    if (!rg_grow(&a->node, &a->cap_nodes, a->n_nodes + 1, sizeof *a->node))
        return rg_no_memory(err, "tokenizer");
    a->node[a->n_nodes] = (rg_added_node){.byte = byte};
    *out = (uint32_t)a->n_nodes++;
    return RG_OK;
}

static uint32_t step(const rg_added *a, uint32_t at, unsigned char byte)
{
    uint32_t c = at == 0 ? a->root[byte] : a->node[at].child;
    while (c && a->node[c].byte != byte) c = a->node[c].next;
    return c;
}

rg_status rg_added_put(rg_added *a, const char *content, size_t len, rg_added_tok tok, rg_err *err)
{
    rg_status st = RG_OK;
    uint32_t at = 0;
    if (len > RG_ADDED_MAX)
        return rg_fail(err, RG_E_UNSUPPORTED,
            "tokenizer: an added token of %zu bytes, at most %d are supported", len, RG_ADDED_MAX);
    if (a->n_nodes == 0 && (st = new_node(a, 0, &at, err))) return st;
    for (size_t i = 0; i < len; i++) {
        const unsigned char byte = (unsigned char)content[i];
        uint32_t next = step(a, at, byte);
        if (!next) {
            if ((st = new_node(a, byte, &next, err))) return st;
            if (at == 0) {
                a->root[byte] = next;
            } else {
                a->node[next].next = a->node[at].child;
                a->node[at].child = next;
            }
        }
        at = next;
    }
    if (a->node[at].tok) return RG_OK;
    if (!rg_grow(&a->tok, &a->cap, a->n + 1, sizeof *a->tok)) return rg_no_memory(err, "tokenizer");
    a->tok[a->n++] = tok;
    a->node[at].tok = (int32_t)a->n;
    return RG_OK;
}

/* Where the character before `at` begins; at itself if there is none. */
static size_t char_before(const unsigned char *p, size_t from, size_t at)
{
    size_t i = at;
    while (i > from && at - i < 4 && (i == at || (p[i] & 0xc0) == 0x80)) i--;
    return i < at && rg_utf8_len(p + i, p + at) == at - i ? i : at;
}

/* The character at p[at, end); false: none. */
static bool char_at(const unsigned char *p, size_t at, size_t end, uint32_t *cp, size_t *n)
{
    *n = at < end ? rg_utf8_len(p + at, p + end) : 0;
    if (*n) *cp = rg_utf8_get(p + at, *n);
    return *n > 0;
}

static size_t space_before(const unsigned char *p, size_t from, size_t at)
{
    uint32_t cp;
    size_t n, i = at;
    while (i = char_before(p, from, at), char_at(p, i, at, &cp, &n) && rg_utf8_is_space(cp)) at = i;
    return at;
}

static size_t space_after(const unsigned char *p, size_t len, size_t at)
{
    uint32_t cp;
    size_t n;
    while (char_at(p, at, len, &cp, &n) && rg_utf8_is_space(cp)) at += n;
    return at;
}

static bool inside_word(const unsigned char *p, size_t len, size_t start, size_t end)
{
    uint32_t cp;
    size_t n;
    return (char_at(p, char_before(p, 0, start), start, &cp, &n) && rg_unicode_is_word(cp)) ||
        (char_at(p, end, len, &cp, &n) && rg_unicode_is_word(cp));
}

const rg_added_tok *rg_added_find(const rg_added *a, const char *text, size_t len, size_t from,
    const rg_trust *trust, size_t *start, size_t *end)
{
    const unsigned char *u = (const unsigned char *)text;
    if (a->n == 0) return NULL;
    for (size_t i = from; i < len; i++) {
        const rg_added_tok *hit = NULL;
        uint32_t at = a->root[(unsigned char)text[i]];
        for (size_t j = i + 1; at; j++) {
            const rg_added_tok *t = a->node[at].tok ? &a->tok[a->node[at].tok - 1] : NULL;
            if (t && (!t->special || rg_trusted(trust, i, j))) {
                hit = t;
                *end = j;
            }
            at = j < len ? step(a, at, (unsigned char)text[j]) : 0;
        }
        if (hit && hit->single_word && inside_word(u, len, i, *end)) {
            i = *end - 1; /* passed over as a whole */
            continue;
        }
        if (hit) {
            *start = hit->lstrip ? space_before(u, from, i) : i;
            if (hit->rstrip) *end = space_after(u, len, *end);
            return hit;
        }
    }
    return NULL;
}

void rg_added_free(rg_added *a)
{
    free(a->node);
    free(a->tok);
    *a = (rg_added){0};
}
