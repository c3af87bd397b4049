/* Integer products in AVX2. */
#include "kernels/isa_avx2.h"
#if defined(__AVXVNNI__)
#error "dot_avx2.c needs no -mavxvnni"
#endif

#include "kernels/dot_simd.h"
