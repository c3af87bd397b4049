/* Values of JSON objects, and what becomes of their members (members.def). Private to weights/. */
#ifndef RG_MEMBERS_H
#define RG_MEMBERS_H

#include <jansson.h>

#include "base/text.h"
#include "weights/arch.h"

typedef enum rg_member_place {
#define RG_PLACE(id, before, unknown) RG_IN_##id,
#include "weights/members.def"
} rg_member_place;

/* Fallback where the member is absent or null. Whole numbers may be written as reals (512.0), and a list of
 * equal values is that value. -1, which range checks refuse, for everything else. */
int64_t rg_member_int(const json_t *o, const char *key, int64_t fallback);
double rg_member_real(const json_t *o, const char *key, double fallback);
/* Only true is. */
bool rg_member_true(const json_t *o, const char *key);
/* "" if the member is no string. */
const char *rg_member_word(const json_t *o, const char *key);
/* null, false, 0, "", and what holds nothing else. NULL is legal. */
bool rg_json_says_nothing(const json_t *v);

/* Who reads what: a CONFIG has an architecture, ROPE a scaling. */
typedef struct rg_reader {
    rg_member_place place;
    const rg_arch *arch;
    rg_rope_scaling rope;
} rg_reader;

typedef enum rg_fate { RG_FATE_READ, RG_FATE_IDLE, RG_FATE_NOTED, RG_FATE_REFUSED } rg_fate;
/* What becomes of a member that says something. *only: the value it may have (JSON), or NULL; *lacks: what
 * another one means. */
rg_fate rg_member_fate(const rg_reader *r, const char *name, const char **only, const char **lacks);

/* Every member of o is read, means nothing here (a note names those that might), or is refused by name. o
 * NULL is legal. */
rg_status rg_members_check(const json_t *o, const rg_reader *r, rg_lines *notes, const rg_src *src);

#endif
