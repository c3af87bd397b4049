/* BF16 products in AVX2, by widening to float. */
#include "kernels/isa_avx2.h"

#include "kernels/bf16_simd.h"
