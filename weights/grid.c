/* Rows out of grids, and the resident type that holds them. */
#include "weights/grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/ckpt_impl.h"

/* Where AWQ keeps channel 8c + k of word c. */
static const int awq_nibble[8] = {0, 4, 1, 5, 2, 6, 3, 7};

static const struct {
    const char *name;
    bool by_input; /* scales and zero points: [group][row], else [row][group] */
} kinds[] = {[RG_GRID_AWQ] = {"AWQ", true},
    [RG_GRID_GPTQ] = {"GPTQ", true},
    [RG_GRID_PACKED] = {"pack-quantized", false},
    [RG_GRID_MLX] = {"MLX", false},
    [RG_GRID_INT8] = {"INT8", false},
    [RG_GRID_FP8] = {"FP8", false},
    [RG_GRID_MXFP4] = {"MXFP4", false},
    [RG_GRID_NF4] = {"NF4", false}};

static int stored_zero(const rg_grid *g, int64_t r, int64_t group)
{
    const int per = 32 / g->bits; /* codes of a word */
    const int64_t at = r % per, word = r / per;
    const uint32_t w =
        rg_get32(g->zero, kinds[g->kind].by_input ? group * (g->out / per) + word : word * g->groups + group);
    return (int)(w >> g->bits * (g->kind == RG_GRID_AWQ ? awq_nibble[at] : at) & ((1u << g->bits) - 1));
}

/* GPTQ: 15 + 1 stays 16, as in the reference */
static int zero_of(const rg_grid *g, int64_t r, int64_t group)
{
    return g->zero ? stored_zero(g, r, group) + g->zero_add : rg_grid_mid(g);
}

int rg_grid_zero(const rg_grid *g) { return stored_zero(g, 0, 0); }

/* of: scales or minimums. */
static float scale_of(const rg_grid *g, const unsigned char *of, int64_t r, int64_t group)
{
    float f;
    if (g->tall) r /= g->tall;
    const int64_t i = kinds[g->kind].by_input ? group * g->out + r : r * g->groups + group;
    rg_ftype_row_to_f32(g->scale_type, &f, of + i * rg_ftypes[g->scale_type].bytes, 1);
    return f;
}

/* Codes of row r, from 0; column i is stored column order[i]. Column c lies in word first + (c >> shift) *
 * step. */
static void codes(const rg_grid *g, int64_t r, const int32_t *order, uint8_t *q)
{
    if (g->kind == RG_GRID_INT8 || g->kind == RG_GRID_FP8) {
        const uint8_t flip = g->kind == RG_GRID_INT8 ? 0x80 : 0;
        for (int64_t i = 0; i < g->in; i++) q[i] = g->q[r * g->in + i] ^ flip;
        return;
    }
    const bool awq = g->kind == RG_GRID_AWQ, gptq = g->kind == RG_GRID_GPTQ;
    const int shift = awq ? 0 : g->bits == 8 ? 2 : 3, fixed = awq ? 4 * awq_nibble[r % 8] : 0;
    const int64_t first = awq ? r / 8
        : gptq                ? r
                              : r * rg_div_up(g->in, 32 / g->bits),
                  step = awq ? g->out / 8
        : gptq               ? g->out
                             : 1;
    if (awq) order = NULL;
    const int mask = (1 << g->bits) - 1, within = (1 << shift) - 1;
    for (int64_t i = 0; i < g->in; i++) {
        const int64_t c = order ? order[i] : i;
        const uint32_t w = rg_get32(g->q, first + (c >> shift) * step);
        q[i] = (uint8_t)((int)(w >> (fixed + g->bits * (c & within))) & mask);
    }
}

/* The resident type whose groups divide those of the file, as large as may be; -1: none. Of those that keep
 * halves per group. */
static int resident_type(const rg_grid *g)
{
    int best = -1;
    for (int t = 0; t < RG_WT_COUNT; t++) {
        const rg_wtype_info *w = &rg_wtypes[t];
        const bool halves = w->head == RG_PANEL * (w->has_min ? 4 : 2),
                   whole =
                       g->groups == 1 ? g->in % w->group == 0 || w->group == 32 : g->group % w->group == 0;
        if (halves && whole && w->bits == g->bits && w->has_min == !g->middle &&
            (best < 0 || w->group > rg_wtypes[best].group))
            best = t;
    }
    return best;
}

bool rg_grid_middle(const rg_grid *g)
{
    if (!g->zero) return !g->min;
    for (int64_t r = g->first; r < g->first + g->rows; r++)
        for (int64_t k = 0; k < g->groups; k++)
            if (zero_of(g, r, k) != rg_grid_mid(g)) return false;
    return true;
}

/* Columns by group, if that makes groups of the declared size. */
static void sort_columns(rg_grid *g)
{
    int64_t *at = calloc((size_t)g->groups + 1, sizeof *at);
    g->order = malloc((size_t)g->in * sizeof *g->order);
    bool whole = at && g->order;
    for (int64_t i = 0; whole && i < g->in; i++) at[g->g_idx[i] + 1]++;
    for (int64_t k = 0; whole && k < g->groups; k++) {
        whole = at[k + 1] == rg_min(g->group, g->in - k * g->group);
        at[k + 1] += at[k];
    }
    for (int64_t i = 0; whole && i < g->in; i++) g->order[at[g->g_idx[i]]++] = (int32_t)i;
    free(at);
    if (whole) return;
    free(g->order);
    g->order = NULL;
}

static bool is_half(double x) { return (double)rg_f16_to_f32(rg_f32_to_f16((float)x)) == x; }

/* Every scale (or minimum) is a half, or every number of 4 bits (FP8) times it. */
static bool are_halves(const rg_grid *g, const unsigned char *of, bool times_codes)
{
    const int64_t n = (int64_t)(g->scale_bytes / (uint64_t)rg_ftypes[g->scale_type].bytes);
    float s[256];
    if (g->scale_type == RG_FT_F16 && !times_codes) return true;
    for (int64_t i = 0; i < n; i += 256) {
        const int64_t m = rg_min(256, n - i);
        rg_ftype_row_to_f32(g->scale_type, s, of + i * rg_ftypes[g->scale_type].bytes, m);
        for (int64_t k = 0; k < m; k++) {
            const double d = (double)s[k];
            if (!times_codes ? !is_half(d)
                             : !is_half(448.0 * d) || !is_half(15.0 * 0x1p-9 * d) || !is_half(0x1p-9 * d))
                return false;
        }
    }
    return true;
}

/* Resident type and rounding. */
static void classify(rg_grid *g)
{
    if (g->kind == RG_GRID_FP8) { /* of 16 bits, f16 changes 4 bits times a scale least */
        g->resident = RG_WT_F16;
        g->rounding = are_halves(g, g->scale, true) ? RG_ROUND_NONE : RG_ROUND_FLOAT;
        return;
    }
    if (g->kind == RG_GRID_MXFP4) {
        g->resident = rg_ftypes[RG_FT_MXFP4].resident;
        g->rounding = rg_ftypes[RG_FT_MXFP4].rounding;
        return;
    }
    g->resident = RG_WT_Q8G32;
    g->rounding = RG_ROUND_REQUANTISED;
    if (g->kind == RG_GRID_NF4) return;
    g->middle = rg_grid_middle(g);
    if (g->g_idx) sort_columns(g);
    const int t = resident_type(g);
    if (t < 0 || (g->g_idx && !g->order)) return;
    g->resident = (rg_wtype)t;
    /* a zero point becomes a minimum of -z * s, perhaps with more bits than f16 has */
    const bool exact = g->min ? are_halves(g, g->min, false) : g->middle;
    g->rounding = exact && are_halves(g, g->scale, false) ? RG_ROUND_NONE : RG_ROUND_SCALES;
}

void rg_grid_forget_order(rg_grid *g)
{
    if (!g->order) return;
    free(g->order);
    g->order = NULL;
    g->resident = RG_WT_Q8G32;
    g->rounding = RG_ROUND_REQUANTISED;
}

static float e4m3(int code)
{
    const int e = code >> 3 & 15, m = code & 7;
    if (e == 15 && m == 7) return NAN;
    const float f = (float)(e ? 8 + m : m) * rg_f32_from_bits((uint32_t)(rg_max(e, 1) + 117) << 23);
    return code & 0x80 ? -f : f;
}

static double real_at(const unsigned char *p, int64_t i) { return (double)rg_f32_from_bits(rg_get32(p, i)); }

static double nf4_scale(const rg_grid *g, int64_t block)
{
    if (!g->nested) return real_at(g->scale, block);
    return real_at(g->nested_map, g->scale[block]) * real_at(g->nested, block / g->nested_group) + g->offset;
}

static void nf4_row(const rg_grid *g, int64_t r, float *dst)
{
    double value[16], s = 0.0;
    for (int i = 0; i < 16; i++) value[i] = real_at(g->map, i);
    for (int64_t i = 0, at = r * g->in; i < g->in; i++, at++) {
        if (i == 0 || at % g->group == 0) s = nf4_scale(g, at / g->group);
        dst[i] = (float)(value[g->q[at / 2] >> (at % 2 ? 0 : 4) & 15] * s);
    }
}

rg_grid *rg_grid_part(const rg_grid *g, int64_t first, int64_t rows)
{
    const size_t idx = (size_t)g->in * sizeof *g->g_idx;
    rg_grid *p = malloc(sizeof *p);
    if (!p) return NULL;
    *p = *g;
    p->first += first;
    p->rows = rows;
    p->order = NULL; /* of its own, from g_idx */
    if (g->g_idx && !(p->g_idx = malloc(idx))) {
        free(p);
        return NULL;
    }
    if (g->g_idx) memcpy(p->g_idx, g->g_idx, idx);
    classify(p);
    return p;
}

/* GGUF's block of the same 32 weights: its low halves are the first 16. */
static void mxfp4_block(const rg_grid *g, int64_t r, int64_t i, unsigned char block[17])
{
    const unsigned char *q = g->q + r * (g->in / 2) + 16 * i;
    block[0] = g->scale[r * g->groups + i];
    for (int j = 0; j < 16; j++)
        block[1 + j] =
            (unsigned char)((q[j / 2] >> (j % 2 ? 4 : 0) & 15) | (q[8 + j / 2] >> (j % 2 ? 4 : 0) & 15) << 4);
}

static int64_t output_of(const rg_grid *g, int64_t r) { return g->first + r * rg_max(1, g->step); }

void rg_grid_row_f32(const rg_grid *g, int64_t r, float *dst)
{
    unsigned char block[17];
    for (int64_t i = 0; g->kind == RG_GRID_MXFP4 && i < g->groups; i++) {
        mxfp4_block(g, output_of(g, r), i, block);
        rg_ftype_row_to_f32(RG_FT_MXFP4, dst + 32 * i, block, 32);
    }
    if (g->kind == RG_GRID_MXFP4) return;
    if (g->kind == RG_GRID_NF4) {
        nf4_row(g, output_of(g, r), dst);
        return;
    }
    /* dst's end holds the codes: column i lies at or beyond float i */
    uint8_t *q = (uint8_t *)(dst + g->in) - g->in;
    float value[256]; /* of each code */
    r = output_of(g, r);
    codes(g, r, NULL, q);
    for (int i = 0; i < 256; i++) value[i] = g->kind == RG_GRID_FP8 ? e4m3(i) : (float)i;
    for (int64_t i = 0, end; i < g->in; i = end) {
        const int64_t k = g->g_idx ? g->g_idx[i] : i / g->group;
        const float s = scale_of(g, g->scale, r, k);
        const float z = g->kind == RG_GRID_FP8 || g->min ? 0.0f : (float)zero_of(g, r, k);
        end = g->g_idx ? i + 1 : rg_min(g->in, (k + 1) * g->group);
        while (g->g_idx && end < g->in && g->g_idx[end] == k) end++;
        if (!g->min) {
            for (int64_t j = i; j < end; j++) dst[j] = (value[q[j]] - z) * s;
        } else { /* both may be large where the sum is small */
            const double m = (double)scale_of(g, g->min, r, k);
            for (int64_t j = i; j < end; j++) dst[j] = (float)((double)value[q[j]] * (double)s + m);
        }
    }
}

void rg_grid_row(const rg_grid *g, int64_t r, uint8_t *q, float *scale, float *min)
{
    const int64_t n = rg_wtypes[g->resident].group;
    unsigned char block[17];
    r = output_of(g, r);
    for (int64_t i = 0; g->kind == RG_GRID_MXFP4 && i < g->groups; i++) {
        mxfp4_block(g, r, i, block);
        rg_ftype_row_grid(RG_FT_MXFP4, q + 32 * i, scale + i, min, block, 32);
    }
    if (g->kind == RG_GRID_MXFP4) return;
    codes(g, r, g->order, q);
    for (int64_t i = 0; i * n < g->in; i++) {
        const int64_t k = i * n / g->group;
        scale[i] = scale_of(g, g->scale, r, k);
        if (!g->middle) min[i] = g->min ? scale_of(g, g->min, r, k) : -(float)zero_of(g, r, k) * scale[i];
    }
    if (g->bits == 8) /* signed bytes */
        for (int64_t i = 0; i < g->in; i++) q[i] ^= 0x80;
}

void rg_grid_free(rg_grid *g)
{
    if (!g) return;
    free(g->g_idx);
    free(g->order);
    free(g);
}

rg_wtype rg_ckpt_resident(const rg_ckpt_tensor *t)
{
    return t->grid ? t->grid->resident : rg_ftypes[t->type].resident;
}
rg_rounding rg_ckpt_rounding(const rg_ckpt_tensor *t)
{
    return t->grid ? t->grid->rounding : rg_ftypes[t->type].rounding;
}

int64_t rg_ckpt_embd_row(const rg_ckpt *c)
{
    const rg_ckpt_tensor *t = rg_ckpt_config(c)->tied ? NULL : rg_ckpt_find(c, RG_SITE_TOKEN_EMBD, -1);
    return t ? rg_ftype_row_bytes(t->grid ? RG_FT_F32 : t->type, t->cols) : 0;
}

const int32_t *rg_ckpt_order(const rg_ckpt_tensor *t) { return t->grid ? t->grid->order : NULL; }

static int64_t stored_row(const rg_ckpt_tensor *t, int64_t r) { return rg_stored_row(r, t->interleaved); }
static int64_t file_row(const rg_ckpt_tensor *t, int64_t r) { return stored_row(t, r) * rg_max(1, t->step); }

const void *rg_ckpt_row(const rg_ckpt_tensor *t, int64_t r)
{
    return (const char *)t->data + file_row(t, r) * rg_ftype_row_bytes(t->type, t->cols);
}

static void row_f32(const rg_ckpt_tensor *t, int64_t r, float *dst)
{
    if (t->grid)
        rg_grid_row_f32(t->grid, stored_row(t, r), dst);
    else if (rg_site_op(t->site) == RG_OP_BIAS) /* its elements are the rows of its matrix */
        for (int64_t i = 0; i < t->cols; i++)
            rg_ftype_row_to_f32(
                t->type, dst + i, (const char *)t->data + file_row(t, i) * rg_ftypes[t->type].bytes, 1);
    else if (t->across)
        for (int64_t i = 0; i < t->cols; i++)
            rg_ftype_row_to_f32(t->type, dst + i,
                (const char *)t->data + (i * t->across + file_row(t, r)) * rg_ftypes[t->type].bytes, 1);
    else
        rg_ftype_row_to_f32(t->type, dst, rg_ckpt_row(t, r), t->cols);
}

void rg_ckpt_row_f32(const rg_ckpt_tensor *t, int64_t r, float *dst)
{
    row_f32(t, r, dst);
    for (int64_t i = 0; t->plus != 0.0f && i < t->cols; i++) dst[i] += t->plus;
}

void rg_ckpt_row_grid(const rg_ckpt_tensor *t, int64_t r, uint8_t *q, float *scale, float *min)
{
    if (t->grid)
        rg_grid_row(t->grid, stored_row(t, r), q, scale, min);
    else
        rg_ftype_row_grid(t->type, q, scale, min, rg_ckpt_row(t, r), t->cols);
}

const char *rg_ckpt_type_name(const rg_ckpt_tensor *t, char *buf, size_t n)
{
    const rg_grid *g = t->grid;
    if (!g)
        snprintf(buf, n, "%s", rg_ftypes[t->type].name);
    else if (g->tall > 1)
        snprintf(buf, n, "%s %lldx%lld", kinds[g->kind].name, (long long)g->tall, (long long)g->group);
    else
        snprintf(buf, n, "%s%s g%lld%s", kinds[g->kind].name,
            g->bits == 8 && g->kind <= RG_GRID_MLX ? " INT8" : "", (long long)g->group,
            g->g_idx ? " act-order" : "");
    return buf;
}
