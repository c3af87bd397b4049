/* Masks of fusions as text: what --fuse takes and reports print. */
#include <string.h>

#include "ops/sites.h"

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
            if (rg_fuse_word(i) && strlen(rg_fuse_word(i)) == len && strncmp(rg_fuse_word(i), p, len) == 0) is = i;
        if (is < 0 || (*fuse & rg_fuse_bit(is))) return false;
        *fuse |= rg_fuse_bit(is);
        p += len;
        if (!*p) return true;
    }
}
