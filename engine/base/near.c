/* Finds what a mistyped word may mean: by edits, whatever the case. */
#include "base/near.h"

#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "base/text.h"

/* Insertions, deletions, replacements and swaps of neighbours from a to b, both shorter than a row. */
static int edits(const char *a, const char *b)
{
    enum { ROW = 96 };
    int row[3][ROW];
    const int n = (int)rg_min((int64_t)strlen(b), ROW - 1);
    for (int j = 0; j <= n; j++) row[0][j] = j;
    int i = 0;
    for (; a[i] && i < ROW; i++) {
        int *now = row[(i + 1) % 3], *last = row[i % 3], *before = row[(i + 2) % 3];
        now[0] = i + 1;
        for (int j = 1; j <= n; j++) {
            const int same = strncasecmp(a + i, b + j - 1, 1) == 0 ? 0 : 1;
            now[j] = (int)rg_min(last[j - 1] + same, rg_min(last[j], now[j - 1]) + 1);
            if (i > 0 && j > 1 && strncasecmp(a + i, b + j - 2, 1) == 0 &&
                strncasecmp(a + i - 1, b + j - 1, 1) == 0)
                now[j] = (int)rg_min(now[j], before[j - 2] + 1);
        }
    }
    return row[i % 3][n];
}

/* What holds the word counts as near, what begins it as rather near; so does a name behind its maker
 * ("nvidia_A100"). */
static int farness(const char *name, const char *word)
{
    const char *under = strchr(name, '_');
    const int whole = edits(word, name), tail = under ? edits(word, under + 1) + 1 : whole;
    const size_t len = strlen(name);
    const int part = strcasestr(name, word) ? 1 : len >= 4 && strncasecmp(word, name, len) == 0 ? 3 : whole;
    return (int)rg_min(rg_min(part, whole), tail);
}

void rg_near_try(rg_near *x, const char *name)
{
    const int far = farness(name, x->word);
    int at = x->n;
    while (at > 0 && far < x->far[at - 1]) at--;
    if (at == RG_NEAR_MOST) return;
    if (x->n < RG_NEAR_MOST) x->n++;
    for (int i = x->n - 1; i > at; i--) {
        memcpy(x->name[i], x->name[i - 1], sizeof x->name[i]);
        x->far[i] = x->far[i - 1];
    }
    rg_text(x->name[at], sizeof x->name[at], "%s", name);
    x->far[at] = far;
}

const char *rg_near_names(char *buf, size_t n, const rg_near *x)
{
    buf[0] = 0;
    for (int i = 0; i < x->n; i++) rg_text_add(buf, n, "%s%s", i ? ", " : "", x->name[i]);
    return buf;
}

const char *rg_near_hint(char *buf, size_t n, const rg_near *x)
{
    const size_t len = strlen(x->word + strspn(x->word, "-"));
    buf[0] = 0;
    if (x->n > 0 && len > 0 && x->far[0] <= 1 + (int)len / 4)
        rg_text(buf, n, "the nearest is %s; ", x->name[0]);
    return buf;
}
