#include "tools/roofline/roofline_args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "ridge/topo.h"
#include "tools/cli/lists.h"
#include "tools/cli/shape_args.h"

/* ---- lists ---- */

/* A whole number at *p; moves behind it. */
static bool number(const char **p, int64_t *v)
{
    char *end;
    errno = 0;
    if (**p < '0' || **p > '9') return false;
    *v = strtoll(*p, &end, 10);
    *p = end;
    return errno == 0;
}

rg_status rg_list_parse(
    rg_int_list *l, const char *option, const char *text, int64_t low, int64_t high, rg_err *err)
{
    l->n = 0;
    for (const char *p = text;;) {
        const char *item = p;
        const int len = (int)rg_min(40, (int64_t)strcspn(p, ","));
        int64_t a, b, step = 1;
        bool times = false;
        if (!number(&p, &a)) goto bad;
        b = a;
        if (*p == '-') {
            p++;
            if (!number(&p, &b)) goto bad;
            if (*p == '*' || *p == '+') {
                times = *p++ == '*';
                if (!number(&p, &step)) goto bad;
            }
            if (step < (times ? 2 : 1) || b < a || (times && a == 0)) goto bad;
        }
        if (*p && *p != ',') goto bad;
        if (a < low || b > high)
            return rg_fail(err, RG_E_USAGE, "%s: '%.*s', expected numbers from %lld to %lld", option, len,
                item, (long long)low, (long long)high);
        for (int64_t v = a; v <= b; v = times ? v * step : v + step) {
            if (l->n == RG_LIST_MAX)
                return rg_fail(err, RG_E_USAGE, "%s: more than %d values", option, RG_LIST_MAX);
            l->v[l->n++] = v;
            if (v > INT64_MAX / 2 / step) break;
        }
        if (!*p) return RG_OK;
        p++;
        continue;
    bad:
        return rg_fail(err, RG_E_USAGE,
            "%s: '%.*s', expected a number, a list 1,2,4, or a range 128-4096*2 or 128-1024+128", option, len,
            item);
    }
}

/* ---- model ---- */

static bool has_weights(const char *dir)
{
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json"};
    char path[1200];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        if (access(path, F_OK) == 0) return true;
    }
    return false;
}

rg_status rg_asked_model_open(rg_asked_model *m, const rg_cli *cli, rg_err *err)
{
    *m = (rg_asked_model){0};
    if ((cli->model != NULL) + (cli->shape != NULL) + (cli->dims != NULL) > 1)
        return rg_fail(err, RG_E_USAGE, "-m, --shape and --dims: give only one of them");
    if (cli->shape || cli->dims) {
        rg_err why;
        const rg_status st = rg_shape_args(&m->config, cli, err);
        if (st == RG_OK && rg_config_check(&m->config, cli->dims ? "--dims" : "--shape", &why) != RG_OK)
            return rg_fail(err, RG_E_USAGE, "%s", why.msg);
        return st;
    }
    struct stat info;
    const char *slash = cli->model ? strrchr(cli->model, '/') : NULL;
    const bool file = cli->model && strcmp(slash ? slash + 1 : cli->model, "config.json") == 0;
    if (file ||
        (cli->model && stat(cli->model, &info) == 0 && S_ISDIR(info.st_mode) && !has_weights(cli->model)))
        return rg_config_read(&m->config, cli->model, err);
    const rg_status st = rg_open_model(&m->ckpt, cli, err);
    if (st == RG_OK) m->config = *rg_ckpt_config(m->ckpt);
    return st;
}

/* ---- hardware ---- */

static bool is_path(const char *word)
{
    const size_t n = strlen(word);
    return strchr(word, '/') || (n > 5 && strcmp(word + n - 5, ".json") == 0);
}

static rg_status one_hardware(
    rg_asked_hardware *a, const rg_cli *cli, const char *word, int64_t footprint, rg_err *err)
{
    rg_hardware *h = &a->hw[a->n];
    rg_machine *m = &a->machine[a->n];
    rg_status st;
    if (strcmp(word, "measured") == 0) {
        static const char *const pins[] = {"on", "off", NULL};
        const int pin = rg_cli_choice("--pin", cli->pin, pins, err);
        if (pin < 0) return err->code;
        rg_topo topo;
        rg_progress p = {0};
        rg_topo_read(&topo);
        const int *cpus, threads = rg_topo_place(&topo, (int)cli->threads, pin == 0, &cpus);
        st = rg_machine_get(m, NULL, threads, cpus, footprint, rg_progress_draw, &p, &rg_stop, err);
        rg_progress_clear(&p);
        if (st == RG_OK) rg_hw_from_machine(h, m);
    } else {
        st = is_path(word) ? rg_hw_load(h, m, word, err) : rg_hw_find(h, word, err);
    }
    if (st == RG_OK && RG_GIVEN(cli, link)) h->link = 1e9 * cli->link;
    if (st == RG_OK) a->n++;
    return st;
}

rg_status rg_asked_hardware_open(rg_asked_hardware *a, const rg_cli *cli, int64_t footprint, rg_err *err)
{
    *a = (rg_asked_hardware){.machine = calloc(RG_HW_MAX, sizeof *a->machine)};
    rg_words names = {0};
    rg_status st = a->machine
        ? rg_list_split(&names, "--hardware", cli->hardware ? cli->hardware : "measured", err)
        : rg_fail(err, RG_E_NOMEM, "hardware: out of memory");
    for (int i = 0; i < names.n && st == RG_OK; i++)
        st = a->n == RG_HW_MAX ? rg_fail(err, RG_E_USAGE, "--hardware: more than %d machines", RG_HW_MAX)
                               : one_hardware(a, cli, names.w[i], footprint, err);
    rg_words_free(&names);
    return st;
}

/* ---- combinations ---- */

typedef struct lists {
    rg_int_list seqlen, batch, tp, w, a, kv;
    int dtype[RG_WT_COUNT], n_dtypes; /* -1: as in the file */
} lists;

static rg_status parse_dtypes(lists *l, const char *text, rg_err *err)
{
    rg_words names = {0};
    rg_status st = rg_list_split(&names, "--dtype", text, err);
    for (int i = 0; i < names.n && st == RG_OK; i++) {
        const int t = rg_wtype_from_name(names.w[i]);
        if (t < 0)
            st = rg_fail(err, RG_E_USAGE,
                "--dtype: '%.40s', expected f32, f16, bf16, q8g32, q4g32, q4g64, q4g128, q4g32m, q4g64m or "
                "q4g128m",
                names.w[i]);
        else if (l->n_dtypes == RG_WT_COUNT)
            st = rg_fail(err, RG_E_USAGE, "--dtype: more than %d types", RG_WT_COUNT);
        else
            l->dtype[l->n_dtypes++] = t;
    }
    if (st == RG_OK && l->n_dtypes == 0) l->dtype[l->n_dtypes++] = -1;
    rg_words_free(&names);
    return st;
}

/* An option that belongs to the other cost model is refused: it would do nothing. */
static rg_status refuse_strangers(const rg_cli *cli, bool exact, rg_err *err)
{
    const struct {
        const char *name;
        bool given, of_exact;
        const char *instead;
    } options[] = {{"--w-bit", cli->w_bits, false, "the exact model needs the format: --dtype q4g64"},
        {"--a-bit", cli->a_bits, false, "the exact model takes --act"},
        {"--kv-bit", cli->kv_bits, false, "the exact model takes -ctk and -ctv"},
        {"--dtype", cli->dtype, true, "LLM-Viewer knows only bits: --w-bit"},
        {"--act", cli->act, true, "LLM-Viewer knows only bits: --a-bit"},
        {"--fuse", cli->fuse, true, "LLM-Viewer fuses attention only: --flash"},
        {"-ctk", cli->cache_k, true, "LLM-Viewer knows only bits: --kv-bit"},
        {"-ctv", cli->cache_v, true, "LLM-Viewer knows only bits: --kv-bit"},
        {"-ub", RG_GIVEN(cli, ubatch), true, "LLM-Viewer knows no calls"},
        {"--link", RG_GIVEN(cli, link), true, "LLM-Viewer counts no all-reduce"},
        {"--quantize-head", cli->quantize_head, true, "LLM-Viewer has one width for all weights"}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i].given && options[i].of_exact != exact)
            return rg_fail(err, RG_E_USAGE, "%s: not with --cost %s: %s", options[i].name,
                rg_cost_models[exact ? RG_COST_EXACT : RG_COST_LLM_VIEWER], options[i].instead);
    return RG_OK;
}

static rg_status parse_lists(lists *l, rg_asked *a, const rg_cli *cli, rg_err *err)
{
    rg_int_list gen;
    rg_status st =
        rg_list_parse(&l->seqlen, "--seqlen", cli->seqlens ? cli->seqlens : "1024", 1, 1 << 30, err);
    if (st == RG_OK)
        st = rg_list_parse(&l->batch, "--batch", cli->batches ? cli->batches : "1", 1, 1 << 20, err);
    if (st == RG_OK) st = rg_list_parse(&l->tp, "--tp", cli->tps ? cli->tps : "1", 1, 4096, err);
    if (st == RG_OK) st = rg_list_parse(&l->w, "--w-bit", cli->w_bits ? cli->w_bits : "16", 1, 16, err);
    if (st == RG_OK) st = rg_list_parse(&l->a, "--a-bit", cli->a_bits ? cli->a_bits : "16", 1, 16, err);
    if (st == RG_OK) st = rg_list_parse(&l->kv, "--kv-bit", cli->kv_bits ? cli->kv_bits : "16", 1, 16, err);
    if (st == RG_OK && cli->gen) {
        st = rg_list_parse(&gen, "--gen", cli->gen, 1, 1 << 20, err);
        if (st == RG_OK && gen.n != 1)
            st = rg_fail(err, RG_E_USAGE, "--gen: '%.40s', expected one number", cli->gen);
        if (st == RG_OK) a->gen = gen.v[0];
    }
    return st == RG_OK ? parse_dtypes(l, cli->dtype, err) : st;
}

/* Types of one exact case. Without a checkpoint the file is taken to hold 16-bit floats. */
static rg_status exact_types(
    rg_exact_input *e, const rg_asked *a, const rg_cli *cli, const rg_hardware *h, int dtype, rg_err *err)
{
    const rg_config *c = &a->model.config;
    const rg_engine_opts eo = {.dtype = dtype, .quant_head = cli->quantize_head};
    rg_kvtype kv = c->head_dim < 16 ? RG_KV_F32 : RG_KV_F16;
    if (a->model.ckpt) {
        const rg_ckpt_tensor *t = rg_ckpt_find(a->model.ckpt, RG_SITE_TOKEN_EMBD, -1);
        e->dtype = rg_resident_type(a->model.ckpt, &eo, RG_SITE_ATTN_Q);
        e->head = rg_resident_type(a->model.ckpt, &eo, RG_SITE_OUTPUT);
        e->embd_row = t ? rg_ftype_row_bytes(t->type, c->dim) : 2 * c->dim;
        kv = rg_default_kv(a->model.ckpt, &eo);
    } else {
        e->dtype = dtype < 0 ? RG_WT_F16 : (rg_wtype)dtype;
        e->head = rg_wtype_is_quant(e->dtype) && !cli->quantize_head ? RG_WT_F16 : e->dtype;
        e->embd_row = (e->dtype == RG_WT_F32 ? 4 : 2) * c->dim;
        if (e->dtype == RG_WT_F32) kv = RG_KV_F32;
    }
    const char *const names[] = {cli->cache_k, cli->cache_v};
    rg_kvtype *const types[] = {&e->kv_k, &e->kv_v};
    for (int i = 0; i < 2; i++) {
        const int t = names[i] ? rg_kvtype_from_name(names[i]) : (int)kv;
        if (t < 0)
            return rg_fail(
                err, RG_E_USAGE, "%s: '%.40s', expected f16, f32 or q8_0", i ? "-ctv" : "-ctk", names[i]);
        *types[i] = (rg_kvtype)t;
    }
    const int act = cli->act ? rg_cli_choice("--act", cli->act, rg_exact_acts, err)
        : h->accelerator     ? RG_EXACT_F16
                             : RG_EXACT_F32;
    if (act < 0) return err->code;
    e->act = (rg_exact_act)act;
    e->ubatch = RG_GIVEN(cli, ubatch) ? cli->ubatch : h->accelerator ? 0 : 512;
    return RG_OK;
}

static rg_status fill(rg_asked *a, const lists *l, const rg_cli *cli, rg_cost_model cost, bool flash,
    unsigned fuse, rg_err *err)
{
    const bool lv = cost == RG_COST_LLM_VIEWER;
    const int n_w = lv ? l->w.n : l->n_dtypes, n_a = lv ? l->a.n : 1, n_kv = lv ? l->kv.n : 1;
    const size_t all = (size_t)a->hardware.n * (size_t)n_w * (size_t)n_a * (size_t)n_kv * (size_t)l->tp.n *
        (size_t)l->batch.n * (size_t)l->seqlen.n;
    enum { MOST = 20000 };
    if (all > MOST)
        return rg_fail(
            err, RG_E_USAGE, "the lists make %zu combinations, more than %d: shorten them", all, MOST);
    if (!(a->k = calloc(all, sizeof *a->k)))
        return rg_fail(err, RG_E_NOMEM, "roofline: out of memory for %zu combinations", all);
    for (size_t i = 0; i < all; i++) {
        size_t at = i; /* seqlen runs fastest, hardware slowest */
        const int64_t s = l->seqlen.v[at % (size_t)l->seqlen.n];
        at /= (size_t)l->seqlen.n;
        const int64_t b = l->batch.v[at % (size_t)l->batch.n];
        at /= (size_t)l->batch.n;
        const int64_t tp = l->tp.v[at % (size_t)l->tp.n];
        at /= (size_t)l->tp.n;
        const size_t kv = at % (size_t)n_kv, ab = at / (size_t)n_kv % (size_t)n_a,
                     w = at / (size_t)n_kv / (size_t)n_a % (size_t)n_w;
        const rg_hardware *h = &a->hardware.hw[at / (size_t)n_kv / (size_t)n_a / (size_t)n_w];
        rg_cost_case *k = &a->k[a->n++];
        *k = (rg_cost_case){.cost = cost, .config = a->model.config, .hw = h};
        if (lv) {
            k->lv = (rg_lv_input){(double)s, b, tp, (int)l->w.v[w], (int)l->a.v[ab], (int)l->kv.v[kv], flash};
            continue;
        }
        k->exact = (rg_exact_input){.batch = b,
            .seqlen = s,
            .tp = tp,
            .flash = flash,
            .fuse = fuse,
            .ctx = rg_min(s + rg_max(a->gen, 1), k->config.ctx_train)};
        const rg_status st = exact_types(&k->exact, a, cli, h, l->dtype[w], err);
        if (st != RG_OK) return st;
    }
    return RG_OK;
}

static rg_status check_stage(rg_asked *a, const rg_cli *cli, rg_cost_model cost, rg_err *err)
{
    const int stage = rg_cli_choice("--stage", cli->stage, rg_cost_stages, err);
    if (stage < 0) return err->code;
    a->print.stage = (rg_cost_stage)stage;
    if (stage >= RG_STAGE_GENERATE && a->gen == 0)
        return rg_fail(err, RG_E_USAGE, "--stage %s: needs --gen N", rg_cost_stages[stage]);
    if (stage == RG_STAGE_CHAT && cost == RG_COST_EXACT)
        return rg_fail(err, RG_E_USAGE,
            "--stage chat: is LLM-Viewer's estimate of generate: use --cost llm-viewer, or --stage generate");
    return RG_OK;
}

rg_status rg_asked_open(rg_asked *a, const rg_cli *cli, rg_err *err)
{
    static const char *const switches[] = {"on", "off", NULL};
    lists l = {.n_dtypes = 0};
    *a = (rg_asked){.print = {.totals = cli->totals}};
    const int cost = rg_cli_choice("--cost", cli->cost, rg_cost_models, err);
    const int flash = cost < 0 ? -1
                               : rg_cli_choice("--flash",
                                     cli->fused                       ? cli->fused
                                         : cost == RG_COST_LLM_VIEWER ? "off"
                                                                      : "on",
                                     switches, err);
    unsigned fuse;
    if (flash < 0 || rg_fuse_arg(&fuse, cli->fuse, err) != RG_OK) return err->code;
    rg_status st = refuse_strangers(cli, cost == RG_COST_EXACT, err);
    if (st == RG_OK) st = parse_lists(&l, a, cli, err);
    if (st == RG_OK) st = check_stage(a, cli, (rg_cost_model)cost, err);
    if (st == RG_OK) st = rg_asked_model_open(&a->model, cli, err);
    if (st != RG_OK) return st;
    if (!cli->seqlens && cost == RG_COST_EXACT)
        l.seqlen.v[0] = rg_max(1, rg_min(l.seqlen.v[0], a->model.config.ctx_train - a->gen));
    /* what a step streams is only needed where roofs are measured, and then roughly: the largest of the
     * formats asked for */
    const rg_exact_input guess = {.dtype = RG_WT_F16, .head = RG_WT_F16, .batch = 1, .tp = 1};
    st = rg_asked_hardware_open(
        &a->hardware, cli, (int64_t)rg_exact_weights(&a->model.config, &guess, true), err);
    return st == RG_OK ? fill(a, &l, cli, (rg_cost_model)cost, flash == 0, fuse, err) : st;
}

void rg_asked_close(rg_asked *a)
{
    rg_ckpt_close(a->model.ckpt);
    free(a->hardware.machine);
    free(a->k);
}

rg_status rg_asked_run(rg_cost_case *k, int64_t gen, rg_err *err)
{
    const rg_status st = rg_cost_run(k, gen, err);
    if (st != RG_OK || k->cost != RG_COST_EXACT) return st;
    const rg_exact_input *e = &k->exact;
    rg_memory_plan p;
    rg_plan_memory(&p, &k->config, 0, true,
        k->hw->machine ? k->hw->machine->threads : (int)rg_min(rg_max(k->hw->cores, 1), 1024),
        &(rg_session_opts){.ctx = e->ctx,
            .n_seq = e->batch,
            .ubatch = e->ubatch > 0 ? e->ubatch : e->batch * e->seqlen,
            .kv_k = e->kv_k,
            .kv_v = e->kv_v,
            .unfused = !e->flash,
            .fuse = e->fuse});
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        rg_cost_memory *m = &k->r.memory[ph];
        if (e->tp == 1) m->kv = (double)p.kv; /* with the padding of the real layout */
        m->scratch = (double)p.scratch;
        m->logits = (double)p.logits;
        m->total = m->weights + m->kv + m->scratch + m->logits;
    }
    return RG_OK;
}
