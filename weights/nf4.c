/* bitsandbytes' 4 bits (NF4): codes of a table, two a byte, the first in the high half; blocks of equal
 * length run over the rows of a matrix. Scales of blocks are floats, or bytes with a table, scales and an
 * offset of their own. Sizes stand in a tensor of JSON. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "weights/members.h"
#include "weights/parts.h"

enum { MAX_STATE = 1 << 16 };

static rg_status check_count(const rg_part *p, int64_t n, const char *what, const rg_src *src)
{
    if (p->rank == 1 && p->dim[0] == (uint64_t)n) return RG_OK;
    return rg_bad(src, "module %.100s: %llu %s (rank %d), expected %lld", p->module,
        (unsigned long long)p->dim[0], what, p->rank, (long long)n);
}

/* A size of blocks; -1: none. */
static int64_t block_of(const json_t *state, const char *key)
{
    const int64_t n = rg_member_int(state, key, -1);
    return n >= 1 && n <= 1 << 20 ? n : -1;
}

static rg_status read_state(rg_grid *g, const rg_part *p, const rg_src *src)
{
    json_error_t je;
    json_t *state = p->bytes <= MAX_STATE ? json_loadb((const char *)p->data, p->bytes, 0, &je) : NULL;
    const json_t *shape = json_object_get(state, "shape");
    const char *type = rg_member_word(state, "quant_type");
    rg_status st = RG_OK;
    if (!json_is_object(state))
        st = rg_bad(src, "module %.100s: its quant_state is not JSON", p->module);
    else if (strcmp(type, "nf4") != 0)
        st = rg_lacks(src, "module %.100s: quant_type '%.30s', expected nf4", p->module, type);
    else if (json_array_size(shape) != 2 || json_integer_value(json_array_get(shape, 0)) != g->out ||
        json_integer_value(json_array_get(shape, 1)) != g->in)
        st = rg_bad(src, "module %.100s: the shape in its quant_state is not [%lld, %lld]", p->module,
            (long long)g->out, (long long)g->in);
    g->group = block_of(state, "blocksize");
    if (g->nested) g->nested_group = block_of(state, "nested_blocksize");
    const json_t *offset = json_object_get(state, "nested_offset");
    g->offset = !g->nested ? 0.0 : json_is_number(offset) ? json_number_value(offset) : (double)NAN;
    if (!st && (g->group < 0 || g->nested_group < 0 || !isfinite(g->offset)))
        st = rg_bad(src,
            "module %.100s: its quant_state lacks a blocksize, nested_blocksize or nested_offset", p->module);
    json_decref(state);
    return st;
}

rg_status rg_fill_nf4(
    rg_grid *g, const rg_part *const part[RG_P_COUNT], const char *module, const rg_src *src)
{
    const rg_part *q = part[RG_P_CODES], *s = part[RG_P_SCALES], *map = part[RG_P_MAP],
                  *nested = part[RG_P_NESTED], *nested_map = part[RG_P_NESTED_MAP], *state = part[RG_P_STATE];
    const bool bytes = strcmp(s->dtype, "U8") == 0;
    const int64_t n = g->out * g->in; /* at most 2^40: the configuration was checked */
    if (!map || !state || (bytes && (!nested || !nested_map)))
        return rg_bad(src, "module %.100s: its %s is missing", module,
            !map          ? "quant_map"
                : !state  ? "quant_state"
                : !nested ? "nested_absmax"
                          : "nested_quant_map");
    if (q->bytes != (uint64_t)rg_div_up(n, 2))
        return rg_bad(src, "module %.100s: %llu bytes of codes, expected %lld for [%lld, %lld]", module,
            (unsigned long long)q->bytes, (long long)rg_div_up(n, 2), (long long)g->out, (long long)g->in);
    g->kind = RG_GRID_NF4;
    g->bits = 4;
    rg_grid_take_scales(g, s);
    g->map = map->data;
    if (bytes) {
        g->nested = nested->data;
        g->nested_map = nested_map->data;
    }
    rg_status st = read_state(g, state, src);
    const int64_t blocks = st ? 0 : rg_div_up(n, g->group);
    if (!st) st = check_count(map, 16, "values in quant_map", src);
    if (!st) st = check_count(s, blocks, "scales of blocks (absmax)", src);
    if (!st && bytes) st = check_count(nested_map, 256, "values in nested_quant_map", src);
    if (!st && bytes) st = check_count(nested, rg_div_up(blocks, g->nested_group), "scales of scales", src);
    return st;
}
