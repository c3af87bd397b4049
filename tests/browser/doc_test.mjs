// Pages of bench, compare, ablation, roofline, study and validation: what a person sees against the JSON they were made from.
import { readFileSync } from 'node:fs';
import { close, findings, ok, open, overlaps, point_at, read, same, visible } from './browser_util.mjs';

const field = (o, path) => path.split('.').reduce((v, k) => v === null || v === undefined ? v : v[k], o);
const marks = (page, doc, kind) => page.$$eval(`figure[data-doc="${doc}"] .dot${kind ? `[data-kind=${kind}]` : ''}`, l => l.map(m => m.dataset.at));
const rows = (page, n) => page.$$eval(`table[data-table="${n}"] tbody tr`, l => l.filter(r => r.checkVisibility()).map(r => r.dataset.row));

// hovering a mark shows the figures of the file, to the last digit
const tooltip = async (page, doc, at, path, keys, from) => {
  ok(await point_at(page, page.locator(`figure[data-doc="${doc}"] .dot[data-at="${at}"] :is(circle, path, rect)`).first()), `${doc} ${at}: an explanation shows`);
  const tip = await page.textContent('#tip');
  for (const k of keys) ok(tip.includes(String(field(from, path + '.' + k))), `${doc} ${at}: tooltip has ${k} = ${field(from, path + '.' + k)}: ${tip}`);
};

// a table sorts by the exact values, unknown last, searches words, and copies as CSV
const table = async (page, n, list, key) => {
  const head = `table[data-table="${n}"] th[data-key="${key}"]`, value = i => { const v = field(list[i], key); return v === undefined ? null : v; };
  const before = await rows(page, n);
  same(before.length, Object.keys(list).length, `table ${n}: a row per entry`);
  await page.click(head + ' button');
  const down = (await rows(page, n)).map(value), known = down.filter(v => v !== null);
  same(down, [...known.slice().sort((a, b) => typeof a === 'string' ? b.localeCompare(a) : b - a), ...down.filter(v => v === null)], `table ${n}: sorted by ${key}`);
  same(await page.getAttribute(head, 'aria-sort'), 'descending', 'aria-sort');
  await page.click(head + ' button');
  const up = (await rows(page, n)).map(value).filter(v => v !== null);
  same(up, known.slice().sort((a, b) => typeof a === 'string' ? a.localeCompare(b) : a - b), `table ${n}: and the other way`);
  await page.click(head + ' button');
  same(await rows(page, n), before, `table ${n}: and back`);
};

export const documents = async () => {
  { // bench: throughput, curves, table, address
    const page = await open('bench'), j = read('bench'), of = (w, k) => j.results.filter(r => (r.n_gen > 0) === w && new Set(j.results.filter(x => (x.n_gen > 0) === w && x.setting === r.setting).map(x => x[k])).size > 1);
    await page.evaluate(() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r))));
    ok((await page.evaluate(() => window.shift)) < 0.02, `nothing moves while the page opens: ${await page.evaluate(() => window.shift + ' ' + window.moved.join(', '))}`);
    for (const v of j.verdict) ok((await page.textContent('#verdict')).includes(v), 'verdict: ' + v);
    ok((await page.textContent('#runs')).includes(j.machine.cpu), 'the machine is named');
    same((await marks(page, 'speed')).sort(), j.results.map((_, i) => 'results.' + i).sort(), 'a row per result');
    same((await marks(page, 'batch', 'measured')).length, of(true, 'n_seq').length, 'batch curve: a mark per decode result');
    same((await marks(page, 'depth', 'measured')).length, of(true, 'n_depth').length + of(false, 'n_depth').length, 'depth curves: a mark per result');
    await tooltip(page, 'speed', 'results.2', 'results.2', ['median_ts', 'ci95_low_ts', 'ideal_ns', 'roof_fraction'], j);
    await table(page, 0, j.results, 'median_ts');
    await page.fill('#results input[type=search]', 'tg Q4G64');
    same((await rows(page, 0)).sort(), j.results.map((r, i) => [r, String(i)]).filter(([r]) => r.test.includes('tg') && r.setting.includes('q4g64')).map(([, i]) => i).sort(), 'search by words');
    await page.click('#results button:has-text("copy as CSV")');
    const csv = (await page.evaluate(() => navigator.clipboard.readText())).trim().split('\n');
    same(csv.length - 1, (await rows(page, 0)).length, 'CSV has the rows that are shown');
    ok(csv[0].startsWith('test,setting,') && csv[1].includes(String(j.results[+(await rows(page, 0))[0]].median_ts)), `CSV is exact: ${csv[1]}`);
    const hash = new URL(page.url()).hash, shown = await rows(page, 0);
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('button:has-text("download JSON")')]);
    same(JSON.parse(readFileSync(await download.path(), 'utf8')), j, 'the download is the report');
    await page.focus('figure[data-doc=speed] svg [tabindex="0"]');
    await page.keyboard.press('ArrowDown');
    await page.waitForFunction(() => !document.getElementById('tip').hidden && document.activeElement.matches('.dot'));
    await page.keyboard.press('Escape');
    ok(!(await page.isVisible('#tip')), 'keys go from mark to mark, Escape hides');
    await close(page, 'bench');
    const again = await open('bench', { hash });
    same(await rows(again, 0), shown, 'a link restores the search');
    await close(again, 'bench link');
  }

  { // compare: gains with intervals, operators, the rooflines of both with arrows, loss
    const page = await open('compare'), j = read('compare');
    same((await marks(page, 'gains')).sort(), ['variants.1.decode', 'variants.1.prefill'], 'a gain per phase');
    same((await marks(page, 'operators-gain')).length, j.operators.length, 'a mark per operator');
    await tooltip(page, 'gains', 'variants.1.decode', 'variants.1.decode', ['gain', 'gain_expected', 'tokens_per_s'], j);
    await tooltip(page, 'operators-gain', 'operators.3', 'operators.3', ['gain', 'base_ns', 'ns'], j);
    await table(page, 3, j.variants, 'loss.ppl');
    ok((await page.textContent('#results')).includes('KL mean'), 'what it costs stands beside');
    same(await page.$$eval('figure[data-chart=roofline]', l => l.length), 2, 'a roofline per variant');
    await page.selectOption('[data-tools=page] label:has-text("arrows from") select', '0');
    await page.selectOption('[data-tools=page] label:text-is("to") select', '1');
    same(await page.$$eval('figure[data-chart=roofline][data-run="0"] .ab path', l => l.length), await visible(page, 'figure[data-chart=roofline][data-run="0"] .point[data-kind=measured]'), 'an arrow per measured point');
    const at = j.runs[1].ops.findIndex(o => o.site === 'ffn_gate' && o.phase === 'decode');
    ok(await point_at(page, page.locator(`figure[data-chart=time][data-run="1"] .bar[data-op="${at}"] rect`)), 'a bar explains itself');
    ok((await page.textContent('#tip')).includes(j.runs[1].ops[at].t_ns.toLocaleString('en-US')), 'operators of the second variant explain themselves');
    await close(page, 'compare');
  }

  { // ablation, roofline by both cost models, study, validation
    const checks = [['ablation', 'ablation', j => j.switches.flatMap((s, i) => ['prefill_alone', 'decode_alone', 'prefill_with_others', 'decode_with_others'].filter(k => s[k]).map(k => `switches.${i}.${k}`)), 0, 'switches', 'prefill_alone.speedup'],
      ['sweep', 'batch', j => [...j.cases, ...j.cases].map((_, i) => 'cases.' + i % j.cases.length), 0, 'cases', 'total.decode.tokens_per_s'],
      ['single', null, null, 1, 'cases.0.ops', 'total_bytes'],
      ['viewer', null, null, 1, 'cases.0.prefill', 'OPs'],
      ['study', 'study', j => [...j.cases, ...j.cases].map((_, i) => 'cases.' + i % j.cases.length), 0, 'cases', 'total.prefill.ideal_ns'],
      ['validation', 'validation', j => j.points.map((_, i) => 'points.' + i), 1, 'points', 'predicted_ns']];
    for (const [name, doc, want, n, from, key] of checks) {
      const page = await open(name), j = read(name);
      if (doc) same((await marks(page, doc)).sort(), want(j).sort(), `${name}: marks`);
      if (from.startsWith('cases.0')) ok(await visible(page, 'figure[data-doc=roofline] .point[data-kind=analytic]') >= 5, `${name}: analytic points`);
      if (name === 'sweep') await tooltip(page, 'batch', 'cases.0', 'cases.0', ['total.decode.tokens_per_s', 'memory.total_bytes'], j);
      await table(page, n, field(j, from), key);
      for (const v of j.verdict) ok((await page.textContent('#verdict')).includes(v), name + ' verdict: ' + v);
      await close(page, name);
    }
  }

  for (const [name, width, scheme] of [['bench', 1280, 'dark'], ['bench', 390, 'light'], ['compare', 1280, 'light'], ['compare', 390, 'dark'], ['ablation', 390, 'light'], ['sweep', 1280, 'dark'],
    ['sweep', 390, 'light'], ['study', 390, 'dark'], ['validation', 1280, 'light'], ['viewer', 390, 'light']]) { // phone and desk, dark and light
    const page = await open(name, { width, height: 800, scheme });
    ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} at ${width} px does not scroll sideways`);
    same(await overlaps(page), [], `${name} ${width}: texts that overlap`);
    same(page.wrong, [], `${name} ${width}: console`);
    if (width === 1280 || name === 'study') same(await findings(page), [], `${name} ${width} ${scheme}: axe`);
    await page.context().close();
  }

  for (const name of ['bench', 'compare', 'ablation', 'sweep', 'validation']) { // hostile texts stay text
    const page = await open('hostile-' + name);
    ok(!(await page.evaluate(() => window.broken)), `${name}: no foreign script ran`);
    same(await page.$$eval('img', l => l.length), 0, `${name}: no foreign element`);
    ok((await page.textContent('main')).includes('<script>window.broken=1</script>'), `${name}: texts are shown as they are`);
    ok(await point_at(page, page.locator('.dot :is(circle, path, rect)').first()), `${name}: explanations work`);
    await page.locator('table.doc th button').first().click();
    await close(page, 'hostile ' + name);
  }

  { // scripts off
    const page = await open('bench', { js: false });
    same(await page.locator('table.doc tbody tr').count(), read('bench').results.length, 'scripts off: the table is there');
    ok(!(await page.locator('.zoom').first().isVisible()), 'scripts off: no dead controls');
    await close(page, 'bench, scripts off');
  }
};
