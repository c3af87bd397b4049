/* The table of architectures, and refusals. */
#include "weights/arch.h"

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

const char *const rg_scaling_names[] = {
#define RG_SCALING(id, name) [RG_ROPE_##id] = name,
#include "weights/arch.def"
};

/* "a, b or c": that word of the architectures that have it. */
static const char *all(char *buf, size_t n, int word)
{
    const char *w[16];
    size_t count = 0, at = 0;
    for (const rg_arch *a = rg_archs; a->word[0]; a++)
        if (a->word[word]) w[count++] = a->word[word];
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(buf + at, n - at, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " or ", w[i]);
    return buf;
}

rg_status rg_arch_of_hf(const rg_arch **a, const char *name, const char *type, const rg_src *src)
{
    char list[256];
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
    for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++)
        if (strncmp(name, lacking[i].begin, strlen(lacking[i].begin)) == 0)
            return rg_lacks(src, "%.60s needs %s, which Ridge does not have; expected a %s model", name,
                lacking[i].lacks, all(list, sizeof list, RG_ARCH_NAME));
    return rg_lacks(src, "architecture %.60s, expected %s", name, all(list, sizeof list, RG_ARCH_HF));
}

rg_status rg_arch_of_gguf(const rg_arch **a, const char *name, size_t len, const rg_src *src)
{
    char list[256];
    for (*a = rg_archs; (*a)->word[0]; (*a)++) {
        const char *w = (*a)->word[RG_ARCH_GGUF];
        if (w && strlen(w) == len && memcmp(w, name, len) == 0) return RG_OK;
    }
    return (len ? rg_lacks : rg_bad)(src, "general.architecture is '%.*s', expected %s",
        (int)(len < 100 ? len : 100), name, all(list, sizeof list, RG_ARCH_GGUF));
}

void rg_arch_layers(rg_config *c, const rg_arch *a)
{
    for (int64_t l = 0; l < c->layers; l++) {
        if (c->window > 0 && a->every && (l + 1) % a->every == 0) rg_layer_set(c->all_seen, l);
        if (a->nope && (l + 1) % a->nope == 0) rg_layer_set(c->unrotated, l);
    }
}

void rg_arch_apply(rg_config *c, const rg_arch *a)
{
    const int t = a->traits;
    if (t & RG_HAS_QK_NORM) c->extra |= rg_site_bit(RG_SITE_ATTN_Q_NORM) | rg_site_bit(RG_SITE_ATTN_K_NORM);
    if (t & RG_HAS_POST_NORM)
        c->extra |= rg_site_bit(RG_SITE_ATTN_POST_NORM) | rg_site_bit(RG_SITE_FFN_POST_NORM);
    if (t & RG_HAS_GELU) c->extra |= rg_site_bit(RG_SITE_FFN_GELU);
    if (t & RG_HAS_ROOT_EMBD) c->embd_scale = sqrt((double)c->dim);
    c->whole_qk_norm = t & RG_HAS_WHOLE_NORM;
    c->no_pre_norm = t & RG_HAS_NO_PRE_NORM;
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
