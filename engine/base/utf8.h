/* UTF-8 without surrogates and overlong forms. */
#ifndef RG_UTF8_H
#define RG_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the valid character (no surrogates, no overlong forms) at p < end; 0 if there is none. */
size_t rg_utf8_len(const unsigned char *p, const unsigned char *end);
/* As above; *missing is set if [p, end) is a proper prefix of some valid character. */
size_t rg_utf8_scan(const unsigned char *p, const unsigned char *end, bool *missing);
/* Code point of a valid character of n bytes. */
uint32_t rg_utf8_get(const unsigned char *p, size_t n);
/* Writes code point c, which is no surrogate, to p[4]; the bytes it takes. */
size_t rg_utf8_put(char *p, uint32_t c);
/* Length of the longest valid prefix. */
size_t rg_utf8_valid(const unsigned char *p, size_t n);
/* Unicode White_Space. */
bool rg_utf8_is_space(uint32_t cp);

#endif
