/* BF16 products in AVX-512, by widening to float. */
#include "kernels/isa_avx512.h"

#include "kernels/bf16_simd.h"
