/* What a roof does not know of a kernel: how fast it works on operands that lie near, and what a call costs
 * beside that work. Both are quantities of the machine. Records of a small reference model teach them,
 * and they predict the calls of any model. */
#ifndef RG_SPEEDS_H
#define RG_SPEEDS_H

#include "base/config.h"
#include "roofline/model/predict.h"

enum { RG_SPEED_SITES = 96 };

/* A site's calls with so many tokens: ns = op_ns + each_ns * work + beside_ns * beside. Work: operations, or
 * bytes where an operator only moves them. Each is of the kernel, whatever the site. Beside: 1 with few
 * tokens (a barrier more, a row to turn), the activations' bytes with many. */
typedef struct rg_speed {
    uint8_t site, kernel, wtype, kv_k, kv_v; /* as in rg_rec */
    uint8_t size;                            /* tokens: one, up to 8, up to 63, more */
    double each_ns, beside_ns;
    int64_t home; /* bytes that a forward call of the reference streams */
    /* sums over its calls of work x, beside z and ns y, weighted by 1 / y^2: disturbed calls count little */
    double xx, xy, xz, yz, zz;
} rg_speed;

typedef struct rg_speeds {
    rg_speed of[RG_SPEED_SITES];
    int n;
    double op_ns;   /* what every operator costs: its record */
    double step_ns; /* a forward call beside its operators: a parallel region */
} rg_speeds;

/* Weights and KV that a forward call streams, bytes: of each sequence the longest context, in layers with a
 * window that. Decode has a token of each; a prompt is one. */
int64_t rg_streamed(uint64_t weights, const rg_config *c, rg_kvtype kv_k, rg_kvtype kv_v, const rg_step *s);

/* A call of the reference, in a forward call that streams those bytes. What does not fit is not learnt. */
void rg_speeds_learn(rg_speeds *s, const rg_rec *r, int64_t streamed);
/* Behind the last of them. */
void rg_speeds_fit(rg_speeds *s);
/* The time of a call: its kernel's, and what its bytes need more because they lie farther away
 * than the reference's. A site that was not learnt takes its ideal time and op_ns. NAN: a roof is unknown. */
double rg_speeds_predict(const rg_speeds *s, const rg_machine *m, const rg_rec *r, int64_t streamed);

#endif
