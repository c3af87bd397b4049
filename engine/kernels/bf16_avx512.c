/* BF16 products in AVX-512, by widening to float. */
#if !defined(__AVX512F__) || defined(__AVX512BF16__)
#error "bf16_avx512.c needs the AVX-512 flags: see tools/cmake/rg_isa.cmake"
#endif
#define ISA_FN(name) name##__avx512
#include "kernels/bf16_simd.h"
