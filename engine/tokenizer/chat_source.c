/* Where the template of a checkpoint is written down. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mapfile.h"
#include "base/path.h"
#include "base/text.h"
#include "tokenizer/chat.h"

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

static rg_status read_text(char **text, const char *path, rg_err *err)
{
    rg_mapfile f;
    const rg_status st = rg_mapfile_open(&f, path, err);
    if (st) return st;
    const unsigned char *zero = memchr(f.data, 0, f.size);
    rg_status bad = RG_OK;
    if (f.size > TEMPLATE_MAX)
        bad = rg_fail(err, RG_E_FILE, "%s: %zu bytes are too many for a chat template", path, f.size);
    else if (zero)
        bad = rg_fail(err, RG_E_FILE, "%s: byte %zu is 0, expected the text of a chat template", path,
            (size_t)(zero - f.data));
    else if (!(*text = strndup((const char *)f.data, f.size)))
        bad = rg_no_memory(err, path);
    rg_mapfile_close(&f);
    return bad;
}

/* A template: a string, or the "default" of a list of {name, template}. */
static rg_status take_template(char **text, const json_t *v, const char *path, rg_err *err)
{
    char names[200] = "";
    if (json_is_array(v)) {
        size_t i;
        json_t *o;
        const json_t *chosen = NULL;
        json_array_foreach (v, i, o) {
            const char *name = json_string_value(json_object_get(o, "name"));
            if (name && strcmp(name, "default") == 0) chosen = json_object_get(o, "template");
            rg_text_add(names, sizeof names, "%s%s", i ? ", " : "", name ? RG_CLEAN(40, name) : "?");
        }
        if (!chosen && json_array_size(v) > 0)
            return rg_fail(err, RG_E_UNSUPPORTED,
                "%s: chat_template: templates %s, and none called 'default'; choose with --chat-template",
                path, names);
        v = chosen;
    }
    if (!v || json_is_null(v)) return RG_OK;
    if (!json_is_string(v))
        return rg_fail(err, RG_E_FILE, "%s: chat_template: expected a string or a list", path);
    if (json_string_length(v) > TEMPLATE_MAX)
        return rg_fail(
            err, RG_E_FILE, "%s: %zu bytes are too many for a chat template", path, json_string_length(v));
    *text = strdup(json_string_value(v));
    return *text ? RG_OK : rg_no_memory(err, path);
}

static rg_status read_config(char **text, const char *path, rg_err *err)
{
    json_error_t je;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &je);
    if (!root) return rg_fail(err, RG_E_FILE, "%s:%d:%d: %s", path, je.line, je.column, je.text);
    const rg_status st = take_template(text, json_object_get(root, "chat_template"), path, err);
    json_decref(root);
    return st;
}

/* Files beside a path: the template is the first one's that has any. */
static rg_status beside(char **text, rg_chat *c, const char *path, rg_err *err)
{
    static const char *const files[] = {"chat_template.jinja", "tokenizer_config.json", "chat_template.json"};
    char *dir = rg_path_folder(path);
    rg_status st = dir ? RG_OK : rg_no_memory(err, path);
    for (int i = 0; i < 3 && !st && !*text; i++) {
        char *file = rg_path_join(dir, files[i]);
        if (!file)
            st = rg_no_memory(err, path);
        else if (exists(file))
            st = i == 0 ? read_text(text, file, err) : read_config(text, file, err);
        if (*text) snprintf(c->source, sizeof c->source, "%s", files[i]);
        free(file);
    }
    free(dir);
    return st;
}

static rg_status by_name(rg_chat *c, const char **builtin, char **text, const char *name, rg_err *err)
{
    char list[300];
    snprintf(c->source, sizeof c->source, "--chat-template");
    for (int i = 0; i < NAMED; i++)
        if (strcmp(named[i].name, name) == 0) {
            c->name = named[i].name;
            *builtin = named[i].text;
            return RG_OK;
        }
    if (exists(name)) {
        snprintf(c->source, sizeof c->source, "%.120s", name);
        return read_text(text, name, err);
    }
    return rg_fail(err, RG_E_USAGE, "--chat-template: '%.60s', expected a file with a template, or one of %s",
        name, rg_chat_names(list, sizeof list));
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
    const rg_ckpt_vocab *v = rg_ckpt_embedded_vocab(ckpt);
    const char *found = rg_ckpt_tokenizer_path(ckpt), *builtin = NULL;
    char *text = NULL;
    *c = (rg_chat){0};
    rg_status st = take_date(&c->date, o->date, err);
    if (!st && o->name) {
        st = by_name(c, &builtin, &text, o->name, err);
    } else if (!st) {
        if (o->tokenizer) st = beside(&text, c, o->tokenizer, err);
        if (!st && !text && v && v->chat_template) {
            snprintf(c->source, sizeof c->source, "tokenizer.chat_template of the GGUF file");
            if (!(text = strdup(v->chat_template))) st = rg_no_memory(err, "chat");
        }
        if (!st && !text && found) st = beside(&text, c, found, err);
        if (!st && !text) st = beside(&text, c, rg_ckpt_path(ckpt), err);
    }
    if (!st && !text && !builtin) {
        c->name = named[NONE].name;
        builtin = named[NONE].text;
    }
    const char *program = builtin ? builtin : text;
    if (!st)
        st = rg_jinja_open(
            &c->program, program, strlen(program), c->source[0] ? c->source : "chat template", err);
    free(text);
    if (st) rg_chat_close(c);
    return st;
}
