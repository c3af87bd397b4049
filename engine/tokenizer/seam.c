/* Collects the pairs of characters that stand side by side in some piece. */
#include "tokenizer/seam.h"

#include <stdlib.h>

#include "base/utf8.h"

size_t rg_seam_symbol(const unsigned char *p, const unsigned char *end, uint32_t *cp)
{
    if (*p < 0x80) {
        *cp = *p;
        return 1;
    }
    const size_t n = rg_utf8_len(p, end);
    *cp = n ? rg_utf8_get(p, n) : 0x110000u + *p;
    return n ? n : 1;
}

rg_status rg_seams_init(rg_seams *s, const rg_vocab *v, rg_err *err)
{
    s->inside = calloc(((size_t)1 << RG_SEAM_BITS) / 64, sizeof *s->inside);
    s->known = calloc(65536 / 64, sizeof *s->known);
    if (!s->inside || !s->known) {
        rg_seams_free(s);
        return rg_fail(err, RG_E_NOMEM, "tokenizer: seams");
    }
    for (size_t id = 0; id < v->n; id++) {
        const rg_toktype type = (rg_toktype)v->type[id];
        if (type == RG_TT_HOLE || type == RG_TT_CONTROL || type == RG_TT_UNKNOWN || v->piece[id].len == 0)
            continue;
        const unsigned char *p = (const unsigned char *)rg_vocab_piece(v, id), *end = p + v->piece[id].len;
        uint32_t a, b;
        p += rg_seam_symbol(p, end, &a);
        if (p == end && a < 65536 && type != RG_TT_BYTE) s->known[a >> 6] |= 1ull << (a & 63);
        for (; p < end; a = b) {
            p += rg_seam_symbol(p, end, &b);
            const uint64_t i = rg_seam_slot(a, b);
            s->inside[i >> 6] |= 1ull << (i & 63);
        }
    }
    return RG_OK;
}

void rg_seams_free(rg_seams *s)
{
    free(s->inside);
    free(s->known);
    *s = (rg_seams){0};
}
