/* Ids to text, one at a time, always whole UTF-8: bytes of no character become U+FFFD. */
#include <string.h>

#include "base/utf8.h"
#include "tokenizer/tok_impl.h"

void rg_detok_init(rg_detok *d, const rg_tokenizer *t, bool show_control)
{
    *d = (rg_detok){.t = t, .at_start = true, .show_control = show_control};
}

typedef struct out {
    char *buf;
    size_t n, cap; /* cap without the final NUL */
    bool full;     /* a character did not fit: the rest is dropped */
} out;

static void emit(out *o, const unsigned char *p, size_t n)
{
    if (o->full || o->cap - o->n < n) {
        o->full = true;
        return;
    }
    memcpy(o->buf + o->n, p, n);
    o->n += n;
}

static const unsigned char replacement[3] = {0xef, 0xbf, 0xbd};

/* One more byte behind the held ones. */
static void feed(rg_detok *d, out *o, unsigned char byte)
{
    bool missing;
    d->held[d->n_held++] = byte;
    while (d->n_held > 0) {
        const size_t n = rg_utf8_scan(d->held, d->held + d->n_held, &missing);
        if (missing) return;
        size_t eat = n;
        /* all but the last byte began a character: one replacement for them; the last byte starts anew */
        if (n == 0) {
            eat = d->n_held > 1 ? (size_t)d->n_held - 1 : 1;
            emit(o, replacement, sizeof replacement);
        } else {
            emit(o, d->held, n);
        }
        d->n_held -= (int)eat;
        memmove(d->held, d->held + eat, (size_t)d->n_held);
    }
}

size_t rg_detok_put(rg_detok *d, int32_t id, char *buf, size_t cap)
{
    const rg_tokenizer *t = d->t;
    if (cap == 0) return 0;
    buf[0] = 0;
    if (id < 0 || (size_t)id >= t->vocab.n) return 0;
    out o = {.buf = buf, .cap = cap - 1};
    const bool control = rg_tokenizer_is_control(t, id);
    if (control && !d->show_control) return 0;
    const unsigned char *p = (const unsigned char *)rg_vocab_text(&t->vocab, (size_t)id);
    size_t n = t->vocab.text[id].len;
    if (n == 0) return 0;
    if (!control) {
        if (d->at_start && t->dec.strip_start && p[0] == ' ') {
            p++;
            n--;
        }
        d->at_start = false;
    }
    for (size_t i = 0; i < n; i++) feed(d, &o, p[i]);
    buf[o.n] = 0;
    return o.n;
}

size_t rg_detok_end(rg_detok *d, char *buf, size_t cap)
{
    if (cap == 0) return 0;
    out o = {.buf = buf, .cap = cap - 1};
    if (d->n_held > 0) emit(&o, replacement, sizeof replacement);
    d->n_held = 0;
    buf[o.n] = 0;
    return o.n;
}
