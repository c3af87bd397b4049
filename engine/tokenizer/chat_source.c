/* Where the template of a checkpoint is written down. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mapfile.h"
#include "base/path.h"
#include "tokenizer/chat.h"

enum { TEMPLATE_MAX = 1 << 20 }; /* bytes of a template; real ones have a few thousand */

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
    if (f.size > TEMPLATE_MAX) {
        rg_mapfile_close(&f);
        return rg_fail(err, RG_E_FILE, "%s: %zu bytes are too many for a chat template", path, f.size);
    }
    *text = strndup((const char *)f.data, f.size);
    rg_mapfile_close(&f);
    return *text ? RG_OK : rg_no_memory(err, path);
}

/* "chat_template": a string, or the "default" of a list of {name, template}. */
static rg_status read_config(char **text, const char *path, rg_err *err)
{
    json_error_t je;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &je), *v;
    if (!root) return rg_fail(err, RG_E_FILE, "%s:%d:%d: %s", path, je.line, je.column, je.text);
    v = json_object_get(root, "chat_template");
    if (json_is_array(v)) {
        size_t i;
        json_t *o, *chosen = NULL;
        json_array_foreach (v, i, o) {
            const char *name = json_string_value(json_object_get(o, "name"));
            if (!chosen || (name && strcmp(name, "default") == 0)) chosen = json_object_get(o, "template");
        }
        v = chosen;
    }
    rg_status st = RG_OK;
    if (json_is_string(v) && json_string_length(v) <= TEMPLATE_MAX && !(*text = strdup(json_string_value(v))))
        st = rg_no_memory(err, path);
    json_decref(root);
    return st;
}

static rg_status beside(char **text, rg_chat *c, const char *path, rg_err *err)
{
    static const struct {
        const char *name;
        rg_status (*read)(char **, const char *, rg_err *);
    } files[] = {{"chat_template.jinja", read_text}, {"tokenizer_config.json", read_config}};
    char *dir = rg_path_folder(path);
    rg_status st = dir ? RG_OK : rg_no_memory(err, path);
    bool found = false;
    for (int i = 0; i < 2 && !found && !st; i++) {
        char *file = rg_path_join(dir, files[i].name);
        found = file && exists(file);
        if (found) snprintf(c->source, sizeof c->source, "%s", files[i].name);
        st = found ? files[i].read(text, file, err) : file ? RG_OK : rg_no_memory(err, path);
        free(file);
    }
    free(dir);
    return st;
}

static rg_status by_name(rg_chat *c, const char *name, rg_err *err)
{
    char list[300] = "";
    const int id = rg_chat_from_name(name);
    snprintf(c->source, sizeof c->source, "--chat-template");
    if (id >= 0) {
        c->id = (rg_chat_id)id;
        return RG_OK;
    }
    for (int i = 0; i < RG_CHAT_COUNT; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "",
            rg_chat_name((rg_chat_id)i));
    return rg_fail(err, RG_E_USAGE,
        "--chat-template: '%.60s', expected %s (templates are recognised, not executed)", name, list);
}

rg_status rg_chat_open(rg_chat *c, const rg_ckpt *ckpt, const char *tokenizer, const char *name, rg_err *err)
{
    *c = (rg_chat){.id = RG_CHAT_NONE};
    char *text = NULL;
    rg_status st = RG_OK;
    if (name) return by_name(c, name, err);
    const rg_ckpt_vocab *v = rg_ckpt_embedded_vocab(ckpt);
    const char *found = rg_ckpt_tokenizer_path(ckpt);
    if (tokenizer) st = beside(&text, c, tokenizer, err);
    if (!st && !text && v && v->chat_template) {
        snprintf(c->source, sizeof c->source, "tokenizer.chat_template of the GGUF file");
        if (!(text = strdup(v->chat_template))) st = rg_no_memory(err, "chat");
    }
    if (!st && !text && found) st = beside(&text, c, found, err);
    if (!st && !text) st = beside(&text, c, rg_ckpt_path(ckpt), err);
    if (!st && !text) c->source[0] = 0;
    const int id = text ? rg_chat_recognise(text) : -1;
    if (id >= 0) {
        c->id = (rg_chat_id)id;
        if (id == RG_CHAT_CHATML) c->system = rg_chat_default_system(text);
    }
    c->unknown = text && id < 0;
    free(text);
    return st;
}
