/* Modules whose codes are bytes, [out][in]: FP8 (e4m3) and INT8, with a scale for the matrix, a row, a group
 * of a row, or a block. And MXFP4: two codes in a byte, with an exponent for 32 of a row. */
#include <string.h>

#include "weights/parts.h"

/* Which weights share a scale, by the shape of the scales: tall rows and group columns. */
static bool spread(const rg_scheme *s, rg_grid *g, const rg_part *p)
{
    const uint64_t out = (uint64_t)g->out, n = p->rank == 0 ? 1 : p->dim[0], m = p->rank == 2 ? p->dim[1] : 1;
    g->tall = 1;
    g->group = g->in;
    if (p->rank > 2) return false;
    if (n == 1 && m == 1)
        g->tall = g->out;
    else if (n == out && m > 1 && s->group > 0) {
        g->group = s->group;
    } else if (n != out || m > 1) {
        g->tall = s->block[0];
        g->group = s->block[1];
    }
    if (g->tall < 1 || g->group < 1) return false;
    g->groups = rg_div_up(g->in, g->group);
    return n == (uint64_t)rg_div_up(g->out, g->tall) && m == (uint64_t)g->groups;
}

rg_status rg_fill_scaled(rg_ckpt *c, rg_grid *g, const rg_part *const part[RG_P_COUNT], const rg_src *src)
{
    const rg_part *q = part[RG_P_CODES], *s = part[RG_P_SCALES];
    g->kind = strcmp(q->dtype, "I8") == 0 ? RG_GRID_INT8 : RG_GRID_FP8;
    g->bits = 8;
    const rg_status st = rg_part_check(q, g->out, g->in, src);
    if (st) return st;
    if (part[RG_P_ZEROS] || part[RG_P_INDEX])
        return rg_lacks(src, "module %.100s: %s beside bytes are not supported; expected scales alone",
            q->module, part[RG_P_ZEROS] ? "zero points" : "groups of columns");
    if (!spread(&c->scheme, g, s))
        return rg_bad(src,
            "module %.100s: scales of shape [%llu, %llu] (rank %d) for [%lld, %lld]; expected one, a column, "
            "or "
            "one for each block or group that the configuration declares",
            s->module, (unsigned long long)s->dim[0], (unsigned long long)s->dim[1], s->rank,
            (long long)g->out, (long long)g->in);
    rg_grid_take_scales(g, s);
    return RG_OK;
}

rg_status rg_fill_mxfp4(rg_grid *g, const rg_part *const part[RG_P_COUNT], int64_t experts, const rg_src *src)
{
    const rg_part *q = part[RG_P_CODES], *s = part[RG_P_SCALES];
    const uint64_t want[4] = {(uint64_t)experts, (uint64_t)(g->out / experts), (uint64_t)g->in / 32, 16};
    g->kind = RG_GRID_MXFP4;
    g->group = 32;
    g->groups = g->in / 32;
    if (g->in % 32 != 0)
        return rg_lacks(
            src, "module %.100s: rows of %lld are not whole MXFP4 blocks of 32", q->module, (long long)g->in);
    if (q->rank != 4 || memcmp(q->dim, want, sizeof want) != 0)
        return rg_bad(src,
            "module %.100s: blocks of shape [%llu, %llu, %llu, %llu] (rank %d), expected [%llu, %llu, %llu, "
            "16]",
            q->module, (unsigned long long)q->dim[0], (unsigned long long)q->dim[1],
            (unsigned long long)q->dim[2], (unsigned long long)q->dim[3], q->rank,
            (unsigned long long)want[0], (unsigned long long)want[1], (unsigned long long)want[2]);
    if (s->rank != 3 || memcmp(s->dim, want, 3 * sizeof *want) != 0)
        return rg_bad(src,
            "module %.100s: scales of shape [%llu, %llu, %llu] (rank %d), expected [%llu, %llu, %llu]",
            s->module, (unsigned long long)s->dim[0], (unsigned long long)s->dim[1],
            (unsigned long long)s->dim[2], s->rank, (unsigned long long)want[0], (unsigned long long)want[1],
            (unsigned long long)want[2]);
    rg_grid_take_scales(g, s);
    return RG_OK;
}
