/* Characters of UTF-8. */
#include "base/utf8.h"

size_t rg_utf8_scan(const unsigned char *p, const unsigned char *end, bool *missing)
{
    const size_t left = end - p;
    const unsigned c = p[0];
    *missing = false;
    if (c < 0x80) return 1;
    if (c < 0xc2 || c > 0xf4) return 0;
    const size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    /* bounds of the second byte: no overlong forms, surrogates or code points beyond U+10FFFF */
    const unsigned low = c == 0xe0 ? 0xa0
        : c == 0xf0                ? 0x90
                                   : 0x80,
                   high = c == 0xed ? 0x9f
        : c == 0xf4                 ? 0x8f
                                    : 0xbf;
    for (size_t i = 1; i < n; i++) {
        if (i >= left) {
            *missing = true;
            return 0;
        }
        if (i == 1 ? p[1] < low || p[1] > high : (p[i] & 0xc0) != 0x80) return 0;
    }
    return n;
}

size_t rg_utf8_len(const unsigned char *p, const unsigned char *end)
{
    bool missing;
    return rg_utf8_scan(p, end, &missing);
}

uint32_t rg_utf8_get(const unsigned char *p, size_t n)
{
    static const uint32_t first[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t cp = p[0] & first[n];
    for (size_t i = 1; i < n; i++) cp = cp << 6 | (p[i] & 0x3fu);
    return cp;
}

size_t rg_utf8_valid(const unsigned char *p, size_t n)
{
    size_t i = 0;
    while (i < n) {
        const size_t k = p[i] < 0x80 ? 1 : rg_utf8_len(p + i, p + n);
        if (k == 0) break;
        i += k;
    }
    return i;
}

size_t rg_utf8_put(char *p, uint32_t c)
{
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    const size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; --i > 0; c >>= 6) p[i] = (char)(0x80 | (c & 0x3f));
    p[0] = (char)(lead[n] | c);
    return n;
}

bool rg_utf8_is_space(uint32_t cp)
{
    return (cp >= 9 && cp <= 13) || cp == 0x20 || cp == 0x85 || cp == 0xa0 || cp == 0x1680 ||
        (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 || cp == 0x202f || cp == 0x205f ||
        cp == 0x3000;
}
