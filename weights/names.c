/* What files call tensors, and which sites a name means. */
#include "weights/names.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "weights/arch.h"

/* Tensor names by naming; NULL: no tensor. */
static const char *const names[RG_SITE_COUNT][2] = {
#define RG_SITE(id, name, op, rows, cols, only, input, group, hf, gguf) {hf, gguf},
#include "ops/sites.def"
};
/* Tensors that hold several; see stacked.def. */
static const struct {
    enum rg_naming naming;
    const char *name;
    rg_site site[RG_MAX_STACK];
} stacked[] = {
#define RG_STACKED(naming, name, a, b, c) {RG_NAMES_##naming, name, {RG_SITE_##a, RG_SITE_##b, RG_SITE_##c}},
#include "weights/stacked.def"
};
static const char *const prefixes[] = {[RG_NAMES_HF] = "model.layers.", [RG_NAMES_GGUF] = "blk."};

static const struct {
    int trait;
    rg_site site;
    const char *name[2];
} renamed[] = {
#define RG_NAME(trait, site, hf, gguf) {RG_HAS_##trait, RG_SITE_##site, {hf, gguf}},
#include "weights/arch.def"
};

/* What files of such an architecture call a site's tensor; NULL: it has none. */
static const char *name_of(enum rg_naming naming, int traits, rg_site site)
{
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++)
        if (renamed[i].site == site && traits & renamed[i].trait) return renamed[i].name[naming];
    return names[site][naming];
}

/* The layer in front of a name, which moves behind it; -1: there is none. False: it makes no sense. */
static bool take_layer(enum rg_naming naming, const char **s, size_t *len, int *layer)
{
    const size_t np = strlen(prefixes[naming]);
    size_t i = np;
    int n = 0;
    *layer = -1;
    if (*len <= np || memcmp(*s, prefixes[naming], np) != 0) return true;
    while (i < *len && (*s)[i] >= '0' && (*s)[i] <= '9' && n < 100000) n = n * 10 + ((*s)[i++] - '0');
    if (i == np || i >= *len || (*s)[i] != '.') return false;
    *layer = n;
    *s += i + 1;
    *len -= i + 1;
    return true;
}

/* "experts.7.up_proj" to "experts.up_proj", in buf; -1: it names no expert. */
static int take_expert(const char **s, size_t *len, char *buf, size_t n)
{
    static const char word[] = "experts.";
    const size_t k = sizeof word - 1;
    int e = 0;
    for (size_t i = 0; i + k < *len; i++) {
        size_t at = i + k;
        if (memcmp(*s + i, word, k) != 0 || (i > 0 && (*s)[i - 1] != '.')) continue;
        while (at < *len && (*s)[at] >= '0' && (*s)[at] <= '9' && e < 100000) e = e * 10 + ((*s)[at++] - '0');
        if (at == i + k || at >= *len || (*s)[at] != '.' || *len >= n) return -1;
        *len = (size_t)snprintf(buf, n, "%.*s%.*s", (int)(i + k), *s, (int)(*len - at - 1), *s + at + 1);
        *s = buf;
        return e;
    }
    return -1;
}

static bool is(const char *s, size_t len, const char *want)
{
    return strlen(want) == len && memcmp(want, s, len) == 0;
}

/* What a file's name can mean, and how many such there are; 0: it is none of ours. */
static int parse_name(
    enum rg_naming naming, int traits, const char *s, size_t len, rg_stack can[RG_MAX_MEANINGS], int *layer)
{
    int n = 0;
    char buf[160];
    if (!take_layer(naming, &s, &len, layer)) return 0;
    const int expert = naming == RG_NAMES_HF ? take_expert(&s, &len, buf, sizeof buf) : -1;
    for (int i = 0; i < RG_SITE_COUNT && n < RG_MAX_MEANINGS; i++) {
        const char *want = name_of(naming, traits, (rg_site)i);
        if (want && is(s, len, want) && (rg_site_in_layer((rg_site)i) != 0) == (*layer >= 0))
            can[n++] = (rg_stack){1, {(rg_site)i}, expert};
    }
    for (size_t i = 0; i < sizeof stacked / sizeof *stacked && *layer >= 0 && n < RG_MAX_MEANINGS; i++) {
        const size_t k = strlen(stacked[i].name);
        if (stacked[i].naming != naming || len < k || memcmp(stacked[i].name, s, k) != 0) continue;
        const bool of_experts = rg_op_of_experts(rg_site_op(stacked[i].site[0])),
                   bias = is(s + k, len - k, of_experts ? "_bias" : ".bias");
        if (!bias && !is(s + k, len - k, ".weight") && !(of_experts && len == k)) continue;
        rg_stack *to = &can[n++];
        to->expert = expert;
        for (to->n = 0; to->n < RG_MAX_STACK && stacked[i].site[to->n] != RG_SITE_NONE; to->n++)
            to->site[to->n] = bias ? rg_site_bias(stacked[i].site[to->n]) : stacked[i].site[to->n];
    }
    return n;
}

void rg_stack_shape(const rg_config *c, const rg_stack *s, int64_t *rows, int64_t *cols)
{
    *rows = *cols = 0;
    for (int i = 0; i < s->n; i++) {
        const int64_t r = rg_extent_size(c, rg_site_rows(s->site[i])),
                      k = rg_extent_size(c, rg_site_cols(s->site[i]));
        const bool beside = i > 0 && rg_site_op(s->site[i]) == RG_OP_BIAS;
        *rows = beside ? r : *rows + r;
        *cols = beside ? *cols + k : k;
    }
}

/* Where the text of a wrapped model stands, before and since transformers 4.52, and what it is without its
 * wrapper. */
static const char *const wraps[][2] = {{"language_model.", ""}, {"model.language_model.", "model."}};

/* A name without its wrapper; false: it is too long to be one of ours. */
static bool unwrap(const rg_ckpt *c, enum rg_naming naming, const char *name, size_t len, char *buf, size_t n)
{
    if (len >= n) return false;
    snprintf(buf, n, "%.*s", (int)len, name);
    for (size_t i = 0; naming == RG_NAMES_HF && c->wrapped && i < sizeof wraps / sizeof *wraps; i++) {
        const size_t k = strlen(wraps[i][0]);
        if (len > k && memcmp(name, wraps[i][0], k) == 0) {
            snprintf(buf, n, "%s%.*s", wraps[i][1], (int)(len - k), name + k);
            break;
        }
    }
    return true;
}

/* What a file's name can mean, with or without a wrapper. */
int rg_find_stacks(const rg_ckpt *c, enum rg_naming naming, const char *name, size_t len,
    rg_stack can[RG_MAX_MEANINGS], int *layer)
{
    char buf[160];
    return unwrap(c, naming, name, len, buf, sizeof buf)
        ? parse_name(naming, c->traits, buf, strlen(buf), can, layer)
        : 0;
}

bool rg_ckpt_site(const rg_ckpt *c, enum rg_naming naming, const char *name, size_t len, rg_site *site,
    int64_t *rows, int64_t *cols)
{
    rg_stack can[RG_MAX_MEANINGS];
    int layer;
    if (!rg_find_stacks(c, naming, name, len, can, &layer)) return false;
    *site = can[0].site[0];
    rg_stack_shape(&c->cfg, &can[0], rows, cols);
    return true;
}

bool rg_ckpt_skips(rg_ckpt *c, const char *name)
{
    static const char *const others[] = {"vision_tower.", "vision_model.", "multi_modal_projector."};
    if (!c->wrapped) return false;
    if (strncmp(name, "model.", 6) == 0) name += 6;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strncmp(name, others[i], strlen(others[i])) == 0) {
            c->not_text++;
            return true;
        }
    return false;
}

bool rg_file_name(char *buf, size_t n, enum rg_naming naming, int traits, rg_site site, int layer)
{
    const char *name = name_of(naming, traits, site);
    if (!name) return false;
    if (layer < 0)
        snprintf(buf, n, "%s", name);
    else
        snprintf(buf, n, "%s%d.%s", prefixes[naming], layer, name);
    return true;
}

bool rg_file_tensor_name(char *buf, size_t n, enum rg_naming naming, int traits, const rg_file_tensor *t)
{
    static const char *const tails[] = {NULL, "blocks", "scales", "bias"};
    char all[160];
    if (t->woven) {
        snprintf(buf, n, "%s%d.mlp.experts.%s_%s", prefixes[naming], t->layer,
            rg_site_input(t->site) == RG_SITE_FFN_NORM || t->site == RG_SITE_FFN_GATE_EXPS_BIAS
                ? "gate_up_proj"
                : "down_proj",
            tails[t->woven]);
        return true;
    }
    if (!rg_file_name(buf, n, naming, traits, t->site, t->layer)) return false;
    const char *at = naming == RG_NAMES_HF && !t->experts ? strstr(buf, "experts.") : NULL;
    if (!at || !rg_op_of_experts(rg_site_op(t->site))) return true;
    at += strlen("experts.");
    snprintf(all, sizeof all, "%.*s%d.%s", (int)(at - buf), buf, t->expert, at);
    snprintf(buf, n, "%s", all);
    return true;
}
