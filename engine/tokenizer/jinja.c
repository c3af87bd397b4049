/* Templates compiled and rendered: the two ways into the interpreter. */
#include "tokenizer/jinja.h"

#include <stdlib.h>

#include "tokenizer/jinja_impl.h"

/* Line breaks become \n, and one at the very end goes, as in Jinja. */
static size_t normalise(char *to, const char *text, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\r' && i + 1 < n && text[i + 1] == '\n') continue;
        to[k++] = text[i];
        if (text[i] == '\r') to[k - 1] = '\n';
    }
    return k > 0 && to[k - 1] == '\n' ? k - 1 : k;
}

rg_status rg_jinja_open(rg_jinja **out, const char *text, size_t n, const char *name, rg_err *err)
{
    *out = NULL;
    if (n > RG_J_TEXT_MAX)
        return rg_fail(
            err, RG_E_FILE, "%s: a chat template of %zu bytes, expected at most %d", name, n, RG_J_TEXT_MAX);
    rg_jinja *t = calloc(1, sizeof *t);
    if (!t || !(t->name = strdup(name))) {
        rg_jinja_close(t);
        return rg_no_memory(err, name);
    }
    t->arena.limit = RG_J_MEMORY;
    rg_j *j = calloc(1, sizeof *j);
    if (!j) {
        rg_jinja_close(t);
        return rg_no_memory(err, name);
    }
    *j = (rg_j){.arena = &t->arena, .err = err, .name = t->name, .max_steps = RG_J_STEPS};
    if (setjmp(j->out) == 0) {
        char *own = rg_j_alloc(j, n + 1, 1);
        rg_j_lex(j, own, normalise(own, text, n));
        t->body = rg_j_parse(j);
    }
    const rg_status st = j->st;
    free(j);
    if (st)
        rg_jinja_close(t);
    else
        *out = t;
    return st;
}

void rg_jinja_close(rg_jinja *t)
{
    if (!t) return;
    rg_jarena_free(&t->arena);
    free(t->name);
    free(t);
}

rg_status rg_jinja_render(rg_jinja_text *out, const rg_jinja *t, const rg_jinja_args *a, rg_err *err)
{
    size_t given = 0;
    *out = (rg_jinja_text){0};
    for (size_t i = 0; i < a->n_messages; i++) given += a->message[i].n + 64;
    if (given > (size_t)1 << 30)
        return rg_fail(err, RG_E_USAGE, "%s: messages of %zu bytes are too long", t->name, given);
    struct {
        rg_jarena arena;
        rg_jbuf to;
        rg_j j;
    } *r = calloc(1, sizeof *r);
    if (!r) return rg_no_memory(err, t->name);
    r->arena.limit = RG_J_MEMORY + 64 * given;
    r->j = (rg_j){.arena = &r->arena,
        .err = err,
        .name = t->name,
        .to = &r->to,
        .args = a,
        .max_steps = RG_J_STEPS + 64 * (uint64_t)given};
    if (setjmp(r->j.out) == 0) rg_j_run(&r->j, t->body);
    rg_status st = r->j.st;
    const rg_jbuf *b = &r->to;
    if (!st) {
        out->p = calloc(1, b->n + 1);
        out->mark = calloc(1, b->n + 1);
        out->n = b->n;
        if (!out->p || !out->mark) {
            rg_jinja_text_free(out);
            st = rg_no_memory(err, t->name);
        } else if (b->n) {
            memcpy(out->p, b->p, b->n);
            if (b->m) memcpy(out->mark, b->m, b->n);
        }
    }
    rg_jarena_free(&r->arena);
    free(r);
    return st;
}

void rg_jinja_text_free(rg_jinja_text *x)
{
    free(x->p);
    free(x->mark);
    *x = (rg_jinja_text){0};
}
