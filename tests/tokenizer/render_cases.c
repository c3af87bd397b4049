/* Chat templates for check_templates.py: render_cases FILE reads a JSON array of cases and prints what each
 * becomes. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/jinja.h"

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static json_t *render(const json_t *c)
{
    enum { MANY = 64 };
    rg_jinja_message m[MANY];
    const char *variable[2 * MANY + 2];
    rg_jinja_args a = {
        .message = m, .variable = variable, .generate = json_is_true(json_object_get(c, "generate"))};
    rg_jinja *t = NULL;
    rg_jinja_text x = {0};
    rg_err err = {0};
    size_t i, n = 0;
    json_t *o, *v;
    const char *key, *text = text_of(c, "template");
    json_array_foreach (json_object_get(c, "messages"), i, o)
        if (i < MANY)
            m[a.n_messages++] = (rg_jinja_message){.role = text_of(o, "role"),
                .content = text_of(o, "content"),
                .n = strlen(text_of(o, "content"))};
    json_object_foreach (json_object_get(c, "variables"), key, v)
        if (n < 2 * MANY) variable[n++] = key, variable[n++] = json_string_value(v);
    variable[n] = NULL;
    strptime(text_of(c, "date"), "%Y-%m-%d", &a.date);
    rg_status st = rg_jinja_open(&t, text, strlen(text), "template", &err);
    if (!st) st = rg_jinja_render(&x, t, &a, &err);
    o = st ? json_pack("{s:i,s:s}", "status", (int)st, "error", err.msg)
           : json_pack("{s:s#}", "text", x.p, x.n);
    rg_jinja_text_free(&x);
    rg_jinja_close(t);
    return o ? o : json_pack("{s:s}", "error", "not UTF-8");
}

int main(int argc, char **argv)
{
    json_error_t je;
    size_t i;
    json_t *c, *out = json_array(), *cases = argc == 2 ? json_load_file(argv[1], 0, &je) : NULL;
    if (!json_is_array(cases)) return 2;
    json_array_foreach (cases, i, c) json_array_append_new(out, render(c));
    json_dumpf(out, stdout, 0);
    json_decref(out);
    json_decref(cases);
    return 0;
}
