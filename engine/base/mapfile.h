/* Read-only file mappings and a bounds-checked little-endian cursor. All parsing of files goes through the
 * cursor. */
#ifndef RG_MAPFILE_H
#define RG_MAPFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct rg_mapfile {
    const unsigned char *data; /* owns the mapping; NULL when closed */
    size_t size;
    char *path; /* owns */
} rg_mapfile;

/* Maps a regular, non-empty file. Errors name the path. */
rg_status rg_mapfile_open(rg_mapfile *f, const char *path, rg_err *err);
/* Files of the process are read into memory instead of mapped. Call before the first is opened. */
void rg_mapfile_read_whole(bool on);
/* Legal on a zeroed struct. */
void rg_mapfile_close(rg_mapfile *f);
/* Path of the open mapping (of up to 2048) that holds an address, or NULL. For the handler of SIGBUS, which a
 * file that became shorter raises; async-signal-safe. */
const char *rg_mapfile_at(const void *address);
/* A range will not be read again: its pages leave our resident set. */
void rg_mapfile_done(const rg_mapfile *f, const void *p, size_t bytes);

/* Never moves past end; after the first failed read `bad` stays set and every read gives 0. */
typedef struct rg_cursor {
    const unsigned char *p, *end;
    bool bad;
} rg_cursor;

static inline size_t rg_cur_left(const rg_cursor *c) { return c->bad ? 0 : (size_t)(c->end - c->p); }
/* The next n bytes, or NULL (and bad). */
const unsigned char *rg_cur_take(rg_cursor *c, uint64_t n);
uint8_t rg_cur_u8(rg_cursor *c);
uint16_t rg_cur_u16(rg_cursor *c);
uint32_t rg_cur_u32(rg_cursor *c);
uint64_t rg_cur_u64(rg_cursor *c);
static inline int32_t rg_cur_i32(rg_cursor *c) { return (int32_t)rg_cur_u32(c); }
float rg_cur_f32(rg_cursor *c);
double rg_cur_f64(rg_cursor *c);

#endif
