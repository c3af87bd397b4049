/* What needs tables of Unicode properties: normal forms, lower case, word characters. From utf8proc; without
 * it these are refused by name. */
#ifndef RG_UNICODE_H
#define RG_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

#include "tokenizer/textnorm.h"

bool rg_unicode_available(void);
/* Letters, marks, decimal digits, connectors, joiners: \w of Unicode regular expressions. Without utf8proc
 * only ASCII. */
bool rg_unicode_is_word(uint32_t cp);

typedef enum rg_normal_form { RG_NFC, RG_NFD, RG_NFKC, RG_NFKD } rg_normal_form;
/* text[len] in a normal form, appended to out. Bytes that are not UTF-8 stay as they are. Linear but for the
 * ordering of long runs of marks (n log n). */
rg_status rg_unicode_normalize(rg_normal_form form, const char *text, size_t len, rg_buf *out, rg_err *err);
/* Every character in lower case, alone (no final sigma). */
rg_status rg_unicode_lower(const char *text, size_t len, rg_buf *out, rg_err *err);

#endif
