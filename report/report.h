/* Joins records with the exact cost model and the roofs into a document; its views. */
#ifndef RG_REPORT_H
#define RG_REPORT_H

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "base/config.h"
#include "base/osload.h"
#include "ops/rec.h"
#include "report/runs.h"
#include "report/screen.h"
#include "roofline/count/counters.h"
#include "roofline/count/socket.h"
#include "roofline/doctor/doctor.h"
#include "roofline/measure/machine.h"
#include "roofline/model/speeds.h"

/* Of the model; filled by the tool. */
typedef struct rg_model_info {
    rg_config config;
    const char *path, *format; /* borrowed */
    const char *dtype;         /* resident type of the linear weights */
    const char *head_dtype;    /* resident type of the output matrix */
    uint64_t params;
    uint64_t file_bytes, resident_bytes; /* resident: packed weights, embedding and norms */
    /* read by a decode step: resident without an untied embedding */
    uint64_t stream_bytes;
    uint64_t kv_bytes, scratch_bytes; /* allocated for the session */
    double bits_file, bits_resident;  /* bits per weight */
    rg_act act;                       /* precision of activations in products */
    rg_kvtype kv_k, kv_v;
    int64_t ctx;
    /* bytes of a row of an untied embedding; 0: tied, or unknown */
    int64_t embd_row;
    /* sqrt(sum err^2 / sum w^2) over the tensors quantised at load; 0: none */
    double round_rel;
} rg_model_info;

/* A repetition beside the roofs of its time. */
typedef struct rg_paired {
    double ns[RG_PHASE_COUNT]; /* of its calls, without stalls */
    double read, compute;      /* roofs before or after it, over those of the report */
} rg_paired;

/* Calls that took far longer than their median, in all repetitions, by site; the last entry: outside
 * operators. */
typedef struct rg_stalls {
    uint32_t n[RG_SITE_COUNT + 1];
    double ns[RG_SITE_COUNT + 1]; /* above the median */
} rg_stalls;

typedef struct rg_run_info {
    const char *command; /* the command line */
    time_t started;
    int threads;
    const int *cpus;     /* [threads] processors the threads are pinned to, or NULL */
    const char *pinning; /* one phrase: "2 threads on cores 0, 1", "off (--pin off)" */
    rg_isa isa;
    const char *blas; /* "off" or its description */
    bool flash;
    unsigned fuse; /* further fusions asked for */
    int64_t prompt_tokens, gen_tokens, ubatch;
    /* tokens in the context before the first decode step */
    int64_t decode_start;
    /* measured; the log holds the median one of each phase */
    int repetitions;
    /* (p90 - p10) / median of the repetitions; 0 with one */
    double spread[RG_PHASE_COUNT];
    double low_ns[RG_PHASE_COUNT], high_ns[RG_PHASE_COUNT]; /* interval of the median time; 0: unknown */
    rg_stalls stalls[RG_PHASE_COUNT];
    const rg_paired *paired; /* [repetitions], or NULL: the roofs were not watched */
    int dropped;             /* repetitions dropped, because the roofs moved meanwhile */
    double roof_drift; /* roofs around repetitions: 10th to 90th percentile over median; NAN: not watched */
    double record_ns;  /* cost of one operator's record, per thread; 0: unknown */
    rg_roof_sample canary; /* best of the run; zeros: not sampled */
    bool interrupted;
    const char *pmu_status; /* "hardware", "software", "off" */
    const char *pmu_reason; /* why not hardware; NULL if hardware */
    double probe_ns;        /* measured cost of one counter read, 0 if off */
    const char *pmu_mode;   /* where counters were read: "op", "layer", "off" */
    int pmu_groups;         /* groups of events that took turns */
    /* part of a decode step, predicted from probe_ns */
    double pmu_share;
    bool has_socket; /* memory controllers and energy were watched */
    /* of a repetition, mean, with all that ran on the socket; NAN: unknown */
    double socket[RG_PHASE_COUNT][RG_SOCKET_COUNT];
    const rg_metric *metric; /* [n_metrics] what might be counted, and why it is not */
    int n_metrics;
    int n_ctr;
    const char *ctr_name[RG_MAX_CTR];
    uint64_t load_ns, sample_ns; /* loading and packing; choosing tokens in decode */
    /* of the prompt; NAN: given as tokens */
    double tokenize_ns;
    /* the very first call; NAN or 0: not measured */
    double first_ns[RG_PHASE_COUNT];
    rg_osload first_load[RG_PHASE_COUNT]; /* what the system did in it */
    rg_osload load[RG_PHASE_COUNT];       /* and in all measured repetitions */
    /* slowest over fastest clock of repetitions, less 1; NAN: unknown */
    double clock_drift;
    bool per_layer;
    const rg_speeds *speeds; /* what predicts; NULL: nothing does */
} rg_run_info;

typedef struct rg_report rg_report;

/* The roofs and what the doctor found: the answer first, on a terminal, and all of it. */
rg_status rg_machine_text(const rg_screen *s, const rg_machine *m, rg_err *err);
rg_status rg_machine_md(FILE *f, const rg_machine *m, rg_err *err);
rg_status rg_doctor_text(const rg_screen *s, const rg_doctor *d, rg_err *err);
rg_status rg_doctor_md(FILE *f, const rg_doctor *d, rg_err *err);
rg_status rg_doctor_json(FILE *f, const rg_doctor *d, rg_err *err);

/* Everything is copied; the log is not needed afterwards. */
rg_status rg_report_build(rg_report **out, const rg_machine *machine, const rg_model_info *model,
    const rg_run_info *run, const rg_log *log, rg_err *err);
/* An operator of some weight ran faster than the peak it is held against: that was measured too low. */
bool rg_report_beats_peak(const rg_report *r);
/* Legal on NULL. */
void rg_report_close(rg_report *r);

/* The document of one run, or of several: each is compared with the first. */
rg_status rg_report_doc(rg_doc *d, const rg_report *const *r, int n, rg_err *err);

/* Views of documents: the answer in a screenful (wide: everything), for people, and a row per operator. */
rg_status rg_profile_text(const rg_screen *to, const rg_reports *s, rg_err *err);
rg_status rg_profile_md(FILE *f, const rg_reports *s, rg_err *err);
rg_status rg_profile_csv(FILE *f, const rg_reports *s, rg_err *err);

#endif
