/* Reports opened together, and the recorded runs in them, as pictures and pages show them. */
#ifndef RG_RUNS_H
#define RG_RUNS_H

#include "report/document.h"
#include "roofline/measure/machine.h"

typedef enum rg_opgroup {
#define RG_OPGROUP(id, name, cls, row) RG_OPGROUP_##id,
#include "report/svg/op_groups.def"
    RG_OPGROUP_COUNT
} rg_opgroup;
/* By group: its name in pictures, its colour class, its name in tables. */
extern const char *const rg_opgroup_names[RG_OPGROUP_COUNT], *const rg_opgroup_classes[RG_OPGROUP_COUNT],
                                                                 *const rg_opgroup_rows[RG_OPGROUP_COUNT];
/* REST for a name that is not a site of this version. */
rg_opgroup rg_opgroup_of(const char *site);

typedef struct rg_run {
    const rg_doc_profile *d;            /* borrowed from its document */
    rg_doc_phase phase[RG_PHASE_COUNT]; /* shallow copies by phase; zeros where it did not run */
    char label[160];                    /* what tells it from the other runs: a model, a type, a file */
    char file[96];                      /* name of its file, without the folder and .json */
} rg_run;

typedef struct rg_reports {
    rg_doc *doc; /* owns */
    size_t n_docs;
    rg_run *run; /* owns */
    size_t n;
} rg_reports;

enum { RG_MOST_RUNS = 64 };

/* Adds a document, owned by s from then on even if this fails: its runs, or a report that is no run and
 * stands alone: RG_E_USAGE beside another. */
rg_status rg_reports_add(rg_reports *s, rg_doc *d, const char *where, rg_err *err);
rg_status rg_reports_add_file(rg_reports *s, const char *path, rg_err *err);
void rg_reports_close(rg_reports *s); /* legal on a zeroed struct */
/* Labels the runs by what tells them apart. */
void rg_runs_name(rg_reports *s);
/* "a", "a and b", "a, b and 2 others" in buf, each name once. */
const char *rg_name_list(char *buf, size_t n, const char *const *name, size_t count);
/* Of their models, of their machines. */
const char *rg_runs_models(char *buf, size_t n, const rg_reports *s);
const char *rg_runs_cpus(char *buf, size_t n, const rg_reports *s);
/* Runs of one model: pictures of them share their scales. */
bool rg_runs_alike(const rg_run *a, const rg_run *b);
/* The same lengths and sequences: only then a speed is held against another. */
bool rg_runs_same_work(const rg_run *a, const rg_run *b);
/* The document that is no run, or NULL. */
const rg_doc *rg_reports_other(const rg_reports *s);

/* RG_E_FILE: a phase twice, a layer the model has not. */
rg_status rg_run_open(rg_run *r, const rg_doc_profile *d, const char *where, rg_err *err);

static inline bool rg_phase_ran(const rg_doc_phase *p) { return p->t_ns > 0.0 || p->tokens > 0.0; }
/* The clock said visibly more than the figures, which are without stalled calls. */
static inline bool rg_phase_stalled(const rg_doc_phase *p) { return p->wall_ns > 1.05 * p->t_ns; }
static inline bool rg_roof_computes(const rg_doc_roof *r) { return r->kind[0] == 'c'; }
/* GB/s or GFLOP/s */
static inline double rg_roof_value(const rg_doc_roof *r)
{
    return rg_roof_computes(r) ? r->value_gflops : r->value_gbps;
}

/* The roofs of a run as the cost model takes them: read bandwidths and peaks. */
void rg_run_machine(rg_machine *m, const rg_run *r);
/* Read bandwidth at a footprint, GB/s, interpolated; NAN: unknown. */
double rg_run_bandwidth(const rg_run *r, double footprint);
/* True if that roof bounds an operator of the run. */
bool rg_run_binds(const rg_run *r, const rg_doc_roof *roof);
/* The next operator of a phase, summed over the layers, behind w (NULL: the first); NULL: none. */
const rg_doc_op *rg_run_next(const rg_run *r, rg_phase phase, const rg_doc_op *w);
/* Sites of the run in their order, each once, of rows by layer or of sums; how many, at most `most`. */
int rg_run_sites(const rg_run *r, bool layers, const char **site, int most);
/* The run's model as the cost model takes it: sizes (0: impossible ones), sites, how many layers have the
 * window and rotate. */
rg_config rg_run_config(const rg_run *r);
/* The one of that site, or NULL. */
const rg_doc_op *rg_run_op(const rg_run *r, rg_phase phase, const char *site);
/* The experts that a phase of a mixture read, of all layers, or NULL. */
const rg_doc_experts *rg_run_experts(const rg_run *r, rg_phase phase);
/* What makes percentages impossible, or NULL if they are possible. */
const char *rg_run_no_roof(const rg_run *r);

/* Sums over a group's sites (rows summed over layers). */
typedef struct rg_group {
    int n; /* operators in it; 0: none ran */
    double t_ns, flop, share;
    rg_doc_analytic analytic;
    rg_doc_counted counted;
    double ai_analytic, ai_counted, gflops, attainable_gflops, roof_fraction; /* NAN where unknown */
} rg_group;
rg_group rg_run_group(const rg_run *r, rg_phase phase, rg_opgroup g);

#endif
