/* Texts of files: decoded where they say how, and what costs tokens is said. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "tools/cli/cli.h"

static uint32_t unit(const char *p, bool big)
{
    const unsigned char *b = (const unsigned char *)p;
    return big ? (uint32_t)b[0] << 8 | b[1] : (uint32_t)b[1] << 8 | b[0];
}

/* UTF-16 behind its mark; *text is replaced. */
static rg_status decode(char **text, size_t *len, bool big, const rg_src *src)
{
    const char *p = *text;
    char *out = malloc(*len / 2 * 3 + 1);
    size_t n = 0;
    if (!out) return rg_no_memory(src->err, src->name);
    for (size_t i = 2; i < *len;) {
        uint32_t c = i + 1 < *len ? unit(p + i, big) : 0xdc00;
        const uint32_t low = i + 3 < *len ? unit(p + i + 2, big) : 0;
        const bool pair = c >= 0xd800 && c < 0xdc00 && low >= 0xdc00 && low < 0xe000;
        if (c >= 0xd800 && c < 0xe000 && !pair) {
            free(out);
            return rg_bad(src, "UTF-16 that breaks off at byte %zu", i);
        }
        if (pair) c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        n += rg_utf8_put(out + n, c);
        i += pair ? 4 : 2;
    }
    out[n] = 0;
    free(*text);
    *text = out;
    *len = n;
    return RG_OK;
}

/* Every second byte of Latin text in UTF-16 is 0. */
static bool looks_like_utf16(const char *p, size_t n)
{
    size_t zeros[2] = {0, 0};
    for (size_t i = 0; i < n; i++) zeros[i % 2] += !p[i];
    return n >= 8 && (zeros[0] > n / 4 || zeros[1] > n / 4);
}

rg_status rg_read_text(char **text, size_t *len, const char *path, bool quiet, rg_err *err)
{
    rg_status st = rg_read_file(text, len, path, err);
    if (st) return st;
    const rg_src src = {strcmp(path, "-") == 0 ? "standard input" : path, err};
    const char *said = NULL;
    char *p = *text;
    if (*len >= 4 && (memcmp(p, "\xff\xfe\0\0", 4) == 0 || memcmp(p, "\0\0\xfe\xff", 4) == 0)) {
        st = rg_lacks(&src, "a text in UTF-32, expected UTF-8: iconv -f UTF-32 -t UTF-8");
    } else if (*len >= 2 && (memcmp(p, "\xff\xfe", 2) == 0 || memcmp(p, "\xfe\xff", 2) == 0)) {
        st = decode(text, len, *p == '\xfe', &src);
        said = "decoded from UTF-16";
    } else if (*len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
        *len -= 3;
        memmove(p, p + 3, *len + 1);
        said = "begins with a byte order mark, which is left out";
    } else if (looks_like_utf16(p, *len)) {
        st = rg_lacks(&src,
            "half of its bytes are 0, as in UTF-16 without a byte order mark; expected UTF-8: "
            "iconv -f UTF-16LE -t UTF-8");
    }
    if (st) {
        free(*text);
        *text = NULL;
        return st;
    }
    size_t crlf = 0;
    for (const char *at = *text; (at = memchr(at, '\r', *len - (size_t)(at - *text))); at++)
        crlf += at[1] == '\n';
    if (said && !quiet) fprintf(stderr, "note: %s: %s\n", src.name, said);
    if (crlf && !quiet)
        fprintf(stderr,
            "note: %s: %zu line ends are CRLF: they are kept, and cost tokens that LF would not\n", src.name,
            crlf);
    return RG_OK;
}
