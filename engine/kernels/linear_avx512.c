/* Float products in AVX-512. */
#include "kernels/isa_avx512.h"

#include "kernels/linear_simd.h"
