/* Values of options that take lists: repeated flags, comma lists, and for counts ranges. */
#ifndef RG_LISTS_H
#define RG_LISTS_H

#include "tools/cli/cli.h"

typedef struct rg_words {
    char **w; /* owns */
    int n;
} rg_words;

typedef struct rg_counts {
    int64_t *v; /* owns */
    int n;
} rg_counts;

/* Appends every word of "a,b" "c". An empty word is refused, naming the option. */
rg_status rg_list_words(rg_words *out, const char *option, const rg_cli_LIST *list, rg_err *err);
/* The words of one comma list; none for NULL. */
rg_status rg_list_split(rg_words *out, const char *option, const char *text, rg_err *err);
/* Appends every count: a number, or a range `first-last`, `first-last+step`, `first-last*factor`, both ends
 * included where they are hit. */
rg_status rg_list_counts(
    rg_counts *out, const char *option, const rg_cli_LIST *list, int64_t low, int64_t high, rg_err *err);

/* A copy of the word; -1 without memory. */
int rg_words_add(rg_words *l, const char *word);
void rg_words_free(rg_words *l);
void rg_counts_free(rg_counts *l);

#endif
