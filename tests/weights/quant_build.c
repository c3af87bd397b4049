/* Quantised modules of Hugging Face directories, in every layout. */
#include "quant_build.h"

#include "testing.h"

#include "base/num.h"
#include "ref_blocks.h"

static void *get(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    if (!p) abort();
    return p;
}

#define PUT(tail, dtype, rank, d0, d1, p, n) \
    st_tensor(s, at_end((char[160]){0}, module, tail), dtype, rank, (const int64_t[]){d0, d1}, p, (size_t)(n))

static const char *at_end(char *buf, const char *module, const char *tail)
{
    snprintf(buf, 160, "%s%s", module, tail);
    return buf;
}

static double *truth(model_build *b, const char *module, int64_t out, int64_t in)
{
    return build_add(b, at_end((char[160]){0}, module, ".weight"), out, in);
}

/* Rounds f to the type, stores it, and returns it. */
static double put_scale(unsigned char *all, int64_t at, const char *dtype, double f)
{
    if (strcmp(dtype, "F32") == 0) {
        const float x = (float)f;
        memcpy(all + 4 * at, &x, 4);
        return (double)x;
    }
    const bool bf16 = strcmp(dtype, "BF16") == 0;
    const uint16_t h = bf16 ? rg_f32_to_bf16((float)f) : rg_f32_to_f16((float)f);
    memcpy(all + 2 * at, &h, 2);
    return bf16 ? (double)rg_bf16_to_f32(h) : ref_half(all + 2 * at);
}

/* Code number at of a word. */
static void put_code(unsigned char *words, int64_t word, int at, int bits, int v)
{
    words[4 * word + at * bits / 8] |= (unsigned char)(v << at * bits % 8);
}

/* Codes, zero points and scales at random, stored as the scheme says; the truth is w = (q - z) * s. */
static void put_words(model_build *b, st_build *s, rg_rng *r, const char *module, int64_t out, int64_t in)
{
    static const int awq_channel[8] = {0, 2, 4, 6, 1, 3, 5, 7}; /* of nibble i */
    const int64_t g = b->group < 0 ? in : b->group, groups = (in + g - 1) / g;
    const bool packed = b->int4 == INT8_PACKED || b->int4 == INT4_PACKED, awq = b->int4 == INT4_AWQ,
               v1 = b->int4 == INT4_GPTQ || b->int4 == INT8_GPTQ;
    const int bits = b->int4 >= INT8_GPTQ ? 8 : 4, per = 32 / bits, top = (1 << bits) - 1;
    const int64_t inw = (in + per - 1) / per, outw = (out + per - 1) / per;
    unsigned char *q = get((size_t)(awq     ? in * outw
                                   : packed ? out * inw
                                            : inw * out) *
                      4),
                  *z = get((size_t)(groups * outw) * 4);
    int32_t *idx = get((size_t)in * sizeof *idx);
    const char *dtype = packed && b->scale_dtype ? b->scale_dtype : "F16";
    const int64_t width = strcmp(dtype, "F32") == 0 ? 4 : 2;
    unsigned char *sc = get((size_t)(groups * out * width));
    double *value = get((size_t)(groups * out) * sizeof *value);
    int *zero = get((size_t)(groups * out) * sizeof *zero);
    for (int64_t i = 0; i < in; i++) idx[i] = (int32_t)(i / g);
    if (b->act_order)
        for (int64_t i = in - 1; i > 0; i--) {
            const int64_t j = rng_in(r, 0, i);
            const int32_t t = idx[i];
            idx[i] = idx[j];
            idx[j] = t;
        }
    for (int64_t o = 0; o < out; o++)
        for (int64_t k = 0; k < groups; k++) {
            const int64_t at = packed ? o * groups + k : k * out + o;
            value[o * groups + k] = put_scale(
                sc, at, dtype, (bits == 8 ? 1.0 / 64 : 0.25) * (0.5 + rng_unit(r)) / sqrt((double)in));
            /* GPTQ v1 stores z - 1, so it has no 0 */
            const int v = zero[o * groups + k] =
                b->symmetric ? (top + 1) / 2 : (int)rng_in(r, v1 ? 1 : 0, top);
            if (awq) {
                int nib = 0;
                while (awq_channel[nib] != o % 8) nib++;
                put_code(z, k * outw + o / 8, nib, 4, v);
            } else if (packed) {
                put_code(z, o / per * groups + k, (int)(o % per), bits, v);
            } else {
                put_code(z, k * outw + o / per, (int)(o % per), bits, v - v1);
            }
        }
    double *w = truth(b, module, out, in);
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++) {
            const int v = (int)rng_in(r, 0, top);
            w[o * in + i] = (v - zero[o * groups + idx[i]]) * value[o * groups + idx[i]];
            if (awq) {
                int nib = 0;
                while (awq_channel[nib] != o % 8) nib++;
                put_code(q, i * outw + o / 8, nib, 4, v);
            } else if (packed) {
                put_code(q, o * inw + i / per, (int)(i % per), bits, v);
            } else {
                put_code(q, i / per * out + o, (int)(i % per), bits, v);
            }
        }
    if (packed) {
        const int64_t shape[2] = {out, in};
        PUT(".weight_packed", "I32", 2, out, inw, q, out * inw * 4);
        PUT(".weight_scale", dtype, 2, out, groups, sc, out * groups * width);
        PUT(".weight_shape", "I64", 1, 2, 0, shape, 16);
        if (!b->symmetric) PUT(".weight_zero_point", "I32", 2, outw, groups, z, outw * groups * 4);
        if (b->act_order) PUT(".weight_g_idx", "I32", 1, in, 0, idx, in * 4);
    } else {
        PUT(".qweight", "I32", 2, awq ? in : inw, awq ? outw : out, q, (awq ? in * outw : inw * out) * 4);
        PUT(".qzeros", "I32", 2, groups, outw, z, groups * outw * 4);
        PUT(".scales", "F16", 2, groups, out, sc, groups * out * 2);
        if (!awq) PUT(".g_idx", "I32", 1, in, 0, idx, in * 4);
    }
    free(q), free(z), free(idx), free(sc), free(value), free(zero);
}

/* MLX: codes from the low end of a word, scales of either sign and what code 0 is. */
static void put_mlx(model_build *b, st_build *s, rg_rng *r, const char *module, int64_t out, int64_t in)
{
    const int bits = b->int4 == INT4_MLX ? 4 : 8, per = 32 / bits, top = (1 << bits) - 1;
    const int64_t words = in / per, groups = in / b->group, n = out * groups;
    const char *dtype = b->scale_dtype ? b->scale_dtype : "BF16";
    const int64_t width = strcmp(dtype, "F32") == 0 ? 4 : 2;
    unsigned char *q = get((size_t)(out * words * 4)), *sc = get((size_t)(n * width)),
                  *bi = get((size_t)(n * width));
    double *w = truth(b, module, out, in);
    for (int64_t o = 0; o < out; o++)
        for (int64_t k = 0; k < groups; k++) {
            const double step = 4.0 / top * (0.5 + rng_unit(r)) / sqrt((double)in),
                         sign = rng_in(r, 0, 1) ? 1 : -1,
                         scale = put_scale(sc, o * groups + k, dtype, sign * step),
                         bias = put_scale(
                             bi, o * groups + k, dtype, -sign * step * top * (0.3 + 0.4 * rng_unit(r)));
            for (int64_t i = k * b->group; i < (k + 1) * b->group; i++) {
                const int v = (int)rng_in(r, 0, top);
                put_code(q, o * words + i / per, (int)(i % per), bits, v);
                w[o * in + i] = scale * v + bias;
            }
        }
    PUT(".weight", "U32", 2, out, words, q, out * words * 4);
    PUT(".scales", dtype, 2, out, groups, sc, n * width);
    PUT(".biases", dtype, 2, out, groups, bi, n * width);
    free(q), free(sc), free(bi);
}

/* By the definition of e4m3: 1, 4 and 3 bits, bias 7; only 0x7f is not a number. */
static double of_e4m3(int code)
{
    const int e = code >> 3 & 15, m = code & 7;
    const double f = e ? ldexp(1.0 + m / 8.0, e - 7) : ldexp(m / 8.0, -6);
    return code & 0x80 ? -f : f;
}

/* The nearest code of a number up to 448. */
static int to_e4m3(double x)
{
    const double a = fabs(x);
    const int e = a < 0x1p-6 ? -6 : ilogb(a), m = (int)lrint(ldexp(a, 3 - e)); /* 8 to 16, or below 8 */
    const int code = (e + 6) * 8 + m;                                          /* a mantissa of 16 carries */
    return (code > 0x7e ? 0x7e : code) | (x < 0 ? 0x80 : 0);
}

/* Bytes, and scales of tall rows and group columns. */
static void put_bytes_of(model_build *b, st_build *s, rg_rng *r, const char *module, int64_t out, int64_t in)
{
    const bool fp8 = b->int4 != INT8_ROWS;
    const int64_t tall = b->tall < 0 ? out
        : b->tall                    ? b->tall
                                     : 1,
                  g = b->group < 0 ? in : b->group, rows = (out + tall - 1) / tall, groups = (in + g - 1) / g;
    const char *dtype = b->scale_dtype ? b->scale_dtype : "F32";
    const int64_t width = strcmp(dtype, "F32") == 0 ? 4 : 2, n = rows * groups;
    unsigned char *q = get((size_t)(out * in)), *sc = get((size_t)(n * width));
    double *value = get((size_t)n * sizeof *value), *w = truth(b, module, out, in);
    for (int64_t i = 0; i < n; i++) {
        const double f = (0.5 + rng_unit(r)) / sqrt((double)in) / (fp8 ? 100.0 : 50.0);
        value[i] = put_scale(sc, i, dtype, b->power_of_two ? exp2(floor(log2(f))) : f);
    }
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++) {
            const double f = value[o / tall * groups + i / g],
                         x = (double)rng_normal(r) / sqrt((double)in) / f;
            int v = fp8 ? to_e4m3(x) : (int)rng_in(r, -128, 127);
            if (fp8 && i % 16 == 0) v = (int)rng_in(r, 0, 0x7e) | (o % 2 ? 0x80 : 0);
            q[o * in + i] = (unsigned char)v;
            w[o * in + i] = (fp8 ? of_e4m3(v) : v) * f;
        }
    const char *tail = b->int4 == FP8_BLOCKS ? ".weight_scale_inv" : ".weight_scale";
    PUT(".weight", fp8 ? "F8_E4M3" : "I8", 2, out, in, q, out * in);
    PUT(tail, dtype, n > 1 || out == 1 ? 2 : b->int4 == FP8_BLOCKS ? 0 : 1, rows, groups, sc, n * width);
    free(q), free(sc), free(value);
}

/* 16 values, blocks over the whole matrix, floats or codes as scales. */
static void put_nf4(model_build *b, st_build *s, rg_rng *r, const char *module, int64_t out, int64_t in)
{
    enum { NESTED = 16 };
    const int64_t n = out * in, blocks = (n + b->group - 1) / b->group,
                  outer = (blocks + NESTED - 1) / NESTED;
    const double mean = 2.0 / sqrt((double)in);
    float map[16], nested_map[256], *scale = get((size_t)blocks * sizeof *scale),
                                    *nested = get((size_t)outer * sizeof *nested);
    unsigned char *q = get((size_t)(n + 1) / 2), *code = get((size_t)blocks);
    double *value = get((size_t)blocks * sizeof *value), *w = truth(b, module, out, in);
    char state[300];
    const float offset = (float)mean;
    for (int i = 0; i < 16; i++) map[i] = (float)(i == 7 ? 0.0 : (i - 7.5) / 7.5 - 0.02 * rng_unit(r));
    for (int i = 0; i < 256; i++) nested_map[i] = (float)((i - 128) / 128.0);
    for (int64_t i = 0; i < outer; i++) nested[i] = (float)(mean * (0.2 + 0.6 * rng_unit(r)));
    for (int64_t i = 0; i < blocks; i++) {
        code[i] = (unsigned char)rng_in(r, 0, 255);
        scale[i] = (float)(mean * (0.5 + rng_unit(r)));
        value[i] = b->double_quant ? (double)nested_map[code[i]] * (double)nested[i / NESTED] + (double)offset
                                   : (double)scale[i];
    }
    for (int64_t i = 0; i < n; i++) {
        const int v = (int)rng_in(r, 0, 15);
        q[i / 2] |= (unsigned char)(i % 2 ? v : v << 4);
        w[i] = (double)map[v] * value[i / b->group];
    }
    const int len = snprintf(state, sizeof state,
        "{\"quant_type\": \"nf4\", \"blocksize\": %d, \"dtype\": \"bfloat16\", \"shape\": [%lld, %lld], "
        "\"nested_blocksize\": %d, \"nested_dtype\": \"float32\", \"nested_offset\": %.9g}",
        b->group, (long long)out, (long long)in, NESTED, (double)offset);
    PUT(".weight", "U8", 2, (n + 1) / 2, 1, q, (n + 1) / 2);
    if (b->double_quant) {
        PUT(".weight.absmax", "U8", 1, blocks, 0, code, blocks);
        PUT(".weight.nested_absmax", "F32", 1, outer, 0, nested, outer * 4);
        PUT(".weight.nested_quant_map", "F32", 1, 256, 0, nested_map, 1024);
    } else {
        PUT(".weight.absmax", "F32", 1, blocks, 0, scale, blocks * 4);
    }
    PUT(".weight.quant_map", "F32", 1, 16, 0, map, 64);
    PUT(".weight.quant_state.bitsandbytes__nf4", "U8", 1, len, 0, state, len);
    free(scale), free(nested), free(q), free(code), free(value);
}

void build_module(model_build *b, st_build *s, rg_rng *r, const char *module, int64_t out, int64_t in)
{
    if (b->int4 == INT4_MLX || b->int4 == INT8_MLX)
        put_mlx(b, s, r, module, out, in);
    else if (b->int4 == NF4)
        put_nf4(b, s, r, module, out, in);
    else if (b->int4 >= INT8_ROWS)
        put_bytes_of(b, s, r, module, out, in);
    else
        put_words(b, s, r, module, out, in);
}
