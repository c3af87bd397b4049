/* A user's hardware file, or a machine file, told apart by "schema". Every range is checked first. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "roofline/measure/json_value.h"
#include "roofline/model/hardware.h"

/* Absent or null: 0, unknown. */
static bool figure(const json_t *o, const char *key, double scale, double most, double *out)
{
    const json_t *v = json_object_get(o, key);
    *out = 0.0;
    if (!v || json_is_null(v)) return true;
    *out = json_number_value(v) * scale;
    return json_is_number(v) && isfinite(*out) && *out > 0.0 && *out <= most;
}

/* The first field that is wrong, or NULL. */
static const char *from_json(rg_hardware *h, const json_t *j)
{
    static const char *const known[] = {"schema", "version", "name", "source", "bandwidth_gbps",
        "fp32_gflops", "fp16_gflops", "bf16_gflops", "int8_gops", "memory_bytes", "onchip_bytes", "link_gbps",
        "caches", "cores"};
    const char *name = json_string_value(json_object_get(j, "name")),
               *source = json_string_value(json_object_get(j, "source")), *key;
    const json_t *caches = json_object_get(j, "caches"), *v;
    double cores;
    json_object_foreach ((json_t *)(uintptr_t)j, key, v) {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(known[i], key) != 0) i++;
        if (i == sizeof known / sizeof *known)
            return "a field that is not known; known are name, source, cores, bandwidth_gbps, fp32_gflops, "
                   "fp16_gflops, bf16_gflops, int8_gops, memory_bytes, onchip_bytes, link_gbps and caches";
    }
    if (json_integer_value(json_object_get(j, "version")) != 1) return "version: expected 1";
    if (!name || !*name) return "name: expected a string";
    rg_text_clean(h->name, sizeof h->name, name);
    if (source) rg_text_clean(h->source, sizeof h->source, source);
#define FIGURE(key, unit, most, to) \
    if (!figure(j, key, unit, most, &(to))) return key ": expected a number above 0";
    FIGURE("bandwidth_gbps", 1e9, 1e18, h->bandwidth)
    FIGURE("fp32_gflops", 1e9, 1e20, h->peak[RG_ARITH_FP32_FMA])
    FIGURE("fp16_gflops", 1e9, 1e20, h->peak[RG_ARITH_FP16_FMA])
    FIGURE("bf16_gflops", 1e9, 1e20, h->peak[RG_ARITH_BF16_DOT])
    FIGURE("int8_gops", 1e9, 1e20, h->peak[RG_ARITH_INT8_DOT])
    FIGURE("memory_bytes", 1.0, 1e18, h->memory)
    FIGURE("onchip_bytes", 1.0, 1e15, h->onchip)
    FIGURE("link_gbps", 1e9, 1e18, h->link)
    if (!figure(j, "cores", 1.0, 1e6, &cores)) return "cores: expected 1 or more";
    h->cores = (int)cores;
    if (caches && (!json_is_array(caches) || json_array_size(caches) > RG_HW_LEVELS))
        return "caches: expected an array of at most 8";
    for (size_t i = 0; i < json_array_size(caches); i++) {
        const json_t *c = json_array_get(caches, i);
        double bytes, rate;
        if (!figure(c, "bytes", 1.0, 1e15, &bytes) || !(bytes > 0.0) ||
            (i > 0 && !(bytes > (double)h->level[i - 1].bytes)))
            return "caches: expected rising bytes";
        if (!figure(c, "gbps", 1.0, 1e9, &rate)) return "caches: expected gbps above 0, or null";
        h->level[h->n_levels++] = (rg_hw_level){(int64_t)bytes, rate};
    }
    return NULL;
}

rg_status rg_hw_load(rg_hardware *h, rg_machine *machine, const char *path, rg_err *err)
{
    *h = (rg_hardware){0};
    json_t *j;
    rg_status st = rg_json_load(&j, path, "hardware", "", err);
    const char *schema = json_string_value(json_object_get(j, "schema")), *wrong;
    if (st) return st;
    if (schema && strcmp(schema, "ridge.machine") == 0) {
        if (!(st = rg_machine_load(machine, path, err))) rg_hw_from_machine(h, machine);
    } else if (!schema || strcmp(schema, "ridge.hardware") != 0)
        st = rg_fail(err, RG_E_FILE,
            "%s: not a hardware file: schema: expected \"ridge.hardware\" or \"ridge.machine\"", path);
    else if ((wrong = from_json(h, j)))
        st = rg_fail(err, RG_E_FILE, "%s: not a hardware file: %s", path, wrong);
    else if (!h->source[0])
        snprintf(h->source, sizeof h->source, "file %.300s", path);
    json_decref(j);
    return st;
}
