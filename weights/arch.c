/* The table of architectures, and refusals. */
#include "weights/arch.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const rg_arch rg_archs[] = {
#define RG_ARCH(name, hf, type, gguf, traits, ...) {{name, hf, type, gguf}, traits, __VA_ARGS__},
#include "weights/arch.def"
    {.traits = 0}};

static const struct {
    const char *begin, *lacks;
} lacking[] = {
#define RG_LACKS(begin, lacks) {begin, lacks},
#include "weights/arch.def"
};

static const struct {
    const char *end, *makes;
} headless[] = {
#define RG_HEADLESS(end, makes) {end, makes},
#include "weights/arch.def"
};

static const struct {
    const char *name, *type, *inner;
} wrappers[] = {
#define RG_WRAPPER(name, type, inner) {name, type, inner},
#include "weights/arch.def"
};

const char *const rg_scaling_names[] = {
#define RG_SCALING(id, name) [RG_ROPE_##id] = name,
#include "weights/arch.def"
};

/* It has the word, and none before it does (Mixtral is a llama in GGUF). */
static bool named_first(const rg_arch *a, int word)
{
    const rg_arch *b = rg_archs;
    while (a->word[word] && (!b->word[word] || strcmp(a->word[word], b->word[word]) != 0)) b++;
    return a == b && a->word[word];
}

/* "a, b or c": that word of the architectures that have it. */
static const char *all(char *buf, size_t n, int word)
{
    const rg_arch *last = NULL;
    *buf = '\0';
    for (const rg_arch *a = rg_archs; a->word[0]; a++)
        if (named_first(a, word)) last = a;
    for (const rg_arch *a = rg_archs; a->word[0]; a++)
        if (named_first(a, word))
            rg_text_add(buf, n, "%s%s", !*buf ? "" : a == last ? " or " : ", ", a->word[word]);
    return buf;
}

/* Small letters and digits of a name. */
static const char *plain(char *buf, size_t n, const char *s)
{
    size_t k = 0;
    for (; *s && k + 1 < n; s++)
        if (isalnum((unsigned char)*s)) buf[k++] = (char)tolower((unsigned char)*s);
    buf[k] = '\0';
    return buf;
}

/* What we lack for it; NULL: unknown. */
static const char *lacks(const char *name)
{
    char a[64], b[64];
    plain(a, sizeof a, name);
    for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++) {
        plain(b, sizeof b, lacking[i].begin);
        if (strncmp(a, b, strlen(b)) == 0) return lacking[i].lacks;
    }
    return NULL;
}

/* What a class makes that has no head for text; NULL: text, or it is unknown. */
static const char *other_than_text(const char *name)
{
    const size_t n = strlen(name);
    for (size_t i = 0; i < sizeof headless / sizeof *headless; i++) {
        const size_t k = strlen(headless[i].end);
        if (n >= k && strcmp(name + n - k, headless[i].end) == 0) return headless[i].makes;
    }
    return NULL;
}

bool rg_arch_wraps(const char *name, const char *type, const char *inner)
{
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++)
        if ((name ? strcmp(name, wrappers[i].name) == 0 : type && strcmp(type, wrappers[i].type) == 0) &&
            (!type || strcmp(type, wrappers[i].type) == 0) &&
            (!inner || strcmp(inner, wrappers[i].inner) == 0))
            return true;
    return false;
}

rg_status rg_arch_of_hf(const rg_arch **a, const char *name, const char *type, const rg_src *src)
{
    char list[400];
    for (*a = rg_archs; (*a)->word[0]; (*a)++) {
        const char *const *w = (*a)->word;
        if (name ? strcmp(name, w[RG_ARCH_HF]) != 0 : !type || strcmp(type, w[RG_ARCH_TYPE]) != 0) continue;
        if (!type || strcmp(type, w[RG_ARCH_TYPE]) == 0) return RG_OK;
        return rg_lacks(src,
            "architectures names %.60s, but model_type is %.60s: which one is it? (transformers goes by "
            "model_type)",
            name, type);
    }
    if (!name) name = type ? type : "(none named)";
    const char *makes = other_than_text(name);
    if (makes)
        return rg_lacks(
            src, "%.60s makes %s, no text; expected a class that ends in ForCausalLM", name, makes);
    const char *what = lacks(name);
    if (what)
        return rg_lacks(src, "%.60s needs %s, which Ridge does not have; expected a %s model", name, what,
            all(list, sizeof list, RG_ARCH_NAME));
    return rg_lacks(src, "architecture %.60s, expected %s", name, all(list, sizeof list, RG_ARCH_HF));
}

rg_status rg_arch_of_gguf(const rg_arch **a, const char *name, size_t len, const rg_src *src)
{
    char list[256], word[64];
    for (*a = rg_archs; (*a)->word[0]; (*a)++) {
        const char *w = (*a)->word[RG_ARCH_GGUF];
        if (w && strlen(w) == len && memcmp(w, name, len) == 0) return RG_OK;
    }
    rg_text(word, sizeof word, "%.*s", (int)(len < 60 ? len : 60), name);
    const char *what = lacks(word);
    return (len ? rg_lacks : rg_bad)(src, "general.architecture is '%s'%s%s%s, expected %s", word,
        what ? ", which needs " : "", what ? what : "", what ? ": Ridge does not have it" : "",
        all(list, sizeof list, RG_ARCH_GGUF));
}

void rg_arch_layers(rg_config *c, const rg_arch *a)
{
    if (c->window > 0) rg_layer_set_every(c->all_seen, c->layers, a->every);
    rg_layer_set_every(c->unrotated, c->layers, a->nope);
}

void rg_arch_apply(rg_config *c, const rg_arch *a)
{
    const int t = a->traits;
    if (t & RG_HAS_QK_NORM) c->extra |= rg_site_bit(RG_SITE_ATTN_Q_NORM) | rg_site_bit(RG_SITE_ATTN_K_NORM);
    if (t & RG_HAS_POST_NORM)
        c->extra |= rg_site_bit(RG_SITE_ATTN_POST_NORM) | rg_site_bit(RG_SITE_FFN_POST_NORM);
    if (t & RG_HAS_GELU) c->extra |= rg_site_bit(RG_SITE_FFN_GELU);
    if (t & RG_HAS_CLAMPED) c->extra |= rg_sites_of_clamped();
    if (t & RG_HAS_ROOT_EMBD) c->embd_scale = sqrt((double)c->dim);
    c->whole_qk_norm = t & RG_HAS_WHOLE_NORM;
    c->no_pre_norm = t & RG_HAS_NO_PRE_NORM;
    if (t & RG_HAS_MOE) c->ffn = 0;
    rg_config_factors(c);
}

const rg_arch *rg_arch_named(const char *word)
{
    for (const rg_arch *a = rg_archs; a->word[0]; a++)
        if (strcmp(word, a->word[RG_ARCH_TYPE]) == 0 ||
            (a->word[RG_ARCH_GGUF] && strcmp(word, a->word[RG_ARCH_GGUF]) == 0))
            return a;
    return rg_archs;
}
