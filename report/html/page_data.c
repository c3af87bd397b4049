/* The data block of a page. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ops/rec.h"
#include "report/html/page_impl.h"
#include "report/join.h"
#include "roofline/model/exact.h"

/* ---- packing: a list of n objects with the same keys becomes {"$k": [keys], "$n": n, "$c": [columns]}. A
 * column is the list of its values; where few differ, {"$d": [the different ones], "$i": "places"} with a
 * character per row, two from 65 values on; or, of objects that are alike, packed itself. ---- */

/* A file that uses the markers itself is left as it is. */
static bool has_marker(json_t *v)
{
    json_t *e;
    const char *key;
    size_t i;
    if (json_is_array(v)) {
        json_array_foreach (v, i, e)
            if (has_marker(e)) return true;
    } else if (json_is_object(v)) {
        json_object_foreach (v, key, e)
            if (key[0] == '$' || has_marker(e)) return true;
    }
    return false;
}

static bool same_keys(json_t *a, json_t *b)
{
    void *i = json_object_iter(a), *k = json_object_iter(b);
    if (json_object_size(a) != json_object_size(b)) return false;
    for (; i && k; i = json_object_iter_next(a, i), k = json_object_iter_next(b, k))
        if (strcmp(json_object_iter_key(i), json_object_iter_key(k)) != 0) return false;
    return true;
}

static json_t *pack(json_t *v);

static const char places[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"; /* 64 */
enum { MOST_DIFFERENT = 512 };

/* As different values and places, or NULL: too many differ, or there is no memory. */
static json_t *pack_places(const json_t *column)
{
    const size_t n = json_array_size(column);
    json_t *seen[MOST_DIFFERENT], *v;
    size_t i, k, different = 0;
    uint16_t *place = calloc(n + 1, sizeof *place);
    char *text = malloc(2 * n + 1);
    json_t *out = NULL;
    if (!place || !text) goto out;
    json_array_foreach (column, i, v) {
        const size_t last = i ? place[i - 1] : 0; /* neighbours are the likeliest to be equal */
        k = different && json_equal(seen[last], v) ? last : 0;
        while (k < different && !json_equal(seen[k], v)) k++;
        if (k == different) {
            if (different == MOST_DIFFERENT || 2 * (different + 1) > n + 1) goto out;
            seen[different++] = v;
        }
        place[i] = (uint16_t)k;
    }
    const size_t width = different > 64 ? 2 : 1;
    for (i = 0; i < n; i++) {
        if (width == 2) text[2 * i] = places[place[i] / 64];
        text[width * i + width - 1] = places[place[i] % 64];
    }
    json_t *values = json_array();
    for (k = 0; k < different; k++) json_array_append_new(values, pack(seen[k]));
    out = json_pack("{s:o, s:s%}", "$d", values, "$i", text, width * n);
out:
    free(place);
    free(text);
    return out;
}

static json_t *pack_rows(const json_t *list)
{
    json_t *keys = json_array(), *columns = json_array(), *first = json_array_get(list, 0), *row, *e;
    const char *key;
    size_t i;
    json_object_foreach (first, key, e) {
        json_t *column = json_array(), *packed;
        json_array_append_new(keys, json_string(key));
        json_array_foreach (list, i, row) json_array_append(column, json_object_get(row, key));
        packed = pack_places(column);
        json_array_append_new(columns, packed ? packed : pack(column));
        json_decref(column);
    }
    return json_pack("{s:o, s:I, s:o}", "$k", keys, "$n", (json_int_t)json_array_size(list), "$c", columns);
}

static json_t *pack(json_t *v)
{
    json_t *e;
    const char *key;
    size_t i;
    json_t *out;
    if (json_is_array(v)) {
        json_t *first = json_array_get(v, 0);
        bool alike = json_array_size(v) > 2 && json_is_object(first) && json_object_size(first) > 0;
        json_array_foreach (v, i, e) alike = alike && json_is_object(e) && same_keys(first, e);
        if (alike) return pack_rows(v);
        out = json_array();
        json_array_foreach (v, i, e) json_array_append_new(out, pack(e));
        return out;
    }
    if (json_is_object(v)) {
        out = json_object();
        json_object_foreach (v, key, e) json_object_set_new(out, key, pack(e));
        return out;
    }
    return json_incref(v);
}

/* ---- formulas ---- */

static const struct formula {
    const char *flop, *w_rd, *act_rd, *act_wr, *kv_rd, *kv_wr;
} formulas[RG_OP_COUNT] = {
#define RG_OP(id, name, flop, iop, w_rd, act_rd, act_wr, kv_rd, kv_wr) \
    [RG_OP_##id] = {#flop, #w_rd, #act_rd, #act_wr, #kv_rd, #kv_wr},
#include "ops/ops.def"
};

static int64_t whole(double x) { return x >= 0.0 && x < 9e15 ? (int64_t)x : 0; }

/* "2 * m * n * k" to "2 * 128 * 2048 * 2048". */
static void fill(char *out, size_t n, const char *formula, const rg_dims *d)
{
    static const char *const names[] = {"m", "k", "n", "h", "g", "hd", "pairs", "cap", "u", "sink", "b"};
    const int64_t values[] = {d->m, d->k, d->n, d->h, d->g, d->hd, d->pairs, d->cap, d->u, d->sink, d->b};
    size_t at = 0, i;
    for (const char *p = formula; *p && at + 24 < n;) {
        size_t len = 0;
        while (isalpha((unsigned char)p[len]) || p[len] == '_') len++;
        if (len == 0) {
            out[at++] = *p++;
            continue;
        }
        for (i = 0; i < sizeof names / sizeof *names; i++)
            if (strlen(names[i]) == len && strncmp(names[i], p, len) == 0) break;
        at += i < sizeof names / sizeof *names
            ? (size_t)snprintf(out + at, n - at, "%lld", (long long)values[i])
            : (size_t)snprintf(out + at, n - at, "%.*s", (int)len, p);
        p += len;
    }
    out[at < n ? at : n - 1] = 0;
}

/* "16 layers * (2 * 128 * 2048 * 2048)" of layers of one kind, for a whole phase: operations are linear in
 * tokens and in pairs, so their sums may stand for them. Adds the operations. */
static void fill_layers(char *out, size_t n, double *flop, const rg_config *c, rg_site site, bool windowed,
    int64_t m, int64_t past, int64_t tokens)
{
    const rg_exact_input in = {.tp = 1};
    const rg_hardware h = {0};
    const int64_t layers = rg_exact_layers(c, site, windowed);
    rg_exact_seen seen = {0};
    char body[160];
    if (layers == 0) return;
    rg_exact_see(&seen, windowed ? c->window : 0, past, tokens);
    /* operations do not depend on the phase */
    const rg_exact_call x = rg_exact_site(c, &h, &in, site, RG_PREFILL, m, &seen);
    *flop += (double)layers * (double)x.tally.flop;
    fill(body, sizeof body, formulas[rg_site_op(site)].flop, &x.dims);
    if (*out) rg_text_add(out, n, " + ");
    if (layers > 1)
        rg_text_add(out, n, "%lld layers * (%s)", (long long)layers, body);
    else
        rg_text_add(out, n, "%s", body);
}

/* The filled-in formula; NULL where it does not give the figure of the file: an old run had another. */
static const char *filled(
    char *buf, size_t n, const rg_run *r, const rg_config *c, const rg_doc_op *w, rg_site site)
{
    enum { MOST = 1 << 20 };
    const int64_t tokens = whole(r->phase[w->phase].tokens), calls = whole(r->phase[w->phase].calls),
                  past = w->phase == RG_PREFILL ? 0 : whole(r->d->run.prompt_tokens),
                  rows[2] = {tokens, calls}; /* m: every token, or one per call (logits) */
    if (tokens > MOST || calls > MOST || past > MOST || !c->heads || !c->kv_heads) return NULL;
    for (int i = 0; i < 2; i++) {
        double flop = 0.0;
        buf[0] = 0;
        for (int windowed = 0; windowed < 2; windowed++)
            fill_layers(buf, n, &flop, c, site, windowed, rows[i], past, tokens);
        if (fabs(flop - w->flop) < 0.5) return buf;
    }
    return NULL;
}

static json_t *formulas_of(const rg_run *r)
{
    const rg_config c = rg_run_config(r);
    json_t *o = json_object();
    char key[64], buf[400];
    for (size_t i = 0; i < r->d->n_ops; i++) {
        const rg_doc_op *w = &r->d->ops[i];
        if (w->layer >= 0) continue;
        const rg_site site = rg_site_named(w->site, strlen(w->site));
        const char *text =
            site < RG_SITE_COUNT && w->flop > 0.0 ? filled(buf, sizeof buf, r, &c, w, site) : NULL;
        snprintf(key, sizeof key, "%s/%s", rg_phase_names[w->phase], w->site);
        if (text) json_object_set_new(o, key, json_string(text));
    }
    return o;
}

static json_t *formula_table(void)
{
    json_t *o = json_object();
    for (int i = 0; i < RG_OP_COUNT; i++) {
        const struct formula *f = &formulas[i];
        json_object_set_new(o, rg_op_name((rg_op)i),
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "flop", f->flop, "weight", f->w_rd, "act_read",
                f->act_rd, "act_write", f->act_wr, "kv_read", f->kv_rd, "kv_write", f->kv_wr));
    }
    return o;
}

static json_t *group_table(void)
{
    json_t *o = json_array(), *sites = json_object(), *classes = json_array();
    for (int i = 0; i < RG_OPGROUP_COUNT; i++) {
        json_array_append_new(o, json_string(rg_opgroup_names[i]));
        json_array_append_new(classes, json_string(rg_opgroup_classes[i]));
    }
    for (int s = 0; s < RG_SITE_COUNT; s++)
        json_object_set_new(sites, rg_site_name((rg_site)s),
            json_integer((json_int_t)rg_opgroup_of(rg_site_name((rg_site)s))));
    return json_pack(
        "{s:o, s:o, s:o, s:i}", "names", o, "classes", classes, "sites", sites, "rest", (int)RG_OPGROUP_REST);
}

rg_status rg_page_data(FILE *f, const rg_reports *s, rg_err *err)
{
    json_t *files = json_array(), *labels = json_array(), *forms = json_array(), *top;
    const int digits = rg_documents[s->doc[0].kind].digits;
    bool packed = true;
    for (size_t i = 0; i < s->n_docs; i++) packed = packed && !has_marker(s->doc[i].json);
    for (size_t i = 0; i < s->n_docs; i++)
        json_array_append_new(files, packed ? pack(s->doc[i].json) : json_incref(s->doc[i].json));
    for (size_t i = 0; i < s->n; i++) {
        json_array_append_new(labels, json_string(s->run[i].label));
        json_array_append_new(forms, formulas_of(&s->run[i]));
    }
    top = json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "packed", (int)packed, "whatif",
        s->n > 0 ? rg_page_whatif(s) : json_null(), "labels", labels, "formulas", formula_table(), "filled",
        forms, "groups", group_table(), "files", files);
    char *text = top ? json_dumps(top, JSON_COMPACT | JSON_REAL_PRECISION((size_t)digits)) : NULL;
    json_decref(top);
    if (!text) return rg_fail(err, RG_E_NOMEM, "page: out of memory for the data");
    for (const char *p = text; *p; p++) {
        if (*p == '<')
            fputs("\\u003c", f); /* it occurs in strings only, where this is the same character */
        else
            fputc(*p, f);
    }
    free(text);
    return RG_OK;
}
