/* Chat templates, unrolled from chat.def, and conversations as token ids. */
#include "tokenizer/chat.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { TRIM = 1, IN_USER = 2, ALWAYS = 4, BOS = 8 };

static const struct form {
    const char *name, *before[3], *after[3]; /* system, user, assistant */
    int flags;
} forms[RG_CHAT_COUNT] = {
#define RG_CHAT(id, name, s0, s1, u0, u1, a0, a1, flags) \
    [RG_CHAT_##id] = {name, {s0, u0, a0}, {s1, u1, a1}, flags},
#include "tokenizer/chat.def"
};

enum { SYSTEM, USER, ASSISTANT };

static const struct mark {
    rg_chat_id id;
    const char *has, *has_too, *has_not;
} marks[] = {
#define RG_CHAT_MARK(id, has, has_too, has_not) {RG_CHAT_##id, has, has_too, has_not},
#include "tokenizer/chat.def"
};

const char *rg_chat_name(rg_chat_id id) { return forms[id].name; }

int rg_chat_from_name(const char *name)
{
    for (int i = 0; i < RG_CHAT_COUNT; i++)
        if (strcmp(forms[i].name, name) == 0) return i;
    return -1;
}

int rg_chat_recognise(const char *text)
{
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strstr(text, marks[i].has) && (!marks[i].has_too || strstr(text, marks[i].has_too)) &&
            (!marks[i].has_not || !strstr(text, marks[i].has_not)))
            return (int)marks[i].id;
    return -1;
}

char *rg_chat_default_system(const char *text)
{
    static const char open[] = "<|im_start|>system", close[] = "<|im_end|>";
    for (const char *p = text; (p = strstr(p, open)) != NULL;) {
        p += sizeof open - 1;
        if (strncmp(p, "\\n", 2) == 0)
            p += 2; /* a line break as a Jinja string writes it */
        else if (*p == '\n')
            p++;
        else
            continue;
        const char *end = strstr(p, close);
        const size_t n = end ? (size_t)(end - p) : 0;
        /* a quote or a brace: an expression goes on */
        if (n > 0 && strcspn(p, "'\"{}\\") >= n) return strndup(p, n);
    }
    return NULL;
}

void rg_chat_close(rg_chat *c)
{
    free(c->system);
    *c = (rg_chat){0};
}

enum { MAX_PARTS = 32 };

typedef struct parts {
    const rg_tokenizer *t;
    rg_tok_part p[MAX_PARTS];
    size_t n;
} parts;

static void put(parts *s, const char *text, size_t len, bool control)
{
    /* no form has that many */
    if (len > 0 && s->n < MAX_PARTS) s->p[s->n++] = (rg_tok_part){text, len, control};
}

/* Text of a form: {bos} and {eos} are tokens. */
static void put_form(parts *s, const char *text)
{
    while (*text) {
        const char *b = strstr(text, "{bos}"), *e = strstr(text, "{eos}");
        const char *at = !b ? e : !e ? b : b < e ? b : e;
        put(s, text, at ? (size_t)(at - text) : strlen(text), true);
        if (!at) return;
        const int32_t id = at == b ? rg_tokenizer_bos(s->t) : rg_tokenizer_eos(s->t);
        size_t n;
        const char *piece = rg_tokenizer_piece(s->t, id, &n);
        put(s, piece, n, true);
        text = at + 5;
    }
}

static void put_message(parts *s, const char *text, int flags)
{
    size_t n = strlen(text);
    while (flags & TRIM && n > 0 && isspace((unsigned char)text[0])) text++, n--;
    while (flags & TRIM && n > 0 && isspace((unsigned char)text[n - 1])) n--;
    put(s, text, n, false);
}

/* skip_bos: encoding has added BOS already. */
static void compose(parts *s, const rg_chat *c, const rg_chat_turn *turn, bool skip_bos)
{
    const struct form *f = &forms[c->id];
    const char *system = turn->system ? turn->system : c->system ? c->system : "";
    const bool with_system = turn->first && (*system || f->flags & ALWAYS);
    const char *user = f->before[USER];
    if (!turn->first) put_form(s, f->after[ASSISTANT]);
    if (turn->first && skip_bos && strncmp(user, "{bos}", 5) == 0) user += 5;
    if (f->flags & IN_USER) put_form(s, user);
    if (with_system) {
        put_form(s, f->before[SYSTEM]);
        put_message(s, system, f->flags);
        put_form(s, f->after[SYSTEM]);
    }
    if (!(f->flags & IN_USER)) put_form(s, user);
    put_message(s, turn->user, f->flags);
    put_form(s, f->after[USER]);
    put_form(s, f->before[ASSISTANT]);
}

rg_status rg_chat_encode(
    const rg_chat *c, const rg_tokenizer *t, const rg_chat_turn *turn, int32_t **ids, size_t *n, rg_err *err)
{
    parts s = {.t = t};
    const bool own_bos = turn->first && rg_tokenizer_adds_bos(t),
               more_bos = turn->first && !own_bos && forms[c->id].flags & BOS && rg_tokenizer_bos(t) >= 0;
    compose(&s, c, turn, own_bos || more_bos);
    rg_status st = rg_tokenizer_encode_parts(t, s.p, s.n, own_bos ? RG_TOK_BOS : 0, ids, n, err);
    if (st || !more_bos) return st;
    int32_t *with = malloc((*n + 1) * sizeof *with);
    if (with) {
        with[0] = rg_tokenizer_bos(t);
        memcpy(with + 1, *ids, *n * sizeof *with);
        (*n)++;
    } else {
        st = rg_no_memory(err, "chat");
    }
    free(*ids);
    *ids = with;
    return st;
}

char *rg_chat_text(const rg_chat *c, const rg_tokenizer *t, const rg_chat_turn *turn)
{
    parts s = {.t = t};
    size_t n = 1, bos = 0;
    const bool has_bos =
        turn->first && (rg_tokenizer_adds_bos(t) || forms[c->id].flags & BOS) && rg_tokenizer_bos(t) >= 0;
    const char *piece = has_bos ? rg_tokenizer_piece(t, rg_tokenizer_bos(t), &bos) : "";
    compose(&s, c, turn, has_bos);
    for (size_t i = 0; i < s.n; i++) n += s.p[i].len;
    char *text = malloc(n + bos), *p = text;
    if (!text) return NULL;
    memcpy(p, piece, bos);
    p += bos;
    for (size_t i = 0; i < s.n; i++) {
        memcpy(p, s.p[i].text, s.p[i].len);
        p += s.p[i].len;
    }
    *p = 0;
    return text;
}
