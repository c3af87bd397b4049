/* Conversations through a chat template, as text and as token ids. */
#include "tokenizer/chat.h"

#include <stdlib.h>
#include <string.h>

void rg_chat_close(rg_chat *c)
{
    rg_jinja_close(c->program);
    *c = (rg_chat){0};
}

void rg_chat_text_free(rg_chat_text *x)
{
    rg_jinja_text_free(&x->x);
    x->front = 0;
}

/* The text begins with that token, written by the template. */
static bool begins(const rg_jinja_text *x, const char *piece, size_t n)
{
    if (n == 0 || n > x->n || memcmp(x->p, piece, n) != 0) return false;
    for (size_t i = 0; i < n; i++)
        if (x->mark[i]) return false;
    return true;
}

/* The tokenizer's BOS goes in front unless the template wrote it. */
static rg_status put_front(rg_chat_text *out, const rg_tokenizer *t, rg_err *err)
{
    const int32_t *prefix;
    const size_t n_prefix = rg_tokenizer_prefix(t, &prefix);
    rg_jinja_text *x = &out->x;
    size_t n, front = 0;
    for (size_t i = 0; i < n_prefix; i++) {
        const char *piece = rg_tokenizer_piece(t, prefix[i], &n);
        if (i == 0 && begins(x, piece, n)) return RG_OK;
        front += n;
    }
    char *p = calloc(1, front + x->n + 1), *at = p;
    unsigned char *mark = calloc(1, front + x->n + 1);
    if (!p || !mark) {
        free(p);
        free(mark);
        return rg_no_memory(err, "chat");
    }
    for (size_t i = 0; i < n_prefix; i++) {
        const char *piece = rg_tokenizer_piece(t, prefix[i], &n);
        memcpy(at, piece, n);
        at += n;
    }
    memcpy(at, x->p, x->n);
    memcpy(mark + front, x->mark, x->n);
    const size_t all = front + x->n;
    rg_jinja_text_free(x);
    *out = (rg_chat_text){.x = {.p = p, .mark = mark, .n = all}, .front = front};
    return RG_OK;
}

rg_status rg_chat_render(rg_chat_text *out, const rg_chat *c, const rg_tokenizer *t,
    const rg_jinja_message *m, size_t n, rg_err *err)
{
    const char *const variable[] = {"bos_token", rg_tokenizer_role(t, RG_ROLE_BOS), "eos_token",
        rg_tokenizer_role(t, RG_ROLE_EOS), "unk_token", rg_tokenizer_role(t, RG_ROLE_UNK), "pad_token",
        rg_tokenizer_role(t, RG_ROLE_PAD), NULL};
    const rg_jinja_args a = {
        .message = m, .n_messages = n, .generate = true, .variable = variable, .date = c->date};
    *out = (rg_chat_text){0};
    rg_status st = rg_jinja_render(&out->x, c->program, &a, err);
    if (!st) st = put_front(out, t, err);
    if (st) rg_chat_text_free(out);
    return st;
}

rg_status rg_chat_encode_part(const rg_tokenizer *t, const rg_chat_text *x, size_t from, size_t to,
    int32_t **ids, size_t *n, rg_err *err)
{
    const unsigned char *mark = x->x.mark;
    size_t n_parts = 0, cap = 1;
    for (size_t i = from + 1; i < to; i++)
        cap += (mark[i] & RG_JINJA_FOREIGN) != (mark[i - 1] & RG_JINJA_FOREIGN);
    rg_tok_part *part = calloc(cap, sizeof *part);
    if (!part) return rg_no_memory(err, "chat");
    for (size_t i = from; i < to;) {
        const size_t start = i;
        const unsigned char is = mark[i] & RG_JINJA_FOREIGN;
        while (i < to && (mark[i] & RG_JINJA_FOREIGN) == is) i++;
        part[n_parts++] = (rg_tok_part){x->x.p + start, i - start, !is};
    }
    const rg_status st = rg_tokenizer_encode_parts(t, part, n_parts, 0, ids, n, err);
    free(part);
    return st;
}

static rg_status prepend(int32_t **ids, size_t *n, const int32_t *first, size_t n_first, rg_err *err)
{
    int32_t *all = malloc((*n + n_first + 1) * sizeof *all);
    if (all) {
        memcpy(all, first, n_first * sizeof *all);
        memcpy(all + n_first, *ids, *n * sizeof *all);
        *n += n_first;
    }
    free(*ids);
    *ids = all;
    return all ? RG_OK : rg_no_memory(err, "chat");
}

rg_status rg_chat_encode(const rg_tokenizer *t, const rg_chat_text *x, int32_t **ids, size_t *n, rg_err *err)
{
    const int32_t *prefix;
    const size_t n_prefix = rg_tokenizer_prefix(t, &prefix);
    rg_status st = rg_chat_encode_part(t, x, x->front, x->x.n, ids, n, err);
    if (st) return st;
    if (x->front) return prepend(ids, n, prefix, n_prefix, err);
    /* a BOS that the tokenizer does not find in texts is put as an id */
    const char *text = rg_tokenizer_role(t, RG_ROLE_BOS);
    const int32_t bos = text ? rg_tokenizer_find(t, text) : -1;
    if (bos < 0 || !begins(&x->x, text, strlen(text)) || (*n > 0 && (*ids)[0] == bos)) return RG_OK;
    free(*ids);
    st = rg_chat_encode_part(t, x, strlen(text), x->x.n, ids, n, err);
    return st ? st : prepend(ids, n, &bos, 1, err);
}
