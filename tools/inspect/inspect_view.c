/* ridge inspect on a terminal: what it is and whether it fits, then a row per part of the model. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "report/cells.h"
#include "roofline/model/exact.h"
#include "tools/inspect/inspect.h"

typedef enum part { EMBEDDING, ATTENTION, FEED_FORWARD, OUTPUT, SMALL, PARTS } part;

typedef struct sum {
    uint64_t weights, file_bytes, resident_bytes;
    int64_t tensors;
    char type[80], resident[80], rounding[80]; /* each word once */
} sum;

static part part_of(rg_site site)
{
    if (site == RG_SITE_TOKEN_EMBD) return EMBEDDING;
    if (site == RG_SITE_OUTPUT) return OUTPUT;
    if (!rg_site_has_matrix(site)) return SMALL;
    return strncmp(rg_site_name(site), "attn", 4) == 0 ? ATTENTION : FEED_FORWARD;
}

static void add_word(char *list, size_t n, const char *word)
{
    const char *at = strstr(list, word);
    const size_t len = strlen(word);
    while (at && ((at > list && at[-1] != ' ') || (at[len] && at[len] != ','))) at = strstr(at + 1, word);
    if (!at) rg_text_add(list, n, "%s%s", *list ? ", " : "", word);
}

static void add_up(sum all[PARTS], const rg_inspection *x)
{
    rg_inspect_line l;
    for (size_t i = 0; i < rg_ckpt_count(x->ckpt); i++) {
        if (!rg_inspect_take(x, i, &l)) continue;
        sum *p = &all[part_of(l.t->site)];
        p->weights += (uint64_t)(l.count * l.t->rows * l.t->cols);
        p->file_bytes += l.file_bytes;
        p->resident_bytes += l.resident_bytes;
        p->tensors += l.count;
        add_word(p->type, sizeof p->type, l.type);
        add_word(p->resident, sizeof p->resident, l.resident);
        add_word(p->rounding, sizeof p->rounding, l.rounding);
    }
}

/* "2.75 M" */
static const char *amount(char *buf, size_t n, double x)
{
    const int i = x >= 1e9 ? 2 : x >= 1e6;
    const double unit[] = {1e3, 1e6, 1e9};
    return rg_text(buf, n, "%s %c", RG_NUM(x / unit[i]), "KMB"[i]);
}
#define AMOUNT(x) amount((char[40]){0}, 40, (double)(x))

static double bits(uint64_t bytes, uint64_t weights) { return 8.0 * (double)bytes / (double)weights; }

static void part_table(const rg_screen *s, const rg_inspection *x, bool *failed)
{
    const char *const names[] = {x->cfg->tied ? "embedding, output" : "embedding", "attention",
        x->cfg->experts > 0 ? "experts, routers" : "feed-forward", "output matrix", "norms, biases"};
    sum all[PARTS] = {{0}};
    rg_table t = {0};
    add_up(all, x);
    rg_table_head(
        &t, "<part", ">weights", "<file", ">bytes", "<memory", ">bytes", ">bits", "<rounding", NULL);
    for (int i = 0; i < PARTS; i++) {
        const sum *p = &all[i];
        if (p->weights)
            rg_table_line(&t, "sssbsbns", names[i], AMOUNT(p->weights), p->type, (double)p->file_bytes,
                p->resident, (double)p->resident_bytes, bits(p->resident_bytes, p->weights), p->rounding);
    }
    rg_screen_table(s, 2, &t, failed);
}

static void headline(const rg_screen *s, const rg_inspection *x)
{
    const rg_memory_plan *p = &x->plan;
    const char *as = x->cli->dtype ? RG_TEXT(40, " as %s", x->cli->dtype) : "";
    rg_screen_say(s, RG_INK_HEAD, 0,
        "%s: %s weights%s, %s in the file (%s bits each), %s in memory%s (%s bits); with a context of "
        "%" PRId64 " %s in all: %s.",
        RG_CLEAN(100, x->cfg->name), AMOUNT(x->params),
        x->cfg->experts > 0 ? RG_TEXT(64, " (%s active in a token)", AMOUNT(rg_exact_active(x->cfg))) : "",
        RG_BYTES((double)rg_ckpt_file_bytes(x->ckpt)), RG_NUM(bits(x->tensor_bytes, x->params)),
        RG_BYTES((double)x->resident_bytes), as, RG_NUM(bits(x->resident_bytes, x->params)), p->ctx,
        RG_BYTES((double)p->total),
        x->fits != RG_OK   ? "does not fit"
            : p->available ? RG_TEXT(64, "fits into %s", RG_BYTES((double)p->available))
                           : "this system does not say what it has");
}

/* The longest contexts: as the file has the weights, and where it is longest. */
static void headline_of_fit(const rg_screen *s, const rg_inspection *x)
{
    const rg_fit *f = &x->fit;
    const struct rg_fit_row *longest = f->row;
    for (int i = 1; i < f->n; i++)
        if (f->row[i].kv[RG_KV_F16].ctx > longest->kv[RG_KV_F16].ctx) longest = &f->row[i];
    const int64_t now = f->row[0].kv[RG_KV_F16].ctx, most = longest->kv[RG_KV_F16].ctx;
    char text[160] = "";
    if (!f->available) {
        rg_screen_say(
            s, RG_INK_HEAD, 0, "What fits is not known: this system does not say what memory it has.");
        return;
    }
    if (most > now) rg_text(text, sizeof text, "; with %s weights %" PRId64, longest->dtype, most);
    rg_screen_say(s, RG_INK_HEAD, 0,
        "In %s %s has room for a context of %" PRId64 "%s with the weights of its file and an f16 cache%s.",
        RG_BYTES((double)f->available), RG_CLEAN(100, x->cfg->name), now,
        now == x->cfg->ctx_train ? ", all it was trained for," : "", text);
}

rg_status rg_inspect_text(const rg_screen *s, const rg_inspection *x, rg_err *err)
{
    const rg_config *c = x->cfg;
    const rg_memory_plan *p = &x->plan;
    rg_lines beyond = {0};
    bool failed = false;
    char cache[128] = "";
    if (x->cli->fit)
        headline_of_fit(s, x);
    else
        headline(s, x);
    if (x->fits != RG_OK) rg_screen_say(s, RG_INK_BAD, 0, "%s", x->fit_err.msg);
    if (p->ctx > c->ctx_train)
        rg_screen_say(s, RG_INK_WARN, 0, "-c %" PRId64 " is beyond the model's context of %" PRId64 ".",
            p->ctx, c->ctx_train);
    fputc('\n', s->f);
    if (s->wide) {
        fflush(s->f);
        rg_inspect_md(x);
        return RG_OK;
    }
    if (x->cli->fit) {
        rg_fit_text(s, &x->fit, c, &failed);
        rg_screen_say(s, RG_INK_DIM, 2, "what all takes together: --wide; for programs: -o json");
        return rg_written(s->f, "inspect", failed, err);
    }
    part_table(s, x, &failed);
    fputc('\n', s->f);
    rg_screen_say(s, RG_INK_PLAIN, 2,
        "%s, %s: %" PRId64 " layers of %" PRId64 ", %s %" PRId64 "; %" PRId64 " heads of %" PRId64
        " on %" PRId64 " of keys and values; vocabulary %" PRId64 "; context %" PRId64,
        c->arch, rg_ckpt_format(x->ckpt), c->layers, c->dim, c->experts > 0 ? "experts of" : "feed-forward",
        c->experts > 0 ? c->expert_ffn : c->ffn, c->heads, c->head_dim, c->kv_heads, c->vocab, c->ctx_train);
    if (c->rope_scaling != RG_ROPE_NONE || rg_ckpt_rope_freqs(x->ckpt))
        rg_screen_say(s, RG_INK_PLAIN, 2, "RoPE scaling: %s", rg_inspect_rope((char[240]){0}, 240, x));
    rg_inspect_beyond(&beyond, c);
    for (int i = 0; i < beyond.n; i++) rg_screen_say(s, RG_INK_PLAIN, 2, "%s", beyond.s[i]);
    rg_lines_free(&beyond);
    for (int t = 0; t < RG_KV_COUNT; t++)
        if (rg_inspect_kv(c, t))
            rg_text_add(cache, sizeof cache, "%s%s %s", *cache ? ", " : "", rg_kvtypes[t].name,
                RG_BYTES((double)rg_inspect_kv(c, t)));
    rg_screen_say(s, RG_INK_PLAIN, 2, "cache of a token: %s", cache);
    rg_screen_say(s, RG_INK_PLAIN, 2,
        "memory for %" PRId64 " positions: weights %s, cache %s (%s/%s), activations %s, logits %s", p->ctx,
        RG_BYTES((double)p->weights), RG_BYTES((double)p->kv), rg_kvtypes[x->so.kv_k].name,
        rg_kvtypes[x->so.kv_v].name, RG_BYTES((double)p->scratch), RG_BYTES((double)p->logits));
    fputc('\n', s->f);
    rg_screen_say(s, RG_INK_DIM, 2, "every tensor: --wide; what else fits: --fit; for programs: -o json");
    return rg_written(s->f, "inspect", failed, err);
}
