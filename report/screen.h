/* What a terminal shows: its width and whether it has colours, decided here for all commands, and text and
 * tables laid out for it. */
#ifndef RG_SCREEN_H
#define RG_SCREEN_H

#include "report/table.h"

typedef enum rg_ink { RG_INK_PLAIN, RG_INK_HEAD, RG_INK_DIM, RG_INK_GOOD, RG_INK_WARN, RG_INK_BAD } rg_ink;

typedef struct rg_screen {
    FILE *f;   /* borrowed */
    int width; /* columns */
    bool wide; /* everything is asked for: tables keep all their columns */
    bool colour;
} rg_screen;

/* Width: $COLUMNS, else the terminal's, else 100; 40 to 100, wide or not. Colours: on terminals only, none
 * with NO_COLOR or TERM=dumb. */
rg_screen rg_screen_of(FILE *f, bool wide);

/* printf in a colour. */
void rg_screen_put(const rg_screen *s, rg_ink ink, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A text and the end of its line, wrapped between words at the width. at: columns that the line has already;
 * further lines begin behind `indent` blanks. */
void rg_screen_wrap(const rg_screen *s, rg_ink ink, int at, int indent, const char *text);
/* The same of a formatted text (at most 2000 bytes), all lines behind `indent` blanks. */
void rg_screen_say(const rg_screen *s, rg_ink ink, int indent, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Prints without rules behind `indent` blanks, and frees. Columns that do not fit the width go, the last
 * first. *failed turns true without memory. How many went. */
int rg_screen_table(const rg_screen *s, int indent, rg_table *t, bool *failed);

#endif
