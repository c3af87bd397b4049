// What a person sees in the report of runs, asserted in a real browser. node browser_test.mjs BROWSER WORK_DIR
import { readFileSync, statSync } from 'node:fs';
import { browser, close, count, findings, ok, open, overlaps, point_at, runs_of, same, visible, work } from './browser_util.mjs';
import { documents } from './doc_test.mjs';

// number of points: a measured and an analytic one per operator group and phase that computes
const group_count = (run, groups) => {
  const g = new Set();
  for (const o of run.ops) if (o.layer === null && o.flop > 0) g.add(o.phase + (o.site in groups.sites ? groups.sites[o.site] : groups.rest));
  return g.size;
};

{ // points, rows, tooltips
  const page = await open('pair'), runs = runs_of('pair');
  const groups = await page.evaluate(() => JSON.parse(document.getElementById('ridge-data').textContent).groups);
  await page.evaluate(() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))); // two frames: whatever moves has moved
  ok((await page.evaluate(() => window.shift)) < 0.02, `nothing moves while the page opens: ${await page.evaluate(() => window.shift + ' ' + window.moved.join(', '))}`);
  for (const i of [0, 1]) {
    const f = `figure[data-chart=roofline][data-run="${i}"]`, n = group_count(runs[i], groups);
    ok(n >= 10, 'groups');
    same(await visible(page, `${f} .point[data-kind=measured]`), n, `run ${i}: measured points`);
    same(await visible(page, `${f} .point[data-kind=analytic]`), n, `run ${i}: analytic points`);
    same(await page.$$eval(`table[data-run="${i}"] tbody tr`, l => l.length), runs[i].ops.length, `run ${i}: table rows`);
    same(await page.$$eval(`figure[data-chart=heat][data-run="${i}"] .cell`, l => l.length), runs[i].ops.filter(o => o.layer !== null).length, `run ${i}: heat cells`);
  }
  // hover: the figures of the file, to the last digit, and the formula with its numbers
  const at = runs[0].ops.findIndex(o => o.site === 'ffn_gate' && o.phase === 'decode' && o.layer === null), o = runs[0].ops[at];
  ok(await point_at(page, page.locator(`figure[data-chart=time][data-run="0"] .bar[data-op="${at}"] rect`)), 'a bar explains itself');
  const tip = await page.textContent('#tip');
  for (const n of [o.t_ns, o.calls, o.flop, o.counted.total_bytes, o.analytic.total_bytes, o.counted.weight_bytes])
    ok(tip.includes(n.toLocaleString('en-US')), `tooltip has ${n}: ${tip}`);
  const d = runs[0].model.dims, layers = runs[0].model.layers;
  ok(tip.includes(`${layers} layers * (2 * 8 * ${d.ffn} * ${d.hidden})`), `tooltip has the filled-in formula: ${tip}`);
  ok(layers * 2 * 8 * d.ffn * d.hidden === o.flop, 'which gives the figure of the file');
  ok(tip.includes(o.roof), 'tooltip names the roof');
  same(/name no cause/.test(tip), runs[0].run.noisy, 'a noisy run names no cause');
  // latency: a mark per decode step, percentile lines with the figures of the file
  const steps = runs[0].phases.find(p => p.phase === 'decode').call_ns;
  same(await visible(page, 'figure[data-chart=latency][data-run="0"] .dot[data-kind=call]'), steps.length, 'a mark per decode step');
  same(await visible(page, 'figure[data-chart=latency][data-run="0"] .dot[data-kind=percentile]'), 3, 'p50, p90, p99');
  ok(await point_at(page, page.locator('figure[data-chart=latency][data-run="0"] .dot[data-first="3"] :is(circle, path)')), 'a step explains itself');
  ok((await page.textContent('#tip')).includes(steps[3].toLocaleString('en-US') + ' ns'), `latency tooltip: ${await page.textContent('#tip')}, expected ${steps[3]} ns`);
  // keyboard: one tab stop per picture, arrows inside, Escape closes
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight)); // so that focus scrolls back, with the pointer at rest over other marks
  await page.waitForFunction(() => scrollY > 1000);
  await page.focus('figure[data-chart=roofline][data-run="0"] svg [tabindex="0"]');
  await page.evaluate(() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(r)))));
  ok(await page.isVisible('#tip'), 'an explanation stays when focus scrolled its mark into view');
  const first = await page.textContent('#tip');
  await page.keyboard.press('ArrowRight');
  await page.waitForFunction(was => document.getElementById('tip').textContent !== was, first, { timeout: 5000 }).catch(() => {});
  ok(await page.isVisible('#tip') && (await page.textContent('#tip')) !== first, 'arrow keys go from mark to mark');
  await page.keyboard.press('Escape');
  ok(!(await page.isVisible('#tip')), 'Escape hides the explanation');
  await close(page, 'points');
}

{ // sorting, filters, toggles, state in the address
  const page = await open('pair'), run = runs_of('pair')[0];
  const rows = () => page.$$eval('table[data-run="0"][data-rows=sum] tbody tr', l => l.filter(r => r.checkVisibility()).map(r => +r.dataset.op));
  const sums = run.ops.map((o, i) => [o, i]).filter(([o]) => o.layer === null);
  await page.click('table[data-run="0"][data-rows=sum] th[data-key=t_ns] button');
  const by_time = (await rows()).map(i => run.ops[i].t_ns);
  same(by_time, [...by_time].sort((a, b) => b - a), 'sorted by time, longest first');
  same(by_time.length, sums.length, 'all rows');
  same(await page.getAttribute('table[data-run="0"][data-rows=sum] th[data-key=t_ns]', 'aria-sort'), 'descending', 'aria-sort');
  await page.click('table[data-run="0"][data-rows=sum] th[data-key=t_ns] button');
  const up = (await rows()).map(i => run.ops[i].t_ns);
  same(up, [...up].sort((a, b) => a - b), 'sorted by time, shortest first');
  await page.fill('input[type=search]', 'FFN');
  same((await rows()).sort((a, b) => a - b), sums.filter(([o]) => o.site.includes('ffn')).map(([, i]) => i), 'filter by name');
  await page.selectOption('[data-tools=page] label:has-text("phase") select', 'decode');
  same((await rows()).sort((a, b) => a - b), sums.filter(([o]) => o.site.includes('ffn') && o.phase === 'decode').map(([, i]) => i), 'filter by phase');
  for (const mark of ['.point', '.of']) {
    const bright = await page.$$eval(`figure:is([data-chart=roofline],[data-chart=time],[data-chart=bytes]) ${mark}:not(.dim)`, l => l.map(p => p.dataset.phase).filter(p => p));
    ok(bright.every(p => p === 'decode'), `${mark}: marks, lines and names of the other phase fade: ${bright}`);
  }
  ok((await page.$$eval('figure[data-chart=roofline][data-run="0"] .of.dim text', l => l.length)) > 0, 'names are among them');
  await page.uncheck('[data-tools=page] label:has-text("analytic") input');
  same(await visible(page, '.point[data-kind=analytic]'), 0, 'analytic points can be hidden');
  await page.uncheck('[data-tools=page] label:has-text("roofs") input');
  same(await visible(page, '.roofmark'), 0, 'roofs can be hidden');
  const hash = new URL(page.url()).hash;
  ok(['phase=decode', 'q=FFN', 'hide=analytic'].every(s => decodeURIComponent(hash).includes(s)), `the address keeps the state: ${hash}`);
  const before = await rows();
  await close(page, 'filters');
  const again = await open('pair', { hash });
  same(await again.$$eval('table[data-run="0"][data-rows=sum] tbody tr', l => l.filter(r => r.checkVisibility()).map(r => +r.dataset.op)), before, 'a link restores the state');
  await again.click('[data-tools=page] button:has-text("reset")');
  same(await visible(again, 'table[data-run="0"][data-rows=sum] tbody tr'), sums.length, 'reset shows everything');
  same(new URL(again.url()).hash, '', 'and clears the address');
  await close(again, 'link');
}

{ // the first screen, the contents, what to fix
  const page = await open('pair', { width: 1400, height: 900 }), runs = runs_of('pair');
  const bottoms = await page.$$eval('#summary :is(.card, .findings li), #verdict summary', l => l.map(e => e.getBoundingClientRect().bottom));
  ok(bottoms.length >= 4 && Math.max(...bottoms) <= 900, `the summary fits one screen: ${bottoms}`);
  ok((await page.textContent('h1')).includes(runs[0].model.name) && (await page.textContent('h1')).includes(runs[0].machine.cpu), 'the title names model and machine');
  const cards = await page.$$eval('#summary .card', l => l.map(c => [c.textContent, Array.from(c.querySelectorAll('.share rect:last-child'), r => +r.getAttribute('width'))]));
  runs.forEach((r, i) => r.phases.forEach((p, k) => {
    ok(Math.abs(cards[i][1][k] - Math.min(100, 100 * p.roof_fraction)) < 0.1, `card ${i}: the bar of ${p.phase} is its share of the roof`);
  }));
  ok((await page.locator('.findings li').count()) <= 3 && (await page.locator('.findings li').count()) > 0, 'at most three findings');
  await page.selectOption('[data-tools=page] label:has-text("phase") select', 'decode');
  for (const a of await page.locator('nav a').all()) {
    const id = (await a.getAttribute('href')).slice(1);
    await a.click();
    const [head, tools] = await page.evaluate(i => [document.querySelector(`#${i} h2`), document.querySelector('[data-tools=page]')].map(e => e.getBoundingClientRect()).map(b => [b.top, b.bottom]), id);
    ok(head[0] >= tools[1] - 1 && head[1] <= 900, `${id}: one click brings its heading below the controls: ${head} ${tools}`);
  }
  ok(new URL(page.url()).hash.includes('phase=decode'), 'and keeps the state in the address');
  same(await page.$$eval('nav a', l => l.map(a => a.getAttribute('href').slice(1))), await page.$$eval('main section', l => l.map(s => s.id)), 'every section is in the contents');
  await page.click('[data-tools=page] button:has-text("reset")');
  for (const [i, r] of runs.entries()) {
    const listed = (await page.$$eval(`#fixes [data-run="${i}"] tr[data-op]`, l => l.map(e => +e.dataset.op))).map(at => r.ops[at]), lost = listed.map(o => o.t_ns - o.analytic.ideal_ns);
    same(lost, [...lost].sort((a, b) => b - a), `run ${i}: what loses most comes first`);
    if (r.run.noisy) same(listed.length, 0, `run ${i} is noisy: no list`);
  }
  const row = page.locator('#fixes tr[data-op]').first();
  if (await row.count()) {
    await row.click();
    ok(await page.isVisible('#tip') && (await page.textContent('#tip')).includes(await row.locator('th').textContent()), 'a row explains its operator');
  }
  await close(page, 'summary');
  const plain = await open('pair', { js: false });
  await plain.click('nav a[href="#whatif"]');
  ok(await plain.evaluate(() => document.querySelector('#whatif h2').getBoundingClientRect().top < innerHeight), 'the contents work without scripts');
  await plain.context().close();
  const at = await open('pair', { hash: '#fixes' });
  ok(await at.evaluate(() => Math.abs(document.querySelector('#fixes').getBoundingClientRect().top) < 120), 'a link to a section opens there');
  await close(at, 'section link');
}

{ // several models: every name says which
  const page = await open('three'), models = [...new Set([...runs_of('pair'), ...runs_of('deep')].map(r => r.model.name))];
  for (const m of models) ok((await page.textContent('h1')).includes(m), `the title names ${m}`);
  for (const sel of ['#summary .card h3', 'figcaption', 'section#table h3', '#fixes h3']) {
    const names = await page.$$eval(sel, l => l.map(e => e.textContent));
    ok(names.length >= 3 && names.every(n => models.some(m => n.includes(m))), `${sel} names the models: ${names.join(' | ')}`);
  }
  ok(!(await page.$eval('figure[data-chart=compare] svg', e => e.textContent)).includes('f16 weights'), 'a comparison does not call itself by the type of one run');
  await close(page, 'three');
}

{ // layers, heat map, zoom, arrows, copies
  const page = await open('pair'), runs = runs_of('pair'), run = runs[0];
  await page.selectOption('[data-tools=page] label:has-text("layer") select', '1');
  same(await visible(page, 'table[data-run="0"][data-rows=layer] tbody tr'), run.ops.filter(o => o.layer === 1).length, 'rows of one layer');
  await page.selectOption('.zoom select', 'roof_fraction');
  const cells = await page.$$eval('figure[data-chart=heat][data-run="0"] .cell', l => l.map(c => [+c.dataset.op, +c.getAttribute('fill-opacity')]));
  const decode = cells.filter(([i]) => run.ops[i].phase === 'decode' && run.ops[i].roof_fraction !== null);
  const darkest = decode.reduce((a, b) => b[1] > a[1] ? b : a), most = Math.max(...decode.map(([i]) => run.ops[i].roof_fraction));
  ok(run.ops[darkest[0]].roof_fraction > most - 0.005, `the darkest cell has the largest share of its roof, ${run.ops[darkest[0]].roof_fraction} of ${most}`);
  const box = () => page.getAttribute('figure[data-chart=roofline][data-run="0"] svg', 'viewBox');
  const whole = await box();
  await page.click('figure[data-chart=roofline][data-run="0"] .zoom button[aria-label="zoom in"]');
  ok((await box()) !== whole && new URL(page.url()).hash.includes('zoom'), 'zoom changes the picture and the address');
  await page.click('figure[data-chart=roofline][data-run="0"] .zoom button[aria-label="whole picture"]');
  same(await box(), whole, 'and back');
  await page.selectOption('[data-tools=page] label:has-text("arrows from") select', '0');
  await page.selectOption('[data-tools=page] label:text-is("to") select', '1');
  const points = await page.$$eval('figure[data-chart=roofline][data-run="0"] .point[data-kind=measured]', l => l.length);
  same(await page.$$eval('figure[data-chart=roofline][data-run="0"] .ab path', l => l.length), points, 'an arrow per measured point');
  await page.click('[data-tools=page] button:has-text("reset")');
  await page.click('section#table button:has-text("copy as CSV")');
  const csv = (await page.evaluate(() => navigator.clipboard.readText())).trim().split('\n');
  same(csv.length - 1, run.ops.filter(o => o.layer === null).length, 'CSV has a line per row');
  same(csv[0].split(',').slice(0, 4), ['site', 'phase', 'calls', 't_ns'], 'CSV titles');
  const q = run.ops.find(o => o.site === 'attn_q' && o.phase === 'prefill' && o.layer === null);
  ok(csv.some(l => l.startsWith(`attn_q,prefill,${q.calls},${q.t_ns},`)), 'CSV figures are the exact ones');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('button:has-text("download JSON")')]);
  same(JSON.parse(readFileSync(await download.path(), 'utf8')), JSON.parse(readFileSync(`${work}/pair.json`, 'utf8')), 'the download is the file');
  await close(page, 'copies');
}

{ // size and speed with 22 layers; no text on text with the browser's own font; the page does not scroll sideways
  for (const [name, most] of [['deep', 6.5e5], ['two', 1e6]]) ok(statSync(`${work}/${name}.html`).size < most, `${name}, 22 layers: ${statSync(`${work}/${name}.html`).size} bytes, expected under ${most}`);
  const start = Date.now(), page = await open('deep');
  ok(Date.now() - start < 5000, `opens in ${Date.now() - start} ms`);
  same(await overlaps(page), [], 'texts that overlap');
  await close(page, 'deep');
  for (const [name, width] of [['deep', 390], ['pair', 390], ['three', 1280]]) {
    const phone = await open(name, { width, height: 800, scheme: 'dark' });
    ok(await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} at ${width} px does not scroll sideways`);
    await close(phone, name);
  }
}

if (!readFileSync(`${work}/pair.html`, 'utf8').includes('"whatif":null')) { // what if: starts at the run, moves with the choices, keeps its state
  const page = await open('pair'), run = runs_of('pair')[0];
  await page.waitForSelector('#whatif [data-ready="1"]');
  const cell = (row, col) => page.$eval(`#whatif .whatif-result:not(.lv-result) tbody tr:nth-child(${row}) td:nth-child(${col})`, e => e.textContent);
  same([await cell(1, 4), await cell(2, 4)], ['1.00', '1.00'], 'what-if starts at the run');
  const drawn = await page.$$eval('#whatif svg text', l => l.map(e => e.textContent));
  ok(drawn.filter(t => +t > 0).length >= 6 && ['q, k, v', 'gate, up', 'output'].every(t => drawn.includes(t)), 'its picture has figures on both axes and names its colours: ' + drawn);
  const shapes = await page.$eval('#whatif svg', s => ['circle', 'path', '.roof-line', '[data-roof]'].map(k => s.querySelectorAll(k).length));
  ok(shapes[0] >= 10 && shapes[1] >= 10 && shapes[2] >= 1 && shapes[3] >= 1, `circles for prefill, diamonds for decode, roofs with names: ${shapes}`);
  const prefill = run.phases.find(p => p.phase === 'prefill'), ms = t => { const [x, u] = t.split(' '); return x * { ns: 1e-6, us: 1e-3, ms: 1, s: 1e3 }[u]; };
  ok(Math.abs(ms(await cell(1, 2)) / (prefill.ideal_ns / 1e6) - 1) < 0.02, `the module's prefill ${await cell(1, 2)} is the report's ${prefill.ideal_ns} ns`);
  ok(Math.abs(ms(await cell(1, 7)) / (prefill.t_ns / 1e6) - 1) < 0.02, 'and at the run\'s efficiency it is what was measured');
  await page.selectOption('#whatif label:has-text("hardware") select', 'amd_epyc_9755');
  await page.fill('#whatif label:has-text("batch") input', '4');
  await page.keyboard.press('Tab');
  const lv = await page.$$eval('#whatif .lv-result tbody td', l => l.map(e => e.textContent));
  ok(lv.length === 20 && !lv.includes('n/a') && +lv[3] > 0, `LLM-Viewer's figures stand beside ours: ${lv.join(' | ')}`);
  ok(+(await cell(1, 4)) > 1 && (await page.textContent('#whatif')).includes('Source of amd_epyc_9755'), 'another machine is faster, and its source is named');
  const state = new URL(page.url()).hash, faster = await cell(1, 4);
  await close(page, 'what-if');
  const again = await open('pair', { hash: state });
  await again.waitForSelector('#whatif [data-ready="1"]');
  same(await again.$eval('#whatif .whatif-result:not(.lv-result) tbody tr:nth-child(1) td:nth-child(4)', e => e.textContent), faster, 'a link restores the what-if');
  await again.fill('#whatif label:has-text("batch") input', '0');
  await again.keyboard.press('Tab');
  ok((await again.textContent('#whatif')).includes('not possible'), 'impossible numbers are said to be so');
  await close(again, 'what-if link');
}

{ // hostile texts stay text
  const page = await open('hostile');
  ok(!(await page.evaluate(() => window.broken)), 'no foreign script ran');
  same(await page.$$eval('img', l => l.length), 0, 'no foreign element');
  ok((await page.textContent('h1')).includes('<script>window.broken=1</script>'), 'the name is shown as it is');
  ok(await point_at(page, page.locator('figure[data-chart=time] .bar[data-op="1"] rect').first()), 'explanations work');
  await close(page, 'hostile');
}

{ // scripts off: everything is there to read
  const page = await open('pair', { js: false }), run = runs_of('pair')[0];
  ok((await page.textContent('header')).includes('Scripts are off'), 'says that scripts are off');
  same(await page.locator('table[data-run="0"][data-rows=sum] tbody tr').count(), run.ops.filter(o => o.layer === null).length, 'the table is there');
  ok(await page.locator('figure[data-chart=roofline] .point').count() > 20, 'the pictures are there');
  ok(!(await page.locator('[data-tools=page]').isVisible()), 'no dead controls');
  await close(page, 'scripts off');
}

for (const [name, width, scheme] of [['pair', 1280, 'light'], ['pair', 1280, 'dark'], ['deep', 390, 'light'], ['three', 390, 'dark']]) { // accessibility
  const page = await open(name, { width, scheme });
  same(await findings(page), [], `${name} ${width} ${scheme}: axe`);
  await page.context().close();
}

await documents();
await browser.close();
console.log(`${count.checks} checks, ${count.failures} failed`);
process.exit(count.failures ? 1 : 0);
