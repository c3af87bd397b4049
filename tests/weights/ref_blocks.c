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
    {8, 32, 34}, {10, 256, 84}, {11, 256, 110}, {12, 256, 144}, {13, 256, 176}, {14, 256, 210}, {20, 32, 18},
    {23, 256, 136}, {39, 32, 17}};

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

/* What a nibble of IQ4_NL stands for. */
static int iq4_value(int n)
{
    static const int below[8] = {127, 104, 83, 65, 49, 35, 22, 10},
                     above[8] = {1, 13, 25, 38, 53, 69, 89, 113};
    return n < 8 ? -below[n] : above[n - 8];
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
    case 10: {
        /* two halves of 128, in each four runs of 32 two bits apart, in each two scales */
        const int b = p[16 + i / 128 * 32 + i % 32], q = b >> i / 32 % 4 * 2 & 3, s = p[i / 16];
        return ref_half(p + 80) * (s % 16) * q - ref_half(p + 82) * (s / 16);
    }
    case 11: {
        const int b = p[32 + i / 128 * 32 + i % 32], q = b >> i / 32 % 4 * 2 & 3, j = i / 16;
        const int h = p[i % 32] & 1 << i / 32 ? 0 : 4;
        const int low = j < 8 ? p[96 + j] % 16 : p[96 + j - 8] / 16, top = p[104 + j % 4] >> 2 * (j / 4);
        return ref_half(p + 108) * (low + top % 4 * 16 - 32) * (q - h);
    }
    case 20:
        return iq4_value(high ? p[2 + lo] / 16 : p[2 + lo] % 16) * ref_half(p);
    case 23: {
        const int j = i / 32, b = p[8 + 16 * j + i % 16], h = p[2] + 256 * p[3];
        const int s = (j % 2 ? p[4 + j / 2] / 16 : p[4 + j / 2] % 16) + 16 * (h >> 2 * j & 3);
        return ref_half(p) * (s - 32) * iq4_value(i % 32 < 16 ? b % 16 : b / 16);
    }
    case 39: {
        /* E8M0 times E2M1: a sign, two bits of exponent, one of fraction */
        const int v = high ? p[1 + lo] / 16 : p[1 + lo] % 16, e = v / 2 % 4, f = v % 2;
        const double m = e ? ldexp(2 + f, e - 2) : 0.5 * f;
        return p[0] == 255 ? NAN : ldexp(v / 8 ? -m : m, p[0] - 127);
    }
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
