/* Included first by the files of AVX2. ISA_FN(name): a function's name at this level. */
#if !defined(__AVX2__) || !defined(__FMA__) || !defined(__F16C__) || defined(__AVX512F__)
#error "needs -mavx2 -mfma -mf16c and no AVX-512: see tools/cmake/rg_isa.cmake"
#endif
#define ISA_FN(name) name##__avx2
