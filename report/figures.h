/* What documents are made of. An object of figures.def is a struct and a table that writes, reads, checks,
 * describes and shows it. Numbers are double, NAN where unknown; texts are NULL where null, borrowed until
 * the document closes or from the caller. */
#ifndef RG_FIGURES_H
#define RG_FIGURES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "ops/rec.h"

typedef enum rg_fig_kind {
#define RG_KIND(kind, member, type, may, words) RG_FIG_##kind,
#include "report/fig_kinds.def"
    RG_FIG_KINDS
} rg_fig_kind;

typedef enum rg_fig_format {
#define RG_FORMAT(format) RG_FORMAT_##format,
#include "report/fig_kinds.def"
    RG_FORMATS
} rg_fig_format;

typedef enum rg_fig_interval { RG_EXACT, RG_SPEED, RG_TIME, RG_PAIRED, RG_MEASURED } rg_fig_interval;

typedef enum rg_object_id {
#define RG_OBJECT(object, what) RG_OBJ_##object,
#include "report/figures.def"
    RG_OBJECTS
} rg_object_id;

/* ---- the structs ---- */

#define RG_MEMBER_COUNT(of, key) double key;
#define RG_MEMBER_INDEX(of, key) int64_t key;
#define RG_MEMBER_TEXT(of, key) const char *key;
#define RG_MEMBER_FLAG(of, key) bool key;
#define RG_MEMBER_FLAG0(of, key) int key; /* -1: null */
#define RG_MEMBER_PHASE(of, key) rg_phase key;
#define RG_MEMBER_OBJ(of, key) rg_doc_##of key;
#define RG_MEMBER_OBJ0(of, key) rg_doc_##of *key;
/* n_key of them */
#define RG_MEMBER_LIST(of, key) \
    rg_doc_##of *key; \
    size_t n_##key;
#define RG_MEMBER_LIST0(of, key) \
    rg_doc_##of **key; \
    size_t n_##key;
/* owns a reference */
#define RG_MEMBER_JSON(of, key) json_t *key;
#define RG_MEMBER_COUNT0 RG_MEMBER_COUNT
#define RG_MEMBER_COUNTX RG_MEMBER_COUNT
#define RG_MEMBER_SIGNED RG_MEMBER_COUNT
#define RG_MEMBER_REAL RG_MEMBER_COUNT
#define RG_MEMBER_REALX RG_MEMBER_COUNT
#define RG_MEMBER_SREAL RG_MEMBER_COUNT
#define RG_MEMBER_TEXT0 RG_MEMBER_TEXT
#define RG_MEMBER_TEXTX RG_MEMBER_TEXT
#define RG_MEMBER_STAMP RG_MEMBER_TEXT
#define RG_MEMBER_WORD RG_MEMBER_TEXT
#define RG_MEMBER_WORD0 RG_MEMBER_TEXT
#define RG_MEMBER_WORDX RG_MEMBER_TEXT
#define RG_MEMBER_LISTX RG_MEMBER_LIST
#define RG_MEMBER_MAP RG_MEMBER_JSON
#define RG_MEMBER_LINES RG_MEMBER_JSON
#define RG_MEMBER_NUMBERS RG_MEMBER_JSON
#define RG_MEMBER_COUNTS RG_MEMBER_JSON
#define RG_MEMBER_COUNTS0 RG_MEMBER_JSON
#define RG_MEMBER_NUMBERS0 RG_MEMBER_JSON
#define RG_MEMBER_DICT RG_MEMBER_JSON
#define RG_MEMBER_OBJX RG_MEMBER_OBJ0

#define RG_OBJECT(object, what) typedef struct rg_doc_##object {
#define RG_FIG(object, kind, key, of, format, rank, title, interval, help) RG_MEMBER_##kind(of, key)
#define RG_END(object) \
    } \
    rg_doc_##object;
#include "report/figures.def"

/* ---- the tables ---- */

typedef struct rg_fig {
    const char *key;
    rg_fig_kind kind;
    size_t at;       /* of the member */
    rg_object_id of; /* of objects and lists */
    const char *words;
    rg_fig_format format;
    int rank;
    const char *title, *help;
    rg_fig_interval interval;
} rg_fig;

typedef struct rg_object {
    const char *name, *what;
    const rg_fig *fig;
    int n;
    size_t size;
} rg_object;
extern const rg_object rg_objects[RG_OBJECTS];

/* The figure of that key, or NULL. */
const rg_fig *rg_fig_find(rg_object_id object, const char *key);

/* Where a value was found, for messages. */
typedef struct rg_place {
    const char *file, *command; /* command: what writes such a file */
    char path[160];
} rg_place;

/* The object as JSON, rounded to that many digits; a root begins with schema and version. NULL without
 * memory. */
json_t *rg_object_write(rg_object_id object, const void *from, int digits);
/* Reads and checks JSON: members, types, signs, lengths. Unknown keys are left alone. RG_E_FILE names the
 * place. Texts and JSON stay borrowed from o. */
rg_status rg_object_read(rg_object_id object, void *to, const json_t *o, rg_place *p, rg_err *err);
/* Frees what reading allocated, or a struct whose lists the caller allocated. */
void rg_object_free(rg_object_id object, void *at);

/* A figure within an object, objects inside it opened: "analytic.total_bytes". */
typedef struct rg_leaf {
    const rg_fig *fig;
    char key[64];
    const char *title;
    int rank;
    size_t at[4]; /* offsets; all but the last lead to an object */
    bool pointer[4];
    int depth;
} rg_leaf;
enum { RG_MOST_LEAVES = 96 };
/* The numbers, words and flags. below: "", or the key of the one object to open. ranked: those of tables in
 * their order, objects inside opened. */
int rg_leaves(rg_leaf out[RG_MOST_LEAVES], rg_object_id object, const char *below, bool ranked);
/* The member, or NULL where an object on the way is null. */
const void *rg_leaf_value(const rg_leaf *l, const void *row);
/* As people read it; NULL: null. In a table, or in a sentence. */
const char *rg_fig_text(char *buf, size_t n, const rg_fig *f, const void *value);
const char *rg_fig_words(char *buf, size_t n, const rg_fig *f, const void *value);
/* Rows of a list: their number, and the i-th or NULL where it is null. */
size_t rg_fig_rows(const rg_fig *f, const void *value);
const void *rg_fig_row(const rg_fig *f, const void *value, size_t i);
/* Whether the value is null. */
bool rg_fig_null(const rg_fig *f, const void *value);
/* As JSON; NULL without memory. */
json_t *rg_fig_json(const rg_fig *f, const void *value, int digits);
/* "TEXT", "INTEGER", "REAL" */
const char *rg_fig_sql(const rg_fig *f);
bool rg_fig_number(const rg_fig *f);
/* Titles of numbers stand to the right. */
bool rg_fig_right(const rg_fig *f);

#endif
