/* Opens checkpoints, and binds and proves their tensors. */
#include "weights/ckpt.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/foreign.h"
#include "base/grow.h"
#include "base/text.h"
#include "base/utf8.h"
#include "weights/arch.h"
#include "weights/names.h"

int rg_by_begin(const void *a, const void *b)
{
    const rg_byte_range *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

void rg_note(rg_lines *notes, const rg_src *src, const char *fmt, ...)
{
    char text[RG_ERR_MAX], line[2 * RG_ERR_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(line, sizeof line, "%s: %s", src->name, text);
    const char *clean = RG_CLEAN(2 * RG_ERR_MAX, line);
    for (int i = 0; i < notes->n; i++)
        if (strcmp(notes->s[i], clean) == 0) return;
    rg_lines_add(notes, "%s", clean);
}

rg_status rg_ckpt_map(rg_ckpt *c, const char *path, const rg_mapfile **out, rg_err *err)
{
    rg_mapfile *f = realloc(c->file, (size_t)(c->n_files + 1) * sizeof *f);
    if (!f) return rg_no_memory(err, path);
    c->file = f;
    const rg_status st = rg_mapfile_open(&c->file[c->n_files], path, err);
    if (st) return st;
    c->file_bytes += c->file[c->n_files].size;
    if (out) *out = &c->file[c->n_files];
    c->n_files++;
    return RG_OK;
}

static bool ends_with(const rg_raw_tensor *r, const char *tail)
{
    const size_t n = strlen(tail);
    return r->name_len >= n && memcmp(r->name + r->name_len - n, tail, n) == 0;
}

/* How engines that quantise keys and values call what they multiply them by. */
static const char *const kv_scales[] = {".self_attn.k_scale", ".self_attn.v_scale", ".self_attn.q_scale",
    ".self_attn.attn.k_scale", ".self_attn.attn.v_scale", ".self_attn.k_proj.k_scale",
    ".self_attn.v_proj.v_scale", ".self_attn.k_proj.output_scale", ".self_attn.v_proj.output_scale"};

/* It holds what every expert has. */
static bool is_of_all(const rg_stack *s) { return rg_site_of_experts(s->site[0]) && s->expert < 0; }
/* Rows of its sites stand in turns; matrices have columns for rows, if they are no codes. */
static bool is_woven(const rg_ckpt *c, enum rg_naming naming, const rg_stack *s)
{
    return naming == RG_NAMES_HF && c->traits & RG_HAS_CLAMPED && is_of_all(s);
}
static bool is_across(const rg_ckpt *c, enum rg_naming naming, const rg_stack *s, const rg_raw_tensor *r)
{
    return is_woven(c, naming, s) && rg_site_has_matrix(s->site[0]) && !r->grid;
}

/* The meaning that has the tensor's shape. */
static rg_status choose(const rg_ckpt *c, enum rg_naming naming, const rg_stack *can, int n,
    const rg_raw_tensor *r, const rg_stack **out, const rg_src *src)
{
    const int nl = (int)(r->name_len < 128 ? r->name_len : 128);
    const bool biases = is_of_all(can) && rg_site_op(can->site[0]) == RG_OP_BIAS,
               across = is_across(c, naming, can, r);
    const int64_t d0 = r->rank >= 2 && !biases ? (int64_t)r->dim[r->rank - 2] : 1,
                  d1 = (int64_t)r->dim[r->rank - 1], rows = across ? d1 : d0, cols = across ? d0 : d1,
                  matrices = is_of_all(can) ? (int64_t)r->dim[0] : 1;
    char list[128] = "";
    for (int i = 0; i < n; i++) {
        int64_t want_rows, want_cols;
        rg_stack_shape(&c->cfg, &can[i], &want_rows, &want_cols);
        *out = &can[i];
        if (rows == want_rows && cols == want_cols) {
            if (r->grid ||
                (cols % rg_ftypes[r->type].block == 0 &&
                    r->bytes == (uint64_t)(matrices * rows * rg_ftype_row_bytes(r->type, cols))))
                return RG_OK;
            return rg_bad(src, "tensor %.*s: %llu bytes do not hold %s[%lld, %lld] of %s", nl, r->name,
                (unsigned long long)r->bytes, is_of_all(can) ? "experts of " : "", (long long)rows,
                (long long)cols, rg_ftypes[r->type].name);
        }
        rg_text_add(
            list, sizeof list, "%s[%lld, %lld]", i ? " or " : "", (long long)want_rows, (long long)want_cols);
    }
    return rg_bad(src, "tensor %.*s: shape [%lld, %lld], expected %s from the configuration", nl, r->name,
        (long long)rows, (long long)cols, list);
}

/* The first n of `of` rows, in bytes. */
static uint64_t share(uint64_t bytes, int64_t n, int64_t of)
{
    const uint64_t k = (uint64_t)n, all = (uint64_t)of; /* both below 2^24 */
    return bytes / all * k + bytes % all * k / all;
}

/* A site's own rows of a file's tensor (of a bias: elements): from `begin` on every so many-th. *first:
 * rows before
 * them in all; moves behind them. across: rows of a matrix that has columns for rows; 0: it has not. */
static rg_status add_rows(rg_ckpt *c, enum rg_naming naming, const rg_raw_tensor *r, rg_site site, int layer,
    int expert, int64_t *first, int64_t begin, int64_t step, int64_t across, const rg_src *src)
{
    const bool bias = rg_site_op(site) == RG_OP_BIAS;
    const int64_t
        rows = rg_extent_size(&c->cfg, rg_site_rows(site)),
        cols = rg_extent_size(&c->cfg, rg_site_cols(site)), at = *first, n = bias ? cols : rows,
        row = bias ? rg_ftypes[r->type].bytes : rg_ftype_row_bytes(r->type, cols),
        /* a matrix of `across` rows that lies the other way begins as far in as the rows before it */
        offset = across ? (begin / across * across * cols + begin % across) * rg_ftypes[r->type].bytes
                        : begin * row;
    if (!rg_grow(&c->t, &c->cap, c->n + 1, sizeof *c->t)) return rg_no_memory(src->err, src->name);
    char *name = strndup(r->name, r->name_len);
    rg_grid *g = r->grid ? rg_grid_part(r->grid, begin, n) : NULL;
    if (!name || (r->grid && !g)) {
        free(name);
        rg_grid_free(g);
        return rg_no_memory(src->err, src->name);
    }
    if (g) g->step = step;
    if (g && rg_site_order(site) == RG_SITE_NONE) rg_grid_forget_order(g);
    rg_ckpt_tensor *t = &c->t[c->n++];
    *t = (rg_ckpt_tensor){.site = site,
        .layer = layer,
        .expert = expert,
        .file_name = name,
        .type = r->type,
        .rows = rows,
        .cols = cols,
        .data = g ? r->data : (const char *)r->data + offset,
        .step = step,
        .across = across,
        .bytes = g ? share(r->bytes, at + n, g->out) - share(r->bytes, at, g->out) : (uint64_t)(n * row),
        .grid = g};
    const int neighbours =
        naming == RG_NAMES_GGUF ? !(c->traits & RG_HAS_HALF_SPLIT) : c->traits & RG_HAS_INTERLEAVED;
    if (neighbours && rg_site_rotated(site)) t->interleaved = c->cfg.head_dim;
    if (naming == RG_NAMES_HF && c->traits & RG_HAS_PLUS_ONE && rg_site_is_norm(site)) t->plus = 1.0f;
    if (g && g->order) c->cfg.extra |= rg_site_bit(rg_site_order(site));
    /* GGUF has no keys for what only some models have */
    if (naming == RG_NAMES_GGUF && rg_site_only(site) == RG_ONLY_TENSOR) c->cfg.extra |= rg_site_bit(site);
    *first = at + n;
    return RG_OK;
}

rg_status rg_ckpt_add(rg_ckpt *c, enum rg_naming naming, const rg_raw_tensor *r, rg_err *err)
{
    const rg_src src = {c->path, err};
    rg_stack can[RG_MAX_MEANINGS];
    const rg_stack *s = can;
    int layer;
    const int nl = (int)(r->name_len < 128 ? r->name_len : 128);
    if (ends_with(r, "rotary_emb.inv_freq")) return RG_OK; /* old exports store what rope_theta says */
    for (size_t i = 0; naming == RG_NAMES_HF && i < sizeof kv_scales / sizeof *kv_scales; i++)
        if (ends_with(r, kv_scales[i])) {
            rg_note(&c->notes, &src,
                "scales of a quantised KV cache (%s) are not used: the cache is what -ctk and -ctv say",
                kv_scales[i] + 1);
            return RG_OK;
        }
    int meanings = rg_find_stacks(c, naming, r->name, r->name_len, can, &layer);
    for (int i = meanings; i-- > 0;) /* of sites that the model has */
        if (rg_site_only(can[i].site[0]) != RG_ONLY_TENSOR && !rg_site_exists(&c->cfg, can[i].site[0]))
            can[i] = can[--meanings];
    if (!meanings)
        return rg_lacks(&src, "tensor %.*s is not part of a %s model", nl, r->name,
            rg_arch_named(c->cfg.arch)->word[RG_ARCH_NAME]);
    if (layer >= c->cfg.layers)
        return rg_bad(&src, "tensor %.*s: layer %d, but the configuration says %lld layers", nl, r->name,
            layer, (long long)c->cfg.layers);
    /* of experts a tensor is one's, by its name, or all of them */
    const bool all = is_of_all(can), bias = rg_site_op(can[0].site[0]) == RG_OP_BIAS;
    if (all ? r->rank != (bias ? 2 : 3) : r->rank < 1 || r->rank > 2)
        return rg_bad(&src, "tensor %.*s: %d dimensions, expected %s%s", nl, r->name, r->rank,
            !all       ? "1 or 2"
                : bias ? "2"
                       : "3",
            all ? ", of which the first is the expert" : "");
    if (all && r->dim[0] != (uint64_t)c->cfg.experts)
        return rg_bad(&src, "tensor %.*s: of %llu experts, but the configuration says %lld", nl, r->name,
            (unsigned long long)r->dim[0], (long long)c->cfg.experts);
    if (can[0].expert >= rg_site_matrices(&c->cfg, can[0].site[0]))
        return rg_bad(&src, "tensor %.*s: expert %d, but the configuration says %lld experts", nl, r->name,
            can[0].expert, (long long)c->cfg.experts);
    if ((bias || is_across(c, naming, can, r)) && !r->grid && rg_ftypes[r->type].block != 1)
        return rg_lacks(&src, "tensor %.*s: a bias of type %s, expected F32, F16 or BF16", nl, r->name,
            rg_ftypes[r->type].name);
    rg_status st = choose(c, naming, can, meanings, r, &s, &src);
    int64_t first = 0;
    const int one = s->expert < 0 ? 0 : s->expert;
    for (int e = all ? 0 : one; e < (all ? (int)c->cfg.experts : one + 1); e++)
        for (int64_t i = 0, before = first; i < s->n && !st; i++) {
            const bool woven = is_woven(c, naming, s);
            const int64_t across = is_across(c, naming, s, r) ? (int64_t)r->dim[2] : 0;
            st = add_rows(c, naming, r, s->site[i], layer, e, &first, woven ? before + i : first,
                woven ? s->n : 1, across, &src);
        }
    return st;
}

rg_status rg_config_ranges(const rg_config *c, const char *path, rg_err *err)
{
    const rg_src src = {path, err};
    const bool moe = rg_arch_named(c->arch)->traits & RG_HAS_MOE;
    const struct {
        const char *name;
        int64_t v, lo, hi;
    } ranges[] = {{"hidden size", c->dim, 1, 1 << 20}, {"intermediate size", c->ffn, !moe, moe ? 0 : 1 << 20},
        {"number of experts", c->experts, moe, moe ? RG_MAX_EXPERTS : 0},
        {"number of experts of a token", c->experts_used, moe, c->experts},
        {"intermediate size of an expert", c->expert_ffn, moe, moe ? 1 << 20 : 0},
        {"intermediate size of the shared expert", c->shared_ffn, 0, moe ? 1 << 20 : 0},
        {"layers", c->layers, 1, RG_MAX_LAYERS}, {"heads", c->heads, 1, 4096},
        {"KV heads", c->kv_heads, 1, 4096}, {"head size", c->head_dim, 2, 1024},
        {"vocabulary", c->vocab, 1, RG_MAX_VOCAB}, {"context", c->ctx_train, 1, 1 << 30}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (ranges[i].v < ranges[i].lo || ranges[i].v > ranges[i].hi)
            return rg_bad(&src, "%s is %lld, expected %lld to %lld", ranges[i].name, (long long)ranges[i].v,
                (long long)ranges[i].lo, (long long)ranges[i].hi);
    if (c->heads % c->kv_heads != 0)
        return rg_bad(
            &src, "%lld KV heads do not divide %lld heads", (long long)c->kv_heads, (long long)c->heads);
    if (c->head_dim % 2 != 0)
        return rg_bad(&src, "head size %lld is odd, RoPE needs pairs", (long long)c->head_dim);
    return RG_OK;
}

rg_status rg_config_check(const rg_config *c, const char *path, rg_err *err)
{
    const rg_src src = {path, err};
    const rg_status st = rg_config_ranges(c, path, err);
    if (st) return st;
    if (c->rope_dim < 0 || c->rope_dim > c->head_dim || c->rope_dim % 2 != 0)
        return rg_bad(&src, "RoPE turns %lld values of heads of %lld, expected pairs of them",
            (long long)c->rope_dim, (long long)c->head_dim);
    if (c->q_temp > 0.0 && rg_rope_dim(c) != c->head_dim)
        return rg_lacks(
            &src, "queries that grow with the position, and RoPE on a part of a head: not supported");
    if (c->window < 0 || c->window > RG_MAX_WINDOW)
        return rg_bad(&src, "sliding window is %lld, expected 0 to %d", (long long)c->window, RG_MAX_WINDOW);
    if (!(c->eps > 0.0 && c->eps < 1.0))
        return rg_bad(&src, "RMSNorm epsilon is %g, expected between 0 and 1", c->eps);
    if (!(c->rope_theta > 0.0 && c->rope_theta < 1e12))
        return rg_bad(&src, "RoPE base is %g, expected more than 0", c->rope_theta);
    return RG_OK;
}

void rg_config_factors(rg_config *c)
{
    if (c->embd_scale == 1.0) c->embd_scale = 0.0;
    if (c->resid_scale == 1.0) c->resid_scale = 0.0;
    if (c->logit_scale == 1.0) c->logit_scale = 0.0;
    if (c->embd_scale != 0.0) c->extra |= rg_site_bit(RG_SITE_TOKEN_SCALE);
    if (c->resid_scale != 0.0)
        c->extra |= rg_site_bit(RG_SITE_ATTN_OUT_SCALE) | rg_site_bit(RG_SITE_FFN_OUT_SCALE);
    if (c->logit_scale != 0.0) c->extra |= rg_site_bit(RG_SITE_OUTPUT_SCALE);
    if (c->logit_cap != 0.0) c->extra |= rg_site_bit(RG_SITE_OUTPUT_CAP);
}

static int by_place(const void *a, const void *b)
{
    const rg_ckpt_tensor *x = a, *y = b;
    if (x->layer != y->layer && rg_site_in_layer(x->site) && rg_site_in_layer(y->site))
        return x->layer < y->layer ? -1 : 1;
    const int d = (x->site > y->site) - (x->site < y->site);
    return d ? d : (x->expert > y->expert) - (x->expert < y->expert);
}

static void drop_tensor(rg_ckpt *c, size_t i)
{
    free((char *)(uintptr_t)c->t[i].file_name);
    rg_grid_free((rg_grid *)(uintptr_t)c->t[i].grid);
    c->t[i] = c->t[--c->n];
}

/* Some exporters store biases that the configuration denies; only zeros may be ignored. */
static rg_status drop_zeros(rg_ckpt *c, const rg_src *src)
{
    for (size_t i = c->n; i-- > 0;) {
        const rg_ckpt_tensor *t = &c->t[i];
        if (rg_site_only(t->site) != RG_ONLY_TENSOR || (c->cfg.extra & rg_site_bit(t->site))) continue;
        for (uint64_t b = 0; b < t->bytes; b++)
            if (((const unsigned char *)t->data)[b])
                return rg_bad(src, "tensor %.100s holds a %s, but the configuration says that there is none",
                    t->file_name, rg_op_name(rg_site_op(t->site)));
        drop_tensor(c, i);
    }
    return RG_OK;
}

static rg_ckpt_tensor *find(const rg_ckpt *c, rg_site site)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->t[i].site == site) return &c->t[i];
    return NULL;
}

/* The same numbers, whatever their types; a and b have one shape. */
static rg_status same_values(bool *same, const rg_ckpt_tensor *a, const rg_ckpt_tensor *b, const rg_src *src)
{
    *same = true;
    if (a->type == b->type && !a->grid && !b->grid) {
        *same = memcmp(a->data, b->data, a->bytes) == 0;
        return RG_OK;
    }
    float *x = malloc(2 * (size_t)a->cols * sizeof *x), *y = x + a->cols;
    if (!x) return rg_no_memory(src->err, src->name);
    for (int64_t r = 0; r < a->rows && *same; r++) {
        rg_ckpt_row_f32(a, r, x);
        rg_ckpt_row_f32(b, r, y);
        *same = memcmp(x, y, (size_t)a->cols * sizeof *x) == 0;
    }
    free(x);
    return RG_OK;
}

/* Both matrices of a tied model: transformers 5 does not tie those that differ. */
static rg_status tie(rg_ckpt *c, const rg_src *src)
{
    const rg_ckpt_tensor *e = find(c, RG_SITE_TOKEN_EMBD), *o = find(c, RG_SITE_OUTPUT);
    bool same;
    if (!c->cfg.tied || !e || !o) return RG_OK;
    const rg_status st = same_values(&same, e, o, src);
    if (st) return st;
    rg_ckpt_release(c, e);
    rg_ckpt_release(c, o);
    if (same) {
        drop_tensor(c, (size_t)(o - c->t));
        qsort(c->t, c->n, sizeof *c->t, by_place);
        return RG_OK;
    }
    c->cfg.tied = false;
    rg_note(&c->notes, src,
        "tie_word_embeddings is true, but %s and %s differ: not tied, as in transformers 5", e->file_name,
        o->file_name);
    return RG_OK;
}

static rg_status twice(const rg_ckpt_tensor *a, const rg_ckpt_tensor *b, const rg_src *src)
{
    char name[64];
    if (strcmp(a->file_name, b->file_name) == 0)
        return rg_bad(src, "tensor %.100s is there twice", a->file_name);
    return rg_bad(src, "tensor %s is there twice: in %.100s and in %.100s",
        rg_tensor_name(name, sizeof name, a->site, a->layer), a->file_name, b->file_name);
}

rg_status rg_ckpt_prove(rg_ckpt *c, rg_err *err)
{
    char name[64];
    const rg_src *src = &(rg_src){c->path, err};
    rg_status st = drop_zeros(c, src);
    if (st) return st;
    if (c->n == 0) return rg_bad(src, "no tensors of a model are in it");
    qsort(c->t, c->n, sizeof *c->t, by_place);
    for (size_t i = 1; i < c->n; i++)
        if (by_place(&c->t[i - 1], &c->t[i]) == 0) return twice(&c->t[i - 1], &c->t[i], src);
    if (c->wrapped && !find(c, RG_SITE_OUTPUT)) c->cfg.tied = true; /* the wrapper's default */
    rg_ckpt_tensor *output = c->cfg.tied ? find(c, RG_SITE_OUTPUT) : NULL;
    /* a tied model may store its matrix under either name */
    if (output && !find(c, RG_SITE_TOKEN_EMBD)) output->site = RG_SITE_TOKEN_EMBD;
    qsort(c->t, c->n, sizeof *c->t, by_place);
    if ((st = tie(c, src))) return st;
    for (size_t i = 0; i < c->n; i++) {
        c->params += (uint64_t)(c->t[i].rows * c->t[i].cols);
        c->weight_bytes += c->t[i].bytes;
    }
    for (rg_site s = 0; s < RG_SITE_COUNT; s++) {
        const int last = rg_site_in_layer(s) ? (int)c->cfg.layers : 0;
        for (int l = rg_site_in_layer(s) ? 0 : -1; l < last; l++)
            for (int e = 0; e < rg_site_matrices(&c->cfg, s); e++) {
                if (!rg_site_has_tensor(&c->cfg, s) || rg_ckpt_find_expert(c, s, l, e) ||
                    (s == RG_SITE_OUTPUT && c->cfg.tied))
                    continue;
                rg_tensor_name(name, sizeof name, s, l);
                if (rg_site_matrices(&c->cfg, s) > 1)
                    return rg_bad(src, "tensor %s of expert %d is missing", name, e);
                return rg_bad(src, "tensor %s is missing%s", name,
                    s == RG_SITE_OUTPUT ? " and tie_word_embeddings is not true" : "");
            }
    }
    return RG_OK;
}

const rg_ckpt_tensor *rg_ckpt_find(const rg_ckpt *c, rg_site site, int layer)
{
    return rg_ckpt_find_expert(c, site, layer, 0);
}

const rg_ckpt_tensor *rg_ckpt_find_expert(const rg_ckpt *c, rg_site site, int layer, int expert)
{
    const rg_ckpt_tensor key = {.site = site, .layer = layer, .expert = expert};
    /* not a plain bsearch: top sites stand before and after the layers */
    size_t lo = 0, hi = c->n;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const int d = by_place(&c->t[mid], &key);
        if (d == 0) return &c->t[mid];
        if (d < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

const char *rg_tensor_name(char *buf, size_t n, rg_site site, int layer)
{
    if (layer >= 0)
        snprintf(buf, n, "blk.%d.%s", layer, rg_site_name(site));
    else
        snprintf(buf, n, "%s", rg_site_name(site));
    return buf;
}

void rg_ckpt_find_tokenizer(rg_ckpt *c, const char *dir, bool llama2c)
{
    char tok[32];
    snprintf(tok, sizeof tok, "tok%lld.bin", (long long)c->cfg.vocab);
    /* the most specific first */
    const char *const all[] = {tok, "tokenizer.bin", "tokenizer.json", "tokenizer.model"};
    for (int i = llama2c ? 0 : 2; i < 4 && !c->tokenizer_path; i++) {
        char *p = rg_path_join(dir, all[i]);
        if (p && access(p, R_OK) == 0)
            c->tokenizer_path = p;
        else
            free(p);
    }
}

/* GGUF files; of a split model the first part, which stands for all. */
static int is_gguf(const struct dirent *d)
{
    const size_t n = strlen(d->d_name);
    const char *part =
        n > strlen("-00001-of-00002.gguf") ? d->d_name + n - strlen("-00001-of-00002.gguf") : "";
    int k, of, end = 0;
    if (n <= 5 || strcmp(d->d_name + n - 5, ".gguf") != 0) return 0;
    return sscanf(part, "-%5d-of-%5d.gguf%n", &k, &of, &end) != 2 || part[end] || k == 1;
}

/* A folder of GGUF files is none of a checkpoint: which one is meant? */
static rg_status refuse_folder(const char *dir, const struct dirent *const *d, int n, rg_err *err)
{
    enum { SHOWN = 6 };
    char list[400] = "", more[32] = "";
    for (int i = 0; i < n && i < SHOWN; i++)
        rg_text_add(list, sizeof list, "%s%.60s", i ? ", " : "", RG_CLEAN(64, d[i]->d_name));
    if (n > SHOWN) rg_text(more, sizeof more, " and %d more", n - SHOWN);
    return rg_fail(err, RG_E_FILE, "%.120s: a folder of GGUF files: name one, -m %.120s/%.60s; there %s %s%s",
        dir, dir, RG_CLEAN(64, d[0]->d_name), n == 1 ? "is" : "are", list, more);
}

static rg_status load_folder(rg_ckpt *c, rg_err *err)
{
    struct dirent **d = NULL;
    char *config = rg_path_join(c->path, "config.json");
    const int n = config && access(config, F_OK) != 0 ? scandir(c->path, &d, is_gguf, alphasort) : 0;
    free(config);
    const rg_status st = n > 0 ? refuse_folder(c->path, (const struct dirent *const *)d, n, err)
                               : rg_load_hf(c, c->path, NULL, err);
    for (int i = 0; i < n; i++) free(d[i]);
    free(d);
    return st;
}

static rg_status load(rg_ckpt *c, bool vocab_only, rg_err *err)
{
    struct stat sb;
    if (stat(c->path, &sb) == 0 && S_ISDIR(sb.st_mode)) return load_folder(c, err);
    rg_status st = rg_ckpt_map(c, c->path, NULL, err);
    if (st) return st;
    const rg_mapfile *f = &c->file[0];
    const bool gguf = f->size >= 4 && memcmp(f->data, "GGUF", 4) == 0;
    if (!gguf && (st = rg_foreign(&(rg_src){c->path, err}, f->data, f->size))) return st;
    if (vocab_only)
        return gguf ? rg_load_gguf(c, true, err) : rg_fail(err, RG_E_FILE, "%s: not a GGUF file", c->path);
    char *dir = rg_path_folder(c->path);
    if (!dir) return rg_no_memory(err, c->path);
    /* safetensors: a header below 4 GiB, then JSON. A llama2.c file has no 0 at byte 4. */
    if (gguf) {
        st = rg_load_gguf(c, false, err);
        if (!st && !c->has_vocab) rg_ckpt_find_tokenizer(c, dir, false);
    } else if (f->size >= 9 && f->data[8] == '{' && memcmp(f->data + 4, "\0\0\0\0", 4) == 0) {
        rg_mapfile_close(&c->file[0]);
        c->n_files = 0;
        c->file_bytes = 0;
        st = rg_load_hf(c, dir, c->path, err);
    } else {
        st = rg_load_llama2c(c, err);
        if (!st) rg_ckpt_find_tokenizer(c, dir, true);
    }
    free(dir);
    return st;
}

/* Names reach terminals and JSON: control characters and what is not UTF-8 become '?'. */
static void make_printable(char *s)
{
    for (unsigned char *p = (unsigned char *)s, *end = p + strlen(s); p < end;) {
        const size_t n = *p < 0x20 || *p == 0x7f ? 0 : rg_utf8_len(p, end);
        if (n == 0) *p = '?';
        p += n ? n : 1;
    }
}

static rg_status open_as(rg_ckpt **out, const char *path, bool vocab_only, rg_err *err)
{
    *out = NULL;
    rg_ckpt *c = calloc(1, sizeof *c);
    if (!c || !(c->path = strdup(path))) {
        free(c);
        return rg_no_memory(err, path);
    }
    c->cfg.bos = -1;
    rg_status st = load(c, vocab_only, err);
    if (!st && !vocab_only) st = rg_ckpt_prove(c, err);
    if (!st && c->notes.failed) st = rg_no_memory(err, path);
    if (st) {
        rg_ckpt_close(c);
        return st;
    }
    if (!c->cfg.name[0]) {
        const char *slash = strrchr(path, '/');
        snprintf(c->cfg.name, sizeof c->cfg.name, "%.120s", slash && slash[1] ? slash + 1 : path);
    }
    make_printable(c->cfg.name);
    make_printable(c->cfg.arch);
    *out = c;
    return RG_OK;
}

rg_status rg_ckpt_open(rg_ckpt **out, const char *path, rg_err *err)
{
    return open_as(out, path, false, err);
}
rg_status rg_ckpt_open_vocab(rg_ckpt **out, const char *path, rg_err *err)
{
    return open_as(out, path, true, err);
}

void rg_ckpt_close(rg_ckpt *c)
{
    if (!c) return;
    while (c->n) drop_tensor(c, c->n - 1);
    rg_parts_free(c);
    rg_lines_free(&c->notes);
    for (int i = 0; i < c->n_files; i++) rg_mapfile_close(&c->file[i]);
    free(c->vocab.piece);
    free(c->vocab.piece_len);
    free((float *)(uintptr_t)c->vocab.score);
    free((int32_t *)(uintptr_t)c->vocab.type);
    free(c->vocab.merge);
    free(c->vocab.merge_len);
    free((char *)(uintptr_t)c->vocab.model);
    free((char *)(uintptr_t)c->vocab.pre);
    free(c->vocab.chat);
    free(c->rope_freqs);
    free(c->rope_long);
    free(c->t);
    free(c->file);
    free(c->tokenizer_path);
    free(c->path);
    free(c);
}

const rg_config *rg_ckpt_config(const rg_ckpt *c) { return &c->cfg; }
const char *rg_ckpt_format(const rg_ckpt *c) { return c->format; }
const char *rg_ckpt_path(const rg_ckpt *c) { return c->path; }
uint64_t rg_ckpt_file_bytes(const rg_ckpt *c) { return c->file_bytes; }
size_t rg_ckpt_count(const rg_ckpt *c) { return c->n; }
const rg_ckpt_tensor *rg_ckpt_at(const rg_ckpt *c, size_t i) { return &c->t[i]; }
const float *rg_ckpt_rope_freqs(const rg_ckpt *c) { return c->rope_freqs; }
const float *rg_ckpt_rope_long(const rg_ckpt *c) { return c->rope_long; }
uint64_t rg_ckpt_params(const rg_ckpt *c) { return c->params; }
uint64_t rg_ckpt_weight_bytes(const rg_ckpt *c) { return c->weight_bytes; }
const rg_ckpt_vocab *rg_ckpt_embedded_vocab(const rg_ckpt *c) { return c->has_vocab ? &c->vocab : NULL; }
const char *rg_ckpt_note(const rg_ckpt *c, int i) { return i < c->notes.n ? c->notes.s[i] : NULL; }
const char *rg_ckpt_tokenizer_path(const rg_ckpt *c) { return c->tokenizer_path; }

static void release(const rg_ckpt *c, const unsigned char *p, uint64_t bytes)
{
    for (int i = 0; i < c->n_files; i++) {
        const rg_mapfile *f = &c->file[i];
        if (p >= f->data && p < f->data + f->size) rg_mapfile_done(f, p, bytes);
    }
}

void rg_ckpt_release(const rg_ckpt *c, const rg_ckpt_tensor *t)
{
    const rg_grid *g = t->grid;
    /* parts of a grid share its bytes: the last gives them back */
    if (g && g->first + g->rows < g->out) return;
    release(c, t->data, g ? g->q_bytes : t->bytes);
    if (g) {
        release(c, g->scale, g->scale_bytes);
        release(c, g->zero, g->zero_bytes);
        release(c, g->min, g->scale_bytes);
    }
}
