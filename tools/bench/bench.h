/* The measuring core of `ridge bench` and `ridge compare`: settings times tests, engines loaded side by side
 * where memory permits, and samples taken in rounds, so that drift is the same for all. `compare` loads them
 * several times: where weights and activations lie in memory is worth some percent, and stays as it is until
 * the next load. */
#ifndef RG_BENCH_H
#define RG_BENCH_H

#include <jansson.h>
#include <time.h>

#include "report/join.h"
#include "report/screen.h"
#include "roofline/measure/stats.h"
#include "tools/cli/cli.h"
#include "tools/measure/measure.h"

typedef enum rg_sweep_axis {
#define RG_AXIS(field, lname, key, json, kind, low, high) RG_AX_##field,
#include "tools/bench/axes.def"
    RG_AX_COUNT
} rg_sweep_axis;

typedef struct rg_axis_info {
    const char *lname, *key, *json;
    bool count;
    int64_t low, high;
} rg_axis_info;
extern const rg_axis_info rg_axes[RG_AX_COUNT];

/* A copy of the command line in which single values stand for the lists. */
typedef struct rg_setting {
    rg_cli cli;
    const char *value[RG_AX_COUNT]; /* as given, or NULL: the default; borrowed until rg_bench_close */
    char label[160];                /* what it differs in; "default" if in nothing */
    int unit;
} rg_setting;

/* In each of seqs sequences that hold depth tokens: prompt tokens are prefilled, then gen decoded. */
typedef struct rg_bench_test {
    int64_t prompt, gen, depth, seqs;
    char name[64]; /* pp512, tg128, pp512+tg128, tg128 x8, tg128 @ d4096 */
} rg_bench_test;

enum { RG_MOST_LOADS = 100, RG_QUICK_LOADS = 10, RG_MOST_TAKES = 8 };

/* Times in the recorded runs of a load, ns, medians over the runs: of a run, and of every operator, summed
 * over layers. */
typedef struct rg_op_times {
    double run_ns;
    double ns[RG_PHASE_COUNT][RG_SITE_COUNT];
} rg_op_times;

/* A test under a setting. */
typedef struct rg_bench_row {
    int setting, test, lane;
    rg_work work; /* its room is that of b->calls */
    double *ns;   /* [n] samples in the order of the rounds: time of one run of the test; owns */
    int *load;    /* [n] in which load each was taken; owns */
    /* inner: runs that a sample averages over, as one may be too short for the clock */
    int n, inner;
    time_t started;
    rg_op_times *ops;  /* [b->loads] of the recorded runs in each load; owns */
    int n_ops;         /* loads that have one */
    double log_ns;     /* time of the recorded run that is kept: of a load near the median */
    rg_log log;        /* of that run, if b->keep_logs; owns */
    rg_report *report; /* of that run; NULL until there is one; owns */
} rg_bench_row;

/* A session: several tests share one if they need the same cache. */
typedef struct rg_bench_lane {
    int unit;
    const rg_cli *cli;
    rg_session_opts so;
    int64_t depth;
    rg_session *s;
} rg_bench_lane;

typedef struct rg_bench {
    const rg_cli *cli;
    rg_setting *setting; /* owns */
    rg_bench_test *test; /* owns */
    rg_bench_row *row;   /* [n_settings][n_tests]; owns */
    rg_unit *unit;       /* owns, with their checkpoints; by the first setting that uses it */
    rg_bench_lane *lane; /* owns */
    rg_work calls;       /* the largest of all rows; owns */
    int n_settings, n_tests, n_rows, n_units, n_lanes;
    int reps, records; /* samples per row, 0: per_load in each load; recorded runs per row and load */
    int per_load;
    int loads, least_loads; /* of each engine; loads 0: as many as are quick, at least least_loads */
    int load;               /* the one at hand */
    uint64_t begun_ns;      /* when the first began */
    bool no_warmup, keep_logs, interrupted;
    bool together; /* all engines fit into memory side by side; else one is loaded at a time */
    time_t started;
    rg_words words; /* values of the settings */
    rg_progress progress;
} rg_bench;

/* The settings that the lists of the command line span, models first. */
rg_status rg_bench_settings(rg_bench *b, rg_err *err);
/* One more setting: `base` with the given values of axes (NULL: unchanged). */
rg_status rg_bench_add_setting(
    rg_bench *b, const rg_cli *base, const char *const value[RG_AX_COUNT], rg_err *err);
/* The axis of a word, which is its key, its JSON name or its long option; -1 if none. */
int rg_axis_of(const char *word, size_t len);
/* Names the settings by what they differ in. */
void rg_bench_label(rg_bench *b);

/* Checks every setting, opens the checkpoints; settings that differ only in the session share an engine. */
rg_status rg_bench_open(rg_bench *b, rg_err *err);
/* The shortest context of the models. */
int64_t rg_bench_context(const rg_bench *b);

/* After rg_bench_open: the tests of -p, -n, -pg, -d and -B, or llama-bench's defaults cut to half the model's
 * context. */
rg_status rg_bench_tests(rg_bench *b, rg_err *err);
rg_status rg_bench_add_test(
    rg_bench *b, int64_t prompt, int64_t gen, int64_t depth, int64_t seqs, rg_err *err);

/* Rows, and the sessions they need; refuses tests that do not fit a model's context. */
rg_status rg_bench_rows(rg_bench *b, rg_err *err);
/* Do all engines and sessions fit into memory at once? */
bool rg_bench_fits(const rg_bench *b);
/* The roofs of every engine's threads, at all footprints: one roof for all with as many threads, so that no
 * difference between settings is one between measurements. Another call raises them where it finds more. */
rg_status rg_bench_roofs(rg_bench *b, rg_err *err);
/* Measures the roofs, loads and samples. RG_E_INTERRUPTED leaves what was measured so far. */
rg_status rg_bench_run(rg_bench *b, rg_err *err);
/* An engine with its sessions; unload is legal on what is not loaded. */
rg_status rg_bench_load(rg_bench *b, int unit, rg_err *err);
void rg_bench_unload(rg_bench *b, int unit);
void rg_bench_close(rg_bench *b); /* legal on a zeroed struct */

/* The figures of a row in the document's terms, without texts. NAN: unknown. Rates and shares: of the median
 * sample; bytes and operations: of one run. */
void rg_bench_figures(rg_doc_result *out, const rg_bench *b, const rg_bench_row *r);

/* One report of the recorded runs of n rows (or NULL) of one setting. Needs keep_logs. */
rg_status rg_bench_report(
    rg_report **out, const rg_bench *b, const rg_bench_row *const *row, int n, rg_err *err);

/* ---- bench_loads.c: what is known once engines were loaded several times ---- */

void rg_bench_op_times(rg_op_times *out, const rg_takes *t);
/* Whether a time is nearer to the median of the recorded runs of all loads so far than another. */
bool rg_bench_typical(const rg_bench_row *r, double ns, double than);
/* Median time of a run in each load, in their order; how many. */
int rg_bench_load_times(double out[RG_MOST_LOADS], const rg_bench_row *r);
/* Time of a run: mean over the loads of their medians. */
rg_interval rg_bench_time(const rg_bench_row *r);
/* Speed of row b over row a: exactly the ratio of those times; its interval is that of the loads' ratios. */
rg_interval rg_bench_gain(const rg_bench_row *a, const rg_bench_row *b);

static inline const rg_unit *rg_bench_unit_of(const rg_bench *b, const rg_bench_row *r)
{
    return &b->unit[b->setting[r->setting].unit];
}

/* Is it quiet enough? One sentence where there are samples; false: no. */
bool rg_bench_noise(rg_lines *out, const rg_bench *b);
/* Speed of row b over row a: of the samples of the same rounds, widened by what the placement of one load may
 * be worth. n: how many. */
rg_interval rg_bench_ratio(const rg_bench_row *a, const rg_bench_row *b, int *n);
/* What else to know of the samples: above the roof, loaded in turns, interrupted. */
void rg_bench_notes(rg_lines *out, const rg_bench *b);
/* The verdict: is it quiet enough, and which settings differ. */
void rg_bench_verdict(rg_lines *out, const rg_bench *b);

/* The document, and its face alone, whose texts live in the bench and the pool; the caller frees it. */
rg_status rg_bench_doc(rg_doc *d, const rg_bench *b, rg_err *err);
bool rg_bench_fill(rg_doc_bench *d, const rg_bench *b, rg_lines *pool);
/* The answer first, on a terminal; of a wide one only the sentences, before the tables of Markdown. */
rg_status rg_bench_text(const rg_screen *s, const rg_bench *b, rg_err *err);
rg_status rg_bench_md(FILE *f, const rg_doc *d, const rg_bench *b, rg_err *err);
/* A row per result, as CSV or SQL; and as JSON, one a line. */
rg_status rg_bench_table(FILE *f, const rg_doc *d, bool sql, rg_err *err);
rg_status rg_bench_jsonl(FILE *f, const rg_doc *d, rg_err *err);

#endif
