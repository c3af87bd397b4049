/* Preparing activations in AVX-512. */
#include "kernels/isa_avx512.h"

#include "kernels/prep_simd.h"
