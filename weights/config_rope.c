/* What config.json says of RoPE: rope_scaling, or transformers 5's rope_parameters. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "weights/config_rope.h"
#include "weights/members.h"

/* Parts by type of layer: one for all if they are equal, or one of layers that see everything and one of
 * those with a window, where the architecture tells them apart. */
static rg_status find_parts(
    rg_rope_json *r, const json_t *of, const char *name, const rg_arch *a, const rg_src *src)
{
    const json_t *first = NULL, *full = json_object_get(of, "full_attention"),
                 *window = json_object_get(of, "sliding_attention");
    const char *key;
    json_t *v;
    size_t nested = 0, same = 0;
    json_object_foreach ((json_t *)(uintptr_t)of, key, v) {
        if (!json_is_object(v)) continue;
        if (!first) first = v;
        nested++;
        same += json_equal(first, v) != 0;
    }
    r->all = nested ? first : of;
    if (!nested || (same == nested && nested == json_object_size(of))) return RG_OK;
    if (!(a->traits & (RG_HAS_LOCAL | RG_HAS_FULL_SCALED)) || nested != json_object_size(of) || nested != 2 ||
        !json_is_object(full) || !json_is_object(window))
        return rg_lacks(src,
            "%s holds an object per layer type, and they differ: RoPE that differs by layer is not supported",
            name);
    r->all = full;
    r->window = window;
    return RG_OK;
}

rg_status rg_rope_find(
    rg_rope_json *r, const json_t *root, const rg_arch *a, rg_lines *notes, const rg_src *src)
{
    static const char *const names[] = {"rope_scaling", "rope_parameters"};
    const json_t *found[2];
    *r = (rg_rope_json){0};
    for (int i = 0; i < 2; i++) {
        found[i] = json_object_get(root, names[i]);
        if (found[i] && !json_is_null(found[i]) && !json_is_object(found[i]))
            return rg_bad(src, "%s is not an object", names[i]);
    }
    const int at = json_object_size(found[0]) ? 0 : 1;
    const rg_status st = find_parts(r, found[at], names[at], a, src);
    if (!st && at == 0 && json_object_size(found[1]) && !json_equal(found[0], found[1]))
        rg_note(
            notes, src, "rope_scaling stands beside rope_parameters and takes its place, as in transformers");
    return st;
}

/* The word of a scaling; NULL: none. "su" is an old name of longrope. */
static rg_status kind_of(const char **kind, const json_t *s, const rg_src *src)
{
    const json_t *v = json_object_get(s, "rope_type");
    if (!v) v = json_object_get(s, "type");
    *kind = json_string_value(v);
    if (v && !*kind && !json_is_null(v)) return rg_bad(src, "rope_type is not a string");
    if (!*kind && json_object_get(s, "factor"))
        return rg_bad(src, "rope_scaling has a factor but no rope_type: the scaling is unknown");
    if (*kind && strcmp(*kind, "default") == 0) *kind = NULL;
    if (*kind && strcmp(*kind, "su") == 0) *kind = rg_scaling_names[RG_ROPE_LONGROPE];
    return RG_OK;
}

static rg_status read_divisors(float **out, const json_t *s, const char *key, int64_t n, const rg_src *src)
{
    const json_t *list = json_object_get(s, key);
    if (!json_is_array(list) || (int64_t)json_array_size(list) != n)
        return rg_bad(src, "rope_scaling longrope: %s has %zu numbers, expected %lld, one for each pair", key,
            json_array_size(list), (long long)n);
    float *f = *out = malloc((size_t)n * sizeof *f);
    if (!f) return rg_no_memory(src->err, src->name);
    for (int64_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, (size_t)i);
        f[i] = json_is_number(v) ? (float)json_number_value(v) : 0.0f;
        if (!(f[i] > 0.0f && isfinite(f[i])))
            return rg_bad(src, "rope_scaling longrope: %s: number %lld is not positive", key, (long long)i);
    }
    return RG_OK;
}

static rg_status check_turns(const rg_config *c, const rg_src *src)
{
    if (c->rope_orig_ctx < 1 || c->rope_orig_ctx > 1 << 30)
        return rg_bad(src, "rope_scaling: original_max_position_embeddings is %lld, expected 1 to %d",
            (long long)c->rope_orig_ctx, 1 << 30);
    if (c->rope_scaling == RG_ROPE_LLAMA3 &&
        !(c->rope_low_freq > 0.0 && c->rope_high_freq > c->rope_low_freq))
        return rg_bad(src, "rope_scaling llama3: factors %g and %g, original context %lld: impossible",
            c->rope_low_freq, c->rope_high_freq, (long long)c->rope_orig_ctx);
    if (c->rope_scaling == RG_ROPE_YARN &&
        !(c->rope_beta_slow > 0.0 && c->rope_beta_fast > c->rope_beta_slow && c->rope_beta_fast < 1e6))
        return rg_bad(src,
            "rope_scaling yarn: beta_fast %g and beta_slow %g: expected a larger and a smaller positive "
            "number",
            c->rope_beta_fast, c->rope_beta_slow);
    return RG_OK;
}

/* Of a scaling by so much, log: of a base of e. */
static double mscale(double by, double log_of) { return log_of > 1.0 ? 0.1 * by * log(log_of) + 1.0 : 1.0; }

/* What cosines and sines are multiplied by where attention_factor does not say it. */
static rg_status find_magnitude(rg_config *c, const json_t *s, const rg_src *src)
{
    const double a = rg_member_real(s, "mscale", 0.0), b = rg_member_real(s, "mscale_all_dim", 0.0),
                 longer = (double)c->ctx_train / (double)c->rope_orig_ctx;
    const json_t *given = json_object_get(s, "attention_factor");
    if (given && !json_is_null(given)) {
        if (!(c->rope_magnitude > 0.0 && c->rope_magnitude < 1e6))
            return rg_bad(
                src, "rope_scaling: attention_factor is %g, expected more than 0", c->rope_magnitude);
        return RG_OK;
    }
    if (!(a >= 0.0 && a < 1e6 && b >= 0.0 && b < 1e6))
        return rg_bad(src, "rope_scaling yarn: mscale %g and mscale_all_dim %g, expected 0 or more", a, b);
    if (c->rope_scaling == RG_ROPE_YARN)
        c->rope_magnitude = a > 0.0 && b > 0.0 ? mscale(a, c->rope_factor) / mscale(b, c->rope_factor)
                                               : mscale(1.0, c->rope_factor);
    else if (fabs(rg_member_real(s, "factor", longer) - longer) > 1e-6 * longer)
        return rg_bad(src,
            "rope_scaling longrope: factor is %g, but max_position_embeddings over "
            "original_max_position_embeddings is %g: which one is it?",
            rg_member_real(s, "factor", longer), longer);
    else
        c->rope_magnitude = longer > 1.0 && c->rope_orig_ctx > 1
            ? sqrt(1.0 + log(longer) / log((double)c->rope_orig_ctx))
            : 1.0;
    return RG_OK;
}

static rg_status read_scaling(rg_ckpt *ckpt, const json_t *s, const json_t *root, const rg_src *src)
{
    rg_config *c = &ckpt->cfg;
    const char *kind;
    rg_status st = kind_of(&kind, s, src);
    if (st || !kind) return st;
#define RG_SCALING(id, name) \
    if (strcmp(kind, name) == 0) c->rope_scaling = RG_ROPE_##id;
#define RG_SCALING_KEY(scaling, get, field, key, silent) \
    if (c->rope_scaling == RG_ROPE_##scaling) c->field = SCALING_##get(s, key, silent);
#define SCALING_INT rg_member_int
#define SCALING_REAL rg_member_real
#include "weights/arch.def"
    if (c->rope_scaling == RG_ROPE_NONE)
        return rg_lacks(src,
            "rope scaling '%.40s' is not supported; expected none, linear, llama3, yarn or longrope", kind);
    const json_t *exact = json_object_get(s, "truncate");
    if (exact && !json_is_boolean(exact))
        return rg_bad(src, "rope_scaling: truncate is neither true nor false");
    c->rope_exact_ends = json_is_false(exact);
    if (c->rope_scaling == RG_ROPE_LONGROPE) {
        const int64_t pairs = rg_rope_dim(c) / 2;
        c->rope_orig_ctx = rg_member_int(root, "original_max_position_embeddings", c->rope_orig_ctx);
        if ((st = check_turns(c, src)) ||
            (st = read_divisors(&ckpt->rope_freqs, s, "short_factor", pairs, src)))
            return st;
        st = read_divisors(&ckpt->rope_long, s, "long_factor", pairs, src);
        return st ? st : find_magnitude(c, s, src);
    }
    if (c->rope_scaling != RG_ROPE_LINEAR && (st = check_turns(c, src))) return st;
    if (!(c->rope_factor >= 1.0 && c->rope_factor < 1e6))
        return rg_bad(src, "rope scaling factor %g, expected 1 or more", c->rope_factor);
    return c->rope_scaling == RG_ROPE_YARN ? find_magnitude(c, s, src) : RG_OK;
}

/* The base of layers with a window: theirs alone, or the common one without the scaling. */
static rg_status read_local(rg_config *c, const rg_rope_json *r, const rg_arch *a, const rg_src *src)
{
    const char *kind = NULL;
    const rg_status st = r->window ? kind_of(&kind, r->window, src) : RG_OK;
    if (st) return st;
    if (kind)
        return rg_lacks(
            src, "rope_parameters: scaling '%.40s' of layers with a window is not supported", kind);
    if (a->traits & RG_HAS_FULL_SCALED && c->rope_scaling != RG_ROPE_NONE) c->rope_local = c->rope_theta;
    if (r->window) c->rope_local = rg_member_real(r->window, "rope_theta", c->rope_theta);
    if ((a->traits & RG_HAS_LOCAL || c->rope_local != 0.0 || r->window) &&
        !(c->rope_local > 0.0 && c->rope_local < 1e12))
        return rg_bad(src, "RoPE base of layers with a window is %g, expected more than 0", c->rope_local);
    return RG_OK;
}

rg_status rg_rope_read(
    rg_ckpt *ckpt, const rg_rope_json *r, const json_t *root, const rg_arch *a, const rg_src *src)
{
    rg_config *c = &ckpt->cfg;
    if (a->traits & RG_HAS_PARTIAL) {
        const double part = rg_member_real(
            r->all, "partial_rotary_factor", rg_member_real(root, "partial_rotary_factor", 1.0));
        c->rope_dim = part > 0.0 && part <= 1.0 ? (int64_t)((double)c->head_dim * part) : 0;
        if (c->rope_dim < 2 || c->rope_dim % 2)
            return rg_bad(src,
                "partial_rotary_factor is %g: of heads of %lld values that rotates %lld, expected a number "
                "of pairs",
                part, (long long)c->head_dim, (long long)c->rope_dim);
        if (c->rope_dim == c->head_dim) c->rope_dim = 0;
    }
    rg_status st = read_scaling(ckpt, r->all, root, src);
    if (!st) st = read_local(c, r, a, src);
    if (!st && a->traits & (RG_HAS_TEMPERATURE | RG_HAS_CLAMPED) && json_object_size(r->all) == 0)
        return rg_bad(src, "rope_parameters is not there: a %s model has a scaling", a->word[RG_ARCH_NAME]);
    if (!st && a->traits & RG_HAS_TEMPERATURE) {
        c->q_temp = rg_member_real(r->all, "llama_4_scaling_beta", 0.0);
        if (!(c->q_temp >= 0.0 && c->q_temp < 1e3))
            st = rg_bad(src, "llama_4_scaling_beta is %g, expected 0 or more", c->q_temp);
        else if (c->q_temp > 0.0 && c->rope_orig_ctx < 1)
            st = rg_bad(
                src, "llama_4_scaling_beta needs original_max_position_embeddings, which is not there");
    }
    return st;
}
