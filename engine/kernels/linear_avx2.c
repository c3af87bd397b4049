/* Float products in AVX2. */
#include "kernels/isa_avx2.h"

#include "kernels/linear_simd.h"
