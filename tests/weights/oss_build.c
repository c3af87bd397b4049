/* Layers of gpt-oss: experts in MXFP4, or floats with columns for rows. */
#include "model_build.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "model_build_impl.h"

static uint64_t oss_mix(int layer, int which, int64_t expert, int64_t row, int64_t col)
{
    rg_rng r = {(uint64_t)(1 + which + 3 * layer) * 1000003u ^ (uint64_t)expert * 7919u ^
        (uint64_t)row << 20 ^ (uint64_t)col << 40};
    rng_u64(&r);
    return rng_u64(&r);
}

static unsigned oss_code(int layer, int which, int64_t expert, int64_t row, int64_t col)
{
    return (unsigned)(oss_mix(layer, which, expert, row, col) & 15);
}

/* 2^-7 or 2^-6, of 32 columns. */
static unsigned char oss_exponent(int layer, int which, int64_t expert, int64_t row, int64_t group)
{
    return (unsigned char)(120 + (oss_mix(layer, which, expert, row, 1000 + group) & 1));
}

float build_oss_weight(int layer, int which, int64_t expert, int64_t row, int64_t col)
{
    static const float e2m1[8] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
    const unsigned q = oss_code(layer, which, expert, row, col);
    return ldexpf(
        q & 8 ? -e2m1[q & 7] : e2m1[q & 7], oss_exponent(layer, which, expert, row, col / 32) - 127);
}

/* Some reach the ends of gate and up. */
float build_oss_bias(int layer, int which, int64_t expert, int64_t row)
{
    const double f = (double)(oss_mix(layer, which, expert, row, 5000) >> 40) * 0x1p-24 - 0.5;
    return (float)((row % 11 == 3 ? 18.0 : 1.0) * f);
}

/* Of a router: with those of decided ones every token chooses the same, other ones in each layer. */
static float *router_bias(const model_build *b, rg_rng *r, int layer)
{
    float *bias = build_rows(r, 1, b->c.experts, 0.5);
    for (int64_t e = 0; e < b->c.experts && b->decided; e++)
        bias[e] += (e + layer) % b->c.experts < b->c.experts_used ? 8.0f : -8.0f;
    return bias;
}

/* Tensors of a layer: rows of gate and up in turns, then those of down. */
void build_oss_hf(const model_build *b, st_build *s, rg_rng *r, int layer)
{
    const rg_config *c = &b->c;
    const int64_t E = c->experts;
    const bool codes = strstr(b->more, "mxfp4") != NULL;
    char name[128];
    build_put_st(
        s, layer, "mlp.router.weight", 0, E, c->dim, build_rows(r, E, c->dim, 2.0 / sqrt((double)c->dim)));
    snprintf(name, sizeof name, "model.layers.%d.mlp.router.bias", layer);
    float *bias = router_bias(b, r, layer), *sinks = build_rows(r, 1, c->heads, 1.5);
    st_tensor(s, name, "F32", 1, &E, bias, (size_t)E * sizeof *bias);
    snprintf(name, sizeof name, "model.layers.%d.self_attn.sinks", layer);
    st_tensor(s, name, "F32", 1, &c->heads, sinks, (size_t)c->heads * sizeof *sinks);
    free(bias);
    free(sinks);
    for (int down = 0; down < 2; down++) {
        const char *module = down ? "down_proj" : "gate_up_proj";
        const int64_t rows = down ? c->dim : 2 * c->expert_ffn, cols = down ? c->expert_ffn : c->dim,
                      n = E * rows;
        float *f = build_get((size_t)(n * cols) * sizeof *f), *add = build_get((size_t)n * sizeof *add);
        unsigned char *q = build_get((size_t)(n * cols)), *exponent = build_get((size_t)(n * cols / 32));
        for (int64_t i = 0; i < n; i++) {
            const int64_t e = i / rows, row = down ? i % rows : i % rows / 2;
            const int which = down ? 2 : (int)(i % 2);
            add[i] = build_oss_bias(layer, which, e, row);
            for (int64_t k = 0; k < cols; k++) {
                const unsigned code = oss_code(layer, which, e, row, k);
                f[(e * cols + k) * rows + i % rows] = build_oss_weight(layer, which, e, row, k);
                q[(i * cols + k) / 2] |= (unsigned char)(code << (k % 2 ? 4 : 0));
                exponent[(i * cols + k) / 32] = oss_exponent(layer, which, e, row, k / 32);
            }
        }
        snprintf(
            name, sizeof name, "model.layers.%d.mlp.experts.%s%s", layer, module, codes ? "_blocks" : "");
        if (codes) {
            st_tensor(s, name, "U8", 4, (int64_t[]){E, rows, cols / 32, 16}, q, (size_t)(n * cols / 2));
            snprintf(name, sizeof name, "model.layers.%d.mlp.experts.%s_scales", layer, module);
            st_tensor(s, name, "U8", 3, (int64_t[]){E, rows, cols / 32}, exponent, (size_t)(n * cols / 32));
        } else {
            st_tensor(s, name, "F32", 3, (int64_t[]){E, cols, rows}, f, (size_t)(n * cols) * sizeof *f);
        }
        snprintf(name, sizeof name, "model.layers.%d.mlp.experts.%s_bias", layer, module);
        st_tensor(s, name, "F32", 2, (int64_t[]){E, rows}, add, (size_t)n * sizeof *add);
        free(f);
        free(add);
        free(q);
        free(exponent);
    }
}

void build_oss_gguf(const model_build *b, gguf_build *g, rg_rng *r, int layer)
{
    static const char *const names[] = {"ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"};
    const rg_config *c = &b->c;
    const int64_t E = c->experts;
    const uint64_t heads = (uint64_t)c->heads, experts = (uint64_t)E, router[2] = {(uint64_t)c->dim, experts};
    char name[96];
    float *w = build_rows(r, E, c->dim, 2.0 / sqrt((double)c->dim)), *bias = router_bias(b, r, layer),
          *sinks = build_rows(r, 1, c->heads, 1.5);
    snprintf(name, sizeof name, "blk.%d.ffn_gate_inp.weight", layer);
    gg_tensor(g, name, 0, 2, router, w, (size_t)(E * c->dim) * sizeof *w);
    snprintf(name, sizeof name, "blk.%d.ffn_gate_inp.bias", layer);
    gg_tensor(g, name, 0, 1, &experts, bias, (size_t)E * sizeof *bias);
    snprintf(name, sizeof name, "blk.%d.attn_sinks.weight", layer);
    gg_tensor(g, name, 0, 1, &heads, sinks, (size_t)c->heads * sizeof *sinks);
    free(w);
    free(bias);
    free(sinks);
    for (int which = 0; which < 3; which++) {
        const int64_t rows = which == 2 ? c->dim : c->expert_ffn, cols = which == 2 ? c->expert_ffn : c->dim,
                      n = E * rows, blocks = cols / 32;
        unsigned char *p = build_get((size_t)(n * blocks * 17));
        float *add = build_get((size_t)n * sizeof *add);
        for (int64_t i = 0; i < n; i++) {
            const int64_t e = i / rows, row = i % rows;
            add[i] = build_oss_bias(layer, which, e, row);
            for (int64_t k = 0; k < cols; k++) {
                unsigned char *block = p + (i * blocks + k / 32) * 17;
                block[0] = oss_exponent(layer, which, e, row, k / 32);
                block[1 + k % 16] |=
                    (unsigned char)(oss_code(layer, which, e, row, k) << (k % 32 < 16 ? 0 : 4));
            }
        }
        snprintf(name, sizeof name, "blk.%d.%s.weight", layer, names[which]);
        gg_tensor(g, name, 39, 3, (uint64_t[]){(uint64_t)cols, (uint64_t)rows, experts}, p,
            (size_t)(n * blocks * 17));
        snprintf(name, sizeof name, "blk.%d.%s.bias", layer, names[which]);
        gg_tensor(g, name, 0, 2, (uint64_t[]){(uint64_t)rows, experts}, add, (size_t)n * sizeof *add);
        free(p);
        free(add);
    }
}
