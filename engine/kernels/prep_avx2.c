/* Preparing activations in AVX2. */
#include "kernels/isa_avx2.h"

#include "kernels/prep_simd.h"
