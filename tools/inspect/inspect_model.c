/* ridge inspect: what a model has beyond a plain Llama, as phrases and as members of the JSON. */
#include <inttypes.h>
#include <math.h>

#include "base/text.h"
#include "roofline/model/exact.h"
#include "tools/inspect/inspect.h"

typedef bool layer_test(const rg_config *c, int64_t layer);

static bool slides(const rg_config *c, int64_t layer) { return rg_layer_window(c, layer) > 0; }
static bool rests(const rg_config *c, int64_t layer) { return !rg_layer_rotates(c, layer); }
static bool has(const rg_config *c, rg_site site) { return (c->extra & rg_site_bit(site)) != 0; }

static int64_t count(const rg_config *c, layer_test *is)
{
    int64_t n = 0;
    for (int64_t l = 0; l < c->layers; l++) n += is(c, l);
    return n;
}

/* "all layers", or "5 of 6 layers: 0-4". */
static const char *layers(char *buf, size_t n, const rg_config *c, layer_test *is)
{
    const int64_t all = count(c, is);
    if (all == c->layers) return rg_text(buf, n, "all layers");
    rg_text(buf, n, "%" PRId64 " of %" PRId64 " layers:", all, c->layers);
    for (int64_t l = 0, first = 1; l < c->layers; l++) {
        int64_t to = l;
        if (!is(c, l)) continue;
        while (to + 1 < c->layers && is(c, to + 1)) to++;
        rg_text_add(buf, n, "%s %" PRId64, first ? "" : ",", l);
        if (to > l) rg_text_add(buf, n, "-%" PRId64, to);
        first = 0;
        l = to;
    }
    return buf;
}
#define LAYERS(is) layers((char[1200]){0}, 1200, c, is)

const char *rg_inspect_rope(char *buf, size_t n, const rg_inspection *x)
{
    const rg_config *c = x->cfg;
    const char *divisors = rg_ckpt_rope_freqs(x->ckpt) ? ", divisors in the file" : "";
    switch (c->rope_scaling) {
    case RG_ROPE_NONE:
        rg_text(buf, n, "none%s", divisors);
        break;
    case RG_ROPE_LINEAR:
        rg_text(buf, n, "linear, factor %g%s", c->rope_factor, divisors);
        break;
    case RG_ROPE_LLAMA3:
        rg_text(buf, n, "llama3, factor %g, frequencies %g to %g, original context %" PRId64 "%s",
            c->rope_factor, c->rope_low_freq, c->rope_high_freq, c->rope_orig_ctx, divisors);
        break;
    case RG_ROPE_YARN:
        rg_text(buf, n, "yarn, factor %g, from %g to %g turns in the original context %" PRId64 "%s%s",
            c->rope_factor, c->rope_beta_fast, c->rope_beta_slow, c->rope_orig_ctx,
            c->rope_exact_ends ? ", ends not rounded" : "", divisors);
        break;
    case RG_ROPE_LONGROPE:
        rg_text(buf, n, "longrope, divisors in the file for contexts up to %" PRId64 " and for longer ones",
            c->rope_orig_ctx);
        break;
    }
    if (c->rope_magnitude > 0.0 && c->rope_magnitude != 1.0)
        rg_text_add(buf, n, ", cosines and sines times %.6g", c->rope_magnitude);
    return buf;
}

static void norms(rg_lines *out, const rg_config *c)
{
    if (has(c, RG_SITE_ATTN_Q_NORM))
        rg_lines_add(out, "norms of q and k: %s", c->whole_qk_norm ? "over all heads" : "head by head");
    if (has(c, RG_SITE_ATTN_POST_NORM))
        rg_lines_add(
            out, "norms behind attention and feed-forward%s", c->no_pre_norm ? ", none in front" : "");
}

void rg_inspect_beyond(rg_lines *out, const rg_config *c)
{
    if (c->experts > 0)
        rg_lines_add(out,
            "mixture of experts: %" PRId64 " in each layer, %" PRId64 " wide; a token goes to %" PRId64 "%s",
            c->experts, c->expert_ffn, c->experts_used, c->experts_norm ? ", whose weights add up to 1" : "");
    if (c->shared_ffn > 0)
        rg_lines_add(out, "a network of %" PRId64 " beside them that every token meets", c->shared_ffn);
    if (count(c, slides))
        rg_lines_add(out, "window of %" PRId64 " positions in %s", c->window, LAYERS(slides));
    if (count(c, rests)) rg_lines_add(out, "no RoPE in %s", LAYERS(rests));
    if (rg_rope_dim(c) != c->head_dim)
        rg_lines_add(out, "RoPE on %" PRId64 " of %" PRId64 " values of a head", rg_rope_dim(c), c->head_dim);
    if (c->rope_local > 0.0 && count(c, slides))
        rg_lines_add(out, "RoPE of layers with the window: base %g, not scaled", c->rope_local);
    if (c->q_temp > 0.0)
        rg_lines_add(out, "queries times 1 + %g ln(1 + position / %" PRId64 ", rounded down)", c->q_temp,
            c->rope_orig_ctx);
    norms(out, c);
    if (has(c, RG_SITE_FFN_GELU)) rg_lines_add(out, "activation: GELU (tanh)");
    if (has(c, RG_SITE_FFN_CLAMP_EXPS))
        rg_lines_add(out, "activation: SwiGLU, clamped to 7; biases of experts");
    if (has(c, RG_SITE_ATTN_SINKS)) rg_lines_add(out, "a sink for each head of attention");
    if (c->attn_cap > 0.0) rg_lines_add(out, "scores capped at %g", c->attn_cap);
    if (c->logit_cap > 0.0) rg_lines_add(out, "logits capped at %g", c->logit_cap);
    if (c->embd_scale != 0.0) rg_lines_add(out, "embedding times %.6g", c->embd_scale);
    const double usual = 1.0 / sqrt((double)c->head_dim);
    if (c->attn_scale != 0.0 && fabs(c->attn_scale - usual) > 1e-6 * usual)
        rg_lines_add(out, "scores times %.6g instead of %.6g", c->attn_scale, usual);
    if (c->resid_scale != 0.0) rg_lines_add(out, "what blocks add times %.6g", c->resid_scale);
    if (c->logit_scale != 0.0) rg_lines_add(out, "logits over %.6g", c->logit_scale);
}

static json_t *list_of(const rg_config *c, layer_test *is)
{
    json_t *list = json_array();
    for (int64_t l = 0; l < c->layers; l++)
        if (is(c, l)) json_array_append_new(list, json_integer(l));
    return list;
}

/* null where the model has none of it. */
static json_t *real(double v) { return v != 0.0 ? json_real(v) : json_null(); }
static json_t *whole(bool there, int64_t v) { return there ? json_integer(v) : json_null(); }

void rg_inspect_beyond_json(json_t *o, const rg_config *c)
{
    static const char *const scaling[] = {[RG_ROPE_NONE] = "none",
        [RG_ROPE_LINEAR] = "linear",
        [RG_ROPE_LLAMA3] = "llama3",
        [RG_ROPE_YARN] = "yarn",
        [RG_ROPE_LONGROPE] = "longrope"};
    const bool yarn = c->rope_scaling == RG_ROPE_YARN, llama3 = c->rope_scaling == RG_ROPE_LLAMA3,
               window = count(c, slides) > 0;
    const struct {
        const char *key;
        json_t *v;
    } all[] = {{"rope_scaling", json_string(scaling[c->rope_scaling])},
        {"rope_factor", real(c->rope_scaling == RG_ROPE_LONGROPE ? 0.0 : c->rope_factor)},
        {"rope_low_freq_factor", real(llama3 ? c->rope_low_freq : 0.0)},
        {"rope_high_freq_factor", real(llama3 ? c->rope_high_freq : 0.0)},
        {"rope_beta_fast", real(yarn ? c->rope_beta_fast : 0.0)},
        {"rope_beta_slow", real(yarn ? c->rope_beta_slow : 0.0)},
        {"rope_original_ctx", whole(c->rope_orig_ctx > 0, c->rope_orig_ctx)},
        {"rope_magnitude", json_real(c->rope_magnitude > 0.0 ? c->rope_magnitude : 1.0)},
        {"rope_dim", json_integer(rg_rope_dim(c))}, {"rope_theta_window", real(window ? c->rope_local : 0.0)},
        {"window", whole(window, c->window)}, {"window_layers", list_of(c, slides)},
        {"unrotated_layers", list_of(c, rests)}, {"query_temperature", real(c->q_temp)},
        {"qk_norm",
            !has(c, RG_SITE_ATTN_Q_NORM) ? json_null()
                                         : json_string(c->whole_qk_norm ? "all heads" : "head")},
        {"experts", whole(c->experts > 0, c->experts)},
        {"experts_used", whole(c->experts > 0, c->experts_used)},
        {"expert_ffn", whole(c->experts > 0, c->expert_ffn)},
        {"shared_ffn", whole(c->shared_ffn > 0, c->shared_ffn)},
        {"active_params", whole(c->experts > 0, (int64_t)rg_exact_active(c))},
        {"norm_before", json_boolean(!c->no_pre_norm)},
        {"norm_behind", json_boolean(has(c, RG_SITE_ATTN_POST_NORM))},
        {"activation",
            json_string(has(c, RG_SITE_FFN_GELU)     ? "gelu_tanh"
                    : has(c, RG_SITE_FFN_CLAMP_EXPS) ? "swiglu_clamped"
                                                     : "silu")},
        {"attention_cap", real(c->attn_cap)}, {"logit_cap", real(c->logit_cap)},
        {"embedding_scale", real(c->embd_scale)}, {"attention_scale", real(c->attn_scale)},
        {"residual_scale", real(c->resid_scale)}, {"logit_divisor", real(c->logit_scale)}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) json_object_set_new(o, all[i].key, all[i].v);
}
