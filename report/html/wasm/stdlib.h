#ifndef RG_SHIM_STDLIB_H
#define RG_SHIM_STDLIB_H
#include <stddef.h>
void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void free(void *p);
char *getenv(const char *name);
#endif
