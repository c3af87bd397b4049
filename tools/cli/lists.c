/* Words and counts out of repeated options, comma lists and ranges. */
#include "tools/cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4096 }; /* values of one option */

int rg_words_add(rg_words *l, const char *word)
{
    char **more = realloc(l->w, (l->n + 1) * sizeof *more), *copy = strdup(word);
    if (more) l->w = more;
    if (!more || !copy) {
        free(copy);
        return -1;
    }
    l->w[l->n++] = copy;
    return 0;
}

static int counts_add(rg_counts *l, int64_t v)
{
    int64_t *more = realloc(l->v, (l->n + 1) * sizeof *more);
    if (!more) return -1;
    l->v = more;
    more[l->n++] = v;
    return 0;
}

void rg_words_free(rg_words *l)
{
    for (int i = 0; i < l->n; i++) free(l->w[i]);
    free(l->w);
    *l = (rg_words){0};
}

void rg_counts_free(rg_counts *l)
{
    free(l->v);
    *l = (rg_counts){0};
}

typedef rg_status word_fn(void *user, const char *option, const char *word, rg_err *err);

static rg_status each_word(const char *option, const rg_cli_LIST *list, word_fn *fn, void *user, rg_err *err)
{
    rg_status st = RG_OK;
    for (int i = 0; i < list->n && !st; i++)
        for (const char *p = list->v[i]; !st;) {
            const size_t n = strcspn(p, ",");
            char *word = strndup(p, n);
            if (!word)
                st = rg_no_memory(err, option);
            else if (n == 0)
                st = rg_fail(err, RG_E_USAGE, "%s: '%s' has an empty value, expected a comma list", option,
                    list->v[i]);
            else
                st = fn(user, option, word, err);
            free(word);
            if (!p[n]) break;
            p += n + 1;
        }
    return st;
}

static rg_status add_word(void *user, const char *option, const char *word, rg_err *err)
{
    return rg_words_add(user, word) == 0 ? RG_OK : rg_no_memory(err, option);
}

rg_status rg_list_words(rg_words *out, const char *option, const rg_cli_LIST *list, rg_err *err)
{
    return each_word(option, list, add_word, out, err);
}

rg_status rg_list_split(rg_words *out, const char *option, const char *text, rg_err *err)
{
    return text ? rg_list_words(out, option, &(rg_cli_LIST){.v = {text}, .n = 1}, err) : RG_OK;
}

typedef struct counting {
    rg_counts *out;
    int64_t low, high;
} counting;

/* A number at *p, which moves behind it; -1 if there is none. */
static int64_t number(const char **p)
{
    char *end;
    if (**p < '0' || **p > '9') return -1;
    errno = 0;
    const long long v = strtoll(*p, &end, 10);
    *p = end;
    return errno ? -1 : v;
}

static rg_status add_count(void *user, const char *option, const char *word, rg_err *err)
{
    const counting *c = user;
    const char *p = word;
    int64_t first = number(&p), last = first, step = 1;
    char how = '+';
    if (*p == '-') {
        p++;
        last = number(&p);
        if (*p == '+' || *p == '*') {
            how = *p++;
            step = number(&p);
        }
    }
    if (first < 0 || last < 0 || *p || step < 1 || (how == '*' && step < 2))
        return rg_fail(err, RG_E_USAGE,
            "%s: '%s', expected a count, a list 1,2,4, or a range first-last, first-last+step, "
            "first-last*factor",
            option, word);
    if (first > last)
        return rg_fail(err, RG_E_USAGE, "%s: '%s': the range ends before it begins, expected first <= last",
            option, word);
    if (how == '*' && first == 0)
        return rg_fail(err, RG_E_USAGE,
            "%s: '%s': 0 times a factor stays 0, expected a range that begins at 1 or more", option, word);
    if (first < c->low || last > c->high)
        return rg_fail(err, RG_E_USAGE, "%s: '%s', expected counts from %lld to %lld", option, word,
            (long long)c->low, (long long)c->high);
    /* last <= high and step are far below the overflow */
    for (int64_t v = first; v <= last; v = how == '*' ? v * step : v + step) {
        if (c->out->n == MOST)
            return rg_fail(err, RG_E_USAGE, "%s: '%s' makes more than %d values", option, word, MOST);
        if (counts_add(c->out, v) != 0) return rg_no_memory(err, option);
        if (step > c->high) break;
    }
    return RG_OK;
}

rg_status rg_list_counts(
    rg_counts *out, const char *option, const rg_cli_LIST *list, int64_t low, int64_t high, rg_err *err)
{
    counting c = {out, low, high};
    return each_word(option, list, add_count, &c, err);
}
