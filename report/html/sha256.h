/* SHA-256, for the hashes of a content-security policy. */
#ifndef RG_SHA256_H
#define RG_SHA256_H

#include <stddef.h>

/* The digest of p[0, n), base64, 44 characters and a NUL. */
void rg_sha256_base64(char out[45], const void *p, size_t n);
/* base64 of p[0, n) into out, which has room for rg_base64_size(n). */
size_t rg_base64_size(size_t n);
void rg_base64(char *out, const void *p, size_t n);

#endif
