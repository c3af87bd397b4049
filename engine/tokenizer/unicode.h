/* What needs Unicode's tables: normal forms, lower case, word characters. From utf8proc; without it, refused
 * by name. */
#ifndef RG_UNICODE_H
#define RG_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

#include "tokenizer/textnorm.h"

bool rg_unicode_available(void);
/* "13.0.0"; static. NULL without utf8proc. */
const char *rg_unicode_version(void);
/* Letters, marks, decimal digits, connectors, joiners: Unicode's \w. Without utf8proc only ASCII. */
bool rg_unicode_is_word(uint32_t cp);

typedef enum rg_normal_form { RG_NFC, RG_NFD, RG_NFKC, RG_NFKD } rg_normal_form;
/* text[len] in a normal form, appended to out; bytes that are not UTF-8 stay. Linear, but n log n in runs of
 * marks. */
rg_status rg_unicode_normalize(rg_normal_form form, const char *text, size_t len, rg_buf *out, rg_err *err);
/* Every character in lower case by itself (no final sigma). */
rg_status rg_unicode_lower(const char *text, size_t len, rg_buf *out, rg_err *err);

#endif
