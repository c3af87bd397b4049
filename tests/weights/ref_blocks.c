/* Decodes block types in float64, from the definition of GGUF. */
#include "ref_blocks.h"

#include <math.h>
#include <stdlib.h>

double ref_half(const unsigned char *p)
{
    const int h = p[0] + 256 * p[1], e = h >> 10 & 31, f = h & 1023;
    const double m = e == 31 ? (f ? NAN : INFINITY) : e ? ldexp(1024 + f, e - 25) : ldexp(f, -24);
    return h & 0x8000 ? -m : m;
}

static const struct {
    int ggml, weights, bytes;
} sizes[] = {{0, 1, 4}, {1, 1, 2}, {30, 1, 2}, {2, 32, 18}, {3, 32, 20}, {6, 32, 22}, {7, 32, 24},
    {8, 32, 34}, {12, 256, 144}, {13, 256, 176}, {14, 256, 210}};

int ref_block_weights(int ggml)
{
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].ggml == ggml) return sizes[i].weights;
    return 0;
}

int ref_block_bytes(int ggml)
{
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].ggml == ggml) return sizes[i].bytes;
    return 0;
}

static double f32(const unsigned char *p)
{
    const uint32_t u = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    const int e = (int)(u >> 23 & 255), f = (int)(u & 0x7fffff);
    const double m = e == 255 ? (f ? NAN : INFINITY) : e ? ldexp(0x800000 + f, e - 150) : ldexp(f, -149);
    return u >> 31 ? -m : m;
}

/* Weight i of a block, one at a time: slow, and as the tables of the format read. */
static double weight(int ggml, const unsigned char *p, int i)
{
    const int lo = i % 16, high = i / 16; /* nibble formats of 32 */
    switch (ggml) {
    case 0:
        return f32(p);
    case 1:
        return ref_half(p);
    case 30: {
        const unsigned char wide[4] = {0, 0, p[0], p[1]};
        return f32(wide);
    }
    case 2:
        return ((high ? p[2 + lo] / 16 : p[2 + lo] % 16) - 8) * ref_half(p);
    case 3:
        return (high ? p[4 + lo] / 16 : p[4 + lo] % 16) * ref_half(p) + ref_half(p + 2);
    case 6:
    case 7: {
        const int at = ggml == 6 ? 2 : 4, bit = p[at + i / 8] >> (i % 8) & 1, q = p[at + 4 + lo];
        const int v = (high ? q / 16 : q % 16) + 16 * bit;
        return ggml == 6 ? (v - 16) * ref_half(p) : v * ref_half(p) + ref_half(p + 2);
    }
    case 8:
        return (p[2 + i] < 128 ? p[2 + i] : p[2 + i] - 256) * ref_half(p);
    case 12:
    case 13: {
        const unsigned char *s = p + 4, *qs = p + (ggml == 12 ? 16 : 48), *qh = p + 16;
        const int j = i / 32, l = i % 32, byte = qs[32 * (j / 2) + l];
        const int sc = j < 4 ? s[j] & 63 : (s[j + 4] & 15) + 16 * (s[j - 4] >> 6),
                  m = j < 4 ? s[j + 4] & 63 : (s[j + 4] >> 4) + 16 * (s[j] >> 6);
        const int v = (j % 2 ? byte / 16 : byte % 16) + (ggml == 13 ? 16 * (qh[l] >> j & 1) : 0);
        return ref_half(p) * sc * v - ref_half(p + 2) * m;
    }
    case 14: {
        const int n = i / 128, r = i % 128, part = r / 32, l = r % 32;
        const int ql = p[64 * n + (part == 1 || part == 3 ? 32 : 0) + l],
                  qh = p[128 + 32 * n + l] >> (2 * part) & 3;
        const int v = (part < 2 ? ql % 16 : ql / 16) + 16 * qh - 32, b = p[192 + 8 * n + l / 16 + 2 * part];
        return ref_half(p + 208) * (b < 128 ? b : b - 256) * v;
    }
    default:
        abort();
    }
}

void ref_blocks(int ggml, double *out, const unsigned char *p, int64_t k)
{
    const int n = ref_block_weights(ggml);
    for (int64_t i = 0; i < k; i++) out[i] = weight(ggml, p + i / n * ref_block_bytes(ggml), (int)(i % n));
}
