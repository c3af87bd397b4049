/* Patterns of pre-tokenisers for PCRE2. They are written for Oniguruma (Hugging Face's tokenizers), which
 * reads some escapes, classes and properties differently and has tables of Unicode 16. */
#ifndef RG_REGEX_H
#define RG_REGEX_H

#include "base/status.h"
#include "tokenizer/textnorm.h"

enum { RG_REGEX_MAX = 1 << 14 }; /* bytes of a pattern */

/* Appends to out a pattern that means to PCRE2 (UTF, UCP) what p[n] means to Oniguruma. RG_E_UNSUPPORTED: a
 * construct that the two, or Rust's engines, read differently; the message names it. */
rg_status rg_regex_rewrite(rg_buf *out, const char *p, size_t n, const rg_src *src);
/* The version of Unicode whose tables patterns follow: 16.0.0, or a later one of PCRE2's. To text[cap]. */
void rg_regex_unicode(char *text, size_t cap);

#endif
