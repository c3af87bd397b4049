/* The quantisers, compiled for AVX-512. */
#include "kernels/isa_avx512.h"

#include "kernels/quant_body.h"
