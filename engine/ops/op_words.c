/* Words read back: names of sites, masks of fusions. Apart from the tables, which the report's what-if
 * compiles without a C library. */
#include <string.h>

#include "ops/sites.h"

static bool is(const char *word, const char *text, size_t n)
{
    return word && strlen(word) == n && strncmp(word, text, n) == 0;
}

rg_site rg_site_named(const char *name, size_t n)
{
    rg_site s = 0;
    while (s < RG_SITE_COUNT && !is(rg_site_name(s), name, n)) s++;
    return s;
}

const char *rg_fuse_text(char *buf, size_t n, unsigned fuse)
{
    size_t at = 0;
    for (int i = 0; i < RG_FUSE_COUNT; i++) {
        const char *word = rg_fuse_word(i);
        const size_t len = word ? strlen(word) : 0;
        if (!word || !(fuse & rg_fuse_bit(i)) || at + len + 2 > n) continue;
        if (at) buf[at++] = '+';
        memcpy(buf + at, word, len);
        at += len;
    }
    if (at == 0) return "none";
    buf[at] = 0;
    return buf;
}

bool rg_fuse_parse(unsigned *fuse, const char *text)
{
    *fuse = 0;
    if (strcmp(text, "none") == 0) return true;
    if (strcmp(text, "all") == 0) {
        *fuse = rg_fuse_all();
        return true;
    }
    for (const char *p = text;; p++) {
        const size_t len = strcspn(p, "+");
        int i = 0;
        while (i < RG_FUSE_COUNT && !is(rg_fuse_word(i), p, len)) i++;
        if (i == RG_FUSE_COUNT || (*fuse & rg_fuse_bit(i))) return false;
        *fuse |= rg_fuse_bit(i);
        p += len;
        if (!*p) return true;
    }
}
