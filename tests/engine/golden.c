/* Runs trained checkpoints against stored logits. */
#include "golden.h"

#include "base/num.h"

double worst_logit(rg_engine *e, rg_session_opts so, const int32_t *token, int64_t n, const float *ref)
{
    rg_engine_info info;
    rg_engine_get_info(e, &info);
    const int64_t vocab = info.config->vocab;
    float *got = must_alloc((size_t)(n * vocab) * sizeof *got);
    so.ctx = rg_max(so.ctx, n);
    so.max_logits = n;
    rg_session *s = session_open(e, so);
    eval_all(s, token, n, n, vocab, got);
    double worst = 0.0;
    for (int64_t i = 0; i < n * vocab; i++) {
        const double d = fabs((double)got[i] - (double)ref[i]);
        if (!(d <= worst)) worst = d; /* NaN stays */
    }
    rg_session_close(s);
    free(got);
    return worst;
}

static double nll(const float *l, int64_t vocab, int32_t target)
{
    double top = -INFINITY, sum = 0.0;
    for (int64_t i = 0; i < vocab; i++) top = fmax(top, (double)l[i]);
    for (int64_t i = 0; i < vocab; i++) sum += exp((double)l[i] - top);
    return top + log(sum) - (double)l[target];
}

double mean_nll(
    rg_engine *e, rg_session_opts so, const int32_t *token, int64_t windows, int32_t bos, double *each)
{
    rg_engine_info info;
    rg_engine_get_info(e, &info);
    const int64_t vocab = info.config->vocab;
    int32_t in[WINDOW];
    uint8_t want[WINDOW];
    rg_err err = {0};
    double sum = 0.0;
    memset(want, 1, sizeof want);
    so.ctx = so.max_logits = WINDOW;
    rg_session *s = session_open(e, so);
    for (int64_t w = 0; w < windows; w++) {
        const int32_t *t = token + w * WINDOW;
        in[0] = bos;
        memcpy(in + 1, t, (WINDOW - 1) * sizeof *in);
        rg_session_truncate(s, 0, 0);
        if (rg_session_eval(s, &(rg_batch){.n = WINDOW, .token = in, .want = want}, RG_PREFILL, NULL, &err) !=
            RG_OK)
            fail_msg("%s", err.msg);
        for (int64_t i = 0; i < WINDOW; i++) {
            const double one = nll(rg_session_logits(s, i), vocab, t[i]);
            if (each) each[w * WINDOW + i] = one;
            sum += one;
        }
    }
    rg_session_close(s);
    return sum / (double)(windows * WINDOW);
}
