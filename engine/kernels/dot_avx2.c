/* Integer products in AVX2. */
#if !defined(__AVX2__) || defined(__AVXVNNI__) || defined(__AVX512F__)
#error "dot_avx2.c needs the AVX2 flags: see tools/cmake/rg_isa.cmake"
#endif
#define ISA_FN(name) name##__avx2
#include "kernels/dot_simd.h"
