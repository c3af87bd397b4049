/* Elementwise kernels in AVX-512. */
#include "kernels/isa_avx512.h"

#include "kernels/elem_simd.h"
