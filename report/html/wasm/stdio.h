/* Freestanding stand-in: declarations only, for headers that name these; nothing that is linked calls them
 * except as shim.c defines. */
#ifndef RG_SHIM_STDIO_H
#define RG_SHIM_STDIO_H
#include <stdarg.h>
#include <stddef.h>
typedef struct rg_shim_file FILE;
int snprintf(char *buf, size_t n, const char *fmt, ...);
int fprintf(FILE *f, const char *fmt, ...);
int ferror(FILE *f);
#endif
