/* Preparing activations in AVX-512. */
#if !defined(__AVX512F__) || defined(__AVX512BF16__)
#error "prep_avx512.c needs the AVX-512 flags: see tools/cmake/rg_isa.cmake"
#endif
#define ISA_FN(name) name##__avx512
#include "kernels/prep_simd.h"
