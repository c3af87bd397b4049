/* What the metadata of a GGUF file say about its model. */
#include "weights/gguf_keys.h"
#include "weights/members.h"

/* YaRN: what the converters write; where they do not give the magnitude it is that of llama.cpp. */
static rg_status read_yarn(const parser *g)
{
    rg_config *f = &g->c->cfg;
    double log_by, given; /* given: the magnitude itself */
    if (!f->rope_orig_ctx) f->rope_orig_ctx = f->ctx_train;
    rg_status st = get_real(g, key(g, "rope.scaling.yarn_attn_factor"), 0.0, &given);
    if (!st) st = get_real(g, key(g, "rope.scaling.yarn_beta_fast"), 32.0, &f->rope_beta_fast);
    if (!st) st = get_real(g, key(g, "rope.scaling.yarn_beta_slow"), 1.0, &f->rope_beta_slow);
    if (!st) st = get_real(g, key(g, "rope.scaling.yarn_log_multiplier"), 0.0, &log_by);
    if (st) return st;
    if (f->rope_orig_ctx < 1 || f->rope_orig_ctx > 1 << 30 || !(log_by >= 0.0 && log_by < 1e6) ||
        !(given >= 0.0 && given < 1e6) ||
        !(f->rope_beta_slow > 0.0 && f->rope_beta_fast > f->rope_beta_slow && f->rope_beta_fast < 1e6))
        return rg_bad(&g->src,
            "rope scaling yarn: original context %lld, betas %g and %g, logarithmic factor %g, factor of "
            "attention "
            "%g: impossible",
            (long long)f->rope_orig_ctx, f->rope_beta_fast, f->rope_beta_slow, log_by, given);
    const double by = log(f->rope_factor);
    f->rope_magnitude *=
        given > 0.0 ? given : (0.1 * by + 1.0) / (log_by > 0.0 ? 0.1 * log_by * by + 1.0 : 1.0);
    return RG_OK;
}

static rg_status read_rope(const parser *g, const rg_arch *a)
{
    rg_config *f = &g->c->cfg;
    int64_t rope;
    rg_status st = get_int(g, key(g, "rope.scaling.finetuned"), 1, &rope);
    if (!st) st = get_int(g, key(g, "rope.scaling.original_context_length"), 0, &f->rope_orig_ctx);
    if (st) return st;
    if (!rope && a->traits & RG_HAS_FACTORS) /* llama.cpp asks this of Granite alone */
        for (int64_t l = 0; l < f->layers; l++) rg_layer_set(f->unrotated, l);
    const str scaling = get_str(g, key(g, "rope.scaling.type"));
    st = get_real(g, key(g, "rope.scale_linear"), 1.0, &f->rope_factor); /* the old key */
    if (!st) st = get_real(g, key(g, "rope.scaling.factor"), f->rope_factor, &f->rope_factor);
    if (st) return st;
    if (is(scaling, "linear") || (scaling.n == 0 && f->rope_factor != 1.0))
        f->rope_scaling = RG_ROPE_LINEAR;
    else if (is(scaling, "yarn"))
        f->rope_scaling = RG_ROPE_YARN;
    /* llama3 and longrope are baked into divisors */
    else if (scaling.n && !is(scaling, "none") && !is(scaling, "llama3") && !is(scaling, "longrope"))
        return rg_lacks(&g->src,
            "rope scaling '%.*s' is not supported; expected none, linear, yarn or longrope", SHOW(scaling));
    if (f->rope_scaling != RG_ROPE_NONE && !(f->rope_factor >= 1.0 && f->rope_factor < 1e6))
        return rg_bad(&g->src, "rope scaling factor %g, expected 1 or more", f->rope_factor);
    if ((st = get_real(g, key(g, "rope.scaling.attn_factor"), 1.0, &f->rope_magnitude))) return st;
    if (!(f->rope_magnitude > 0.0 && f->rope_magnitude < 1e6))
        return rg_bad(&g->src, "metadata %s is %g, expected more than 0", key(g, "rope.scaling.attn_factor"),
            f->rope_magnitude);
    if (f->rope_scaling == RG_ROPE_YARN && (st = read_yarn(g))) return st;
    if (a->traits & RG_HAS_FULL_SCALED) {
        st = get_real(g, key(g, "rope.freq_base_swa"), f->rope_scaling != RG_ROPE_NONE ? f->rope_theta : 0.0,
            &f->rope_local);
        if (st) return st;
    }
    if (!(a->traits & RG_HAS_TEMPERATURE)) return RG_OK;
    st = get_real(g, key(g, "attention.temperature_scale"), 0.0, &f->q_temp);
    if (!f->rope_orig_ctx) f->rope_orig_ctx = f->ctx_train;
    if (!st && !(f->q_temp >= 0.0 && f->q_temp < 1e3 && f->rope_orig_ctx >= 1))
        st = rg_bad(&g->src, "queries grow by %g every %lld positions: impossible", f->q_temp,
            (long long)f->rope_orig_ctx);
    return st;
}

/* Which layers see everything: a pattern of the architecture, a number that takes its place, or one flag a
 * layer. */
static rg_status read_windows(const parser *g, const rg_arch *a)
{
    rg_config *c = &g->c->cfg;
    const kv *k = get(g, key(g, "attention.sliding_window_pattern"));
    int64_t every = a->every;
    if (!a->window || a->traits & RG_HAS_SWITCH) c->window = 0;
    if (c->window == 0) return RG_OK;
    if (c->window < 1 || c->window > RG_MAX_WINDOW)
        return rg_bad(&g->src, "metadata %s is %lld, expected 0 to %d", key(g, "attention.sliding_window"),
            (long long)c->window, RG_MAX_WINDOW);
    if (k && k->type == G_ARR) {
        if (k->elem != G_BOOL || (int64_t)k->count != c->layers)
            return rg_bad(&g->src, "metadata %.*s: expected one flag for each of %lld layers", SHOW(k->key),
                (long long)c->layers);
        for (int64_t l = 0; l < c->layers; l++)
            if (!k->p[l]) rg_layer_set(c->all_seen, l);
        return RG_OK;
    }
    const rg_status st = get_int(g, key(g, "attention.sliding_window_pattern"), every, &every);
    if (st) return st;
    if (every < 0 || (a->every && every < 1))
        return rg_bad(&g->src, "metadata %s is not a positive whole number",
            key(g, "attention.sliding_window_pattern"));
    rg_layer_set_every(c->all_seen, c->layers, every);
    return RG_OK;
}

static rg_status read_factors(const parser *g, const rg_arch *a)
{
    rg_config *c = &g->c->cfg;
    rg_status st;
#define RG_FACTOR(trait, field, hf, gguf, silent, gguf_silent) \
    if (a->traits & RG_HAS_##trait) { \
        if ((st = get_real(g, key(g, gguf), gguf_silent, &c->field))) return st; \
        if (!(isfinite(c->field) && c->field >= 0.0 && c->field < 1e6)) \
            return rg_bad(&g->src, "metadata %s is %g, expected more than 0", key(g, gguf), c->field); \
    }
#include "weights/arch.def"
    if (get(g, key(g, "rope.freq_base_swa")) && a->traits & (RG_HAS_LOCAL | RG_HAS_FULL_SCALED) &&
        !(c->rope_local > 0.0 && c->rope_local < 1e12))
        return rg_bad(
            &g->src, "metadata %s is %g, expected more than 0", key(g, "rope.freq_base_swa"), c->rope_local);
    if (a->big && c->layers == a->big) c->attn_scale = sqrt((double)c->heads / (double)c->dim);
    return RG_OK;
}

/* Whether it says something, and not the one thing it may say (RG_ONLY; NULL: there is none). */
static bool says(const kv *k, const char *only)
{
    int64_t v = 0;
    double d = 0.0;
    if (k->type == G_STR || (k->type == G_ARR && k->elem == G_STR)) return k->count > 0;
    for (uint64_t i = 0; i < k->count; i++) {
        const gtype type = k->type == G_ARR ? k->elem : k->type;
        if (!as_number(k->p + i * (uint64_t)gsize[type], type, &v, &d)) return true;
        const double want = !only ? 0.0 : strcmp(only, "true") == 0 ? 1.0 : strtod(only, NULL);
        if (d != want && !(only && d == 0.0 && type != G_BOOL)) return true;
    }
    return false;
}

/* Every key of the architecture is read, refused by name, or noted: llama.cpp ignores what remains. */
static rg_status check_keys(parser *g, const rg_arch *a)
{
    enum { SHOWN = 8 };
    char list[500] = "", name[64];
    const rg_reader r = {.place = RG_IN_KEYS, .arch = a};
    const size_t n = strlen(g->arch);
    int noted = 0;
    for (uint64_t i = 0; i < g->n_kv; i++) {
        const kv *k = &g->kv[i];
        const char *only, *lacks;
        if (k->key.n <= n + 1 || memcmp(k->key.p, g->arch, n) != 0 || k->key.p[n] != '.') continue;
        rg_text(name, sizeof name, "%.*s", (int)rg_min((int64_t)(k->key.n - n - 1), 63), k->key.p + n + 1);
        const rg_fate fate = rg_member_fate(&r, name, &only, &lacks);
        if (fate == RG_FATE_READ || fate == RG_FATE_IDLE || !says(k, only)) continue;
        if (fate == RG_FATE_REFUSED)
            return rg_lacks(&g->src, "metadata %.*s: %s: not supported", SHOW(k->key), lacks);
        if (noted++ < SHOWN) rg_text_add(list, sizeof list, "%s%s", *list ? ", " : "", RG_CLEAN(64, name));
    }
    if (noted > SHOWN) rg_text_add(list, sizeof list, " and %d more", noted - SHOWN);
    if (noted) rg_note(&g->c->notes, &g->src, "metadata of %s not used, as in llama.cpp: %s", g->arch, list);
    return RG_OK;
}

/* Files of other kinds than models, and models without what general.architecture promises. */
static rg_status check_type(const parser *g)
{
    const str type = get_str(g, "general.type");
    if (!type.n || is(type, "model")) return RG_OK;
    return rg_lacks(&g->src, "general.type is '%.*s', expected model%s", SHOW(type),
        is(type, "adapter")      ? ": a LoRA adapter is merged into its base model first"
            : is(type, "mmproj") ? ": it belongs to a model for images, which is another file"
                                 : "");
}

rg_status rg_gguf_config(parser *g)
{
    rg_config *c = &g->c->cfg;
    rg_status st;
    const str arch = get_str(g, "general.architecture"), name = get_str(g, "general.name");
    const rg_arch *a;
    if ((st = check_type(g)) || (st = rg_arch_of_gguf(&a, arch.p, arch.n, &g->src))) return st;
    g->arch = a->word[RG_ARCH_GGUF];
    int64_t experts = 0;
    if ((st = get_int(g, key(g, "expert_count"), 0, &experts))) return st;
    if (a == rg_archs && experts != 0) a = rg_arch_named("mixtral"); /* a Llama with experts */
    g->c->traits = a->traits;
    snprintf(c->arch, sizeof c->arch, "%s", a == rg_archs || !experts ? g->arch : a->word[RG_ARCH_TYPE]);
    snprintf(c->name, sizeof c->name, "%.*s", SHOW(name));
    const kv *tokens = get(g, "tokenizer.ggml.tokens");
    const int64_t n_tokens = tokens && tokens->type == G_ARR ? (int64_t)tokens->count : -1;
    int64_t n, value_dim, rope_dim;
#define INT(key, silent, v) \
    if ((st = get_int(g, key, silent, v))) return st;
#define REAL(key, silent, v) \
    if ((st = get_real(g, key, silent, v))) return st;
#define ROPE REAL
#define WINDOW(key, silent, v) \
    if (a->window) INT(key, silent, v)
#define MOE(key, silent, v) \
    if (a->traits & RG_HAS_MOE) INT(key, silent, v)
#define OWN MOE
#define SHEXP(key, silent, v) \
    if (a->traits & RG_HAS_SHARED_EXPERT) INT(key, silent, v)
#define RG_FIELD(kind, field, hf, gguf, hf_silent, silent) kind(key(g, gguf), silent, &c->field)
#define RG_FIELD_GGUF(kind, field, gguf, silent) kind(key(g, gguf), silent, &field)
#include "weights/arch.def"
    c->experts = experts;
    c->experts_norm = experts && a->norm;
    if (a->traits & RG_HAS_MOE) c->ffn = 0;
    if ((st = check_keys(g, a))) return st;
    INT("tokenizer.ggml.bos_token_id", -1, &n)
    c->bos = n >= 0 && n < RG_MAX_VOCAB ? (int32_t)n : -1;
    static const char *const ends[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"};
    for (int i = 0; i < 2; i++) {
        INT(ends[i], -1, &n)
        if (n >= 0 && n < RG_MAX_VOCAB) c->eos[c->n_eos++] = (int32_t)n;
    }
    if ((st = rg_config_ranges(c, g->src.name, g->src.err))) return st;
    c->rope_dim = rope_dim == c->head_dim ? 0 : rope_dim;
    if (a->traits & RG_HAS_PARTIAL && (rope_dim < 2 || rope_dim > c->head_dim || rope_dim % 2))
        return rg_bad(&g->src, "metadata %s is %lld, expected pairs of the %lld values of a head",
            key(g, "rope.dimension_count"), (long long)rope_dim, (long long)c->head_dim);
    if (value_dim != c->head_dim || (rope_dim != c->head_dim && !(a->traits & RG_HAS_PARTIAL)))
        return rg_lacks(&g->src, "key, value and RoPE sizes %lld, %lld, %lld differ: not supported",
            (long long)c->head_dim, (long long)value_dim, (long long)rope_dim);
    if ((st = read_rope(g, a)) || (st = read_windows(g, a)) || (st = read_factors(g, a))) return st;
    rg_layer_set_every(c->unrotated, c->layers, a->nope);
    rg_arch_apply(c, a);
    return rg_config_check(c, g->src.name, g->src.err);
}
