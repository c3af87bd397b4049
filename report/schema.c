/* Schemas and the reference of documents, from the tables of figures. */
#include "report/schema.h"

#include <ctype.h>
#include <string.h>

#include "report/table.h"
#include "roofline/measure/json_value.h"

static const struct {
    const char *type, *words;
    enum { MUST, NONE, LEFT } may;
} kinds[RG_FIG_KINDS] = {
#define RG_KIND(kind, member, type, may, words) [RG_FIG_##kind] = {type, words, may},
#include "report/fig_kinds.def"
};

const char *rg_schema_name(rg_doc_kind k)
{
    return k == RG_DOC_llm_viewer ? "roofline.llm-viewer" : rg_documents[k].schema + strlen("ridge.");
}

rg_doc_kind rg_schema_named(const char *name)
{
    int k = 0;
    while (k < RG_DOC_KINDS && strcmp(rg_schema_name(k), name) != 0) k++;
    return k;
}

rg_status rg_schema_list(FILE *f, rg_err *err)
{
    for (int k = 0; k < RG_DOC_KINDS; k++)
        fprintf(f, "%-19s %s\n", rg_schema_name(k), rg_documents[k].command);
    return rg_written(f, "report", false, err);
}

/* ---- JSON Schema ---- */

static bool holds_objects(rg_fig_kind k)
{
    return k == RG_FIG_DICT || k == RG_FIG_LIST || k == RG_FIG_LISTX || k == RG_FIG_LIST0 ||
        k == RG_FIG_OBJ || k == RG_FIG_OBJ0 || k == RG_FIG_OBJX;
}

/* {"$ref": ...}; or_null: that or null */
static json_t *reference(rg_object_id object, bool or_null)
{
    json_t *o = json_pack("{s:s}", "$ref", RG_TEXT(80, "#/definitions/%s", rg_objects[object].name));
    return or_null ? json_pack("{s:[o, {s:s}]}", "anyOf", o, "type", "null") : o;
}

static json_t *type_of(const char *type, bool or_null)
{
    return or_null ? json_pack("[s, s]", type, "null") : json_string(type);
}

static json_t *number(const char *type) { return json_pack("{s:s, s:i}", "type", type, "minimum", 0); }

static json_t *enumeration(const char *words, bool or_null)
{
    json_t *a = json_array();
    for (const char *w = words; *w; w += strspn(w, " ")) {
        const size_t n = strcspn(w, " ");
        json_array_append_new(a, json_stringn(w, n));
        w += n;
    }
    if (or_null) json_array_append_new(a, json_null());
    return a;
}

static json_t *figure(const rg_fig *f, bool not_empty)
{
    const rg_fig_kind k = f->kind;
    const bool null = kinds[k].may == NONE;
    const char *type = kinds[k].type, *words = k == RG_FIG_PHASE ? "prefill decode" : f->words;
    if (k == RG_FIG_OBJ || k == RG_FIG_OBJX || k == RG_FIG_OBJ0) {
        json_t *o = reference(f->of, null);
        json_object_set_new(o, "description", json_string(f->help));
        return o;
    }
    json_t *o = json_pack("{s:s}", "description", f->help), *items = NULL;
    if (words) {
        json_object_set_new(o, "enum", enumeration(words, null));
        return o;
    }
    if (*type) json_object_set_new(o, "type", type_of(type, null));
    if ((*type == 'i' || *type == 'n') && k != RG_FIG_SIGNED && k != RG_FIG_SREAL)
        json_object_set_new(o, "minimum", json_integer(0));
    if (k == RG_FIG_STAMP)
        json_object_set_new(o, "pattern", json_string("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$"));
    if (k == RG_FIG_LINES) items = json_pack("{s:s, s:i}", "type", "string", "minLength", 1);
    if (k == RG_FIG_NUMBERS || k == RG_FIG_NUMBERS0) items = number("number");
    if (k == RG_FIG_COUNTS || k == RG_FIG_COUNTS0) items = number("integer");
    if (k == RG_FIG_MAP) items = json_pack("{s:o}", "type", type_of("number", true));
    if (holds_objects(k)) items = reference(f->of, k == RG_FIG_LIST0);
    if (items) json_object_set_new(o, *type == 'a' ? "items" : "additionalProperties", items);
    if (not_empty) json_object_set_new(o, "minItems", json_integer(1));
    return o;
}

/* Adds to `out` what an object looks like. */
static void describe(json_t *out, rg_object_id id)
{
    const rg_object *d = &rg_objects[id];
    const rg_doc_kind kind = rg_doc_kind_of(id);
    const char *list = kind < RG_DOC_KINDS ? rg_documents[kind].list : "";
    json_t *required = json_array(), *all = json_object();
    if (kind < RG_DOC_KINDS) {
        json_object_set_new(all, "schema", json_pack("{s:s}", "const", rg_documents[kind].schema));
        json_object_set_new(all, "version", json_pack("{s:i}", "const", rg_documents[kind].version));
        json_array_append_new(required, json_string("schema"));
        json_array_append_new(required, json_string("version"));
    }
    for (int i = 0; i < d->n; i++) {
        const rg_fig *f = &d->fig[i];
        json_object_set_new(all, f->key, figure(f, strcmp(f->key, list) == 0));
        if (kinds[f->kind].may != LEFT) json_array_append_new(required, json_string(f->key));
    }
    json_object_set_new(out, "description", json_string(d->what));
    json_object_set_new(out, "type", json_string("object"));
    json_object_set_new(out, "additionalProperties", json_false());
    json_object_set_new(out, "required", required);
    json_object_set_new(out, "properties", all);
}

/* The objects inside an object, and so on. */
static void define(json_t *definitions, rg_object_id id)
{
    for (int i = 0; i < rg_objects[id].n; i++) {
        const rg_fig *f = &rg_objects[id].fig[i];
        const char *name = rg_objects[f->of].name;
        if (!holds_objects(f->kind) || json_object_get(definitions, name)) continue;
        json_t *o = json_object();
        describe(o, f->of);
        json_object_set_new(definitions, name, o);
        define(definitions, f->of);
    }
}

rg_status rg_schema_write(FILE *f, rg_doc_kind kind, rg_err *err)
{
    const rg_document *d = &rg_documents[kind];
    json_t *o = json_pack("{s:s, s:s, s:s}", "$schema", "http://json-schema.org/draft-07/schema#", "$id",
               RG_TEXT(64, "%s.schema.json", rg_schema_name(kind)), "title",
               RG_TEXT(64, "%s -o json", d->command)),
           *definitions = json_object();
    describe(o, d->object);
    define(definitions, d->object);
    json_object_set_new(o, "definitions", definitions);
    return rg_json_write(f, o, JSON_INDENT(1), "schema", err);
}

/* ---- the reference ---- */

static bool ends(const char *s, const char *with)
{
    const size_t n = strlen(s), m = strlen(with);
    return n >= m && strcmp(s + n - m, with) == 0;
}

static const char *unit_of(const rg_fig *f)
{
    static const struct {
        const char *end, *unit;
    } units[] = {{"_ns", "ns"}, {"_bytes", "bytes"}, {"bytes_per_token", "bytes"}, {"gbps", "1e9 bytes/s"},
        {"gflops", "1e9 operations/s"}, {"gops", "1e9 operations/s"}, {"_ts", "tokens/s"},
        {"tokens_per_s", "tokens/s"}, {"tokens_per_s_low", "tokens/s"}, {"tokens_per_s_high", "tokens/s"},
        {"_nats", "nats"}, {"_j", "joules"}};
    if (f->format == RG_FORMAT_PERCENT || f->format == RG_FORMAT_SHARE) return "0 to 1";
    if (f->format == RG_FORMAT_BYTES || f->format == RG_FORMAT_MB) return "bytes";
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (ends(f->key, units[i].end)) return units[i].unit;
    return "";
}

/* Its source in the help, "measured: ...", or an empty text; *help behind it. */
static const char *source_of(const char **help)
{
    static const char *const names[] = {"analytic", "counted", "pmu", "measured", "share"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const size_t n = strlen(names[i]);
        if (strncmp(*help, names[i], n) != 0 || strncmp(*help + n, ": ", 2) != 0) continue;
        *help += n + 2;
        return names[i];
    }
    return "";
}

static void in_cell(FILE *f, const char *s)
{
    for (; *s; s++) fputs(*s == '|' ? "\\|" : (const char[]){*s, 0}, f);
}

static void row(FILE *f, const rg_fig *x)
{
    const char *help = x->help, *source = source_of(&help);
    fprintf(f, "| `%s` | %s", x->key, kinds[x->kind].words);
    if (x->words) fprintf(f, ": %s", x->words);
    if (holds_objects(x->kind)) fprintf(f, ": [%s](#%s)", rg_objects[x->of].name, rg_objects[x->of].name);
    fprintf(f, " | %s | %s | ", unit_of(x), source);
    in_cell(f, help);
    fputs(" |\n", f);
}

rg_status rg_schema_reference(FILE *f, rg_err *err)
{
    for (int id = 0; id < RG_OBJECTS; id++) {
        const rg_object *d = &rg_objects[id];
        const rg_doc_kind kind = rg_doc_kind_of(id);
        fprintf(f, "### %s\n\n", d->name);
        if (kind < RG_DOC_KINDS)
            fprintf(f, "`%s`, version %d, of `%s`: ", rg_documents[kind].schema, rg_documents[kind].version,
                rg_documents[kind].command);
        else
            putc(toupper((unsigned char)*d->what), f);
        fprintf(f, "%s.\n\n| key | value | unit | source | meaning |\n|---|---|---|---|---|\n",
            d->what + (kind == RG_DOC_KINDS));
        for (int i = 0; i < d->n; i++) row(f, &d->fig[i]);
        fputs(id + 1 < RG_OBJECTS ? "\n" : "", f);
    }
    return rg_written(f, "report", false, err);
}
