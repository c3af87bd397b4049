/* Lists become cases: every combination of model, machine, lengths and types. */
#include "tools/roofline/roofline_args.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "ridge/topo.h"

/* ---- model ---- */

static bool has_weights(const char *dir)
{
    char path[1200];
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    if (access(path, F_OK) == 0) return true;
    snprintf(path, sizeof path, "%s/model.safetensors.index.json", dir);
    return access(path, F_OK) == 0;
}

static rg_status open_model(rg_asked_model *m, const rg_cli *cli, rg_err *err)
{
    if ((cli->model != NULL) + (cli->shape != NULL) + (cli->dims != NULL) > 1)
        return rg_fail(err, RG_E_USAGE, "-m, --shape and --dims: give only one of them");
    if (cli->shape || cli->dims) {
        rg_err why;
        const rg_status st = rg_shape_args(&m->config, cli, err);
        if (!st && rg_config_check(&m->config, cli->dims ? "--dims" : "--shape", &why))
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
    if (!st) m->config = *rg_ckpt_config(m->ckpt);
    return st;
}

rg_status rg_asked_model_open(rg_asked_model *m, const rg_cli *cli, rg_err *err)
{
    rg_config *c = &m->config;
    *m = (rg_asked_model){0};
    const rg_status st = open_model(m, cli, err);
    if (st || (!RG_GIVEN(cli, experts) && !RG_GIVEN(cli, experts_used))) return st;
    if (c->experts == 0)
        return rg_fail(err, RG_E_USAGE, "%s: %.80s is dense, expected a mixture of experts",
            RG_GIVEN(cli, experts) ? "--experts" : "--experts-used", c->name);
    c->experts = RG_OR(cli, experts, c->experts);
    c->experts_used = RG_OR(cli, experts_used, c->experts_used);
    if (c->experts_used > c->experts)
        return rg_fail(err, RG_E_USAGE, "--experts-used: %lld, expected at most the %lld experts of a layer",
            (long long)c->experts_used, (long long)c->experts);
    return RG_OK;
}

/* ---- hardware ---- */

static rg_status one_hardware(
    rg_asked_hardware *a, const rg_cli *cli, const char *word, int64_t footprint, rg_err *err)
{
    rg_hardware *h = &a->hw[a->n];
    rg_machine *m = &a->machine[a->n];
    rg_status st;
    if (strcmp(word, "measured") == 0) {
        const int pin = rg_cli_choice("--pin", cli->pin, RG_WORDS("on", "off"), err);
        if (pin < 0) return err->code;
        if ((st = rg_threads_check(cli, cli->threads, err))) return st;
        rg_topo topo;
        rg_progress p = {0};
        rg_topo_read(&topo);
        const int *cpus, threads = rg_topo_place(&topo, (int)cli->threads, pin == 0, &cpus);
        st = rg_machine_get(m, NULL, threads, cpus, footprint, rg_progress_draw, &p, &rg_stop, err);
        rg_progress_clear(&p);
        if (!st) rg_hw_from_machine(h, m);
    } else {
        st = strchr(word, '/') || rg_ends_with(word, ".json") ? rg_hw_load(h, m, word, err)
                                                              : rg_hw_find(h, word, err);
    }
    if (!st && RG_GIVEN(cli, link)) h->link = 1e9 * cli->link;
    if (!st) a->n++;
    return st;
}

rg_status rg_asked_hardware_open(rg_asked_hardware *a, const rg_cli *cli, int64_t footprint, rg_err *err)
{
    *a = (rg_asked_hardware){.machine = calloc(RG_HW_MAX, sizeof *a->machine)};
    rg_words names = {0};
    rg_status st = a->machine
        ? rg_list_split(&names, "--hardware", cli->hardware ? cli->hardware : "measured", err)
        : rg_no_memory(err, "hardware");
    for (int i = 0; i < names.n && !st; i++)
        st = a->n == RG_HW_MAX ? rg_fail(err, RG_E_USAGE, "--hardware: more than %d machines", RG_HW_MAX)
                               : one_hardware(a, cli, names.w[i], footprint, err);
    rg_words_free(&names);
    return st;
}

/* ---- combinations ---- */

enum { SEQLEN, BATCH, TP, W_BIT, A_BIT, KV_BIT, GEN, LISTS };

typedef struct lists {
    rg_counts of[LISTS];
    int dtype[RG_WT_COUNT], n_dtypes; /* -1: as in the file */
} lists;

static rg_status parse_dtypes(lists *l, const char *text, rg_err *err)
{
    rg_words names = {0};
    rg_status st = rg_list_split(&names, "--dtype", text, err);
    for (int i = 0; i < names.n && !st; i++) {
        const int t = rg_wtype_from_name(names.w[i]);
        if (t < 0)
            st = rg_fail(err, RG_E_USAGE,
                "--dtype: '%.40s', expected f32, f16, bf16, q8g32, q4g32, q4g64, q4g128, q4g32m, q4g64m, "
                "q4g128m, or a grid of GGUF: q8g32k, q6g16k, q5g32m, q5g32mk, q4g16mk, q4g32mk",
                names.w[i]);
        else if (l->n_dtypes == RG_WT_COUNT)
            st = rg_fail(err, RG_E_USAGE, "--dtype: more than %d types", RG_WT_COUNT);
        else
            l->dtype[l->n_dtypes++] = t;
    }
    if (!st && l->n_dtypes == 0) l->dtype[l->n_dtypes++] = -1;
    rg_words_free(&names);
    return st;
}

/* An option of the other cost model would do nothing. */
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
        {"--experts", RG_GIVEN(cli, experts), true, "LLM-Viewer knows no experts"},
        {"--experts-used", RG_GIVEN(cli, experts_used), true, "LLM-Viewer knows no experts"},
        {"--routing", cli->routing != NULL, true, "LLM-Viewer knows no experts"},
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
    const struct {
        const char *option, *given, *usual;
        int64_t high;
    } list[LISTS] = {[SEQLEN] = {"--seqlen", cli->seqlens, "1024", 1 << 30},
        [BATCH] = {"--batch", cli->batches, "1", 1 << 20},
        [TP] = {"--tp", cli->tps, "1", 4096},
        [W_BIT] = {"--w-bit", cli->w_bits, "16", 16},
        [A_BIT] = {"--a-bit", cli->a_bits, "16", 16},
        [KV_BIT] = {"--kv-bit", cli->kv_bits, "16", 16},
        [GEN] = {"--gen", cli->gen, "1", 1 << 20}};
    rg_status st = RG_OK;
    for (int i = 0; i < LISTS && !st; i++) {
        const rg_cli_LIST words = {.v = {list[i].given ? list[i].given : list[i].usual}, .n = 1};
        st = rg_list_counts(&l->of[i], list[i].option, &words, 1, list[i].high, err);
    }
    if (!st && l->of[GEN].n != 1)
        st = rg_fail(err, RG_E_USAGE, "--gen: '%.40s', expected one number", cli->gen);
    if (!st && cli->gen) a->gen = l->of[GEN].v[0];
    return st ? st : parse_dtypes(l, cli->dtype, err);
}

/* A word, or how many a run has counted. */
static rg_status parse_routing(rg_exact_input *e, const char *text, rg_err *err)
{
    char *end = NULL;
    const double n = text ? strtod(text, &end) : 0.0;
    if (!text) return RG_OK;
    if (end != text && !*end && n >= 1.0 && n <= 1024.0) {
        e->routing = RG_ROUTING_COUNTED;
        e->counted = n;
        return RG_OK;
    }
    for (int r = 0; r < RG_ROUTING_COUNTED; r++)
        if (strcmp(text, rg_routings[r]) == 0) {
            e->routing = (rg_routing)r;
            return RG_OK;
        }
    return rg_fail(err, RG_E_USAGE,
        "--routing: '%.40s', expected uniform, same, disjoint, or a number of experts from 1 to 1024", text);
}

/* Types of one exact case. Without a checkpoint the file is taken to hold 16-bit floats, but of experts with
 * a clamped gate MXFP4, as gpt-oss's makers write them. */
static rg_status exact_types(
    rg_exact_input *e, const rg_asked *a, const rg_cli *cli, const rg_hardware *h, int dtype, rg_err *err)
{
    const rg_config *c = &a->model.config;
    const rg_engine_opts eo = {.dtype = dtype, .quant_head = cli->quantize_head};
    rg_kvtype kv = c->head_dim < 16 ? RG_KV_F32 : RG_KV_F16;
    if (a->model.ckpt) {
        e->dtype = rg_resident_type(a->model.ckpt, &eo, RG_SITE_ATTN_Q);
        e->head = rg_resident_type(a->model.ckpt, &eo, RG_SITE_OUTPUT);
        if (c->experts > 0) {
            e->router = rg_resident_type(a->model.ckpt, &eo, RG_SITE_FFN_GATE_INP);
            e->expert = rg_resident_type(a->model.ckpt, &eo, RG_SITE_FFN_GATE_EXPS);
        }
        e->embd_row = rg_ckpt_embd_row(a->model.ckpt);
        kv = rg_default_kv(a->model.ckpt, &eo);
    } else {
        e->dtype = dtype < 0 ? RG_WT_F16 : dtype;
        e->head = rg_wtype_is_quant(e->dtype) && !cli->quantize_head ? RG_WT_F16 : e->dtype;
        e->router = rg_wtype_is_quant(e->dtype) ? RG_WT_F16 : e->dtype;
        e->expert = dtype < 0 && rg_site_exists(c, RG_SITE_FFN_CLAMP_EXPS) ? RG_WT_Q8G32 : e->dtype;
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
        *types[i] = t;
    }
    const int act = cli->act ? rg_cli_choice("--act", cli->act, rg_exact_acts, err)
        : h->accelerator     ? RG_EXACT_F16
                             : RG_EXACT_F32;
    if (act < 0) return err->code;
    e->act = act;
    e->ubatch = RG_OR(cli, ubatch, h->accelerator ? 0 : 512);
    return RG_OK;
}

static rg_status fill(rg_asked *a, const lists *l, const rg_cli *cli, rg_cost_model cost, bool flash,
    unsigned fuse, rg_err *err)
{
    const bool lv = cost == RG_COST_LLM_VIEWER;
    /* seqlen runs fastest, hardware slowest */
    const int wheel[] = {l->of[SEQLEN].n, l->of[BATCH].n, l->of[TP].n, lv ? l->of[KV_BIT].n : 1,
        lv ? l->of[A_BIT].n : 1, lv ? l->of[W_BIT].n : l->n_dtypes, a->hardware.n};
    enum { WHEELS = sizeof wheel / sizeof *wheel };
    size_t all = 1;
    for (int i = 0; i < WHEELS; i++)
        if (__builtin_mul_overflow(all, (size_t)wheel[i], &all)) all = SIZE_MAX;
    enum { MOST = 20000 };
    if (all > MOST)
        return rg_fail(
            err, RG_E_USAGE, "the lists make %zu combinations, more than %d: shorten them", all, MOST);
    if (!(a->k = calloc(all, sizeof *a->k)))
        return rg_fail(err, RG_E_NOMEM, "roofline: out of memory for %zu combinations", all);
    for (size_t i = 0; i < all; i++) {
        size_t at[WHEELS], rest = i;
        for (int k = 0; k < WHEELS; rest /= (size_t)wheel[k++]) at[k] = rest % (size_t)wheel[k];
        const int64_t s = l->of[SEQLEN].v[at[0]], b = l->of[BATCH].v[at[1]], tp = l->of[TP].v[at[2]];
        const rg_hardware *h = &a->hardware.hw[at[6]];
        rg_cost_case *k = &a->k[a->n++];
        *k = (rg_cost_case){.cost = cost, .config = a->model.config, .hw = h};
        if (lv) {
            k->lv = (rg_lv_input){(double)s, b, tp, (int)l->of[W_BIT].v[at[5]], (int)l->of[A_BIT].v[at[4]],
                (int)l->of[KV_BIT].v[at[3]], flash};
            continue;
        }
        const int64_t ctx = rg_min(s + rg_max(a->gen, 1), k->config.ctx_train);
        k->exact =
            (rg_exact_input){.batch = b, .seqlen = s, .tp = tp, .flash = flash, .fuse = fuse, .ctx = ctx};
        rg_status st = exact_types(&k->exact, a, cli, h, l->dtype[at[5]], err);
        if (!st) st = parse_routing(&k->exact, cli->routing, err);
        if (st) return st;
    }
    return RG_OK;
}

static rg_status check_stage(rg_asked *a, const rg_cli *cli, rg_cost_model cost, rg_err *err)
{
    const int stage = rg_cli_choice("--stage", cli->stage, rg_cost_stages, err);
    if (stage < 0) return err->code;
    a->print.stage = stage;
    if (stage >= RG_STAGE_GENERATE && a->gen == 0)
        return rg_fail(err, RG_E_USAGE, "--stage %s: needs --gen N", rg_cost_stages[stage]);
    if (stage == RG_STAGE_CHAT && cost == RG_COST_EXACT)
        return rg_fail(err, RG_E_USAGE,
            "--stage chat: is LLM-Viewer's estimate of generate: use --cost llm-viewer, or --stage generate");
    return RG_OK;
}

rg_status rg_asked_open(rg_asked *a, const rg_cli *cli, rg_err *err)
{
    lists l = {.n_dtypes = 0};
    *a = (rg_asked){.print = {.totals = cli->totals}};
    const int cost = rg_cli_choice("--cost", cli->cost, rg_cost_models, err);
    const char *usual = cost == RG_COST_LLM_VIEWER ? "off" : "on";
    const int flash =
        cost < 0 ? -1 : rg_cli_choice("--flash", cli->fused ? cli->fused : usual, RG_WORDS("on", "off"), err);
    unsigned fuse;
    if (flash < 0 || rg_fuse_arg(&fuse, cli->fuse, err)) return err->code;
    rg_status st = refuse_strangers(cli, cost == RG_COST_EXACT, err);
    if (!st) st = parse_lists(&l, a, cli, err);
    if (!st) st = check_stage(a, cli, cost, err);
    if (!st) st = rg_asked_model_open(&a->model, cli, err);
    if (!st && !cli->seqlens && cost == RG_COST_EXACT)
        l.of[SEQLEN].v[0] = rg_max(1, rg_min(l.of[SEQLEN].v[0], a->model.config.ctx_train - a->gen));
    /* where roofs are measured, roughly what a step streams is enough */
    const rg_exact_input guess = {.dtype = RG_WT_F16, .head = RG_WT_F16, .batch = 1, .tp = 1};
    if (!st)
        st = rg_asked_hardware_open(
            &a->hardware, cli, (int64_t)rg_exact_weights(&a->model.config, &guess, true), err);
    if (!st) st = fill(a, &l, cli, cost, flash == 0, fuse, err);
    for (int i = 0; i < LISTS; i++) rg_counts_free(&l.of[i]);
    return st;
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
    if (st || k->cost != RG_COST_EXACT) return st;
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
