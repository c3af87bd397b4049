/* Linked into a program of the tests only (--wrap=rg_kernels_select): one kernel does its work thousands of
 * times over, so that a promise about speed must fail. The product has no such switch. */
#include "slow_kernels.h"

#include "kernels/kernels.h"

bool __real_rg_kernels_select(rg_ktab *t, rg_isa max_isa, bool blas);
bool __wrap_rg_kernels_select(rg_ktab *t, rg_isa max_isa, bool blas);

static rg_rmsnorm_fn *real;

static void slow_rmsnorm(float *y, const float *x, const float *w, int64_t k, float eps)
{
    for (int i = 0; i < SLOW_TIMES; i++) real(y, x, w, k, eps); /* the result is the same */
}

bool __wrap_rg_kernels_select(rg_ktab *t, rg_isa max_isa, bool blas)
{
    if (!__real_rg_kernels_select(t, max_isa, blas)) return false;
    real = t->rmsnorm;
    t->rmsnorm = slow_rmsnorm;
    return true;
}
