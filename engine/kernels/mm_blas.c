/* OpenBLAS as one more mm kernel. The only file that sees <cblas.h>. */
#include "kernels/kernel_rows.h"

#include <cblas.h>

void rg_mm__blas(float *y, int64_t ldy, const float *x, int64_t ldx, const float *b, int64_t ldb, int64_t m,
    int64_t kb, int64_t n, bool acc)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)m, (blasint)n, (blasint)kb, 1.0f, x,
        (blasint)ldx, b, (blasint)ldb, acc ? 1.0f : 0.0f, y, (blasint)ldy);
}

const char *rg_blas_describe(void)
{
    /* An OpenMP build runs serially inside our parallel region; setting its threads would resize our team. A
     * pthreads build would start threads of its own. */
    if (openblas_get_parallel() == OPENBLAS_THREAD) openblas_set_num_threads(1);
    return openblas_get_config();
}
