/* The merge queue against the definition (look at every pair, take the best, leftmost among equals), and its
 * amount of work. */
#include "tok_fixture.h"

#include "tokenizer/merge.h"

enum { LETTERS = 3, LONGEST = 4 };

/* All strings over a, b, c of 2 to 4 letters; each is a piece or not, with one of a few scores so that ties
 * are common. */
typedef struct rules {
    int32_t id[340]; /* by code of the string, -1: no piece */
    uint32_t prio[340];
} rules;

static int code_of(const char *p, uint32_t n)
{
    int c = 0;
    for (uint32_t i = 0; i < n; i++) c = c * (LETTERS + 1) + (p[i] - 'a' + 1);
    return c;
}

static bool pair(
    const void *user, const char *text, const rg_sym *a, const rg_sym *b, uint32_t *prio, int32_t *id)
{
    const rules *r = user;
    if (a->len + b->len > LONGEST) return false;
    const int c = code_of(text + a->pos, a->len + b->len);
    *prio = r->prio[c];
    *id = r->id[c];
    return *id >= 0;
}

static size_t naive(const rules *r, const char *text, size_t n, rg_sym *s)
{
    for (size_t i = 0; i < n; i++) s[i] = (rg_sym){.pos = (uint32_t)i, .len = 1};
    for (;;) {
        size_t best = n;
        uint32_t prio, best_prio = UINT32_MAX;
        int32_t id;
        for (size_t i = 0; i + 1 < n; i++) {
            if (pair(r, text, &s[i], &s[i + 1], &prio, &id) && (best == n || prio < best_prio)) {
                best = i;
                best_prio = prio;
            }
        }
        if (best >= n) return n;
        s[best].len += s[best + 1].len;
        n--;
        memmove(&s[best + 1], &s[best + 2], (n - best - 1) * sizeof *s);
    }
}

static void agrees_with_the_definition(void **state)
{
    (void)state;
    const uint64_t seed = 20240607;
    rg_rng rng = {seed};
    rg_merger m = {0};
    for (int round = 0; round < 400; round++) {
        rules r;
        char text[300];
        rg_sym want[300];
        const int levels = (int)rng_in(&rng, 1, 20), density = (int)rng_in(&rng, 1, 10);
        for (int i = 0; i < 340; i++) {
            r.id[i] = rng_in(&rng, 0, 9) < density ? i : -1;
            r.prio[i] = (uint32_t)rng_in(&rng, 0, levels);
        }
        const size_t n = (size_t)rng_in(&rng, 1, 300);
        for (size_t i = 0; i < n; i++) text[i] = (char)('a' + rng_in(&rng, 0, LETTERS - 1));
        rg_merger_reset(&m);
        for (size_t i = 0; i < n; i++) assert_int_equal(rg_merger_push(&m, (uint32_t)i, 1, -1, NULL), RG_OK);
        assert_int_equal(rg_merger_run(&m, text, pair, &r, NULL), RG_OK);
        const size_t n_want = naive(&r, text, n, want);
        size_t k = 0;
        bool same = true;
        for (int32_t s = 0; s >= 0 && same; s = m.sym[s].next, k++)
            same = k < n_want && m.sym[s].pos == want[k].pos && m.sym[s].len == want[k].len;
        if (!same || k != n_want) fail_msg("round %d differs (seed %llu)", round, (unsigned long long)seed);
    }
    rg_merger_free(&m);
}

/* Any two equal symbols merge: the worst case, n - 1 merges. */
static bool equal_ones(
    const void *user, const char *text, const rg_sym *a, const rg_sym *b, uint32_t *prio, int32_t *id)
{
    (void)user;
    (void)text;
    *prio = a->len;
    *id = 0;
    return a->len == b->len;
}

static void work_grows_with_n_log_n(void **state)
{
    (void)state;
    uint64_t work[2];
    for (int i = 0; i < 2; i++) {
        const uint32_t n = i ? 1u << 18 : 1u << 16;
        rg_merger m = {0};
        for (uint32_t k = 0; k < n; k++) assert_int_equal(rg_merger_push(&m, k, 1, 0, NULL), RG_OK);
        assert_int_equal(rg_merger_run(&m, NULL, equal_ones, NULL, NULL), RG_OK);
        assert_int_equal(m.sym[0].next, -1);
        assert_int_equal(m.sym[0].len, n);
        work[i] = m.work;
        rg_merger_free(&m);
    }
    /* four times the input: 4 * 18/16 = 4.5 times the work; a quadratic queue would need 16 times */
    if ((double)work[1] > 5.0 * (double)work[0])
        fail_msg("work %llu for n, %llu for 4 n", (unsigned long long)work[0], (unsigned long long)work[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_definition), cmocka_unit_test(work_grows_with_n_log_n)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
