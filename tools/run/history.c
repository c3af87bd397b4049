/* Turns of a chat through its template. The whole conversation is rendered each time: some templates drop
 * earlier thinking, some move the system prompt. Where its beginning is as before, the tokens of the cache
 * stay, those that were drawn too; else they stay as far as they are the same. */
#include "tools/run/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

static rg_status push(
    rg_history *h, const char *role, const char *text, size_t n, const unsigned char *mark, rg_err *err)
{
    char *own = malloc(n + 1);
    unsigned char *own_mark = mark ? malloc(n + 1) : NULL;
    if (!own || (mark && !own_mark) || !rg_grow(&h->message, &h->cap, h->n + 1, sizeof *h->message)) {
        free(own);
        free(own_mark);
        return rg_no_memory(err, "chat");
    }
    if (n) memcpy(own, text, n);
    own[n] = 0;
    if (mark) memcpy(own_mark, mark, n);
    h->message[h->n++] = (rg_jinja_message){.role = role, .content = own, .n = n, .mark = own_mark};
    return RG_OK;
}

static void pop(rg_history *h, size_t to)
{
    while (h->n > to) {
        h->n--;
        free((char *)(uintptr_t)h->message[h->n].content);
        free((unsigned char *)(uintptr_t)h->message[h->n].mark);
    }
}

void rg_history_clear(rg_history *h, bool unknown)
{
    pop(h, 0);
    free(h->message);
    rg_chat_text_free(&h->shown);
    rg_chat_text_free(&h->was);
    *h = (rg_history){.unknown = unknown};
}

void rg_history_undo(rg_history *h)
{
    if (h->unknown) return;
    rg_chat_text_free(&h->shown);
    h->shown = h->was;
    h->was = (rg_chat_text){0};
    pop(h, h->n_was);
}

/* An answer in channels (gpt-oss) is <|channel|>NAME<|message|>TEXT<|end|> several times. As a message it is
 * the TEXT of its last channel "final", as transformers has it; empty where it did not come to that. */
static void take_final(const rg_tokenizer *t, const int32_t **id, int64_t *n)
{
    enum { FINAL = 5 };
    const int32_t channel = rg_tokenizer_find(t, "<|channel|>"),
                  message = rg_tokenizer_find(t, "<|message|>"), *all = *id;
    const int64_t n_all = *n;
    char name[FINAL + 1] = ""; /* of the channel whose header is read */
    size_t len = FINAL;
    bool any = false;
    if (!rg_tokenizer_is_control(t, channel) || !rg_tokenizer_is_control(t, message)) return;
    for (int64_t i = 0; i < n_all; i++) {
        const char *piece = rg_tokenizer_is_control(t, all[i]) ? "" : rg_tokenizer_piece(t, all[i], NULL);
        while (len < FINAL && *piece) name[len++] = *piece++;
        if (all[i] == channel) {
            if (!any) *n = 0;
            any = true;
            memset(name, 0, sizeof name);
            len = 0;
        } else if (all[i] == message) {
            len = FINAL;
            if (strcmp(name, "final") != 0) continue;
            *id = all + i + 1;
            for (*n = 0; i + 1 < n_all && !rg_tokenizer_is_control(t, all[i + 1]); i++) (*n)++;
        }
    }
}

/* Tokens as a message. Control tokens that were drawn stay such; the rest is text. */
static rg_status push_answer(rg_history *h, const rg_tokenizer *t, const int32_t *id, int64_t n, rg_err *err)
{
    enum { MOST = 1024 }; /* bytes that a token completes */
    char *text = NULL;
    unsigned char *mark = NULL;
    size_t len = 0, cap = 0, cap_mark = 0;
    rg_detok d;
    rg_status st = RG_OK;
    take_final(t, &id, &n);
    rg_detok_init(&d, t, true);
    d.at_start = false;
    for (int64_t i = 0; i <= n && !st; i++) {
        if (!rg_grow(&text, &cap, len + MOST, 1) || !rg_grow(&mark, &cap_mark, len + MOST, 1)) {
            st = rg_no_memory(err, "chat");
            break;
        }
        const size_t k =
            i < n ? rg_detok_put(&d, id[i], text + len, MOST) : rg_detok_end(&d, text + len, MOST);
        const bool control = i < n && rg_tokenizer_is_control(t, id[i]);
        memset(mark + len, RG_JINJA_ANSWER | (control ? 0 : RG_JINJA_FOREIGN), k);
        len += k;
    }
    if (!st) st = push(h, "assistant", text, len, mark, err);
    free(text);
    free(mark);
    return st;
}

/* The answer in a rendering: [*from, *to). false: it is not there as a whole. */
static bool find_answer(const rg_chat_text *x, const rg_jinja_message *answer, size_t *from, size_t *to)
{
    size_t a = 0, z = x->x.n;
    while (a < z && !(x->x.mark[a] & RG_JINJA_ANSWER)) a++;
    while (z > a && !(x->x.mark[z - 1] & RG_JINJA_ANSWER)) z--;
    *from = a;
    *to = z;
    return z > a && z - a == answer->n && memcmp(x->x.p + a, answer->content, z - a) == 0;
}

/* The first n bytes of x are what was shown. */
static bool as_before(const rg_chat_text *shown, const rg_chat_text *x, size_t n)
{
    return shown->x.n == n && shown->front == x->front && memcmp(shown->x.p, x->x.p, n) == 0 &&
        memcmp(shown->x.mark, x->x.mark, n) == 0;
}

/* What follows the answer [from, to), as ids. Encoding both with the answer shows what belongs to which;
 * where a token would reach over its end there is no such place: *n is SIZE_MAX. */
static rg_status rest(const rg_tokenizer *t, const rg_chat_text *x, size_t from, size_t to, int32_t **ids,
    size_t *n, rg_err *err)
{
    int32_t *answer = NULL;
    size_t n_answer = 0;
    rg_status st = rg_chat_encode_part(t, x, from, x->x.n, ids, n, err);
    if (!st) st = rg_chat_encode_part(t, x, from, to, &answer, &n_answer, err);
    if (!st && n_answer <= *n && memcmp(*ids, answer, n_answer * sizeof *answer) == 0) {
        *n -= n_answer;
        memmove(*ids, *ids + n_answer, *n * sizeof *answer);
    } else {
        free(*ids);
        *ids = NULL;
        *n = SIZE_MAX;
    }
    free(answer);
    return st;
}

static rg_status choose(const rg_history *h, const rg_tokenizer *t, const rg_chat_text *x,
    const rg_jinja_message *answer, const rg_history_tokens *now, int64_t *keep, int32_t **ids, size_t *n,
    rg_err *err)
{
    size_t from = 0, to = 0;
    rg_status st = RG_OK;
    *n = SIZE_MAX;
    *keep = now->n;
    const bool whole = answer && find_answer(x, answer, &from, &to);
    if (h->unknown) {
        if (!whole)
            return rg_fail(err, RG_E_UNSUPPORTED,
                "the chat template does not write answers as they are: only /clear goes on");
        st = rest(t, x, from, to, ids, n, err);
        if (!st && *n == SIZE_MAX) st = rg_chat_encode_part(t, x, to, x->x.n, ids, n, err);
        return st;
    }
    if (whole && as_before(&h->shown, x, from)) st = rest(t, x, from, to, ids, n, err);
    if (st || *n != SIZE_MAX) return st;
    st = rg_chat_encode(t, x, ids, n, err);
    size_t same = 0;
    while (!st && same < *n && (int64_t)same < now->n && (*ids)[same] == now->id[same]) same++;
    *keep = (int64_t)same;
    if (st) return st;
    *n -= same;
    memmove(*ids, *ids + same, *n * sizeof **ids);
    return RG_OK;
}

rg_status rg_history_turn(rg_history *h, const rg_chat *c, const rg_tokenizer *t, const char *system,
    const char *user, const rg_history_tokens *now, int64_t *keep, int32_t **ids, size_t *n, rg_err *err)
{
    static const unsigned char mark[] = {RG_JINJA_ANSWER | RG_JINJA_FOREIGN};
    rg_chat_text x = {0};
    *ids = NULL;
    *n = 0;
    *keep = now->n;
    if (now->n == 0) rg_history_clear(h, false);
    if (now->n > 0 && now->answer < 0 && !h->unknown) rg_history_clear(h, true);
    const size_t before = h->unknown ? 0 : h->n;
    const rg_jinja_message *answer = NULL;
    rg_status st = RG_OK;
    if (before == 0 && system) st = push(h, "system", system, strlen(system), NULL, err);
    if (!st && h->unknown) st = push(h, "user", "x", 1, NULL, err);
    if (!st && h->unknown) st = push(h, "assistant", "x", 1, mark, err);
    if (!st && !h->unknown && now->n > 0)
        st = push_answer(h, t, now->id + now->answer, now->n - now->answer, err);
    const size_t at_answer = h->n;
    if (!st) st = push(h, "user", user, strlen(user), NULL, err);
    if (!st && now->n > 0) answer = &h->message[at_answer - 1];
    if (!st) st = rg_chat_render(&x, c, t, h->message, h->n, err);
    if (!st) st = choose(h, t, &x, answer, now, keep, ids, n, err);
    if (st || h->unknown) {
        pop(h, before);
        rg_chat_text_free(&x);
        return st;
    }
    rg_chat_text_free(&h->was);
    h->was = h->shown;
    h->n_was = before;
    h->shown = x;
    for (size_t i = 0; i < x.x.n; i++) x.x.mark[i] &= RG_JINJA_FOREIGN;
    if (answer)
        for (size_t i = 0; i < answer->n; i++)
            ((unsigned char *)(uintptr_t)answer->mark)[i] &= RG_JINJA_FOREIGN;
    return RG_OK;
}
