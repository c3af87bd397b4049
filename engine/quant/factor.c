/* The factor of GPTQ, through LAPACK (OpenBLAS brings it). The only file that knows LAPACK. */
#include "quant/quant.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/openblas.h"

#ifdef RIDGE_HAVE_LAPACK

/* Fortran works by columns: its lower triangle is our upper one. */
typedef void lapack_fn(const char *uplo, const int *n, float *a, const int *lda, int *info);
static lapack_fn *spotrf, *spotri;

bool rg_factor_available(void)
{
    *(void **)&spotrf = rg_openblas_symbol("spotrf_");
    *(void **)&spotri = rg_openblas_symbol("spotri_");
    return spotrf && spotri;
}

/* Fortran's lower triangle of h, damp added to the diagonal: factored, inverted, factored again. */
static bool attempt(float *a, int64_t ld, int64_t k, const float *diag, float damp)
{
    const int n = (int)k, lda = (int)ld;
    int info = 0;
    for (int64_t i = 0; i < k; i++) a[i * ld + i] = (diag[i] > 0.0f ? diag[i] : 1.0f) + damp;
    spotrf("L", &n, a, &lda, &info);
    if (info == 0) spotri("L", &n, a, &lda, &info);
    if (info == 0) spotrf("L", &n, a, &lda, &info);
    for (int64_t i = 0; info == 0 && i < k; i++)
        if (!(a[i * ld + i] > 0.0f) || !isfinite(a[i * ld + i])) info = 1;
    return info == 0;
}

bool rg_factor(float *h, int64_t ld, int64_t k, double damp, double *used)
{
    if (k < 1 || ld > INT32_MAX) return false;
    float *diag = malloc((size_t)k * sizeof *diag);
    if (!diag) return false;
    double mean = 0.0;
    for (int64_t i = 0; i < k; i++) mean += (double)(diag[i] = h[i * ld + i]) / (double)k;
    if (!(mean > 0.0)) mean = 1.0;
    bool done = false;
    /* our strictly lower triangle stays as it was and restores the upper one for another try */
    for (double d = damp; !done && d <= 101.0 * damp; d *= 10.0) {
        *used = d;
        done = attempt(h, ld, k, diag, (float)(d * mean));
        for (int64_t i = 0; !done && i < k; i++)
            for (int64_t j = i + 1; j < k; j++) h[i * ld + j] = h[j * ld + i];
    }
    free(diag);
    return done;
}

#else

bool rg_factor_available(void) { return false; }

bool rg_factor(float *h, int64_t ld, int64_t k, double damp, double *used)
{
    (void)h, (void)ld, (void)k, (void)damp, (void)used;
    return false;
}

#endif
