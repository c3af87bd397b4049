/* Writes and checks session files: every part is measured before a byte is copied. Of layers with a window a
 * file holds what the session did, from its first position on. */
#include "ridge/session_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash64.h"
#include "base/mapfile.h"
#include "base/num.h"
#include "base/outfile.h"
#include "model/session.h"

static const char magic[8] = {'R', 'I', 'D', 'G', 'E', 'K', 'V', '1'};
enum { VERSION = 2, HEADER = 96, SAMPLES = 256, SAMPLE = 4096 };

static void put_le(unsigned char *p, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) p[i] = (unsigned char)(v >> (8 * i));
}

static void add_i64(rg_hash64 *h, int64_t v)
{
    unsigned char b[8];
    put_le(b, (uint64_t)v, 8);
    rg_hash64_add(h, b, 8);
}

static void add_f64(rg_hash64 *h, double v)
{
    int64_t u;
    memcpy(&u, &v, sizeof u);
    add_i64(h, u);
}

uint64_t rg_engine_fingerprint(const rg_engine *e)
{
    const rg_model *m = &e->model;
    const rg_config *c = &m->cfg;
    rg_hash64 h;
    rg_hash64_start(&h, VERSION);
    const int64_t ints[] = {c->dim, c->ffn, c->layers, c->heads, c->kv_heads, c->head_dim, c->vocab,
        c->ctx_train, c->rope_scaling, c->rope_orig_ctx, c->rope_exact_ends, c->rope_dim, c->window,
        c->no_pre_norm, c->whole_qk_norm, (int64_t)c->extra, c->experts, c->experts_used, c->expert_ffn,
        c->shared_ffn, c->experts_norm, e->k.act, e->dtype, e->head_dtype, (int64_t)m->block_bytes};
    const double reals[] = {c->eps, c->rope_theta, c->rope_factor, c->rope_low_freq, c->rope_high_freq,
        c->rope_beta_fast, c->rope_beta_slow, c->rope_magnitude, c->rope_local, c->q_temp, c->embd_scale,
        c->attn_scale, c->resid_scale, c->logit_scale, c->attn_cap, c->logit_cap};
    const float *const divisors[] = {m->rope_freqs, m->rope_long};
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) add_i64(&h, ints[i]);
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) add_f64(&h, reals[i]);
    for (size_t i = 0; i < RG_MAX_LAYERS / 64; i++) {
        add_i64(&h, (int64_t)c->all_seen[i]);
        add_i64(&h, (int64_t)c->unrotated[i]);
    }
    for (int d = 0; d < 2; d++)
        for (int64_t i = 0; divisors[d] && i < rg_rope_dim(c) / 2; i++) add_f64(&h, (double)divisors[d][i]);
    if (m->block_bytes <= (size_t)SAMPLES * SAMPLE) {
        rg_hash64_add(&h, m->block, m->block_bytes);
    } else {
        const size_t step = (m->block_bytes - SAMPLE) / (SAMPLES - 1);
        for (size_t i = 0; i < SAMPLES; i++) rg_hash64_add(&h, m->block + i * step, SAMPLE);
    }
    return rg_hash64_end(&h);
}

/* Of the model, and of the divisors that turned the keys: longrope chooses them by the length of the
 * context. */
static uint64_t print_of(const rg_session *s, bool beyond)
{
    const uint64_t print = rg_engine_fingerprint(s->e);
    return beyond ? ~print : print;
}

static bool is_beyond(const rg_session *s)
{
    const rg_config *c = &s->e->model.cfg;
    return c->rope_scaling == RG_ROPE_LONGROPE && s->o.ctx > c->rope_orig_ctx;
}

/* ---- writing ---- */

typedef struct writer {
    FILE *f;
    rg_hash64 h;
    bool bad;
} writer;

static void put(writer *w, const void *p, size_t n)
{
    if (n == 0) return;
    w->bad = w->bad || fwrite(p, 1, n, w->f) != n;
    rg_hash64_add(&w->h, p, n);
}

/* Lanes [from, to) of a key block, which hold what was forgotten or nothing, become 0. */
static void clear_lanes(char *block, rg_kvtype t, int64_t hd, int64_t from, int64_t to)
{
    if (t == RG_KV_Q8_0) {
        for (int64_t b = 0; b < hd / 32; b++) {
            char *p = block + b * (2 * RG_KV_BLOCK + 32 * RG_KV_BLOCK);
            memset(p + 2 * from, 0, (size_t)(2 * (to - from)));
            for (int64_t d = 0; d < 32; d++)
                memset(p + 2 * RG_KV_BLOCK + d * RG_KV_BLOCK + from, 0, (size_t)(to - from));
        }
        return;
    }
    const int64_t elem = rg_kvtypes[t].bytes;
    for (int64_t d = 0; d < hd; d++)
        memset(block + (d * RG_KV_BLOCK + from) * elem, 0, (size_t)((to - from) * elem));
}

/* What a file holds of n tokens. */
typedef struct extents {
    int64_t n, lost;     /* layers with a window begin at lost */
    int64_t k_block, v1; /* bytes of a key block and of a value, of one head */
    uint64_t payload;
} extents;

static int64_t first_of(const rg_session *s, const extents *x, int64_t layer)
{
    return rg_layer_window(&s->e->model.cfg, layer) > 0 ? x->lost : 0;
}

static bool measure(extents *x, const rg_session *s, int64_t n, int64_t lost, bool logits)
{
    const rg_config *c = &s->e->model.cfg;
    *x = (extents){.n = n,
        .lost = lost,
        .k_block = RG_KV_BLOCK * rg_kv_k_bytes(s->o.kv_k, c->head_dim),
        .v1 = rg_kv_v_bytes(s->o.kv_v, c->head_dim)};
    bool ok = rg_add_ok(4u * (uint64_t)n, logits ? 4u * (uint64_t)c->vocab : 0u, &x->payload);
    for (int64_t i = 0; i < c->layers; i++) {
        const int64_t from = first_of(s, x, i), blocks = rg_div_up(n, RG_KV_BLOCK) - from / RG_KV_BLOCK;
        uint64_t kv;
        ok = ok &&
            rg_mul_ok((uint64_t)c->kv_heads, (uint64_t)(blocks * x->k_block + (n - from) * x->v1), &kv) &&
            rg_add_ok(x->payload, kv, &x->payload);
    }
    return ok;
}

/* Keys, block by block, and values of one head. block: [k_block] scratch. */
static void put_head(
    writer *w, const rg_session *s, const extents *x, int64_t layer, int64_t seq, int64_t g, char *block)
{
    const rg_kv_layer *kv = &s->kv[layer];
    const char *k = rg_kv_k_head(kv, seq, g), *v = rg_kv_v_head(kv, seq, g);
    const int64_t from = first_of(s, x, layer);
    for (int64_t p = from / RG_KV_BLOCK * RG_KV_BLOCK; p < x->n; p += RG_KV_BLOCK) {
        memcpy(block, k + rg_kv_place(kv, p) / RG_KV_BLOCK * x->k_block, (size_t)x->k_block);
        if (p < from) clear_lanes(block, kv->k_type, kv->hd, 0, from - p);
        if (x->n - p < RG_KV_BLOCK) clear_lanes(block, kv->k_type, kv->hd, x->n - p, RG_KV_BLOCK);
        put(w, block, (size_t)x->k_block);
    }
    for (int64_t p = from, end; p < x->n; p = end) {
        end = rg_kv_piece(kv, p, x->n);
        put(w, v + rg_kv_place(kv, p) * x->v1, (size_t)((end - p) * x->v1));
    }
}

rg_status rg_session_save(const rg_session *s, int64_t seq, const int32_t *token, int64_t n,
    const float *logits, const char *path, rg_err *err)
{
    const rg_config *c = &s->e->model.cfg;
    rg_outfile o = {0};
    extents x;
    if (n < 1 || n > s->len[seq])
        return rg_fail(err, RG_E_USAGE, "%s: %lld tokens to be saved, the session holds %lld", path,
            (long long)n, (long long)s->len[seq]);
    if (!rg_session_holds(s, seq, n))
        return rg_fail(err, RG_E_USAGE,
            "%s: %lld of %lld tokens to be saved: layers with a window hold no position before %lld", path,
            (long long)n, (long long)s->len[seq], (long long)s->lost[seq]);
    if (!measure(&x, s, n, s->lost[seq], logits != NULL))
        return rg_fail(err, RG_E_INTERNAL, "%s: too large", path);
    char *block = malloc((size_t)x.k_block);
    if (!block) return rg_no_memory(err, path);
    rg_status st = rg_outfile_open(&o, path, err);
    if (st) goto out;
    writer w = {.f = o.f};
    rg_hash64_start(&w.h, 0);
    unsigned char head[HEADER] = {0};
    memcpy(head, magic, sizeof magic);
    const int64_t sizes[] = {c->layers, c->kv_heads, c->head_dim, c->vocab, n};
    const uint64_t kinds[] = {s->o.kv_k, s->o.kv_v, logits != NULL, RG_KV_BLOCK};
    put_le(head + 8, VERSION, 4);
    put_le(head + 12, HEADER, 4);
    put_le(head + 16, print_of(s, is_beyond(s)), 8);
    for (int i = 0; i < 5; i++) put_le(head + 24 + 8 * i, (uint64_t)sizes[i], 8);
    for (int i = 0; i < 4; i++) put_le(head + 64 + 4 * i, kinds[i], 4);
    put_le(head + 80, x.payload, 8);
    put_le(head + 88, (uint64_t)x.lost, 8);
    put(&w, head, sizeof head);
    /* as in memory: little-endian */
    put(&w, token, (size_t)n * sizeof *token);
    if (logits) put(&w, logits, (size_t)c->vocab * sizeof *logits);
    for (int64_t layer = 0; layer < c->layers; layer++)
        for (int64_t g = 0; g < c->kv_heads; g++) put_head(&w, s, &x, layer, seq, g, block);
    unsigned char sum[8];
    put_le(sum, rg_hash64_end(&w.h), 8);
    put(&w, sum, sizeof sum);
    if (w.bad)
        st = rg_fail(err, RG_E_FILE, "%s: cannot write %.1f MiB", path, rg_mib(x.payload));
    else
        st = rg_outfile_commit(&o, err);
out:
    rg_outfile_abort(&o);
    free(block);
    return st;
}

/* ---- reading ---- */

static rg_status check_header(
    const rg_session *s, rg_cursor *cur, size_t size, const rg_src *what, bool *logits, extents *x)
{
    const rg_config *c = &s->e->model.cfg;
    const unsigned char *m = rg_cur_take(cur, sizeof magic);
    if (!m || memcmp(m, magic, sizeof magic) != 0)
        return rg_bad(what, "not a session file (it does not begin with RIDGEKV1)");
    const uint32_t version = rg_cur_u32(cur), header = rg_cur_u32(cur);
    if (cur->bad || size < HEADER + 8) return rg_bad(what, "cut off: %zu bytes are not even a header", size);
    if (version != VERSION || header != HEADER)
        return rg_lacks(what, "session file version %u, expected %d: delete it and let it be made anew",
            version, VERSION);
    const uint64_t print = rg_cur_u64(cur), layers = rg_cur_u64(cur), heads = rg_cur_u64(cur),
                   hd = rg_cur_u64(cur), vocab = rg_cur_u64(cur), tokens = rg_cur_u64(cur);
    const uint32_t kv_k = rg_cur_u32(cur), kv_v = rg_cur_u32(cur), has_logits = rg_cur_u32(cur),
                   block = rg_cur_u32(cur);
    const uint64_t payload = rg_cur_u64(cur), lost = rg_cur_u64(cur);
    /* damage is told before a mix-up, or a flipped bit would be called another model */
    if (payload != size - HEADER - 8)
        return rg_bad(what, "damaged or cut off: %zu bytes behind the header, it says %llu", size - HEADER,
            (unsigned long long)payload + 8);
    if (rg_hash64_of(cur->end - size, size - 8, 0) !=
        rg_cur_u64(&(rg_cursor){.p = cur->end - 8, .end = cur->end}))
        return rg_bad(what, "damaged: the checksum does not fit; delete the file");
    if (layers != (uint64_t)c->layers || heads != (uint64_t)c->kv_heads || hd != (uint64_t)c->head_dim ||
        vocab != (uint64_t)c->vocab || (print != print_of(s, false) && print != print_of(s, true)))
        return rg_lacks(what, "made by another model or another --dtype; use a file per model");
    if (print != print_of(s, is_beyond(s)))
        return rg_lacks(what,
            "made in a context of %s than %lld tokens, where this model rotates otherwise (longrope); this "
            "session has "
            "-c %lld",
            is_beyond(s) ? "no more" : "more", (long long)c->rope_orig_ctx, (long long)s->o.ctx);
    if (kv_k != s->o.kv_k || kv_v != s->o.kv_v || block != RG_KV_BLOCK) {
        const char *k = kv_k < RG_KV_COUNT ? rg_kvtypes[kv_k].name : "?",
                   *v = kv_v < RG_KV_COUNT ? rg_kvtypes[kv_v].name : "?";
        return rg_lacks(what, "cache types %s and %s, this session has %s and %s: use -ctk %s -ctv %s", k, v,
            rg_kvtypes[s->o.kv_k].name, rg_kvtypes[s->o.kv_v].name, k, v);
    }
    if (tokens < 1 || tokens > (uint64_t)INT64_MAX / 2 || has_logits > 1)
        return rg_bad(what, "damaged: %llu tokens", (unsigned long long)tokens);
    if (tokens > (uint64_t)s->o.ctx)
        return rg_fail(what->err, RG_E_USAGE,
            "%s: holds %llu tokens, the context only %lld: use -c %llu or more", what->name,
            (unsigned long long)tokens, (long long)s->o.ctx, (unsigned long long)tokens);
    if (lost > 0 && (c->window <= 0 || lost > tokens || (int64_t)(tokens - lost) < c->window - 1))
        return rg_bad(what, "damaged: %llu tokens, and the window's begin at %llu",
            (unsigned long long)tokens, (unsigned long long)lost);
    *logits = has_logits == 1;
    if (!measure(x, s, (int64_t)tokens, (int64_t)lost, *logits) || x->payload != payload)
        return rg_bad(what, "damaged: %llu bytes for %llu tokens, expected %llu", (unsigned long long)payload,
            (unsigned long long)tokens, (unsigned long long)x->payload);
    return RG_OK;
}

/* Into the places of a session whose rings may be shorter: what they have no room for is passed over. */
static void take_head(rg_cursor *cur, const rg_session *s, const extents *x, int64_t layer, int64_t seq,
    int64_t g, int64_t lost)
{
    const rg_kv_layer *kv = &s->kv[layer];
    char *k = rg_kv_k_head(kv, seq, g), *v = rg_kv_v_head(kv, seq, g);
    const int64_t from = first_of(s, x, layer), keep = first_of(s, &(extents){.lost = lost}, layer);
    for (int64_t p = from / RG_KV_BLOCK * RG_KV_BLOCK; p < x->n; p += RG_KV_BLOCK) {
        const unsigned char *block = rg_cur_take(cur, (uint64_t)x->k_block);
        if (p + RG_KV_BLOCK > keep)
            memcpy(k + rg_kv_place(kv, p) / RG_KV_BLOCK * x->k_block, block, (size_t)x->k_block);
    }
    const unsigned char *rows = rg_cur_take(cur, (uint64_t)((x->n - from) * x->v1));
    for (int64_t p = keep, end; p < x->n; p = end) {
        end = rg_kv_piece(kv, p, x->n);
        memcpy(v + rg_kv_place(kv, p) * x->v1, rows + (p - from) * x->v1, (size_t)((end - p) * x->v1));
    }
}

rg_status rg_session_restore(
    rg_session *s, int64_t seq, const void *data, size_t size, const char *what, rg_saved *out, rg_err *err)
{
    const rg_src src = {what, err};
    const rg_config *c = &s->e->model.cfg;
    rg_cursor cur = {.p = data, .end = (const unsigned char *)data + size};
    extents x = {0};
    bool logits = false;
    *out = (rg_saved){0};
    if (seq < 0 || seq >= s->o.n_seq)
        return rg_fail(err, RG_E_USAGE, "%s: sequence %lld, expected 0 to %lld", what, (long long)seq,
            (long long)s->o.n_seq - 1);
    rg_status st = check_header(s, &cur, size, &src, &logits, &x);
    if (st) goto out;
    out->n = x.n;
    const unsigned char *ids = rg_cur_take(&cur, 4u * (uint64_t)out->n),
                        *row = logits ? rg_cur_take(&cur, 4u * (uint64_t)c->vocab) : NULL;
    out->token = malloc((size_t)out->n * sizeof *out->token);
    if (logits) out->logits = malloc((size_t)c->vocab * sizeof *out->logits);
    if (!out->token || (logits && !out->logits)) {
        st = rg_no_memory(err, what);
        goto out;
    }
    memcpy(out->token, ids, (size_t)out->n * sizeof *out->token);
    if (logits) memcpy(out->logits, row, (size_t)c->vocab * sizeof *out->logits);
    for (int64_t i = 0; i < out->n; i++)
        if (out->token[i] < 0 || out->token[i] >= c->vocab) {
            st = rg_bad(&src, "damaged: token %lld is %d", (long long)i, out->token[i]);
            goto out;
        }
    for (int64_t i = 0; logits && i < c->vocab; i++)
        if (!isfinite(out->logits[i])) {
            st = rg_bad(&src, "damaged: logit %lld is not finite", (long long)i);
            goto out;
        }
    /* nothing can fail any more: the size is the header's */
    s->lost[seq] = x.lost;
    rg_session_wrote(s, seq, rg_round_up(x.n, RG_KV_BLOCK));
    for (int64_t layer = 0; layer < c->layers; layer++)
        for (int64_t g = 0; g < c->kv_heads; g++) take_head(&cur, s, &x, layer, seq, g, s->lost[seq]);
    s->len[seq] = out->n;
out:
    if (st) {
        free(out->token);
        free(out->logits);
        *out = (rg_saved){0};
    }
    return st;
}

rg_status rg_session_load(rg_session *s, int64_t seq, const char *path, rg_saved *out, rg_err *err)
{
    rg_mapfile f;
    *out = (rg_saved){0};
    rg_status st = rg_mapfile_open(&f, path, err);
    if (st) return st;
    st = rg_session_restore(s, seq, f.data, f.size, path, out, err);
    rg_mapfile_close(&f);
    return st;
}
