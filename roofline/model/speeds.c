/* Learns the speed of kernels and the cost of calls, and predicts calls with them. */
#include "roofline/model/speeds.h"

#include <math.h>

#include "base/num.h"

/* Tokens of a call: one, a few, some (unpacking a block of weights shows), many. */
enum { ONE, FEW, SOME, MANY };
static uint8_t size_of(const rg_rec *r)
{
    const rg_dims *d = &r->dims;
    /* of experts those of the average one, which name the kernel */
    const int64_t m = d->u > 0 && d->e > 0 ? rg_div_up(d->m * d->u, d->e) : d->m;
    return m == 1 ? ONE : m <= 8 ? FEW : m < 64 ? SOME : MANY;
}

static rg_tally cost_of(const rg_rec *r)
{
    return rg_cost(rg_site_op(r->site), &r->dims, r->wtype, r->kv_k, r->kv_v);
}

static double work_of(const rg_rec *r, const rg_tally *a)
{
    return r->kernel == RG_KK_ELEM ? (double)rg_tally_bytes(a) : (double)a->flop;
}

static double beside(const rg_rec *r, const rg_tally *a)
{
    return r->kernel == RG_KK_ELEM ? 0.0 : size_of(r) <= FEW ? 1.0 : (double)(a->act_rd + a->act_wr);
}

static bool same_site(const rg_speed *s, const rg_rec *r)
{
    return s->site == r->site && s->kernel == r->kernel && s->wtype == r->wtype && s->kv_k == r->kv_k &&
        s->kv_v == r->kv_v && s->size == size_of(r);
}

/* The same loop: all products of a type. */
static bool same_kernel(const rg_speed *a, const rg_speed *b)
{
    return a == b ||
        (rg_op_is_product(rg_site_op(a->site)) && rg_op_is_product(rg_site_op(b->site)) &&
            a->kernel == b->kernel && a->wtype == b->wtype && a->size == b->size);
}

static const rg_speed *find(const rg_speeds *s, const rg_rec *r)
{
    for (int i = 0; i < s->n; i++)
        if (same_site(&s->of[i], r)) return &s->of[i];
    return NULL;
}

int64_t rg_streamed(uint64_t weights, const rg_config *c, rg_kvtype kv_k, rg_kvtype kv_v, const rg_step *s)
{
    const int64_t seqs = s->phase == RG_DECODE ? s->tokens : 1;
    if (kv_k >= RG_KV_COUNT || kv_v >= RG_KV_COUNT) return (int64_t)weights;
    return (int64_t)weights +
        seqs * rg_seen_in_layers(c, s->ctx) * c->kv_heads *
        (rg_kv_k_bytes(kv_k, c->head_dim) + rg_kv_v_bytes(kv_v, c->head_dim));
}

void rg_speeds_learn(rg_speeds *s, const rg_rec *r, int64_t streamed)
{
    const rg_tally a = cost_of(r);
    const double x = work_of(r, &a), y = fmax(1.0, (double)r->t_ns - s->op_ns), z = beside(r, &a),
                 w = 1.0 / (y * y);
    int i = 0;
    while (i < s->n && !same_site(&s->of[i], r)) i++;
    if (i == RG_SPEED_SITES) return;
    rg_speed *of = &s->of[i];
    if (i == s->n) {
        s->n++;
        *of = (rg_speed){.site = r->site,
            .kernel = r->kernel,
            .wtype = r->wtype,
            .kv_k = r->kv_k,
            .kv_v = r->kv_v,
            .size = size_of(r)};
    }
    of->home = rg_max(of->home, streamed);
    of->xx += w * x * x;
    of->xy += w * x * y;
    of->xz += w * x * z;
    of->yz += w * y * z;
    of->zz += w * z * z;
}

/* What one operation takes, from all calls of the kernel, in which beside takes its own part: least squares
 * of relative errors. Where shapes do not tell the two apart, operations take all. */
static double each_of(const rg_speeds *s, const rg_speed *of)
{
    static const double ALIKE = 0.01;
    double xx = 0.0, xy = 0.0, xz = 0.0, yz = 0.0, zz = 0.0;
    for (const rg_speed *o = s->of; o < s->of + s->n; o++)
        if (same_kernel(of, o)) xx += o->xx, xy += o->xy, xz += o->xz, yz += o->yz, zz += o->zz;
    const double whole = xx > 0.0 ? xy / xx : 0.0, det = xx * zz - xz * xz;
    return det > ALIKE * xx * zz ? fmax(0.0, fmin(whole, (xy * zz - yz * xz) / det)) : whole;
}

void rg_speeds_fit(rg_speeds *s)
{
    for (rg_speed *of = s->of; of < s->of + s->n; of++) {
        of->each_ns = each_of(s, of);
        of->beside_ns = of->zz > 0.0 ? fmax(0.0, of->yz - of->each_ns * of->xz) / of->zz : 0.0;
    }
}

double rg_speeds_predict(const rg_speeds *s, const rg_machine *m, const rg_rec *r, int64_t streamed)
{
    const rg_tally a = cost_of(r);
    const rg_ideal d = rg_predict(m, &a, r->arith, r->isa, r->kernel, streamed);
    const rg_speed *k = find(s, r);
    const double ideal = isnan(d.flop_ns) || isnan(d.mem_ns) ? NAN : fmax(d.flop_ns, d.mem_ns);
    if (!k || isnan(ideal)) return ideal + s->op_ns;
    const rg_ideal near = rg_predict(m, &a, r->arith, r->isa, r->kernel, k->home);
    const double farther = fmax(0.0, d.mem_ns - near.mem_ns);
    return s->op_ns + k->each_ns * work_of(r, &a) + k->beside_ns * beside(r, &a) + farther;
}
