/* Where the template of a checkpoint is written down. */
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mapfile.h"
#include "base/num.h"
#include "base/path.h"
#include "base/text.h"
#include "tokenizer/chat.h"
#include "tokenizer/tok_beside.h"

enum { TEMPLATE_MAX = 1 << 20 }; /* bytes of a template; real ones have a few thousand */

static const struct named {
    const char *name, *text;
} named[] = {
#define RG_CHAT(name, text) {name, text},
#include "tokenizer/chat.def"
};
enum { NAMED = sizeof named / sizeof *named, NONE = NAMED - 1 };

const char *rg_chat_names(char *buf, size_t n)
{
    *buf = 0;
    for (int i = 0; i < NAMED; i++) rg_text_add(buf, n, "%s%s", i ? ", " : "", named[i].name);
    return buf;
}

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
}

/* Looks through the places where templates are written down: the first that has any decides. */
typedef struct search {
    rg_chat *c;
    const char *want; /* the name of the template */
    char *text;       /* NULL: not found; owns */
    bool any;         /* a place has templates */
    rg_err *err;
} search;

/* A template that was found. source: for people; path: for messages. */
static rg_status take(
    search *s, const char *name, const char *text, size_t n, const char *source, const char *path)
{
    const bool wanted = strcmp(name, s->want) == 0;
    if (wanted || !s->any) snprintf(s->c->source, sizeof s->c->source, "%.120s", source);
    s->any = true;
    if (!wanted) {
        rg_text_add(s->c->others, sizeof s->c->others, "%s%s", *s->c->others ? ", " : "", RG_CLEAN(40, name));
        return RG_OK;
    }
    const char *zero = memchr(text, 0, n);
    if (n > TEMPLATE_MAX)
        return rg_fail(s->err, RG_E_FILE, "%s: %zu bytes are too many for a chat template", path, n);
    if (zero)
        return rg_fail(s->err, RG_E_FILE, "%s: byte %zu is 0, expected the text of a chat template", path,
            (size_t)(zero - text));
    free(s->text);
    s->text = strndup(text, n);
    return s->text ? RG_OK : rg_no_memory(s->err, path);
}

static rg_status read_text(search *s, const char *name, const char *source, const char *path)
{
    rg_mapfile f;
    rg_status st = rg_mapfile_open(&f, path, s->err);
    if (st) return st;
    st = take(s, name, (const char *)f.data, f.size, source, path);
    rg_mapfile_close(&f);
    return st;
}

/* A member chat_template: a text, or a list of {name, template}. */
static rg_status read_json(search *s, const char *dir, const char *file)
{
    json_t *root, *o;
    char *path;
    size_t i;
    rg_status st = rg_tok_beside_load(&root, &path, dir, file, JSON_DECODE_INT_AS_REAL, s->err);
    const json_t *v = json_object_get(root, "chat_template");
    const rg_src src = {path, s->err};
    if (st || !v || json_is_null(v)) goto out;
    if (json_is_string(v))
        st = take(s, "default", json_string_value(v), json_string_length(v), file, path);
    else if (!json_is_array(v))
        st = rg_bad(&src, "chat_template: expected a string or a list");
    json_array_foreach (v, i, o) {
        const char *name = json_string_value(json_object_get(o, "name"));
        const json_t *text = json_object_get(o, "template");
        if (!name || !json_is_string(text))
            st = rg_bad(&src, "chat_template[%zu]: expected a name and a template", i);
        if (!st) st = take(s, name, json_string_value(text), json_string_length(text), file, path);
        if (st) break;
    }
out:
    json_decref(root);
    free(path);
    return st;
}

static int is_jinja(const struct dirent *e)
{
    const char *end = strrchr(e->d_name, '.');
    return end && strcmp(end, ".jinja") == 0;
}

static rg_status read_folder(search *s, const char *dir)
{
    struct dirent **list = NULL;
    const int n = scandir(dir, &list, is_jinja, alphasort);
    rg_status st = RG_OK;
    for (int i = 0; i < n; i++) {
        char *name = list[i]->d_name, *path = st ? NULL : rg_path_join(dir, name);
        *strrchr(name, '.') = 0;
        if (!st)
            st = path ? read_text(s, name, "additional_chat_templates", path) : rg_no_memory(s->err, dir);
        free(path);
        free(list[i]);
    }
    free(list);
    return st;
}

static rg_status beside(search *s, const char *path)
{
    char *dir = rg_path_folder(path), *file = dir ? rg_path_join(dir, "chat_template.jinja") : NULL,
         *more = dir ? rg_path_join(dir, "additional_chat_templates") : NULL;
    rg_status st = file && more ? RG_OK : rg_no_memory(s->err, path);
    if (!st && exists(file)) st = read_text(s, "default", "chat_template.jinja", file);
    if (!st) st = read_folder(s, more);
    if (!st && !s->any) st = read_json(s, dir, "tokenizer_config.json");
    if (!st && !s->any) st = read_json(s, dir, "chat_template.json");
    free(dir);
    free(file);
    free(more);
    return st;
}

static rg_status find(search *s, const rg_ckpt *ckpt, const char *tokenizer)
{
    const rg_ckpt_vocab *v = rg_ckpt_embedded_vocab(ckpt);
    const char *found = rg_ckpt_tokenizer_path(ckpt), *path = rg_ckpt_path(ckpt);
    char name[64];
    rg_status st = tokenizer ? beside(s, tokenizer) : RG_OK;
    if (!st && !s->any)
        for (size_t i = 0; v && i < v->n_chat && !st; i++)
            st = take(s,
                rg_text(name, sizeof name, "%.*s", (int)rg_min((int64_t)v->chat[i].name_len, 63),
                    v->chat[i].name),
                v->chat[i].text, v->chat[i].len, "tokenizer.chat_template of the GGUF file", path);
    if (!st && !s->any && found) st = beside(s, found);
    if (!st && !s->any) st = beside(s, path);
    if (!st && s->any && !s->text && strcmp(s->want, "default") == 0)
        st = rg_fail(s->err, RG_E_UNSUPPORTED,
            "%s: chat templates %s, and none called 'default'; choose one with --chat-template", s->c->source,
            s->c->others);
    return st;
}

static const struct named *find_named(const char *name)
{
    for (int i = 0; i < NAMED; i++)
        if (strcmp(named[i].name, name) == 0) return &named[i];
    return NULL;
}

/* What --chat-template asks for, but for the names of chat.def. */
static rg_status by_name(search *s, const rg_ckpt *ckpt, const rg_chat_opts *o)
{
    char list[300];
    if (exists(o->name)) return read_text(s, s->want, o->name, o->name);
    s->want = o->name;
    const rg_status st = find(s, ckpt, o->tokenizer);
    if (st || s->text) return st;
    return rg_fail(s->err, RG_E_USAGE,
        "--chat-template: '%.60s', expected a file with a template, or one of %s%s%s", o->name,
        rg_chat_names(list, sizeof list), s->c->others[0] ? ", or of the checkpoint's own: " : "",
        s->c->others);
}

static rg_status take_date(struct tm *date, const char *text, rg_err *err)
{
    const time_t now = time(NULL);
    struct tm d = {0};
    int used = 0;
    if (!text) {
        localtime_r(&now, date);
        return RG_OK;
    }
    const bool numbers =
        sscanf(text, "%4d-%2d-%2d%n", &d.tm_year, &d.tm_mon, &d.tm_mday, &used) == 3 && !text[used];
    const struct tm asked = d;
    d.tm_year -= 1900;
    d.tm_mon -= 1;
    d.tm_hour = 12; /* far from where clocks change */
    d.tm_isdst = -1;
    if (!numbers || mktime(&d) == -1 || d.tm_mday != asked.tm_mday || d.tm_mon != asked.tm_mon - 1)
        return rg_fail(err, RG_E_USAGE, "--chat-date: '%.40s', expected a date as 2026-01-31", text);
    d.tm_hour = 0;
    *date = d;
    return RG_OK;
}

rg_status rg_chat_open(rg_chat *c, const rg_ckpt *ckpt, const rg_chat_opts *o, rg_err *err)
{
    search s = {.c = c, .want = "default", .err = err};
    const struct named *row = o->name ? find_named(o->name) : NULL;
    *c = (rg_chat){0};
    rg_status st = take_date(&c->date, o->date, err);
    if (row)
        snprintf(c->source, sizeof c->source, "--chat-template");
    else if (!st)
        st = o->name ? by_name(&s, ckpt, o) : find(&s, ckpt, o->tokenizer);
    /* some GGUF files name a template in place of one */
    if (!row) row = s.text ? find_named(s.text) : &named[NONE];
    if (row) c->name = row->name;
    const char *program = row ? row->text : s.text;
    if (!st)
        st = rg_jinja_open(
            &c->program, program, strlen(program), c->source[0] ? c->source : "chat template", err);
    free(s.text);
    if (st) rg_chat_close(c);
    return st;
}
