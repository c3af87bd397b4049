// What the browser tests share: one browser, pages that may do nothing but be looked at, checks that count.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const [, , executablePath, work_dir] = process.argv;
export const work = work_dir;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export const count = { checks: 0, failures: 0 };
export const ok = (cond, what) => { count.checks++; if (!cond) { count.failures++; console.log('FAILED: ' + what); } };
export const same = (got, want, what) => ok(JSON.stringify(got) === JSON.stringify(want), `${what}: ${JSON.stringify(got)}, expected ${JSON.stringify(want)}`);
export const read = name => JSON.parse(readFileSync(`${work}/${name}.json`, 'utf8'));
export const runs_of = name => { const j = JSON.parse(readFileSync(`${work}/${name}.json`, 'utf8')); return j.runs || [j]; };

export const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
export const open = async (name, { width = 1280, height = 900, scheme = 'light', js = true, hash = '' } = {}) => {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, javaScriptEnabled: js, acceptDownloads: true, permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await context.newPage();
  page.wrong = [];
  page.on('console', m => { if (m.type() === 'error' || m.type() === 'warning') page.wrong.push(m.text()); });
  page.on('pageerror', e => page.wrong.push(e.message));
  page.on('dialog', d => { page.wrong.push('dialog ' + d.message()); d.dismiss(); });
  page.on('request', r => { if (!r.url().startsWith(`file://${work}/${name}.html`) && !r.url().startsWith('blob:')) page.wrong.push('request ' + r.url()); });
  await page.addInitScript(() => {
    window.shift = 0;
    window.moved = [];
    new PerformanceObserver(l => { for (const e of l.getEntries()) { window.shift += e.value; window.moved.push(...e.sources.map(s => s.node && (s.node.id || s.node.className || s.node.nodeName))); } }).observe({ type: 'layout-shift', buffered: true });
  });
  await page.goto(`file://${work}/${name}.html${hash}`);
  if (js) await page.waitForSelector('html[data-ready="1"]', { timeout: 5000 });
  return page;
};
export const close = async (page, what) => { same(page.wrong, [], what + ': console, dialogs, requests'); await page.context().close(); };
export const visible = (page, sel) => page.$$eval(sel, l => l.filter(e => e.checkVisibility() && getComputedStyle(e).display !== 'none').length);

// texts of one picture that lie on each other, with the browser's own font
export const overlaps = page => page.$$eval('figure svg', svgs => svgs.flatMap(svg => {
  const boxes = Array.from(svg.querySelectorAll('text:not([transform])')).map(t => [t.textContent, t.getBoundingClientRect()]), out = [];
  boxes.forEach(([a, x], i) => boxes.slice(i + 1).forEach(([b, y]) => {
    const w = Math.min(x.right, y.right) - Math.max(x.left, y.left), h = Math.min(x.bottom, y.bottom) - Math.max(x.top, y.top);
    if (w > 1 && h > 4) out.push(a + ' / ' + b);
  }));
  return out;
}));

// serious findings of axe on an open page
export const findings = async page => {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Page.setBypassCSP', { enabled: true }); // for the checker only
  await cdp.send('Runtime.evaluate', { expression: axe });
  return page.evaluate(async () => (await axe.run(document, { resultTypes: ['violations'] })).violations
    .filter(v => ['serious', 'critical'].includes(v.impact)).map(v => `${v.id}: ${v.nodes.length} x, ${v.nodes[0].html.slice(0, 160)} ${v.nodes[0].failureSummary.slice(0, 300)}`));
};

// The pointer on a mark until its explanation shows: scrolling there hides what was shown on the way, some frames later.
export const point_at = async (page, mark) => {
  await mark.scrollIntoViewIfNeeded();
  for (let i = 0; i < 8; i++) {
    await page.evaluate(() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r))));
    await page.mouse.move(1, 1);
    await mark.hover({ force: true });
    if (await page.waitForFunction(() => !document.getElementById('tip').hidden, null, { timeout: 1000 }).then(() => true, () => false)) return true;
  }
  return false;
};
