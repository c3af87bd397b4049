/* Memory, bounds and errors of the template interpreter, and texts that grow. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "tokenizer/jinja_impl.h"

void rg_j_fail(rg_j *j, rg_status st, const char *fmt, ...)
{
    char what[RG_ERR_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    j->st = rg_fail(j->err, st, "%s: line %d: %s", j->name, j->line, RG_CLEAN(RG_ERR_MAX, what));
    longjmp(j->out, 1);
}

enum { BLOCK = 16384, ALIGN = 16 };

void *rg_j_alloc(rg_j *j, size_t n, size_t elem)
{
    rg_jarena *a = j->arena;
    if (n > a->limit / elem) rg_j_fail(j, RG_E_UNSUPPORTED, "the chat template needs too much memory");
    const size_t want = (n * elem + ALIGN - 1) / ALIGN * ALIGN;
    if (want > a->left) {
        const size_t size = want > BLOCK / 4 ? want : BLOCK;
        if (a->held + size > a->limit)
            rg_j_fail(
                j, RG_E_UNSUPPORTED, "the chat template needs more than %zu MiB of memory", a->limit >> 20);
        struct rg_jblock *b = calloc(1, ALIGN + size);
        if (!b) {
            j->st = rg_no_memory(j->err, j->name);
            longjmp(j->out, 1);
        }
        b->next = a->first;
        a->first = b;
        a->held += size;
        if (size == want) return (char *)b + ALIGN; /* a block of its own */
        a->at = (char *)b + ALIGN;
        a->left = size;
    }
    void *p = a->at;
    a->at += want;
    a->left -= want;
    return p;
}

void rg_jarena_free(rg_jarena *a)
{
    while (a->first) {
        struct rg_jblock *next = a->first->next;
        free(a->first);
        a->first = next;
    }
    a->left = a->held = 0;
}

void rg_j_step(rg_j *j, uint64_t n)
{
    j->steps += n;
    if (j->steps > j->max_steps)
        rg_j_fail(j, RG_E_UNSUPPORTED, "the chat template takes more than %llu steps",
            (unsigned long long)j->max_steps);
}

void rg_j_enter(rg_j *j, int line, int most)
{
    j->line = line;
    if (++j->depth > most)
        rg_j_fail(j, RG_E_UNSUPPORTED, "the chat template nests deeper than %d levels", most);
}

/* ---- texts that grow ---- */

void rg_jb_add(rg_j *j, rg_jbuf *b, const char *p, const unsigned char *m, size_t n)
{
    if (n == 0) return;
    rg_j_step(j, n / 64);
    if (b->n + n > b->cap) {
        const size_t cap = 2 * (b->n + n) + 64;
        char *q = rg_j_alloc(j, cap, 1);
        if (b->n) memcpy(q, b->p, b->n);
        b->p = q;
        if (b->m) {
            unsigned char *r = rg_j_alloc(j, cap, 1);
            memcpy(r, b->m, b->n);
            b->m = r;
        }
        b->cap = cap;
    }
    if (m && !b->m) b->m = rg_j_alloc(j, b->cap, 1);
    memcpy(b->p + b->n, p, n);
    if (m)
        memcpy(b->m + b->n, m, n);
    else if (b->m)
        memset(b->m + b->n, 0, n);
    b->n += n;
}

void rg_jb_puts(rg_j *j, rg_jbuf *b, const char *s) { rg_jb_add(j, b, s, NULL, strlen(s)); }

void rg_jb_as(rg_j *j, rg_jbuf *b, const char *s, const unsigned char *m)
{
    for (; *s; s++) rg_jb_add(j, b, s, m, 1);
}

void rg_jb_str(rg_j *j, rg_jbuf *b, const rg_jstr *s) { rg_jb_add(j, b, s->p, s->m, s->n); }

rg_jval rg_jb_done(rg_j *j, const rg_jbuf *b) { return rg_j_text(j, b->n ? b->p : "", b->m, b->n); }
