#ifndef RG_SHIM_STRING_H
#define RG_SHIM_STRING_H
#include <stddef.h>
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *p, int c, size_t n);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
size_t strlen(const char *s);
size_t strspn(const char *s, const char *set);
size_t strcspn(const char *s, const char *set);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *what);
char *strcasestr(const char *s, const char *what);
char *strerror(int e);
char *strdup(const char *s);
#endif
