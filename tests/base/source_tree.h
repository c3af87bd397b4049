/* What tests of the sources share: the files of the tree, their text without comments, and the count of
 * breaches. */
#ifndef RG_SOURCE_TREE_H
#define RG_SOURCE_TREE_H

#include "testing.h"

#define N_ROWS(table) (sizeof(table) / sizeof *(table))

extern char *tree_files[]; /* relative to the source folder; borrowed until tree_close */
extern int n_tree_files;
/* Setup and teardown of a group of tests. */
int tree_open(void **state);
int tree_close(void **state);

bool has_suffix(const char *s, const char *suffix);
bool has_prefix(const char *s, const char *prefix);
const char *base_name(const char *file);
bool word_char(char c);
bool is_c(const char *file);      /* .c or .h */
bool is_source(const char *file); /* C in a folder of sources */
/* A word of a list with spaces between; prefix: the list has prefixes of it. */
bool listed(const char *list, const char *word, bool prefix);
/* The longest prefix of file among the first members of n rows of `size` bytes, each a text; NULL: none. */
const void *row_of(const void *rows, size_t n, size_t size, const char *file);

char *text_of(const char *file, size_t *n); /* owns */
/* Comments become spaces, and so does what stands between quotes except in #include lines. */
void strip(char *text);

extern int breaches;
extern bool quiet; /* count breaches, say nothing */
#define BREACH(...) (breaches++, quiet ? (void)0 : print_error(__VA_ARGS__))

typedef void check_fn(const char *file, const char *text);
/* Every source, stripped; fails if there are breaches. */
void each_source(check_fn *check);
/* A text that breaks a rule, or none: the checks must find it. */
typedef struct rule_case {
    const char *file, *text;
    int want; /* is a breach */
} rule_case;
void try_cases(const rule_case *c, size_t n, bool stripped, check_fn *check);

#endif
