/* Traces: JSON that parses, slices that nest and do not overlap in any thread, sums that are the records', a
 * bounded size. */
#include "testing.h"

#include <jansson.h>

#include "report/trace.h"
#include "roof_fixture.h"

enum { THREADS = 3 };

/* The fixture's log with spans: thread t begins 10 t ns late and waits at the end of every other operator. */
static void make_log(rg_log *l)
{
    fixture_log(l);
    assert_int_equal(rg_log_open_spans(l, THREADS), 0);
    uint64_t at = 0;
    uint32_t step = UINT32_MAX;
    for (size_t i = 0; i < l->n; i++) {
        rg_rec *r = &l->rec[i];
        if (r->step != step) at = l->step[r->step].start_ns + 500;
        step = r->step;
        for (int t = 0; t < THREADS; t++) {
            rg_span *s = &l->span[i * THREADS + (size_t)t];
            *s = (rg_span){.begin_ns = at + (uint64_t)(10 * t),
                .end_ns = at + r->t_ns,
                .wait_ns = 200,
                .tail_ns = i % 2 ? 0 : 150};
        }
        at += r->t_ns;
    }
}

static char *trace_text(const rg_log *l, int64_t max_events, int runs, rg_trace *t)
{
    char *text = NULL;
    size_t n = 0;
    rg_err err = {0};
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    rg_trace_begin(t, f, max_events);
    for (int i = 0; i < runs; i++) rg_trace_run(t, l, "a \"model\"\n\xff");
    assert_int_equal(rg_trace_end(t, &err), RG_OK);
    fclose(f);
    return text;
}

static json_t *parse(const char *text)
{
    json_error_t e;
    json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &e);
    if (!j) fail_msg("not JSON: line %d: %s", e.line, e.text);
    return j;
}

static const char *text_at(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}
static int64_t ns_at(const json_t *o, const char *key)
{
    return llround(1000.0 * json_number_value(json_object_get(o, key)));
}

static void test_slices(void **state)
{
    (void)state;
    rg_log l;
    rg_trace t;
    make_log(&l);
    char *text = trace_text(&l, 1 << 20, 1, &t);
    json_t *j = parse(text);
    const json_t *events = json_object_get(j, "traceEvents"), *e;
    int64_t sum[RG_SITE_COUNT] = {0}, open_end[THREADS][8] = {{0}}, last_begin[THREADS] = {0};
    int depth[THREADS] = {0}, counters = 0, names = 0, layers = 0;
    size_t i;
    json_array_foreach (events, i, e) {
        const char *ph = text_at(e, "ph");
        if (strcmp(ph, "C") == 0) counters++;
        if (strcmp(ph, "M") == 0) names++;
        if (strcmp(ph, "X") != 0) continue;
        const int tid = (int)json_integer_value(json_object_get(e, "tid"));
        const int64_t begin = ns_at(e, "ts"), end = begin + ns_at(e, "dur");
        /* in order, so a stack shows the nesting */
        assert_true(tid >= 0 && tid < THREADS && end >= begin && begin >= last_begin[tid]);
        last_begin[tid] = begin;
        while (depth[tid] > 0 && open_end[tid][depth[tid] - 1] <= begin) depth[tid]--;
        if (depth[tid] > 0 && end > open_end[tid][depth[tid] - 1])
            fail_msg("%s of thread %d ends at %lld, after what it lies in", text_at(e, "name"), tid,
                (long long)end);
        assert_true(depth[tid] < 8);
        open_end[tid][depth[tid]++] = end;
        layers += strcmp(text_at(e, "cat"), "layer") == 0;
        for (int s = 0; s < RG_SITE_COUNT; s++)
            if (tid == 0 && strcmp(text_at(e, "cat"), "operator") == 0 &&
                strcmp(text_at(e, "name"), rg_site_name((rg_site)s)) == 0)
                sum[s] += end - begin;
    }
    for (int s = 0; s < RG_SITE_COUNT; s++) {
        uint64_t want = 0;
        for (size_t k = 0; k < l.n; k++)
            if (l.rec[k].site == s) want += l.rec[k].t_ns;
        assert_int_equal(sum[s], want);
    }
    assert_int_equal(counters, 2 * (int)(l.n + l.n_steps));
    assert_int_equal(names, 1 + THREADS);
    assert_int_equal(layers, 2 * THREADS * (int)l.n_steps);
    assert_int_equal(json_array_size(events), (size_t)t.events);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(j, "otherData"), "dropped_calls")), 0);
    json_decref(j);
    free(text);
    rg_log_close(&l);
}

/* Whole calls are left out, and said; whatever the bound. */
static void test_bound(void **state)
{
    (void)state;
    rg_log l;
    rg_trace t;
    make_log(&l);
    for (int64_t most = 0; most < 2000; most += 111) {
        char *text = trace_text(&l, most, 2, &t);
        json_t *j = parse(text);
        const json_t *events = json_object_get(j, "traceEvents"), *other = json_object_get(j, "otherData"),
                     *e;
        int calls = 0;
        size_t i;
        json_array_foreach (events, i, e)
            if (strcmp(text_at(e, "ph"), "X") == 0) calls += strcmp(text_at(e, "cat"), "call") == 0;
        assert_true((int64_t)json_array_size(events) <= most + 2 * (1 + THREADS));
        assert_int_equal(
            json_integer_value(json_object_get(other, "dropped_calls")), 2 * (int)l.n_steps - calls);
        assert_int_equal(json_integer_value(json_object_get(other, "dropped_events_at_most")) > 0,
            2 * (int)l.n_steps > calls);
        json_decref(j);
        free(text);
    }
    rg_log_close(&l);
    fixture_log(&l); /* without spans there are no slices, and still a trace */
    char *text = trace_text(&l, 1000, 1, &t);
    json_decref(parse(text));
    free(text);
    rg_log_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_slices), cmocka_unit_test(test_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
