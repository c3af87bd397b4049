/* Reading JSON that the program printed; what is missing or of another type fails the test. */
#ifndef RG_JSON_UTIL_H
#define RG_JSON_UTIL_H

#include "run_program.h"

static inline json_t *parse(const output *o)
{
    json_error_t e;
    json_t *j = json_loadb(o->out, o->n_out, 0, &e);
    if (!j) fail_msg("not JSON: line %d: %s", e.line, e.text);
    return j;
}

static inline const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    if (!s) fail_msg("no text '%s'", key);
    return s;
}

static inline double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_number(v)) fail_msg("'%s' is not a number", key);
    const double d = json_number_value(v);
    if (!(d >= 0.0)) fail_msg("'%s' is %g", key, d);
    return d;
}

/* A number or null, never absent. */
static inline double number_or_null(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (!v) fail_msg("no '%s'", key);
    return json_is_null(v) ? NAN : number(o, key);
}

static inline json_t *item(const json_t *list, const char *key, const char *value)
{
    size_t i;
    json_t *v;
    json_array_foreach (list, i, v)
        if (strcmp(text(v, key), value) == 0) return v;
    fail_msg("no entry with %s '%s'", key, value);
    return NULL;
}

#endif
