/* Mixtures of experts: the choice, and products over the tokens that chose each expert. */
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "exec/drive.h"
#include "exec/product.h"

/* ---- the choice ---- */

/* The k largest of l[n], of equal ones the first, by size; their weights are softmax over all, and norm:
 * divided by their sum. */
static void choose(int32_t *id, float *weight, const float *l, int64_t n, int64_t k, bool norm)
{
    int64_t have = 0;
    for (int64_t j = 0; j < n; j++) {
        int64_t at = have;
        if (have == k && !(l[j] > l[id[k - 1]])) continue;
        if (have == k)
            at--;
        else
            have++;
        for (; at > 0 && l[j] > l[id[at - 1]]; at--) id[at] = id[at - 1];
        id[at] = (int32_t)j;
    }
    float all = 0.0f, sum = 0.0f;
    const float most = l[id[0]];
    for (int64_t j = 0; j < n; j++) all += expf(l[j] - most);
    for (int64_t i = 0; i < k; i++) {
        weight[i] = expf(l[id[i]] - most) / all;
        sum += weight[i];
    }
    for (int64_t i = 0; norm && i < k; i++) weight[i] /= sum;
}

/* Tokens by expert, a counting sort: of each expert in their order. */
static void group(rg_choice *c, int64_t experts)
{
    const int64_t rows = c->m * c->used;
    int32_t *count = c->first; /* at first of each expert, then only of those that somebody chose */
    memset(count, 0, (size_t)(experts + 1) * sizeof *count);
    for (int64_t i = 0; i < rows; i++) count[c->id[i]]++;
    int32_t at = 0;
    c->n = c->most = 0;
    for (int64_t e = 0; e < experts; e++) {
        const int32_t n = count[e];
        c->place[e] = at;
        if (n > 0) {
            c->expert[c->n] = (int32_t)e;
            c->first[c->n++] = at; /* never behind e, whose count is taken */
        }
        c->most = rg_max(c->most, n);
        at += n;
    }
    c->first[c->n] = at;
    for (int64_t i = 0; i < rows; i++) {
        const int32_t to = c->place[c->id[i]]++;
        c->token[to] = (int32_t)(i / c->used);
        c->sorted[to] = c->weight[i];
    }
}

void rg_topk(
    rg_ctx *cx, rg_site site, rg_choice *c, const float *logits, int64_t m, int64_t experts, bool norm)
{
    const bool own = m <= RG_GEMV_MAX; /* every thread for itself: cheaper than meeting */
    const int64_t k = c->used;
    int64_t a = 0, b = m;
    if (!own) rg_part(cx, m, 1, &a, &b);
    c->m = m;
    c->id = own ? c->own_id : c->all_id;
    c->weight = own ? c->own_weight : c->all_weight;
    for (int64_t i = a; i < b; i++)
        choose(c->id + i * k, c->weight + i * k, logits + i * experts, experts, k, norm);
    rg_count(cx, 4 * (b - a) * experts, 8 * (b - a) * k, (b - a) * (3 * experts + 3 * k));
    if (!own) rg_barrier(cx);
    group(c, experts);
    rg_op_desc d = rg_elem_op(cx, site, (rg_dims){.m = m, .k = experts, .u = k, .e = c->n}, false);
    d.most = c->most;
    rg_op_end(cx, &d);
}

/* ---- products ---- */

/* What a call of one site works on. */
typedef struct call {
    const rg_choice *c;
    const rg_weight *w; /* of expert 0; the others follow */
    int64_t bytes;      /* of one of them */
    rg_op op;           /* of each: LINEAR, LINEAR_SWIGLU, LINEAR_CLAMPGLU_EXPS or LINEAR_SUM_EXPS */
    const float *bias;  /* [experts][n], or NULL */
    const float *x;
    bool by_token; /* rows of x are tokens; else (token, expert) pairs, in the order of the choice */
} call;

/* The product of an expert that somebody chose. */
static rg_product product_of(const rg_ctx *cx, const call *f, int64_t i, rg_weight *w)
{
    const rg_choice *c = f->c;
    *w = *f->w;
    w->data = (const char *)f->w->data + c->expert[i] * f->bytes;
    rg_product p = rg_product_of(cx, f->op, w, c->first[i + 1] - c->first[i]);
    if (f->bias) p.bias = f->bias + c->expert[i] * w->n;
    return p;
}

/* Row r of those of all experts. */
static const float *row_of(const call *f, int64_t r)
{
    return f->x + (f->by_token ? f->c->token[r] : r) * f->w->k;
}

/* The rows of an expert lie behind each other as they are. */
static bool in_place(const rg_ctx *cx, const call *f, const rg_product *a, int64_t i)
{
    const rg_choice *c = f->c;
    const int32_t *t = c->token + c->first[i];
    const int64_t n = a->m;
    return !rg_product_prepares(cx, a) && (!f->by_token || t[n - 1] - t[0] == n - 1);
}

/* Few rows are prepared by each thread that needs them, when it does. */
static bool by_itself(const rg_product *a) { return a->m <= RG_GEMV_MAX && !a->tiles; }

/* The expert before the i-th that the token of row r chose too, in the list of those somebody chose;
 * -1: none. */
static int64_t before(const rg_choice *c, int64_t i, int64_t r)
{
    const int32_t *own = c->id + (int64_t)c->token[r] * c->used;
    int32_t last = -1;
    for (int64_t j = 0; j < c->used; j++)
        if (own[j] < c->expert[i] && own[j] > last) last = own[j];
    int64_t lo = 0, hi = last < 0 ? 0 : i;
    while (lo < hi) { /* they rise */
        const int64_t mid = (lo + hi) / 2;
        if (c->expert[mid] < last)
            lo = mid + 1;
        else
            hi = mid;
    }
    return last < 0 ? -1 : lo;
}

/* Of the experts with more, rows lie one expert behind the other in rg_ctx.xq, each in the form and at the
 * distance that its product wants; the threads share the work. at: where each expert's begin. */
static void prepare_shared(rg_ctx *cx, const call *f)
{
    const rg_choice *c = f->c;
    const rg_ready now = {f->x, c->m * c->used, RG_X_FORMS + 1, rg_wtypes[f->w->type].group, true, f->w->k};
    const rg_ready *is = &cx->ready;
    if (is->x == now.x && is->m == now.m && is->form == now.form && is->group == now.group &&
        is->ld == now.ld)
        return;
    int64_t at = 0, a, b;
    bool any = false;
    for (int64_t i = 0; i < c->n; i++) {
        rg_weight w;
        const rg_product p = product_of(cx, f, i, &w);
        if (by_itself(&p) || in_place(cx, f, &p, i)) continue;
        if (!any && is->x) rg_barrier(cx); /* others may still read what lies there */
        any = true;
        const int64_t ld = rg_product_pitch(&p, false), rows = p.tiles ? rg_round_up(p.m, 16) : p.m;
        rg_part(cx, rows, 1, &a, &b);
        int64_t kept = 0;
        for (int64_t t = a; t < b; t++)
            if (t < p.m)
                rg_product_row(cx, &p, cx->xq + at + t * ld, row_of(f, c->first[i] + t));
            else
                memset(cx->xq + at + t * ld, 0, (size_t)ld);
        for (int64_t t = a; t < rg_min(b, p.m) && f->by_token; t++) {
            const int64_t last = before(c, i, c->first[i] + t);
            kept += last >= 0 && (c->first[i] - c->first[last]) * (4 * w.k + ld) <= cx->nt * cx->l2_bytes;
        }
        /* rows of a token are some thread's each time */
        rg_count(cx, 4 * (rg_min(b, p.m) - rg_min(a, p.m) - kept / cx->nt) * w.k, (b - a) * p.x_bytes, 0);
        at += rows * ld;
    }
    if (any) {
        rg_barrier(cx);
        cx->ready = now;
    }
}

/* Rows for this thread, in its own part of rg_ctx.xe. What the last expert needed may be there: the one token
 * of a decode step goes to all of its experts as it is. */
static void prepare_own(rg_ctx *cx, const call *f, rg_product *p, int64_t first, rg_ready *last)
{
    const int64_t ld = rg_product_pitch(p, true);
    char *rows = cx->xe + cx->tid * cx->xe_bytes;
    p->x = rows;
    p->ld = ld;
    if (p->m == 1 && last->m == 1 && last->x == row_of(f, first) && last->form == p->form) return;
    for (int64_t t = 0; t < p->m; t++) rg_product_row(cx, p, rows + t * ld, row_of(f, first + t));
    *last = (rg_ready){.x = row_of(f, first), .m = p->m, .form = p->form};
}

/* Panels of all experts behind each other, split by what they cost: reading one takes as long as so many
 * tokens' products. This thread's begin. */
enum { READING = 8 };
static int64_t cost_of(const rg_choice *c, int64_t i) { return READING + c->first[i + 1] - c->first[i]; }

static int64_t begin_of(const rg_choice *c, int64_t panels, int64_t tid, int64_t nt)
{
    const int64_t all = c->n * READING + c->m * c->used, want = all * panels * tid / nt;
    int64_t done = 0;
    for (int64_t i = 0; i < c->n; i++) {
        const int64_t each = cost_of(c, i);
        if (done + each * panels > want) return i * panels + rg_div_up(want - done, each);
        done += each * panels;
    }
    return c->n * panels;
}

/* What comes past the private cache again from expert to expert, and what does not. Few tokens: between two
 * touches of a row of x, which the product has counted whole, weights of panels [g0, g1) of all experts
 * pass. */
static void count_rows_again(rg_ctx *cx, const call *f, int64_t g0, int64_t g1)
{
    const rg_choice *c = f->c;
    const int64_t panels = rg_panels(f->w->n);
    int64_t kept = 0;
    for (int64_t i = 0; i < c->n; i++) {
        rg_weight w;
        const rg_product a = product_of(cx, f, i, &w);
        if (a.m > RG_GEMV_MAX || a.tiles || (i + 1) * panels <= g0 || i * panels >= g1) continue;
        for (int64_t r = c->first[i]; r < c->first[i + 1]; r++) {
            const int64_t p = before(c, i, r);
            if (p < 0 || (p + 1) * panels <= g0) continue; /* the first touch of this thread */
            kept += (i * panels - rg_max(p * panels, g0)) * a.panel <= cx->l2_bytes;
        }
    }
    cx->tally.act_rd -= 4 * kept * f->w->k;
}

/* Columns of sums that several experts add to, after all were set to 0. Between two touches pass the weights,
 * the rows of x and the other sums of the experts in between, and an unpacked block with its outputs; before
 * the first one, the preparation of all rows too, which may drive out the block. Each touch was counted as a
 * read and a write. */
static void count_sums_again(rg_ctx *cx, const call *f, int64_t panels, int64_t cols)
{
    const rg_choice *c = f->c;
    const int64_t all = 4 * c->m * cols;
    int64_t kept = 0, made = 0;
    for (int64_t i = 0; i < c->n; i++) {
        rg_weight w;
        const rg_product a = product_of(cx, f, i, &w);
        if (!by_itself(&a) && !in_place(cx, f, &a, i)) made += a.m * (4 * w.k + a.x_bytes);
    }
    int64_t since = all + made; /* the block was used */
    for (int64_t i = 0; i < c->n; i++) {
        rg_weight w;
        const rg_product a = product_of(cx, f, i, &w);
        const int64_t block = rg_product_block(&a);
        if (block > 0 && since + block > cx->l2_bytes) cx->tally.act_wr += block;
        since = block > 0 ? 0 : since + panels * a.panel + a.m * (a.x_bytes + 4 * cols);
        for (int64_t r = c->first[i]; r < c->first[i + 1]; r++) {
            const int64_t p = before(c, i, r), rows = c->first[i + 1] - (p < 0 ? 0 : c->first[p + 1]),
                          matrix = panels * a.panel,
                          room = cx->l2_bytes - (p < 0 ? i : i - p) * matrix - rows * a.x_bytes -
                (p < 0 ? all + made : rg_min(all, 4 * rows * cols)) - block;
            /* set to 0 at once, they are met panel by panel */
            kept += room < 0 ? 0 : p >= 0 || room >= matrix ? cols : cols * room / matrix;
        }
    }
    cx->tally.act_rd -= 4 * kept;
    cx->tally.act_wr += all - 4 * kept;
}

void rg_linear_exps(rg_ctx *cx, rg_site site, float *to, float *y, const float *x, const rg_weight *w,
    const float *bias, const rg_choice *c, bool barrier)
{
    const rg_op op = rg_site_op(site);
    const bool sum = op == RG_OP_LINEAR_SUM_EXPS;
    const call f = {.c = c,
        .w = w,
        .bytes = rg_packed_bytes(w->type, w->n, w->k),
        .op = op == RG_OP_LINEAR_SWIGLU_EXPS ? RG_OP_LINEAR_SWIGLU
            : op == RG_OP_LINEAR_EXPS        ? RG_OP_LINEAR
                                             : op,
        .bias = bias,
        .x = x,
        .by_token = !sum};
    const int64_t panels = rg_panels(w->n);
    int64_t r0, r1, g0 = 0, g1 = 0;
    rg_part(cx, w->n, RG_PANEL, &r0, &r1);
    if (sum) /* outputs of all experts meet in a column: it is one thread's, in the order of experts */
        for (int64_t t = 0; t < c->m; t++) memset(to + t * w->n + r0, 0, (size_t)(r1 - r0) * sizeof *to);
    else
        g0 = begin_of(c, panels, cx->tid, cx->nt), g1 = begin_of(c, panels, cx->tid + 1, cx->nt);
    prepare_shared(cx, &f);
    rg_ready last = {0};
    int64_t at = 0;
    for (int64_t i = 0; i < c->n; i++) {
        rg_weight wi;
        rg_product a = product_of(cx, &f, i, &wi);
        const int64_t first = c->first[i], p0 = sum ? r0 / RG_PANEL : rg_max(0, g0 - i * panels),
                      p1 = sum ? rg_div_up(r1, RG_PANEL) : rg_min(panels, g1 - i * panels);
        const bool as_is = in_place(cx, &f, &a, i), own = by_itself(&a);
        const char *rows = cx->xq + at;
        if (!as_is && !own) {
            a.ld = rg_product_pitch(&a, false);
            at += (a.tiles ? rg_round_up(a.m, 16) : a.m) * a.ld;
        }
        if (p0 >= p1) continue;
        a.to = sum ? to : to + first * w->n;
        a.y = sum ? y : y + first * w->n;
        a.row = sum ? c->token + first : NULL;
        a.weight = sum ? c->sorted + first : NULL;
        if (as_is)
            a.x = (const char *)row_of(&f, first);
        else if (own)
            prepare_own(cx, &f, &a, first, &last);
        else
            a.x = rows;
        rg_product_panels(cx, &a, p0, p1);
    }
    /* the record names the kernel of an expert that as many tokens chose as the average one */
    const rg_product a = rg_product_of(cx, f.op, w, rg_div_up(c->m * c->used, c->n));
    if (!sum)
        count_rows_again(cx, &f, g0, g1);
    else if (r1 > r0)
        count_sums_again(cx, &f, rg_div_up(r1, RG_PANEL) - r0 / RG_PANEL, r1 - r0);
    rg_op_desc d = rg_product_record(cx, site, &a,
        (rg_dims){.m = c->m, .k = w->k, .n = w->n, .u = c->used, .e = c->n, .b = bias != NULL}, barrier);
    d.most = c->most;
    rg_op_end(cx, &d);
}

/* ---- the network that every token meets ---- */

void rg_gated_add(rg_ctx *cx, rg_site site, float *sum, const float *y, const float *x, const float *w,
    float *gate, int64_t m, int64_t n, bool barrier)
{
    const bool own = m <= RG_GEMV_MAX; /* every thread for itself: cheaper than meeting */
    float mine[RG_GEMV_MAX];
    int64_t c0, c1, a = 0, b = m;
    rg_part(cx, n, RG_PANEL, &c0, &c1);
    if (own)
        gate = mine;
    else
        rg_part(cx, m, 1, &a, &b);
    for (int64_t i = a; i < b; i++) {
        double dot = 0.0;
        for (int64_t j = 0; j < n; j++) dot += (double)w[j] * (double)x[i * n + j];
        gate[i] = (float)(1.0 / (1.0 + exp(-dot)));
    }
    if (!own) rg_barrier(cx);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = c0; j < c1; j++) sum[i * n + j] += gate[i] * y[i * n + j];
    if (b > a) cx->tally.w_rd += 4 * n;
    rg_count(cx, 4 * (b - a) * n + 8 * m * (c1 - c0), 4 * m * (c1 - c0),
        (b - a) * (2 * n + 3) + m * 2 * (c1 - c0));
    const rg_op_desc d = rg_elem_op(cx, site, (rg_dims){.m = m, .k = n}, barrier);
    rg_op_end(cx, &d);
}
