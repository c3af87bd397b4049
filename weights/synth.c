/* Random weights. Every row is a function of seed, tensor and row, whatever the order and the format. */
#include "weights/synth.h"
#include "weights/arch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash64.h"
#include "weights/arch.h"
#include "weights/gguf_write.h"
#include "weights/synth_impl.h"

const rg_shape rg_shapes[] = {
#define RG_SHAPE(id, type, d, f, n, h, kv, hd, v, ctx, theta, e, same, ...) \
    {id, \
        {.arch = type, \
            .dim = d, \
            .ffn = f, \
            .layers = n, \
            .heads = h, \
            .kv_heads = kv, \
            .head_dim = hd, \
            .vocab = v, \
            .ctx_train = ctx, \
            .rope_theta = theta, \
            .eps = e, \
            .n_eos = 1, \
            .bos = 1, \
            .eos = {2}, \
            .tied = same, \
            __VA_ARGS__}},
#include "weights/shapes.def"
    {0}};

const rg_shape *rg_shape_find(const char *name)
{
    for (const rg_shape *s = rg_shapes; s->name; s++)
        if (strcmp(s->name, name) == 0) return s;
    return NULL;
}

void rg_shape_sites(rg_config *c)
{
    const rg_arch *a = rg_arch_named(c->arch);
    c->extra = 0;
#define B(site) rg_site_bit(RG_SITE_##site##_BIAS)
#define RG_BIASES(trait, key, sites) \
    if (a->traits & RG_HAS_##trait && (!*key || a->traits & RG_HAS_CLAMPED)) c->extra |= sites;
#include "weights/arch.def"
    rg_arch_apply(c, a);
}

void rg_shape_config(const rg_shape *s, rg_config *c)
{
    *c = s->config;
    snprintf(c->name, sizeof c->name, "%s", s->name ? s->name : "synthetic");
    rg_arch_layers(c, rg_arch_named(c->arch));
    rg_shape_sites(c);
}

static uint64_t mix(uint64_t z) /* splitmix64 */
{
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Normal numbers (Box and Muller); NULL without memory. */
static float *unit_normals(void)
{
    float *unit = malloc(RG_SYNTH_TABLE * sizeof *unit);
    for (int i = 0; unit && i < RG_SYNTH_TABLE; i += 2) {
        const double u = ((double)(mix((uint64_t)i) >> 11) + 1.0) * 0x1p-53,
                     v = (double)(mix((uint64_t)i + 1) >> 11) * 0x1p-53, r = sqrt(-2.0 * log(u));
        unit[i] = (float)(r * cos(6.283185307179586 * v));
        unit[i + 1] = (float)(r * sin(6.283185307179586 * v));
    }
    return unit;
}

/* Normal values by 16-bit index: one multiplication gives four weights. */
typedef struct table {
    float f32[RG_SYNTH_TABLE];
    uint16_t u16[RG_SYNTH_TABLE]; /* the same in the 16-bit type of the file */
} table;

/* model_type: of the linear weights. GGUF's F32 norms are rounded to it, as in a Hugging Face file. */
static void fill_table(table *t, const float *unit, float mean, float std, rg_ftype model_type)
{
    for (int i = 0; i < RG_SYNTH_TABLE; i++) {
        t->f32[i] = mean + std * unit[i];
        t->u16[i] = model_type == RG_FT_BF16 ? rg_f32_to_bf16(t->f32[i]) : rg_f32_to_f16(t->f32[i]);
        if (model_type == RG_FT_BF16) t->f32[i] = rg_bf16_to_f32(t->u16[i]);
        if (model_type == RG_FT_F16) t->f32[i] = rg_f16_to_f32(t->u16[i]);
    }
}

/* Deviations that keep activations near 1: 1/sqrt(k) for k terms; less into the residual stream, so that it
 * does not grow with depth. Gains of norms scatter about 1, whatever files store. */
static void scale_of(const rg_synth_job *j, const rg_file_tensor *t, float *mean, float *std)
{
    const rg_config *c = j->c;
    const bool less_one = j->naming == RG_NAMES_HF && rg_arch_named(c->arch)->traits & RG_HAS_PLUS_ONE;
    *mean = 0.0f;
    *std = (float)(1.0 / sqrt((double)t->cols));
    if (rg_site_is_norm(t->site)) {
        *mean = less_one ? 0.0f : 1.0f;
        *std = 0.05f;
    } else if (t->site == RG_SITE_TOKEN_EMBD) {
        *std = c->tied ? (float)(2.0 / sqrt((double)t->cols)) : 1.0f;
    } else if (rg_site_feeds_stream(t->site)) {
        *std /= sqrtf(2.0f * (float)c->layers);
    }
}

static void row_indices(uint16_t *idx, int64_t n, uint64_t key)
{
    uint64_t s = mix(key) | 1;
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        s = s * 6364136223846793005u + 1442695040888963407u;
        const uint64_t z = s ^ (s >> 29);
        idx[i] = (uint16_t)z;
        idx[i + 1] = (uint16_t)(z >> 16);
        idx[i + 2] = (uint16_t)(z >> 32);
        idx[i + 3] = (uint16_t)(z >> 48);
    }
    for (; i < n; i++) idx[i] = (uint16_t)mix(key + (uint64_t)i);
}

static float largest(const float *x, int n)
{
    float m = 0.0f;
    for (int i = 0; i < n; i++)
        if (fabsf(x[i]) > fabsf(m)) m = x[i];
    return m;
}

/* As GGUF: Q8_0 d = max|x| / 127; Q4_0 d = the value of largest magnitude / -8. */
static void quantise_row(unsigned char *dst, const float *x, int64_t n, rg_ftype type)
{
    for (int64_t b = 0; b < n; b += 32, dst += rg_ftypes[type].bytes) {
        const float m = largest(x + b, 32), d = type == RG_FT_Q8_0 ? fabsf(m) / 127.0f : m / -8.0f,
                    inv = d != 0.0f ? 1.0f / d : 0.0f;
        rg_put_le(dst, rg_f32_to_f16(d), 2);
        for (int i = 0; type == RG_FT_Q8_0 && i < 32; i++)
            dst[2 + i] = (unsigned char)(int8_t)lrintf(x[b + i] * inv);
        for (int i = 0; type == RG_FT_Q4_0 && i < 16; i++) {
            const int lo = (int)(x[b + i] * inv + 8.5f), hi = (int)(x[b + 16 + i] * inv + 8.5f);
            dst[2 + i] = (unsigned char)((lo > 15 ? 15 : lo) | (hi > 15 ? 15 : hi) << 4);
        }
    }
}

/* The least power of two at which the largest value is at most 6, and of each value the nearest of E2M1,
 * in GGUF's
 * block. */
static void mxfp4_row(unsigned char *dst, const float *x, int64_t n)
{
    static const float value[8] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
    for (int64_t b = 0; b < n; b += 32, dst += 17) {
        int e = -20;
        const float m = fabsf(largest(x + b, 32));
        while (e < 20 && ldexpf(6.0f, e) < m) e++;
        memset(dst, 0, 17);
        dst[0] = (unsigned char)(127 + e);
        for (int i = 0; i < 32; i++) {
            const float v = fabsf(ldexpf(x[b + i], -e));
            int q = 0;
            while (q < 7 && v > 0.5f * (value[q] + value[q + 1])) q++;
            dst[1 + i % 16] |= (unsigned char)((q | (x[b + i] < 0.0f ? 8 : 0)) << (i < 16 ? 0 : 4));
        }
    }
}

/* GGUF's blocks of a row, as safetensors keep them apart: exponents, or codes in their order. */
static void unweave(unsigned char *dst, const unsigned char *block, int64_t n, bool scales)
{
    for (int64_t b = 0; b < n / 32; b++, block += 17) {
        if (scales) dst[b] = block[0];
        for (int i = 0; i < 32 && !scales; i += 2) {
            const int shift = i < 16 ? 0 : 4;
            dst[16 * b + i / 2] =
                (unsigned char)((block[1 + i % 16] >> shift & 15) | (block[2 + i % 16] >> shift & 15) << 4);
        }
    }
}

/* planted: the values are in tmp. */
static void make_row(unsigned char *dst, float *tmp, const uint16_t *idx, const table *t, rg_ftype type,
    int64_t n, bool planted)
{
    if (type == RG_FT_F16 || type == RG_FT_BF16) {
        for (int64_t i = 0; i < n; i++)
            rg_put_le(dst + 2 * i,
                !planted                ? t->u16[idx[i]]
                    : type == RG_FT_F16 ? rg_f32_to_f16(tmp[i])
                                        : rg_f32_to_bf16(tmp[i]),
                2);
        return;
    }
    for (int64_t i = 0; i < n && !planted; i++) tmp[i] = t->f32[idx[i]];
    if (type == RG_FT_F32)
        memcpy(dst, tmp, (size_t)n * sizeof *tmp);
    else if (type == RG_FT_MXFP4)
        mxfp4_row(dst, tmp, n);
    else
        quantise_row(dst, tmp, n, type);
}

static uint64_t key_of(const rg_synth_job *j, rg_site site, int layer)
{
    const char *name = rg_site_name(site); /* not its number, which changes with the table of sites */
    return mix(mix(j->seed) + rg_hash64_of(name, strlen(name), 0) + (uint64_t)(layer + 1));
}

/* A tensor of gate's rows, behind each of which one of up follows. */
static bool gates(const rg_file_tensor *t) { return t->woven && t->site == RG_SITE_FFN_GATE_EXPS; }
static rg_site next_of(rg_site site) { return site == RG_SITE_FFN_GATE_EXPS ? RG_SITE_FFN_UP_EXPS : site; }

rg_status rg_synth_rows(rg_synth_job *j, const rg_file_tensor *t, FILE *f, const char *path, rg_err *err)
{
    enum { BLOCK = 1 << 20 };
    const size_t row = (size_t)rg_file_row(t), whole = (size_t)rg_ftype_row_bytes(t->type, t->cols);
    const int64_t per = rg_max(1, BLOCK / (int64_t)row);
    rg_status st = RG_OK;
    float *tmp = malloc((size_t)t->cols * sizeof *tmp);
    table *tab = malloc(sizeof *tab);
    uint16_t *idx = malloc((size_t)t->cols * sizeof *idx);
    unsigned char *buf = malloc((size_t)per * row + whole), *own_row = buf ? buf + (size_t)per * row : NULL;
    if (!tmp || !tab || !idx || !buf) {
        st = rg_no_memory(err, path);
        goto out;
    }
    float mean, std;
    scale_of(j, t, &mean, &std);
    fill_table(tab, j->unit, mean, std, j->type);
    const rg_arch *a = rg_arch_named(j->c->arch);
    const int neighbours =
        j->naming == RG_NAMES_GGUF ? !(a->traits & RG_HAS_HALF_SPLIT) : a->traits & RG_HAS_INTERLEAVED;
    const int64_t hd = neighbours && rg_site_rotated(t->site) ? j->c->head_dim : 0;
    uint64_t key[2]; /* of gate and up, where they stand in turns */
    for (int i = 0; i < 2; i++) key[i] = key_of(j, i && gates(t) ? next_of(t->site) : t->site, t->layer);
    const int64_t rows = rg_max(1, t->experts) * t->rows;
    const bool planted = rg_synth_plants(j, t->site);
    for (int64_t r = 0; r < rows && !st; r += per) {
        const int64_t n = rg_min(per, rows - r);
        for (int64_t i = 0; i < n; i++) {
            const int64_t expert = t->expert + (r + i) / t->rows, own = (r + i) % t->rows;
            const bool turns = t->woven && gates(t);
            const uint64_t k0 = key[turns && own % 2], its = expert ? mix(k0 + (uint64_t)expert) : k0;
            row_indices(idx, t->cols, its + (uint64_t)rg_our_row(turns ? own / 2 : own, hd));
            for (int64_t k = 0; planted && k < t->cols; k++) tmp[k] = tab->f32[idx[k]];
            if (planted) rg_synth_plant(j, t, own, std, tmp);
            unsigned char *to = buf + (size_t)i * row;
            const bool apart = t->woven == RG_WOVEN_BLOCKS || t->woven == RG_WOVEN_SCALES;
            make_row(apart ? own_row : to, tmp, idx, tab, t->type, t->cols, planted);
            if (apart) unweave(to, own_row, t->cols, t->woven == RG_WOVEN_SCALES);
        }
        if (fwrite(buf, row, (size_t)n, f) != (size_t)n)
            st = rg_fail(err, RG_E_FILE, "%s: cannot write (disk full?)", path);
        else if (j->stop && *j->stop)
            st = rg_fail(err, RG_E_INTERRUPTED, "%s: interrupted; nothing was left behind", path);
        j->done += (uint64_t)n * row;
        if (j->progress) j->progress(j->user, "writing weights", (double)j->done / (double)j->total);
    }
out:
    free(tmp);
    free(tab);
    free(idx);
    free(buf);
    return st;
}

const char *rg_synth_piece(char buf[32], int64_t id, int *gguf_type)
{
    static const char *const control[] = {"<unk>", "<s>", "</s>"};
    *gguf_type = id == 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1;
    if (id < 3)
        snprintf(buf, 32, "%s", control[id]);
    else if (id < 259)
        snprintf(buf, 32, "<0x%02X>", (unsigned)(id - 3));
    else if (id == 259)
        snprintf(buf, 32, "\xe2\x96\x81"); /* the word mark */
    else if (id < RG_SYNTH_MIN_VOCAB)
        snprintf(buf, 32, "%c", (char)(' ' + id - 260)); /* its space is never produced by the normaliser */
    else
        snprintf(buf, 32, "\xe2\x96\x81w%lld", (long long)id);
    return buf;
}

static rg_status list_tensors(rg_synth_job *j, rg_err *err)
{
    const rg_config *c = j->c;
    const bool gguf = j->naming == RG_NAMES_GGUF;
    const int traits = rg_arch_named(c->arch)->traits;
    char name[64];
    j->t = calloc((size_t)(c->layers * (RG_SITE_COUNT + 3 * c->experts) + RG_SITE_COUNT), sizeof *j->t);
    if (!j->t) return rg_fail(err, RG_E_NOMEM, "out of memory");
    for (int l = -1; l < c->layers; l++)
        for (int s = 0; s < RG_SITE_COUNT; s++) {
            rg_file_tensor *t = &j->t[j->n];
            const bool matrices = rg_op_of_experts(rg_site_op(s)), clamped = traits & RG_HAS_CLAMPED,
                       woven = clamped && !gguf && rg_site_of_experts(s);
            if (woven && (s == RG_SITE_FFN_UP_EXPS || s == RG_SITE_FFN_UP_EXPS_BIAS))
                continue; /* with gate's */
            if ((rg_site_in_layer(s) != 0) != (l >= 0) || (s == RG_SITE_OUTPUT && c->tied) ||
                !rg_site_has_tensor(c, s) ||
                !(woven || rg_file_name(name, sizeof name, j->naming, traits, s, l)))
                continue;
            *t = (rg_file_tensor){s, l, rg_extent_size(c, rg_site_rows(s)),
                rg_extent_size(c, rg_site_cols(s)), j->type, 0, 0, RG_WOVEN_NOT};
            /* converters keep routers, as norms, in F32 */
            if ((rg_site_rows(s) == RG_EXT_ONE || rg_site_keeps_type(s)) && gguf) t->type = RG_FT_F32;
            if (clamped && matrices) t->type = RG_FT_MXFP4; /* as its makers' files */
            if (t->cols % rg_ftypes[t->type].block != 0)
                return rg_fail(err, RG_E_UNSUPPORTED,
                    "%s: rows of %lld do not divide into blocks of %d: use F16", rg_ftypes[t->type].name,
                    (long long)t->cols, rg_ftypes[t->type].block);
            const bool apart = rg_site_of_experts(s) && !gguf && !woven;
            if (rg_site_of_experts(s) && !apart) t->experts = c->experts;
            if (woven && s == RG_SITE_FFN_GATE_EXPS) t->rows *= 2;
            if (s == RG_SITE_FFN_GATE_EXPS_BIAS && woven) t->cols *= 2;
            const rg_file_tensor like = *t;
            for (int e = 0; e < (apart ? c->experts : woven && matrices ? 2 : 1); e++, j->n++) {
                t = &j->t[j->n];
                *t = like;
                t->expert = apart ? e : 0;
                if (woven) t->woven = !matrices ? RG_WOVEN_BIAS : e ? RG_WOVEN_SCALES : RG_WOVEN_BLOCKS;
                j->total += rg_file_bytes(t);
            }
        }
    return RG_OK;
}

rg_status rg_synth_write(const rg_config *c, rg_ftype type, rg_synth_format format, uint64_t seed,
    const char *path, rg_progress_fn *progress, void *user, const rg_stop_flag *stop, rg_err *err)
{
    return rg_synth_write_planted(c, RG_PLANT_FREE, type, format, seed, path, progress, user, stop, err);
}

rg_status rg_synth_write_planted(const rg_config *c, rg_planted planted, rg_ftype type,
    rg_synth_format format, uint64_t seed, const char *path, rg_progress_fn *progress, void *user,
    const rg_stop_flag *stop, rg_err *err)
{
    const bool gguf = format == RG_SYNTH_GGUF;
    rg_synth_job j = {.c = c,
        .type = type,
        .naming = gguf ? RG_NAMES_GGUF : RG_NAMES_HF,
        .seed = seed,
        .planted = planted,
        .progress = progress,
        .user = user,
        .stop = stop};
    rg_status st = rg_config_check(c, path, err);
    if (st) return st;
    if (!gguf && rg_ftypes[type].block > 1)
        return rg_fail(err, RG_E_UNSUPPORTED, "%s: safetensors hold F32, F16 or BF16, not %s: use GGUF", path,
            rg_ftypes[type].name);
    if (planted && 2 * (1 + c->experts) > c->dim)
        return rg_fail(err, RG_E_UNSUPPORTED, "%s: planted routers need %lld columns, twice 1 + its experts",
            path, (long long)(2 * (1 + c->experts)));
    if (planted && !c->experts)
        return rg_fail(err, RG_E_UNSUPPORTED, "%s: planted routers are of a mixture of experts", path);
    if (gguf && !rg_gguf_arch(c))
        return rg_fail(err, RG_E_UNSUPPORTED, "%s: GGUF has no word for %s models: write safetensors", path,
            rg_arch_named(c->arch)->word[RG_ARCH_NAME]);
    st = list_tensors(&j, err);
    if (!st && !(j.unit = unit_normals())) st = rg_no_memory(err, path);
    if (!st) st = gguf ? rg_synth_gguf(&j, path, err) : rg_synth_safetensors(&j, path, err);
    free(j.t);
    free(j.unit);
    return st;
}
