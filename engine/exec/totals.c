/* Totals of the process: each thread adds to its own place, readers sum them. */
#include "exec/totals.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = sizeof(rg_tally) / sizeof(uint64_t) };
_Static_assert(WORDS * sizeof(uint64_t) == sizeof(rg_tally), "a tally is words");

/* Written by one thread, read by any: relaxed atomics, no lock. A line of its own. */
typedef struct place {
    _Alignas(128) uint64_t word[WORDS];
} place;

struct rg_board {
    int threads;
    place *place; /* [threads], owns */
    uint64_t tokens[RG_PHASE_COUNT], calls;
    rg_board *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static rg_board *boards;
static rg_totals closed; /* sums of boards that are gone */

static void add_word(uint64_t *w, uint64_t n)
{
    __atomic_store_n(w, __atomic_load_n(w, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static void sum_board(const rg_board *b, rg_totals *out)
{
    for (int t = 0; t < b->threads; t++) {
        uint64_t word[WORDS];
        rg_tally tally;
        for (int i = 0; i < WORDS; i++) word[i] = __atomic_load_n(&b->place[t].word[i], __ATOMIC_RELAXED);
        memcpy(&tally, word, sizeof tally);
        rg_tally_add(&out->tally, &tally);
    }
    for (int p = 0; p < RG_PHASE_COUNT; p++)
        out->tokens[p] += __atomic_load_n(&b->tokens[p], __ATOMIC_RELAXED);
    out->calls += __atomic_load_n(&b->calls, __ATOMIC_RELAXED);
}

rg_board *rg_board_open(int threads)
{
    rg_board *b = calloc(1, sizeof *b);
    place *p = aligned_alloc(_Alignof(place), threads * sizeof *p);
    if (!b || !p) {
        free(b);
        free(p);
        return NULL;
    }
    memset(p, 0, threads * sizeof *p);
    b->threads = threads;
    b->place = p;
    pthread_mutex_lock(&lock);
    b->next = boards;
    boards = b;
    pthread_mutex_unlock(&lock);
    return b;
}

void rg_board_close(rg_board *b)
{
    if (!b) return;
    pthread_mutex_lock(&lock);
    sum_board(b, &closed);
    rg_board **at = &boards;
    while (*at != b) at = &(*at)->next;
    *at = b->next;
    pthread_mutex_unlock(&lock);
    free(b->place);
    free(b);
}

void rg_board_add(rg_board *b, int tid, const rg_tally *t)
{
    uint64_t word[WORDS];
    memcpy(word, t, sizeof word);
    for (int i = 0; i < WORDS; i++)
        if (word[i]) add_word(&b->place[tid].word[i], word[i]);
}

void rg_board_call(rg_board *b, rg_phase phase, int64_t tokens)
{
    add_word(&b->tokens[phase], tokens);
    add_word(&b->calls, 1);
}

void rg_process_totals(rg_totals *out)
{
    pthread_mutex_lock(&lock);
    *out = closed;
    for (const rg_board *b = boards; b; b = b->next) sum_board(b, out);
    pthread_mutex_unlock(&lock);
}
