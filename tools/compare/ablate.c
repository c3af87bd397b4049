/* What each switch is worth alone (against all off) and with the others (against all on but it). Settings:
 * all off, all on, then each switch alone on, and alone off. Tests: prefill, decode, decode of several
 * sequences. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "report/table.h"
#include "roofline/measure/json_value.h"
#include "tools/compare/compare.h"

static const struct ablation {
    const char *name;
    int axis;
    const char *on, *off;
    int axis2;
    const char *on2, *off2;
} ablations[] = {
#define RG_ABLATION(name, axis, on, off, axis2, on2, off2) {name, axis, on, off, axis2, on2, off2},
#include "tools/compare/ablate.def"
};
enum {
    N = sizeof ablations / sizeof *ablations,
    OFF = 0,
    ON = 1,
    FIRST = 2,
    PP = 0,
    TG = 1,
    MANY = 2,
    TESTS = 3
};

static int switch_of(int axis)
{
    int i = 0;
    while (i < N - 1 && ablations[i].axis != axis) i++;
    return i;
}

/* 8-bit activations are for quantised weights only: alone they bring these, and without these they go. */
static unsigned possible(unsigned on, bool but)
{
    const unsigned weights = 1u << switch_of(RG_AX_dtypes), acts = 1u << switch_of(RG_AX_acts);
    if (on & weights || !(on & acts)) return on;
    return but ? on & ~acts : on | weights;
}

/* "only INT4 weights, 8-bit activations" */
static void label(rg_setting *s, unsigned on, bool but)
{
    snprintf(s->label, sizeof s->label, but ? "all but" : "only");
    for (int i = 0, n = 0; i < N; i++)
        if (!(on & 1u << i) == but)
            rg_text_add(s->label, sizeof s->label, "%s %s", n++ ? "," : "", ablations[i].name);
}

/* on: a bit set of switches; q4: the quantised type; fuse: room for the list of fusions. */
static void values(const char *v[RG_AX_COUNT], unsigned on, const char *q4, char fuse[64])
{
    size_t at = 0;
    v[RG_AX_fuses] = "none";
    for (int i = 0; i < N; i++) {
        const struct ablation *a = &ablations[i];
        const bool is = on & 1u << i;
        if (a->axis == RG_AX_fuses) {
            if (!is) continue;
            at += (size_t)snprintf(fuse + at, 64 - at, "%s%s", at ? "+" : "", a->on);
            v[a->axis] = fuse;
            continue;
        }
        v[a->axis] = is ? a->axis == RG_AX_dtypes && q4 ? q4 : a->on : a->off;
        if (a->axis2 >= 0) v[a->axis2] = is ? a->on2 : a->off2;
    }
}

rg_status rg_ablate_settings(rg_bench *b, rg_err *err)
{
    const rg_cli *c = b->cli;
    const rg_cli_LIST *switched[] = {
        &c->acts, &c->ctks, &c->ctvs, &c->flashes, &c->fuses, &c->pages, &c->pins};
    static const char *const names[] = {"--act", "-ctk", "-ctv", "-fa", "--fuse", "--huge-pages", "--pin"};
    const char *v[RG_AX_COUNT] = {NULL};
    char fuse[64];
    const unsigned all = (1u << N) - 1;
    for (int i = 0; i < 7; i++)
        if (switched[i]->n)
            return rg_fail(
                err, RG_E_USAGE, "%s: --ablate switches it itself: leave one of them out", names[i]);
    for (int i = 0; i < c->kernels.n; i++)
        if (strcmp(c->kernels.v[i], "blas") == 0)
            return rg_fail(err, RG_E_USAGE,
                "--kernel blas: --ablate switches 8-bit activations, which it has not: leave one of them "
                "out");
    if (c->dtypes.n > 1)
        return rg_fail(err, RG_E_USAGE,
            "--dtype: %d values, expected one: the quantised type that --ablate switches on", c->dtypes.n);
    const char *q4 = c->dtypes.n ? c->dtypes.v[0] : NULL;
    if (q4 && (rg_wtype_from_name(q4) < 0 || !rg_wtype_is_quant(rg_wtype_from_name(q4))))
        return rg_fail(err, RG_E_USAGE,
            "--dtype: '%s', expected a quantised type (q4g64 ...): the other side is the type of the file",
            q4);
    /* what is not switched comes from the command line as it is: single values */
    rg_cli rest = *c;
    rest.dtypes.n = 0;
    rg_bench one = {.cli = &rest};
    rg_status st = rg_bench_settings(&one, err);
    if (!st && one.n_settings != 1)
        st = rg_fail(
            err, RG_E_USAGE, "--ablate: the lists span %d settings, expected one value each", one.n_settings);
    for (int a = 0; !st && a < RG_AX_COUNT; a++) v[a] = one.setting[0].value[a];
    for (int i = 0; i < FIRST + 2 * N && !st; i++) {
        const unsigned set = i < FIRST ? 0 : 1u << (i - FIRST) / 2,
                       on = possible(i % 2 ? all & ~set : set, i % 2);
        values(v, on, q4, fuse);
        if ((st = rg_bench_add_setting(b, c, v, err))) break;
        rg_setting *s = &b->setting[i];
        if (i < FIRST)
            snprintf(s->label, sizeof s->label, "all %s", i == ON ? "on" : "off");
        else
            label(s, on, i % 2);
    }
    rg_bench_close(&one);
    return st;
}

static const rg_bench_row *row(const rg_bench *b, int setting, int test)
{
    return &b->row[setting * b->n_tests + test];
}

static void put(rg_doc_worth *w, rg_interval s, double f)
{
    *w = (rg_doc_worth){.speedup = f * s.value, .low = f * s.low, .high = f * s.high};
}

/* Speed-up of a test between two settings. */
static void worth(rg_doc_worth *w, const rg_bench *b, int from, int to, int test)
{
    put(w, rg_bench_gain(row(b, from, test), row(b, to, test)), 1.0);
}

/* Of batching between two tests of one setting (tokens/s of all sequences together). */
static void batching(rg_doc_worth *w, const rg_bench *b, int setting)
{
    put(w, rg_bench_gain(row(b, setting, TG), row(b, setting, MANY)), (double)b->test[MANY].seqs);
}

typedef struct line {
    const char *name;
    rg_doc_worth w[4]; /* prefill alone, decode alone, prefill with the others, decode with the others */
} line;

static line line_of(const rg_bench *b, int i)
{
    const rg_doc_worth none = {NAN, NAN, NAN};
    line l = {i < N  ? ablations[i].name
            : i == N ? b->test[MANY].name
                     : "all together",
        {none, none, none, none}};
    if (i < N) {
        const int only = FIRST + 2 * i, but = only + 1,
                  off = ablations[i].axis == RG_AX_acts ? FIRST + 2 * switch_of(RG_AX_dtypes) : OFF;
        for (int t = PP; t <= TG; t++) {
            worth(&l.w[t], b, off, only, t);
            worth(&l.w[2 + t], b, but, ON, t);
        }
    } else if (i == N) {
        batching(&l.w[1], b, OFF);
        batching(&l.w[3], b, ON);
    } else {
        for (int t = PP; t <= TG; t++) worth(&l.w[t], b, OFF, ON, t);
    }
    return l;
}

static const char *cell(char *buf, size_t n, const rg_doc_worth *w)
{
    buf[0] = 0;
    if (isfinite(w->low))
        snprintf(buf, n, "%.2f (%.2f..%.2f)", w->speedup, w->low, w->high);
    else if (isfinite(w->speedup))
        snprintf(buf, n, "%.2f", w->speedup);
    return buf;
}

/* "1.62 times (1.58 to 1.66)"; what holds 1 is no speed-up that one sees. */
static const char *said(char *buf, size_t n, const rg_doc_worth *w)
{
    if (!isfinite(w->speedup))
        snprintf(buf, n, "not known");
    else if (!isfinite(w->low))
        snprintf(buf, n, "%.2f times (no interval)", w->speedup);
    else if (rg_interval_apart((rg_interval){w->speedup, w->low, w->high}))
        snprintf(buf, n, "%.2f times (%.2f to %.2f)", w->speedup, w->low, w->high);
    else
        snprintf(buf, n, "no difference seen (%.2f to %.2f)", w->low, w->high);
    return buf;
}

/* "INT4 weights: prefill ... alone, ... with the others; decode ..." */
static const char *sentence(char *buf, size_t n, const rg_bench *b, int i)
{
    const line l = line_of(b, i);
    char c[4][64];
    for (int k = 0; k < 4; k++) said(c[k], sizeof c[k], &l.w[k]);
    if (i == N + 1)
        snprintf(buf, n, "%s, against everything off: prefill %s, decode %s.", l.name, c[0], c[1]);
    else if (i == N)
        snprintf(buf, n, "batching (%s): tokens/s of decode %s with everything off, %s with everything on.",
            l.name, c[1], c[3]);
    else
        snprintf(buf, n, "%s: prefill %s alone, %s with the others; decode %s alone, %s with the others.",
            l.name, c[0], c[2], c[1], c[3]);
    return buf;
}

/* Tokens/s, of which the speed-ups are ratios. */
static double speed_of(const rg_bench *b, int setting, int test)
{
    const rg_bench_test *t = &b->test[test];
    return 1e9 * (double)((t->prompt + t->gen) * t->seqs) / rg_bench_time(row(b, setting, test)).value;
}

/* A sentence on a screen, or as it is. */
static void say(FILE *f, const rg_screen *s, const char *text)
{
    if (s)
        rg_screen_wrap(s, RG_INK_PLAIN, 0, 0, text);
    else
        fprintf(f, "%s\n", text);
}

rg_status rg_ablate_text(FILE *f, const rg_screen *s, const rg_bench *b, rg_err *err)
{
    rg_table t = {0};
    char text[512];
    bool failed = false;
    if (s) {
        rg_screen_wrap(s, RG_INK_HEAD, 0, 0, sentence(text, sizeof text, b, N + 1));
        fputc('\n', f);
    }
    say(f, s,
        "Speed-up by each switch (99 % interval over the loads): alone, against everything off (8-bit "
        "activations: with INT4 weights, against those alone); and with the others, against everything on "
        "but it.");
    fprintf(f, "\n");
    rg_table_head(&t, "<switch", ">prefill alone", ">decode alone", ">prefill with others",
        ">decode with others", NULL);
    for (int i = 0; i <= N + 1; i++) {
        const line l = line_of(b, i);
        char c[4][64], name[64];
        snprintf(name, sizeof name, i == N ? "batching (%s)" : "%s", l.name);
        rg_table_row(&t, name, cell(c[0], 64, &l.w[0]), cell(c[1], 64, &l.w[1]), cell(c[2], 64, &l.w[2]),
            cell(c[3], 64, &l.w[3]), NULL);
    }
    if (s)
        rg_screen_table(s, 0, &t, &failed);
    else
        rg_table_end(f, &t, &failed);
    fprintf(f, "\n");
    for (int i = 0; i < 2; i++)
        say(f, s,
            RG_TEXT(256, "- %s: %s %s tokens/s, %s %s tokens/s", b->setting[i].label, b->test[PP].name,
                RG_NUM(speed_of(b, i, PP)), b->test[TG].name, RG_NUM(speed_of(b, i, TG))));
    say(f, s,
        isfinite(line_of(b, N + 1).w[1].low)
            ? "- an interval that holds 1 means: no worth that this noise lets one see"
            : "- no intervals from fewer than three loads: use a larger -r before believing any of this");
    return rg_written(f, "compare", failed, err);
}

static rg_doc_worth *copy(const rg_doc_worth *w)
{
    rg_doc_worth *d = isfinite(w->speedup) ? malloc(sizeof *d) : NULL;
    if (d) *d = *w;
    return d;
}

static json_t *verdict_of(const rg_bench *b)
{
    rg_lines out = {0};
    char text[512];
    for (int i = N + 1; i >= 0; i--)
        rg_lines_add(&out, "%s", sentence(text, sizeof text, b, i)); /* all first */
    json_t *said = rg_doc_lines(&out);
    rg_lines_free(&out);
    return said;
}

rg_status rg_ablate_doc(rg_doc *d, const rg_bench *b, rg_err *err)
{
    rg_lines pool = {0};
    rg_doc_ablate face = {
        .switches = calloc(N + 2, sizeof *face.switches), .verdict = verdict_of(b), .notes = json_array()};
    const bool ok = rg_bench_fill(&face.bench, b, &pool) && face.switches;
    for (int i = 0; i <= N + 1 && ok; i++) {
        const line l = line_of(b, i);
        face.switches[face.n_switches++] = (rg_doc_lever){.name = l.name,
            .prefill_alone = copy(&l.w[0]),
            .decode_alone = copy(&l.w[1]),
            .prefill_with_others = copy(&l.w[2]),
            .decode_with_others = copy(&l.w[3])};
    }
    const rg_status st = ok ? rg_doc_make(d, RG_DOC_ablate, &face, err)
                            : rg_fail(err, RG_E_NOMEM, "compare: out of memory for the report");
    rg_object_free(RG_OBJ_ablate, &face);
    rg_lines_free(&pool);
    return st;
}
