/* Preparing activations in AVX2. */
#if !defined(__AVX2__) || defined(__AVX512F__)
#error "prep_avx2.c needs the AVX2 flags: see tools/cmake/rg_isa.cmake"
#endif
#define ISA_FN(name) name##__avx2
#include "kernels/prep_simd.h"
