#include "tokenizer/utf8.h"

size_t rg_utf8_scan(const unsigned char *p, const unsigned char *end, bool *missing)
{
    const size_t left = (size_t)(end - p);
    const unsigned c = p[0];
    *missing = false;
    if (c < 0x80) return 1;
    if (c < 0xc2 || c > 0xf4) return 0;
    const size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    /* the second byte carries the bounds against overlong forms, surrogates and code points beyond
     * U+10FFFF */
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

bool rg_utf8_is_space(uint32_t cp)
{
    return (cp >= 9 && cp <= 13) || cp == 0x20 || cp == 0x85 || cp == 0xa0 || cp == 0x1680 ||
        (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 || cp == 0x202f || cp == 0x205f ||
        cp == 0x3000;
}

/* Printable Latin-1 stands for itself; the other 68 bytes are U+0100 onwards in order: 0-32, 127-160, 173. */
int rg_bytemap_byte(uint32_t cp)
{
    if ((cp >= 33 && cp <= 126) || (cp >= 161 && cp <= 172) || (cp >= 174 && cp <= 255)) return (int)cp;
    if (cp < 256 || cp > 256 + 67) return -1;
    const int i = (int)cp - 256;
    return i <= 32 ? i : i <= 66 ? i - 33 + 127 : 173;
}

int64_t rg_bytemap_decode(unsigned char *dst, const unsigned char *piece, size_t n)
{
    int64_t out = 0;
    for (size_t i = 0; i < n;) {
        const size_t k = rg_utf8_len(piece + i, piece + n);
        const int b = k ? rg_bytemap_byte(rg_utf8_get(piece + i, k)) : -1;
        if (b < 0) return -1;
        dst[out++] = (unsigned char)b;
        i += k;
    }
    return out;
}
