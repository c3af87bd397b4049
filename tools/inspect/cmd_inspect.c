/* ridge inspect: what is in a checkpoint, and what it takes to run it. Of tensors it reads only scales and
 * zero points. */
#include <inttypes.h>
#include <jansson.h>

#include "base/text.h"
#include "roofline/measure/json_value.h"
#include "roofline/model/exact.h"
#include "tools/inspect/inspect.h"

static double bits(uint64_t bytes, uint64_t params) { return 8.0 * (double)bytes / (double)params; }
static uint64_t weights(const rg_inspect_line *l) { return (uint64_t)(l->count * l->t->rows * l->t->cols); }

/* What becomes of a tensor in memory. */
static void fill_resident(const rg_inspection *x, rg_inspect_line *l)
{
    rg_resident r;
    rg_resident_plan(x->ckpt, &x->eo, l->t, &r);
    rg_ckpt_type_name(l->t, l->type, sizeof l->type);
    snprintf(l->resident, sizeof l->resident, "%s", r.as_in_file ? l->type : rg_wtypes[r.type].name);
    l->rounding = rg_rounding_names[r.rounding];
    l->resident_bytes = r.bytes * (uint64_t)l->count;
}

/* Tensors of one line: the same in the file and in memory. */
static bool alike(const rg_ckpt_tensor *a, const rg_ckpt_tensor *b)
{
    return a->type == b->type && a->bytes == b->bytes && rg_ckpt_resident(a) == rg_ckpt_resident(b) &&
        rg_ckpt_rounding(a) == rg_ckpt_rounding(b);
}

bool rg_inspect_take(const rg_inspection *x, size_t i, rg_inspect_line *l)
{
    const rg_ckpt_tensor *t = rg_ckpt_at(x->ckpt, i);
    const bool layers = t->layer >= 0 && !x->cli->per_layer;
    const int first = layers ? 0 : t->layer, last = layers ? (int)x->cfg->layers - 1 : t->layer,
              experts = (int)rg_site_matrices(x->cfg, t->site);
    bool reached = false;
    *l = (rg_inspect_line){.t = t};
    for (int k = first; k <= last; k++)
        for (int e = 0; e < experts; e++) {
            const rg_ckpt_tensor *o = rg_ckpt_find_expert(x->ckpt, t->site, k, e);
            if (!o || !alike(o, t)) continue;
            reached = reached || o == t;
            if (!reached) return false;
            l->count++;
        }
    l->file_bytes = t->bytes * (uint64_t)l->count;
    rg_tensor_name(l->name, sizeof l->name, t->site, t->layer);
    if (layers) snprintf(l->name, sizeof l->name, "blk.*.%s", rg_site_name(t->site));
    fill_resident(x, l);
    return true;
}

int64_t rg_inspect_kv(const rg_config *c, rg_kvtype t)
{
    if (c->head_dim % rg_kvtypes[t].block != 0) return 0;
    return c->layers * c->kv_heads * (rg_kv_k_bytes(t, c->head_dim) + rg_kv_v_bytes(t, c->head_dim));
}

void rg_inspect_md(const rg_inspection *x)
{
    const rg_config *c = x->cfg;
    char a[64], text[240];
    rg_lines beyond = {0};
    printf("# %s\n\n| | |\n|---|---|\n| name | %s |\n| format | %s |\n| architecture | %s |\n",
        rg_ckpt_path(x->ckpt), c->name, rg_ckpt_format(x->ckpt), c->arch);
    printf("| hidden, intermediate | %" PRId64 ", %" PRId64 " |\n| layers | %" PRId64
           " |\n| heads, KV heads, head size | %" PRId64 ", %" PRId64 ", %" PRId64 " |\n",
        c->dim, c->ffn, c->layers, c->heads, c->kv_heads, c->head_dim);
    printf("| vocabulary | %" PRId64 "%s |\n| context | %" PRId64 " |\n", c->vocab,
        c->tied ? ", output matrix tied to the embedding" : "", c->ctx_train);
    printf("| RMSNorm epsilon | %g |\n| RoPE base, scaling | %g, %s |\n", c->eps, c->rope_theta,
        rg_inspect_rope(text, sizeof text, x));
    rg_inspect_beyond(&beyond, c);
    for (int i = 0; i < beyond.n; i++) printf("| beyond plain Llama | %s |\n", beyond.s[i]);
    rg_lines_free(&beyond);
    printf("| BOS, EOS | %" PRId32 ",", c->bos);
    for (int i = 0; i < c->n_eos; i++) printf(" %" PRId32, c->eos[i]);
    const char *tok = rg_ckpt_embedded_vocab(x->ckpt) ? "inside the file" : rg_ckpt_tokenizer_path(x->ckpt);
    printf(" |\n| tokenizer | %s |\n| parameters | %" PRIu64 "%s |\n", tok ? tok : "none", x->params,
        c->experts > 0 ? RG_TEXT(64, ", active in a token %.0f", rg_exact_active(c)) : "");
    printf("| file | %s, %.3f bits per weight |\n",
        rg_bytes_text(a, sizeof a, (double)rg_ckpt_file_bytes(x->ckpt)), bits(x->tensor_bytes, x->params));
    for (int i = 0; rg_ckpt_note(x->ckpt, i); i++)
        printf("| note | %s |\n", RG_CELL(1400, rg_ckpt_note(x->ckpt, i)));
    printf("| resident (%s) | %s, %.3f bits per weight |\n", x->cli->dtype ? x->cli->dtype : "as in the file",
        rg_bytes_text(a, sizeof a, (double)x->resident_bytes), bits(x->resident_bytes, x->params));

    printf("\n| tensor | in the file | type | rows | columns | tensors | file bytes | bits/weight | resident "
           "| resident bytes | bits/weight | rounding "
           "|\n|---|---|---|---:|---:|---:|---:|---:|---|---:|---:|---|\n");
    rg_inspect_line l;
    for (size_t i = 0; i < rg_ckpt_count(x->ckpt); i++)
        if (rg_inspect_take(x, i, &l))
            printf("| %s | %s | %s | %" PRId64 " | %" PRId64 " | %" PRId64 " | %" PRIu64
                   " | %.3f | %s | %" PRIu64 " | %.3f | %s |\n",
                l.name, l.t->file_name, l.type, l.t->rows, l.t->cols, l.count, l.file_bytes,
                bits(l.file_bytes, weights(&l)), l.resident, l.resident_bytes,
                bits(l.resident_bytes, weights(&l)), l.rounding);

    printf("\n| KV cache | bytes per token |\n|---|---:|\n");
    for (int t = 0; t < RG_KV_COUNT; t++) {
        const int64_t n = rg_inspect_kv(c, t);
        if (n)
            printf("| %s | %" PRId64 " |\n", rg_kvtypes[t].name, n);
        else
            printf("| %s | not possible: head size %" PRId64 " |\n", rg_kvtypes[t].name, c->head_dim);
    }
    const rg_memory_plan *p = &x->plan;
    printf("\n| memory for %" PRId64 " positions | |\n|---|---:|\n", p->ctx);
    const struct {
        const char *what;
        uint64_t bytes;
    } rows[] = {{"weights", p->weights}, {"KV cache", p->kv}, {"activations", p->scratch},
        {"logits", p->logits}, {"total", p->total}, {"available", p->available}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        printf("| %s | %s |\n", rows[i].what, rg_bytes_text(a, sizeof a, (double)rows[i].bytes));
    printf("| KV types | %s, %s |\n", rg_kvtypes[x->so.kv_k].name, rg_kvtypes[x->so.kv_v].name);
    printf("| fits | %s |\n", x->fits == RG_OK ? (p->available ? "yes" : "unknown") : "no");
    if (p->ctx > c->ctx_train)
        printf("\n-c %" PRId64 " is beyond the model's context of %" PRId64
               ": run and profile will refuse it\n",
            p->ctx, c->ctx_train);
    if (x->fits != RG_OK) printf("\n%s\n", x->fit_err.msg);
    if (x->cli->fit) rg_fit_md(stdout, &x->fit, c);
}

static json_t *json_config(const rg_inspection *x)
{
    const rg_config *c = x->cfg;
    json_t *eos = json_array();
    for (int i = 0; i < c->n_eos; i++) json_array_append_new(eos, json_integer(c->eos[i]));
    json_t *o = json_pack("{s:o,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:f,s:b,s:o,s:o}", "name",
        rg_json_text(c->name), "arch", c->arch, "hidden", (json_int_t)c->dim, "ffn", (json_int_t)c->ffn,
        "layers", (json_int_t)c->layers, "heads", (json_int_t)c->heads, "kv_heads", (json_int_t)c->kv_heads,
        "head_dim", (json_int_t)c->head_dim, "vocab", (json_int_t)c->vocab, "ctx_train",
        (json_int_t)c->ctx_train, "eps", c->eps, "rope_theta", c->rope_theta, "tied", (int)c->tied, "bos",
        c->bos < 0 ? json_null() : json_integer(c->bos), "eos", eos);
    if (o) rg_inspect_beyond_json(o, c);
    return o;
}

static json_t *json_tensors(const rg_inspection *x)
{
    json_t *list = json_array();
    rg_inspect_line l;
    for (size_t i = 0; i < rg_ckpt_count(x->ckpt); i++)
        if (rg_inspect_take(x, i, &l))
            json_array_append_new(list,
                json_pack("{s:s,s:s,s:o,s:o,s:s,s:I,s:I,s:I,s:I,s:s,s:I,s:s}", "tensor", l.name, "site",
                    rg_site_name(l.t->site), "file_name", rg_json_text(l.t->file_name), "layer",
                    l.t->layer < 0 || !x->cli->per_layer ? json_null() : json_integer(l.t->layer), "type",
                    l.type, "rows", (json_int_t)l.t->rows, "cols", (json_int_t)l.t->cols, "tensors",
                    (json_int_t)l.count, "file_bytes", (json_int_t)l.file_bytes, "resident_type", l.resident,
                    "resident_bytes", (json_int_t)l.resident_bytes, "rounding", l.rounding));
    return list;
}

static rg_status print_json(const rg_inspection *x, rg_err *err)
{
    json_t *kv = json_object(), *notes = json_array();
    const char *path = rg_ckpt_tokenizer_path(x->ckpt);
    const rg_memory_plan *p = &x->plan;
    for (int t = 0; t < RG_KV_COUNT; t++) {
        const int64_t n = rg_inspect_kv(x->cfg, t);
        json_object_set_new(kv, rg_kvtypes[t].name, n ? json_integer(n) : json_null());
    }
    for (int i = 0; rg_ckpt_note(x->ckpt, i); i++)
        json_array_append_new(notes, rg_json_text(rg_ckpt_note(x->ckpt, i)));
    json_t *memory = json_pack("{s:I,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "ctx", (json_int_t)p->ctx, "kv_k",
        rg_kvtypes[x->so.kv_k].name, "kv_v", rg_kvtypes[x->so.kv_v].name, "weights_bytes",
        (json_int_t)p->weights, "kv_bytes", (json_int_t)p->kv, "activation_bytes", (json_int_t)p->scratch,
        "logits_bytes", (json_int_t)p->logits, "total_bytes", (json_int_t)p->total, "available_bytes",
        p->available ? json_integer((json_int_t)p->available) : json_null(), "fits",
        p->available ? json_boolean(x->fits == RG_OK) : json_null());
    json_t *root = json_pack("{s:s,s:i,s:o,s:s,s:o,s:b,s:o,s:I,s:I,s:I,s:I,s:s,s:f,s:f,s:o,s:o,s:o,s:o}",
        "schema", "ridge.inspect", "version", 1, "path", rg_json_text(rg_ckpt_path(x->ckpt)), "format",
        rg_ckpt_format(x->ckpt), "config", json_config(x), "vocab_embedded",
        rg_ckpt_embedded_vocab(x->ckpt) != NULL, "tokenizer_path", rg_json_text(path), "params",
        (json_int_t)x->params, "file_bytes", (json_int_t)rg_ckpt_file_bytes(x->ckpt), "tensor_bytes",
        (json_int_t)x->tensor_bytes, "resident_bytes", (json_int_t)x->resident_bytes, "dtype",
        x->cli->dtype ? x->cli->dtype : "file", "bits_per_weight_file", bits(x->tensor_bytes, x->params),
        "bits_per_weight_resident", bits(x->resident_bytes, x->params), "tensors", json_tensors(x),
        "kv_bytes_per_token", kv, "memory", memory, "notes", notes);
    if (root && x->cli->fit) json_object_set_new(root, "fit", rg_fit_json(&x->fit));
    return rg_json_write(stdout, root, JSON_INDENT(1), "inspect", err);
}

rg_status rg_cmd_INSPECT(const rg_cli *cli, rg_err *err)
{
    rg_inspection x = {.cli = cli};
    rg_progress progress = {0};
    rg_status st = rg_cli_no_args(cli, err);
    const int format = !st ? rg_cli_choice("-o", cli->output, RG_WORDS("text", "md", "json"), err) : 0;
    if (format < 0) st = err->code;
    if (!st) st = rg_engine_args(&x.eo, cli, cli->dtype, &progress, err);
    if (!st) st = rg_open_model(&x.ckpt, cli, err);
    if (st) goto out;
    x.cfg = rg_ckpt_config(x.ckpt);
    x.params = rg_ckpt_params(x.ckpt);
    x.tensor_bytes = rg_ckpt_weight_bytes(x.ckpt);
    if ((st = rg_session_args(&x.so, cli, rg_default_kv(x.ckpt, &x.eo), err))) goto out;
    if (!rg_inspect_kv(x.cfg, x.so.kv_k) || !rg_inspect_kv(x.cfg, x.so.kv_v)) {
        st = rg_fail(err, RG_E_UNSUPPORTED,
            "-ctk, -ctv: q8_0 needs a head size that is a multiple of 32, found %" PRId64, x.cfg->head_dim);
        goto out;
    }
    if ((st = rg_plan_weights(x.ckpt, &x.eo, &x.resident_bytes, err))) goto out;
    rg_plan_memory(&x.plan, x.cfg, x.resident_bytes, false, 1, &x.so);
    x.fits = rg_plan_check(&x.plan, x.cfg, &x.so, &x.fit_err);
    if (cli->fit && (st = rg_fit_make(&x.fit, x.ckpt, &x.eo, &x.so, err))) goto out;
    const rg_screen s = rg_screen_of(stdout, cli->wide || cli->per_layer);
    if (format == 0)
        st = rg_inspect_text(&s, &x, err);
    else if (format == 1)
        rg_inspect_md(&x);
    else
        st = print_json(&x, err);
out:
    rg_ckpt_close(x.ckpt);
    return st;
}
