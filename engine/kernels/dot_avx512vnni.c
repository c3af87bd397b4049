/* Integer products in AVX-512 with VNNI. */
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512VNNI__)
#error "dot_avx512vnni.c needs the AVX-512 flags and -mavx512vnni: see tools/cmake/rg_isa.cmake"
#endif
#define ISA_FN(name) name##__avx512vnni
#include "kernels/dot_simd.h"
