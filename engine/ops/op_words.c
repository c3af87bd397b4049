/* Words read back: names of sites, and masks of fusions as --fuse takes and reports print them. Apart from
 * the tables, which the what-if of the report compiles without a C library. */
#include <string.h>

#include "ops/sites.h"

rg_site rg_site_named(const char *name, size_t n)
{
    for (int s = 0; s < RG_SITE_COUNT; s++) {
        const char *is = rg_site_name((rg_site)s);
        if (strlen(is) == n && strncmp(is, name, n) == 0) return (rg_site)s;
    }
    return RG_SITE_COUNT;
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
        int is = -1;
        for (int i = 0; i < RG_FUSE_COUNT; i++)
            if (rg_fuse_word(i) && strlen(rg_fuse_word(i)) == len && strncmp(rg_fuse_word(i), p, len) == 0)
                is = i;
        if (is < 0 || (*fuse & rg_fuse_bit(is))) return false;
        *fuse |= rg_fuse_bit(is);
        p += len;
        if (!*p) return true;
    }
}
