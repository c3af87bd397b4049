/* OpenBLAS as one more mm kernel. The only file that sees <cblas.h>. */
#include "base/openblas.h"
#include "kernels/kernel_rows.h"

#include <cblas.h>

static __typeof__(cblas_sgemm) *sgemm;

bool rg_blas_open(void)
{
    *(void **)&sgemm = rg_openblas_symbol("cblas_sgemm");
    return sgemm != NULL;
}

void rg_mm__blas(float *y, int64_t ldy, const float *x, int64_t ldx, const float *b, int64_t ldb, int64_t m,
    int64_t kb, int64_t n, bool acc)
{
    sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)m, (blasint)n, (blasint)kb, 1.0f, x,
        (blasint)ldx, b, (blasint)ldb, acc ? 1.0f : 0.0f, y, (blasint)ldy);
}

const char *rg_blas_describe(void)
{
    __typeof__(openblas_get_config) *config;
    *(void **)&config = rg_openblas_symbol("openblas_get_config");
    return config ? config() : "none";
}
