/* Greedy pair merging: scans short words, and keeps a heap for long ones. */
#include "tokenizer/merge.h"

#include <stdlib.h>

#include "base/grow.h"

static bool before(const rg_cand *a, const rg_cand *b) { return a->key < b->key; }

static void sift_down(rg_merger *m, size_t i)
{
    const rg_cand c = m->heap[i];
    for (;;) {
        size_t k = 2 * i + 1;
        m->work++;
        if (k >= m->n_heap) break;
        if (k + 1 < m->n_heap && before(&m->heap[k + 1], &m->heap[k])) k++;
        if (!before(&m->heap[k], &c)) break;
        m->heap[i] = m->heap[k];
        i = k;
    }
    m->heap[i] = c;
}

static void sift_up(rg_merger *m, size_t i)
{
    const rg_cand c = m->heap[i];
    while (i > 0 && before(&c, &m->heap[(i - 1) / 2])) {
        m->heap[i] = m->heap[(i - 1) / 2];
        i = (i - 1) / 2;
        m->work++;
    }
    m->heap[i] = c;
}

rg_status rg_merger_push(rg_merger *m, uint32_t pos, uint32_t len, int32_t id, rg_err *err)
{
    if (!rg_grow(&m->sym, &m->cap, m->n + 1, sizeof *m->sym)) return rg_no_memory(err, "tokenizer");
    m->sym[m->n] = (rg_sym){pos, len, (int32_t)m->n - 1, -1, id};
    if (m->n > 0) m->sym[m->n - 1].next = (int32_t)m->n;
    m->n++;
    return RG_OK;
}

/* Appends the pair (a, b) if it merges. The caller restores the heap order. */
static bool candidate(
    rg_merger *m, const char *text, rg_merge_fn pair, const void *user, int32_t a, int32_t b)
{
    uint32_t prio;
    int32_t id;
    if (a < 0 || b < 0 || !pair(user, text, &m->sym[a], &m->sym[b], &prio, &id)) return false;
    m->heap[m->n_heap++] =
        (rg_cand){(uint64_t)prio << 32 | (uint32_t)a, (uint32_t)b, m->sym[a].len + m->sym[b].len, id};
    return true;
}

enum { SMALL = 32 }; /* up to so many symbols, looking at every pair beats a queue */

static void small_run(rg_merger *m, const char *text, rg_merge_fn pair, const void *user)
{
    uint32_t prio[SMALL];
    int32_t id[SMALL]; /* of the pair that begins here; -1: none */
    const int32_t n = (int32_t)m->n;
    for (int32_t i = 0; i < n; i++)
        if (i + 1 == n || !pair(user, text, &m->sym[i], &m->sym[i + 1], &prio[i], &id[i])) id[i] = -1;
    for (;;) {
        int32_t best = -1;
        for (int32_t i = 0; i >= 0; i = m->sym[i].next, m->work++)
            if (id[i] >= 0 && (best < 0 || prio[i] < prio[best])) best = i;
        if (best < 0) return;
        rg_sym *a = &m->sym[best], *b = &m->sym[a->next];
        a->len += b->len;
        a->id = id[best];
        a->next = b->next;
        b->len = 0;
        id[best] = -1;
        if (a->next >= 0) {
            m->sym[a->next].prev = best;
            if (!pair(user, text, a, &m->sym[a->next], &prio[best], &id[best])) id[best] = -1;
        }
        if (a->prev >= 0 && !pair(user, text, &m->sym[a->prev], a, &prio[a->prev], &id[a->prev]))
            id[a->prev] = -1;
    }
}

rg_status rg_merger_run(rg_merger *m, const char *text, rg_merge_fn pair, const void *user, rg_err *err)
{
    if (m->n <= SMALL) {
        if (m->n > 1) small_run(m, text, pair, user);
        return RG_OK;
    }
    /* n - 1 pairs at first; each of n - 1 merges takes one out and puts at most two in */
    if (!rg_grow(&m->heap, &m->cap_heap, 2 * m->n, sizeof *m->heap)) return rg_no_memory(err, "tokenizer");
    m->n_heap = 0;
    for (size_t i = 1; i < m->n; i++) candidate(m, text, pair, user, (int32_t)i - 1, (int32_t)i);
    for (size_t i = m->n_heap / 2; i-- > 0;) sift_down(m, i);
    while (m->n_heap > 0) {
        const rg_cand c = m->heap[0];
        m->heap[0] = m->heap[--m->n_heap];
        if (m->n_heap > 0) sift_down(m, 0);
        rg_sym *a = &m->sym[(uint32_t)c.key], *b = &m->sym[c.right];
        if (a->len == 0 || b->len == 0 || a->next != (int32_t)c.right || a->len + b->len != c.len) continue;
        a->len = c.len;
        a->id = c.id;
        a->next = b->next;
        b->len = 0;
        const int32_t at = (int32_t)(uint32_t)c.key;
        if (a->next >= 0) m->sym[a->next].prev = at;
        if (candidate(m, text, pair, user, a->prev, at)) sift_up(m, m->n_heap - 1);
        if (candidate(m, text, pair, user, at, a->next)) sift_up(m, m->n_heap - 1);
    }
    return RG_OK;
}

void rg_merger_free(rg_merger *m)
{
    free(m->sym);
    free(m->heap);
    *m = (rg_merger){0};
}
