'use strict';
/* ---- data: lists of like objects come as columns (page_data.c) ---- */
const PLACES = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const column = c => {
  if (!c.$d) return unpack(c);
  const d = c.$d.map(unpack), p = Array.from(c.$i, x => PLACES.indexOf(x));
  if (d.length <= 64) return p.map(i => d[i]);
  return p.filter((_, i) => i % 2).map((low, i) => d[64 * p[2 * i] + low]);
};
const unpack = v => {
  if (Array.isArray(v)) return v.map(unpack);
  if (v === null || typeof v !== 'object') return v;
  if (!Array.isArray(v.$k)) return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, unpack(x)]));
  const c = v.$c.map(column);
  return Array.from({ length: v.$n }, (_, i) => Object.fromEntries(v.$k.map((k, j) => [k, c[j][i]])));
};
const raw = JSON.parse(document.getElementById('ridge-data').textContent);
const files = raw.packed ? raw.files.map(unpack) : raw.files;
/* a comparison has null where a saved side was no run */
const runs = files.flatMap(f => f.schema === 'ridge.profile' ? [f] : (f.runs || []).filter(r => r));
const none = v => v === null || v === undefined;
const field = (o, path) => path.split('.').reduce((v, k) => none(v) ? v : v[k], o);

const $ = (sel, at) => Array.from((at || document).querySelectorAll(sel));
const el = (name, props, ...kids) => {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(props || {})) {
    if (k in e) e[k] = v; else e.setAttribute(k, v);
  }
  e.append(...kids);
  return e;
};
const svg_el = (name, cls, attrs, text) => {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [k, v] of Object.entries({ class: cls, ...attrs })) e.setAttribute(k, v);
  if (text) e.textContent = text;
  return e;
};
const button = (text, act, props) => {
  const b = el('button', { type: 'button', ...props }, text);
  b.addEventListener('click', act);
  return b;
};
const say = text => { document.getElementById('live').textContent = text; };

/* ---- figures, as the program prints them ---- */
const known = x => !none(x) && Number.isFinite(x);
const num = x => {
  if (!known(x)) return 'n/a';
  const a = Math.abs(x);
  if (a === 0) return '0';
  if (a >= 99.95) return a < 1e9 ? x.toFixed(0) : x.toExponential(2);
  if (a >= 9.995) return x.toFixed(1);
  if (a >= 0.9995) return x.toFixed(2);
  return a >= 1e-5 ? x.toFixed(2 - Math.floor(Math.log10(a) + 2e-4)) : x.toExponential(2);
};
const scaled = (x, units, base, edge) => {
  if (!known(x)) return 'n/a';
  let u = 0;
  while (Math.abs(x) >= edge && u < units.length - 1) { x /= base; u++; }
  return num(x) + ' ' + units[u];
};
const time = ns => scaled(ns, ['ns', 'us', 'ms', 's'], 1000, 999.5);
const bytes = b => scaled(b, ['B', 'KiB', 'MiB', 'GiB', 'TiB'], 1024, 1023.5);
const percent = f => none(f) ? 'n/a' : num(100 * f) + ' %';
const rate = gflops => gflops >= 1e4 ? num(gflops / 1e3) + ' TFLOP/s' : num(gflops) + ' GFLOP/s';
const exact = n => none(n) ? 'n/a' : n.toLocaleString('en-US');

/* ---- explanations ---- */
const advice = (run, o) => {
  if (runs[run].run.noisy) return 'The machine was not quiet: these times name no cause.';
  const out = [], more = o.bytes_ratio;
  if (o.bound === 'memory')
    out.push('Bytes set its roof: smaller weight or KV types or more sequences per call would raise it.');
  if (o.bound === 'compute')
    out.push('Arithmetic sets its roof: an instruction class with a higher peak would raise it, ' +
      'smaller weights would not.');
  if (o.bound === 'overhead')
    out.push('One call is worth less than two barriers: fusing it with its neighbour or fewer threads ' +
      'would help.');
  if (more > 1.1) out.push(`It streams ${num(more)} times the compulsory bytes: larger blocks would help.`);
  if (o.wait_ns > 0.1 * o.t_ns) out.push(`Threads wait ${time(o.wait_ns)} in sum at its barrier.`);
  if (!none(o.roof_fraction) && o.roof_fraction < 0.6 && more <= 1.1 && o.bound !== 'overhead')
    out.push('It moves what it must; the rest lies inside the kernel.');
  return out.join(' ');
};
const grid = (head, rows, cls) => {
  const line = (tag, cells) => el('tr', {}, ...cells.map(c => el(tag, {}, c)));
  const t = el('table', { className: cls || '' });
  if (head) t.append(el('thead', {}, line('th', head)));
  t.append(el('tbody', {}, ...rows.map(r => line('td', r))));
  return t;
};
const kinds = [['weights', 'weight'], ['activations read', 'act_read'], ['activations written', 'act_write'],
  ['KV read', 'kv_read'], ['KV written', 'kv_write'], ['total', 'total']];
const explain_op = (run, i) => {
  const o = runs[run].ops[i], sum = o.layer === null, why = o.roof || o.roof_reason;
  const formula = raw.formulas[o.op], filled = sum ? raw.filled[run][o.phase + '/' + o.site] : null;
  const moved = kinds.map(([name, key]) =>
    [name, o.counted[key + '_bytes'], o.analytic[key + '_bytes'], formula && formula[key] || '']);
  const out = [
    el('h4', {}, `${o.site}, ${o.phase}${sum ? '' : ', layer ' + o.layer}` +
      (runs.length > 1 ? ', ' + raw.labels[run] : '')),
    grid(null, [['measured', `${time(o.t_ns)} (${exact(o.t_ns)} ns), ${exact(o.calls)} calls`],
      ['analytic', time(o.analytic.ideal_ns)],
      ['of the roof', percent(o.roof_fraction) + (why ? ` (${why})` : '')],
      ['speed', `${rate(o.gflops)}, ${num(o.gbps)} GB/s`],
      ['intensity', `${num(o.ai_counted)} counted, ${num(o.ai_analytic)} analytic, FLOP/byte`],
      ['kernel', o.kernel || 'n/a']])];
  if (formula && formula.flop !== '0')
    out.push(el('p', {}, ['FLOP', formula.flop, filled, exact(o.flop)].filter(x => x).join(' = ')));
  out.push(grid(['bytes', 'counted', 'analytic', 'formula per call'],
    moved.filter(m => m[1] > 0 || m[2] > 0).map(m => [m[0], exact(m[1]), exact(m[2]), m[3]])));
  out.push(el('p', {}, advice(run, o)));
  return out;
};
const group_of = site => site in raw.groups.sites ? raw.groups.sites[site] : raw.groups.rest;
const members = (run, phase, group) =>
  runs[run].ops.filter(o => o.layer === null && o.phase === phase && group_of(o.site) === group);
const explain_group = mark => {
  const ops = members(+mark.dataset.run, mark.dataset.phase, +mark.dataset.group);
  if (!ops.length) return [];
  const longest = ops.reduce((a, b) => b.t_ns > a.t_ns ? b : a);
  return [
    grid(['operator', 'time', 'roof', 'counted', 'analytic'], ops.map(o => [o.site, time(o.t_ns),
      percent(o.roof_fraction), bytes(o.counted.total_bytes), bytes(o.analytic.total_bytes)])),
    el('p', {}, longest.site + ': ' + advice(+mark.dataset.run, longest))];
};

/* ---- tables: what a row stands for, and its figures to the last digit ---- */
const tables = $('table.ops');
const keys_of = t => $('thead th', t).map(h => h.dataset.key);
const entries = t => 'run' in t.dataset ? runs[+t.dataset.run].ops : field(files[0], t.dataset.from);
const name_of = r => 'op' in r.dataset ? r.dataset.op : r.dataset.row;
const figure = (rows, name, key) => {
  const v = key === '$key' ? name : field(rows[name], key);
  return v === undefined || (v !== null && typeof v === 'object') ? null : v;
};
const phase_of = (run, phase) => runs[run].phases.find(p => p.phase === phase);
/* the figures of the file behind a mark */
const exactly = mark => {
  const { at, n, phase, first } = mark.dataset, f = mark.closest('figure');
  if (f.dataset.chart === 'latency' && n === '1')
    return [el('p', {}, exact(phase_of(+f.dataset.run, phase).call_ns[+first]) + ' ns')];
  const all = at ? tables.filter(x => at.startsWith(x.dataset.from + '.')) : [];
  if (!all.length) return [];
  /* variants.1.decode: the columns of that part */
  const [name, part] = at.slice(all[0].dataset.from.length + 1).split('.');
  const of_part = k => !part || k.startsWith(part + '.');
  const t = all.find(x => part && keys_of(x).some(of_part)) || all[0];
  const rows = keys_of(t).filter(of_part).map(k => [k, figure(entries(t), name, k)])
    .filter(([, v]) => typeof v === 'number');
  return rows.length ? [grid(null, rows.map(([k, v]) => [k, String(v)]), 'exact')] : [];
};

/* ---- tooltips: hover and keyboard; one tab stop per picture, arrows inside ---- */
const tip = document.getElementById('tip');
const texts = new WeakMap();
let focused = null; /* the mark whose focus showed the explanation; null when a pointer did */
const hide = () => { tip.hidden = true; focused = null; };
const show = (mark, x, y) => {
  const { op, run, group } = mark.dataset, [head, ...lines] = (texts.get(mark) || '').split('\n');
  const more = () => group >= 0 && run !== undefined ? explain_group(mark) : exactly(mark);
  tip.replaceChildren(...(op !== undefined ? explain_op(+mark.closest('[data-run]').dataset.run, +op)
    : [el('h4', {}, head), ...lines.map(t => el('p', {}, t)), ...more()]));
  tip.hidden = false;
  focused = null;
  put_tip(x, y);
};
const put_tip = (x, y) => {
  const { width, height } = tip.getBoundingClientRect(), below = y + 18;
  tip.style.left = Math.max(6, Math.min(x + 16, innerWidth - width - 8)) + 'px';
  tip.style.top = Math.max(6, below + height > innerHeight ? y - height - 14 : below) + 'px';
};
const MARKS = '.point,.bar,.cell,.ridge,.roofmark,.dot';
for (const svg of $('figure svg')) {
  const marks = $(MARKS, svg);
  svg.setAttribute('role', 'group');
  marks.forEach((m, i) => {
    const title = m.querySelector(':scope > title');
    if (title) {
      texts.set(m, title.textContent);
      m.setAttribute('aria-label', title.textContent.replace(/\n/g, '; '));
      title.remove();
    }
    m.setAttribute('role', 'img');
    m.setAttribute('tabindex', i ? '-1' : '0');
  });
  svg.addEventListener('keydown', e => {
    const at = marks.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
    if (at < 0 || !step) return;
    e.preventDefault();
    let to = at;
    do to = (to + step + marks.length) % marks.length;
    while (to !== at && (marks[to].closest('.gone') || marks[to].classList.contains('dim')));
    marks[at].setAttribute('tabindex', '-1');
    marks[to].setAttribute('tabindex', '0');
    marks[to].focus();
  });
}
/* Focus scrolls a mark into view. Then other marks pass under a pointer that rests: they say nothing, and
 * what was shown stays at its mark. */
let pointer = '';
const place = e => e.screenX + ' ' + e.screenY;
document.addEventListener('pointerover', e => {
  const rests = place(e) === pointer;
  pointer = place(e);
  if (rests && focused) return;
  const m = e.target.closest && e.target.closest(MARKS);
  if (m && !m.classList.contains('dim')) show(m, e.clientX, e.clientY);
  else if (!tip.hidden) hide();
});
document.addEventListener('pointermove', e => { pointer = place(e); }, { passive: true });
const beside = m => {
  const { left, width, bottom } = m.getBoundingClientRect();
  return [left + Math.min(width, 200), bottom - 10];
};
document.addEventListener('focusin', e => {
  const m = e.target.closest && e.target.closest(MARKS + ',tr[data-op]');
  if (!m) { hide(); return; }
  show(m, ...beside(m));
  focused = m;
});
document.addEventListener('focusout', hide);
document.addEventListener('click', e => {
  const r = e.target.closest && e.target.closest('tr[data-op]');
  if (r && focused !== r) show(r, e.clientX, e.clientY); /* a row that took the focus has said it */
});
const follow = () => { if (focused) put_tip(...beside(focused)); else hide(); };
addEventListener('scroll', follow, { passive: true });
addEventListener('keydown', e => { if (e.key === 'Escape') hide(); });

/* ---- state, kept in the address behind # ---- */
const start = { phase: '', q: '', layer: '', run: '', sort: '', a: '', b: '', hide: '', zoom: '', what: '' };
start.heat = 't_ns';
const state_of = t => t.dataset.table ? 't' + t.dataset.table : 'sort'; /* "key.asc|words" */
for (const t of tables) start[state_of(t)] = '';
const state = { ...start };
const read_state = () => {
  const p = new URLSearchParams(location.hash.slice(1));
  for (const k of Object.keys(start)) state[k] = p.has(k) ? p.get(k) : start[k];
};
const write_state = () => {
  const p = new URLSearchParams();
  for (const [k, v] of Object.entries(state)) if (v !== start[k]) p.set(k, v);
  const h = p.toString();
  history.replaceState(null, '', h ? '#' + h : location.pathname + location.search);
};
const set = (k, v) => { state[k] = v; apply(); write_state(); };

/* ---- contents: a section by name; the state stays in the address ---- */
const entries_of = $('nav a');
const section_of = a => document.getElementById(a.getAttribute('href').slice(1));
const names_section = hash => entries_of.some(a => a.getAttribute('href') === hash);
for (const a of entries_of) a.addEventListener('click', e => {
  const s = section_of(a);
  e.preventDefault();
  s.tabIndex = -1;
  s.scrollIntoView();
  s.focus({ preventScroll: true });
});
const mark_place = () => {
  const at = entries_of.filter(a => section_of(a).getBoundingClientRect().top < 140).pop();
  for (const a of entries_of) {
    if (a === (at || entries_of[0])) a.setAttribute('aria-current', 'true');
    else a.removeAttribute('aria-current');
  }
};
addEventListener('scroll', () => requestAnimationFrame(mark_place), { passive: true });
mark_place();

/* ---- controls ---- */
const box = name => document.querySelector(`[data-tools=${name}]`);
const controls = {};
const control = (key, label, input, event) => {
  input.addEventListener(event, () => set(key, input.value));
  controls[key] = input;
  return el('label', {}, label, input);
};
const select = options => el('select', {}, ...options.map(([v, t]) => el('option', { value: String(v) }, t)));
const choice = (key, label, options) => control(key, label, select(options), 'change');
const indexed = list => list.map((t, i) => [i, t]);
const tools = box('page') || el('div'); /* only pages of runs have it */
if (runs.length > 1) {
  const names = indexed(raw.labels), or_none = [['', 'none'], ...names];
  tools.append(choice('run', 'run', [['', 'all'], ...names]), choice('a', 'arrows from', or_none),
    choice('b', 'to', or_none));
}
tools.append(choice('phase', 'phase', [['', 'both'], ['prefill', 'prefill'], ['decode', 'decode']]));
const layers = [...new Set(runs.flatMap(r => r.ops.map(o => o.layer)))].filter(l => l !== null);
layers.sort((a, b) => a - b);
if (layers.length) tools.append(choice('layer', 'layer', [['', 'all'], ...layers.map(l => [l, l])]));
const part_of_name = el('input', { type: 'search', placeholder: 'name or part of it' });
tools.append(control('q', 'operator', part_of_name, 'input'));
const toggles = {};
const hidden = () => new Set(state.hide ? state.hide.split(',') : []);
for (const key of ['analytic', 'measured', 'roofs']) {
  const c = toggles[key] = el('input', { type: 'checkbox', checked: true });
  c.addEventListener('change', () => {
    const off = hidden();
    if (c.checked) off.delete(key); else off.add(key);
    set('hide', [...off].sort().join(','));
  });
  tools.append(el('label', {}, c, key));
}
let reset_whatif = () => {};
tools.append(button('reset', () => { Object.assign(state, start); apply(); write_state(); reset_whatif(); }));
tools.hidden = false;

/* ---- tables: sort, search, copy; of operators all share one order and the controls of the page ---- */
const parts = t => {
  const [sort, words] = (state[state_of(t)] || '').split('|');
  return { key: sort.replace(/\.asc$/, ''), up: sort.endsWith('.asc'), sort, words: words || '' };
};
const keep = (t, sort, words) => set(state_of(t), sort + (words ? '|' + words : ''));
const boxes = new Map();
const csv_cell = v => {
  const s = none(v) ? '' : String(v), formula = /^[=+@-]/.test(s); /* a spreadsheet would compute it */
  if (!/[",\n]|^[=+@-](?![\d.]+$)/.test(s)) return s;
  return '"' + (formula ? "'" : '') + s.replace(/"/g, '""') + '"';
};
const csv_of = t => {
  const keys = keys_of(t), rows = $('tbody tr', t).filter(r => !r.classList.contains('gone'));
  const lines = rows.map(r => keys.map(k => csv_cell(figure(entries(t), name_of(r), k))));
  return [keys.map(csv_cell), ...lines].map(l => l.join(',') + '\n').join('');
};
const copy = async (b, text) => {
  try { await navigator.clipboard.writeText(text); } catch {
    const area = el('textarea', { value: text });
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  say('copied');
  b.textContent = 'copied';
  setTimeout(() => { b.textContent = 'copy as CSV'; }, 1500);
};
for (const t of tables) {
  const bar = t.closest('.scroll').previousElementSibling;
  $('tbody tr', t).forEach((r, i) => { r.dataset.at = i; });
  for (const h of $('thead th', t)) {
    const key = h.dataset.key, text = h.textContent.trim();
    h.replaceChildren(button(text, () => {
      const p = parts(t), same = p.key === key;
      keep(t, !same ? key : p.up ? '' : key + '.asc', p.words);
      say('sorted by ' + text);
    }, { title: h.title + ': sort' }));
    h.removeAttribute('title');
  }
  if (t.dataset.table) {
    const words = el('input', { type: 'search', placeholder: 'words', size: 14 });
    words.addEventListener('input', () => keep(t, parts(t).sort, words.value.replace(/\|/g, ' ')));
    boxes.set(t, words);
    bar.append(el('label', {}, 'search', words));
  }
  bar.append(button('copy as CSV', e => copy(e.target, csv_of(t))));
}
const wanted_op = o =>
  (!state.phase || o.phase === state.phase) && o.site.toLowerCase().includes(state.q.toLowerCase());
const wanted_layer = o => o.layer === null || state.layer === '' || String(o.layer) === state.layer;
const apply_table = t => {
  const { key, up, words } = parts(t), rows = entries(t), body = t.tBodies[0], list = $('tr', body);
  const want = words.toLowerCase().split(/\s+/), input = boxes.get(t);
  if (input && input.value !== words) input.value = words;
  for (const h of $('thead th', t)) {
    if (key && h.dataset.key === key) h.setAttribute('aria-sort', up ? 'ascending' : 'descending');
    else h.removeAttribute('aria-sort');
  }
  const val = new Map(list.map(r => [r, key ? figure(rows, name_of(r), key) : +r.dataset.at]));
  const order = (a, b) => (typeof a === 'string' ? a.localeCompare(b) : a - b) * (up || !key ? 1 : -1);
  list.sort((x, y) => {
    const a = val.get(x), b = val.get(y); /* unknown comes last */
    return (none(a) || none(b) ? none(a) - none(b) : order(a, b)) || x.dataset.at - y.dataset.at;
  });
  for (const r of list) {
    const o = rows[r.dataset.op], text = input ? r.textContent.toLowerCase() : '';
    r.classList.toggle('gone', o ? !wanted_op(o) || !wanted_layer(o) : !want.every(w => text.includes(w)));
  }
  body.append(...list);
  if (t.dataset.rows === 'layer' && state.layer !== '') t.closest('details').open = true;
};

/* ---- zoom of the rooflines ---- */
const charts = $('figure.chart').filter(f => ['roofline', 'compare', 'sweep'].includes(f.dataset.chart));
const full = svg => ['0', '0', svg.getAttribute('width'), svg.getAttribute('height')].map(Number);
const now = svg => svg.getAttribute('viewBox').split(' ').map(Number);
const chart_id = f => f.dataset.chart + (f.dataset.run || '');
const look = (f, v) => {
  const svg = f.querySelector('svg'), [, , w, h] = full(svg), k = Math.min(1, Math.max(0.05, v[2] / w));
  const inside = (x, all) => Math.min(Math.max(0, x), all - all * k);
  const view = [inside(v[0], w), inside(v[1], h), w * k, h * k];
  svg.setAttribute('viewBox', view.map(n => +n.toFixed(2)).join(' '));
  state.zoom = k > 0.999 ? '' : chart_id(f) + ':' + now(svg).join(',');
  write_state();
};
const zoom = (f, factor, at) => {
  const [x, y, w, h] = now(f.querySelector('svg')), p = at || { x: x + w / 2, y: y + h / 2 };
  look(f, [p.x - (p.x - x) * factor, p.y - (p.y - y) * factor, w * factor, h * factor]);
};
for (const f of charts) {
  const svg = f.querySelector('svg');
  f.querySelector('.zoom').append(button('+', () => zoom(f, 0.7), { 'aria-label': 'zoom in' }),
    button('\u2212', () => zoom(f, 1 / 0.7), { 'aria-label': 'zoom out' }),
    button('whole', () => look(f, full(svg)), { 'aria-label': 'whole picture' }));
  const at = e => new DOMPoint(e.clientX, e.clientY).matrixTransform(svg.getScreenCTM().inverse());
  svg.addEventListener('wheel', e => {
    if (!e.ctrlKey && !e.metaKey) return;
    e.preventDefault();
    zoom(f, e.deltaY > 0 ? 1.2 : 1 / 1.2, at(e));
  }, { passive: false });
  svg.addEventListener('dblclick', e => zoom(f, 0.6, at(e)));
  let grip = null;
  svg.addEventListener('pointerdown', e => { if (now(svg)[2] < full(svg)[2]) grip = at(e); });
  svg.addEventListener('pointermove', e => {
    if (!grip) return;
    const p = at(e), [x, y, w, h] = now(svg);
    look(f, [x + grip.x - p.x, y + grip.y - p.y, w, h]);
  });
  addEventListener('pointerup', () => { grip = null; });
}

/* ---- heat map ---- */
const heats = $('figure[data-chart=heat]');
const metrics = [['t_ns', 'time'], ['gbps', 'GB/s'], ['roof_fraction', '% of roof'],
  ['bytes_ratio', 'counted / analytic']];
if (heats.length) heats[0].querySelector('.zoom').append(choice('heat', 'colour by', metrics));
const paint = f => {
  const key = metrics.some(m => m[0] === state.heat) ? state.heat : 't_ns', most = {};
  const cells = $('.cell', f).map(c => [c, runs[+f.dataset.run].ops[+c.dataset.op]]);
  const alike = runs.filter(r => r.model.name === runs[+f.dataset.run].model.name); /* they share a scale */
  for (const o of alike.flatMap(r => r.ops))
    if (o.layer !== null) most[o.phase] = Math.max(most[o.phase] || 0, o[key] || 0);
  for (const [c, o] of cells)
    c.setAttribute('fill-opacity', o[key] ? (0.04 + 0.96 * o[key] / most[o.phase]).toFixed(3) : '0.04');
};

/* ---- arrows from run A to run B in A's roofline ---- */
const axis_of = (svg, which) => svg.querySelector('.plot').dataset[which].split(' ').map(Number);
const to_value = (a, p) => a[0] * Math.pow(a[1] / a[0], (p - a[2]) / (a[3] - a[2]));
const to_place = (a, v) => a[2] + (a[3] - a[2]) * Math.log(v / a[0]) / Math.log(a[1] / a[0]);
const centre = m => { const b = m.getBBox(); return { x: b.x + b.width / 2, y: b.y + b.height / 2 }; };
const arrow = (x0, y0, x1, y1) => {
  const len = Math.hypot(x1 - x0, y1 - y0), u = 8 * (x1 - x0) / len, v = 8 * (y1 - y0) / len;
  const head = ['M', x1 - u - v / 2, y1 - v + u / 2, 'L', x1, y1, 'L', x1 - u + v / 2, y1 - v - u / 2];
  const d = ['M', x0, y0, 'L', x1, y1, ...(len > 8 ? head : [])].join(' ');
  return svg_el('path', 'roof-line arrow', { 'stroke-width': '1.6', d });
};
const arrows = () => {
  $('.ab').forEach(g => g.remove());
  if (state.a === '' || state.b === '' || state.a === state.b) return;
  const [fa, fb] = [state.a, state.b].map(run => charts.find(f => chart_id(f) === 'roofline' + run));
  if (!fa || !fb) return;
  const layer = svg_el('g', 'ab'), [sa, sb] = [fa, fb].map(f => f.querySelector('svg'));
  for (const m of $('.point[data-kind=measured]', fa)) {
    const { phase, group } = m.dataset;
    const n = fb.querySelector(`.point[data-kind=measured][data-phase=${phase}][data-group="${group}"]`);
    if (!n || m.classList.contains('dim')) continue;
    const from = centre(m), there = centre(n);
    const [x, y] = ['x', 'y'].map(k => to_place(axis_of(sa, k), to_value(axis_of(sb, k), there[k])));
    layer.append(arrow(from.x, from.y, x, y));
  }
  sa.append(layer);
};

/* ---- apply the state to everything ---- */
const apply = () => {
  const off = hidden();
  for (const [k, c] of Object.entries(controls)) if (c.value !== state[k]) c.value = state[k];
  for (const [k, c] of Object.entries(toggles)) c.checked = !off.has(k);
  for (const e of $('main :is(article, div, figure)[data-run]'))
    e.classList.toggle('gone', state.run !== '' && e.dataset.run !== state.run);
  /* a mark, and the lines and names that belong to it */
  for (const m of $('.point,.of,.bar,.cell,.dot')) {
    const { run, op, phase, group } = m.dataset, kind = m.dataset.kind || m.dataset.of || '';
    const o = op === undefined ? null : runs[+run].ops[+op];
    let on = o ? wanted_op(o) && wanted_layer(o) : !state.phase || !phase || phase === state.phase;
    if (on && state.q && run !== undefined && group >= 0) on = members(+run, phase, +group).some(wanted_op);
    m.classList.toggle('dim', !on);
    if (m.matches('.point,.of')) m.classList.toggle('gone', kind.split(' ').some(k => off.has(k)));
  }
  for (const m of $('.roofmark,.ridge')) m.classList.toggle('gone', off.has('roofs'));
  for (const r of $('.fixes tr[data-op]'))
    r.classList.toggle('gone', !wanted_op(runs[+r.closest('[data-run]').dataset.run].ops[+r.dataset.op]));
  tables.forEach(apply_table);
  heats.forEach(paint);
  arrows();
};

/* ---- the data ---- */
const data = box('data');
files.forEach((f, i) => {
  const number = files.length > 1 ? i + 1 : '';
  data.append(button(`download JSON ${number}`.trim(), () => {
    const text = JSON.stringify(f, null, 1) + '\n';
    const href = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
    el('a', { href, download: number ? `run-${number}.json` : 'run.json' }).click();
    setTimeout(() => URL.revokeObjectURL(href), 1000);
  }));
});
data.hidden = false;

read_state();
apply();
if (state.zoom) {
  const [id, v] = state.zoom.split(':'), n = (v || '').split(',').map(Number);
  const f = charts.find(c => chart_id(c) === id);
  if (f && n.length === 4 && n.every(Number.isFinite)) look(f, n);
}
addEventListener('hashchange', () => {
  if (names_section(location.hash)) return;
  read_state();
  apply();
});

/* ---- what if: the cost model in C, as WebAssembly ---- */
const W = raw.whatif, panel = box('whatif');
const PHASES = ['prefill', 'decode'];
const ns_of = p => p && p.time_s > 0 ? 1e9 * p.time_s : null;
const over = (x, y) => x > 0 && y > 0 ? num(x / y) : 'n/a';
/* The roofs that operators lie on, those that decide most time first: slopes in GB/s, ceilings in GFLOP/s. */
const roofs_of = result => {
  const found = [];
  for (const o of result ? result.ops : []) {
    const compute = o.bound === 1;
    if (!(o.time_s > 0) || o.bound > 1) continue;
    const value = (compute ? o.flop : o.bytes) / o.time_s / 1e9;
    const r = found.find(x => x.compute === compute && Math.abs(x.value / value - 1) < 0.04);
    if (r) r.time += o.time_s; else if (value > 0) found.push({ compute, value, time: o.time_s });
  }
  const all = found.reduce((sum, r) => sum + r.time, 0);
  return found.filter(r => r.time > 0.02 * all).sort((x, y) => y.time - x.time).slice(0, 4);
};
/* Operator groups before (hollow) and after (filled) in the log-log plane, under the roofs after. */
const plane = (before, after) => {
  const sums = new Map();
  for (const [which, r] of [[0, before], [1, after]]) for (const o of r ? r.ops : []) {
    const group = group_of(o.site), key = [which, o.phase, group].join();
    const s = sums.get(key) || { which, group, phase: o.phase, flop: 0, bytes: 0, t: 0 };
    sums.set(key, s);
    s.flop += o.flop;
    s.bytes += o.bytes;
    s.t += o.time_s < 0 ? NaN : o.time_s;
  }
  const points = [...sums.values()].filter(s => s.flop > 0 && s.t > 0);
  if (!points.length) return null;
  const svg = svg_el('svg', '', { viewBox: '0 0 960 450', width: 960, height: 450, role: 'img',
    'font-family': 'sans-serif', 'font-size': 11,
    'aria-label': 'Operator groups before and after in the roofline plane' });
  const put = (name, cls, attrs, text) => svg.append(svg_el(name, cls, attrs, text));
  const words = (x, y, anchor, cls, text, more) =>
    put('text', cls, { x, y, 'text-anchor': anchor, ...more }, text);
  const line = (cls, x1, y1, x2, y2, width) =>
    put('line', cls, { x1, y1, x2, y2, 'stroke-width': width || 1 });
  const scale = (values, p0, p1, room, unit) => {
    const lo = Math.log10(Math.min(...values)) - 0.2, hi = Math.log10(Math.max(...values)) + 0.2;
    /* 1, 2, 5 where that leaves room for the figures, else powers of ten */
    const steps = room / (hi - lo) > 150 ? [1, 2, 5] : [1], ticks = [];
    for (let d = Math.floor(lo); d <= hi; d++) ticks.push(...steps.map(m => +(m * 10 ** d).toPrecision(1)));
    return { lo: 10 ** lo, hi: 10 ** hi, unit,
      at: v => p0 + (Math.log10(v) - lo) / (hi - lo) * (p1 - p0),
      ticks: ticks.filter(v => Math.log10(v) >= lo && Math.log10(v) <= hi) };
  };
  for (const p of points) { p.ai = p.flop / p.bytes; p.gflops = p.flop / p.t / 1e9; }
  const roofs = roofs_of(after), ceilings = roofs.filter(r => r.compute).map(r => r.value);
  const highs = [...points.map(p => p.gflops), ...ceilings], tera = Math.max(...highs) >= 1e4;
  const slopes = roofs.filter(r => !r.compute).map(r => r.value);
  const ridges = slopes.length && ceilings.length ? [1.5 * Math.max(...ceilings) / Math.max(...slopes)] : [];
  const X = scale([...points.map(p => p.ai), ...ridges], 66, 936, 870), Y = scale(highs, 370, 20, 700);
  for (const v of X.ticks) {
    line('grid-line', X.at(v), 20, X.at(v), 370);
    words(X.at(v), 386, 'middle', 'soft', String(v));
  }
  for (const v of Y.ticks) {
    line('grid-line', 66, Y.at(v), 936, Y.at(v));
    words(60, Y.at(v) + 4, 'end', 'soft', String(tera ? v / 1e3 : v));
  }
  words(500, 404, 'middle', 'ink', 'arithmetic intensity, FLOP/byte');
  words(14, 195, 'middle', 'ink', `at the roof, ${tera ? 'TFLOP/s' : 'GFLOP/s'}`,
    { transform: 'rotate(-90 14 195)' });
  words(66, 442, 'start', 'soft',
    'hollow: the run, filled: what if, both analytic; circles: prefill, diamonds: decode; lines: the roofs ' +
    'that the operators of the what-if lie on');
  /* slopes up to the highest ceiling, ceilings from the fastest slope on; a name where no mark or name is */
  const fastest = Math.max(...slopes, 0), cap = Math.max(...ceilings, 0) || Y.hi;
  const taken = points.map(p => ({ y: Y.at(p.gflops) + 4, left: X.at(p.ai) - 8, right: X.at(p.ai) + 8 }));
  const name = (text, places) => {
    for (const [x, y, anchor] of places) {
      const w = 6.4 * text.length, left = anchor === 'end' ? x - w : x, right = left + w;
      const lies_on = t => Math.abs(t.y - y) < 14 && left < t.right && right > t.left;
      if (left < 68 || right > 940 || taken.some(lies_on)) continue;
      taken.push({ y, left, right });
      words(x, y, anchor, 'roof halo', text, { 'data-roof': '' });
      return;
    }
  };
  for (const r of roofs) {
    const x0 = Math.max(X.lo, r.compute ? fastest && r.value / fastest : Y.lo / r.value);
    const x1 = r.compute ? X.hi : Math.min(X.hi, Math.min(cap, Y.hi) / r.value);
    if (!(x0 < x1)) continue;
    const y_of = x => r.compute ? r.value : x * r.value;
    const along = [0.02, 0.2, 0.4, 0.6, 0.8].map(t => x0 * (x1 / x0) ** t).map(x => [X.at(x), Y.at(y_of(x))]);
    line('roof-line', X.at(x0), Y.at(y_of(x0)), X.at(x1), Y.at(y_of(x1)), 1.6);
    /* a ceiling is named above, a slope to the left of it or below */
    if (r.compute)
      name(rate(r.value),
        [[932, Y.at(r.value) - 5, 'end'], ...along.map(([x, y]) => [x + 8, y - 5, 'start'])]);
    else
      name(num(r.value) + ' GB/s',
        along.flatMap(([x, y]) => [[x - 8, y - 4, 'end'], [x + 10, y + 12, 'start']]));
  }
  let at = 66;
  for (const g of [...new Set(points.map(p => p.group))].sort((p, q) => p - q)) {
    put('rect', raw.groups.classes[g], { x: at, y: 415, width: 10, height: 10 });
    words(at + 15, 424, 'start', 'ink', raw.groups.names[g]);
    at += 40 + 6.5 * raw.groups.names[g].length;
  }
  for (const p of points) {
    const q = points.find(o => o.which && o.phase === p.phase && o.group === p.group);
    if (p.which || !q) continue;
    line(raw.groups.classes[p.group] + '-line', X.at(p.ai), Y.at(p.gflops), X.at(q.ai), Y.at(q.gflops));
  }
  for (const p of points) {
    const cls = raw.groups.classes[p.group] + (p.which ? ' see' : '-line hollow mark');
    const x = X.at(p.ai), y = Y.at(p.gflops), r = p.which ? 6 : 4.5, d = 1.25 * r;
    if (p.phase === 'prefill') put('circle', cls, { cx: x, cy: y, r });
    else put('path', cls, { d: `M${x} ${y - d}L${x + d} ${y}L${x} ${y + d}L${x - d} ${y}z` });
  }
  return svg;
};
const what_if = async () => {
  const code = Uint8Array.from(atob(W.wasm), c => c.charCodeAt(0)), I = W.in;
  const { instance: { exports: m } } = await WebAssembly.instantiate(code, { env: { log: Math.log } });
  const model = v => {
    new Float64Array(m.memory.buffer, m.rg_whatif_in(), W.n_in).set(v);
    if (m.rg_whatif()) return null;
    const o = new Float64Array(m.memory.buffer, m.rg_whatif_out(), W.n_out);
    const phases = PHASES.map((_, p) =>
      Object.fromEntries(Object.entries(W.out).map(([k, i]) => [k, o[p * W.phase + i]])));
    const ops = Array.from({ length: o[W.points] }, (_, i) => {
      const [site, phase, flop, moved, time_s, bound] = o.subarray(W.points + 1 + i * W.fields);
      return { site: W.sites[site], phase: PHASES[phase], flop, bytes: moved, time_s, bound };
    });
    return { phases, ops };
  };
  const usable = runs.map((_, i) => i).filter(i => W.base[i]);
  if (!usable.length) {
    panel.append(el('p', {}, 'The types of this run are not known to this version: no what-if.'));
    return;
  }
  const base = run => {
    const v = new Float64Array(W.n_in);
    for (const [i, x] of [...W.base[run], ...W.own[run]]) v[i] = x;
    return v;
  };
  const inputs = {}, form = el('div', { className: 'tools' });
  const add = (key, label, input) => {
    inputs[key] = input;
    input.addEventListener('change', () => {
      if (key === 'run') from_run();
      remember();
      compute();
    });
    form.append(el('label', {}, label, input));
  };
  const number = (value, max) => el('input', { type: 'number', min: 1, max, step: 1, value });
  if (usable.length > 1) add('run', 'start from', select(usable.map(i => [i, raw.labels[i]])));
  add('hardware', 'hardware', select([['measured', 'this machine, as measured'],
    ...W.hardware.map(h => [h.name, h.name]), ['own', 'own numbers']]));
  add('gbps', 'GB/s', number(100, 1e6));
  add('gflops', 'GFLOP/s', number(1000, 1e9));
  const settings = [['batch', 'batch', number(1, 65536)], ['seqlen', 'context', number(1, 1e7)],
    ['dtype', 'weights', select(indexed(W.dtypes))], ['kv', 'KV', select(indexed(W.kvtypes))],
    ['act', 'activations', select(indexed(W.acts))],
    ['flash', 'attention', select([[1, 'fused'], [0, 'unfused']])],
    ['fuse', 'fusions', select(indexed(W.fuses))], ['tp', 'devices', number(1, 1024)]];
  if (usable.some(i => base(i)[I.experts]))
    settings.push(['experts_used', 'experts of a token', number(1, 1024)],
      ['routing', 'tokens choose', select(indexed(W.routings))]);
  for (const s of settings) add(...s);
  const words = el('p');
  const result = el('div', { className: 'scroll', tabIndex: 0, role: 'region' });
  result.setAttribute('aria-label', 'What-if result');
  form.append(button('as in the run', () => { state.what = ''; write_state(); reset_whatif(); }));
  panel.append(form, words, result);
  const run_of = () => inputs.run ? +inputs.run.value : usable[0];
  const hardware = () => W.hardware.find(h => h.name === inputs.hardware.value);
  const from_run = () => {
    const v = base(run_of());
    for (const [k] of settings) inputs[k].value = String(v[I[k]]);
    inputs.hardware.value = v[I.measured] ? 'measured' : W.hardware[0].name;
  };
  const remember = () => {
    state.what = Object.entries(inputs).map(([k, e]) => k + '~' + e.value).join('!');
    write_state();
  };
  const wanted = () => {
    const v = base(run_of());
    if (inputs.hardware.value !== 'measured') {
      v.fill(0, Math.min(I.measured, I.bandwidth, I.link, I.accelerator));
      if (hardware()) for (const [i, x] of hardware().v) v[i] = x;
      else {
        v[I.bandwidth] = 1e9 * inputs.gbps.value;
        v.fill(1e9 * inputs.gflops.value, W.peak, W.peak + W.classes.length);
      }
    }
    for (const [k] of settings) v[I[k]] = Math.max(0, Math.floor(+inputs[k].value || 0));
    if (v[I.batch] !== base(run_of())[I.batch]) v[I.counted] = 0; /* counts are of one batch */
    if (W.routings[v[I.routing]] === 'counted' && !v[I.counted]) v[I.routing] = 0;
    return v;
  };
  /* LLM-Viewer knows bits, no formats: 16 for all floats, scales are not counted */
  const bits = name => /^q4/.test(name) ? 4 : /^q8/.test(name) ? 8 : 16;
  const by_llm_viewer = (v, ours) => {
    const w = Float64Array.from(v), unfused = v[I.flash] && !(v[I.onchip] > 0);
    w[I.cost] = 1;
    if (unfused) w[I.flash] = 0; /* its fused attention is tiled by the on-chip memory */
    w[I.w_bit] = bits(W.dtypes[v[I.dtype]]);
    w[I.a_bit] = bits(W.acts[v[I.act]]);
    w[I.kv_bit] = bits(W.kvtypes[v[I.kv]]);
    const its = model(w), why = unfused ? ', unfused attention: no figure for on-chip memory' : '';
    const title = el('h3', {},
      `The same by LLM-Viewer's formulas (w${w[I.w_bit]} a${w[I.a_bit]} kv${w[I.kv_bit]}${why})`);
    if (!its)
      return [title, el('p', {}, 'n/a: LLM-Viewer needs the bandwidth and the FP16 (8 bits throughout: ' +
        'INT8) peak of the machine, and sizes that the devices divide.')];
    const figures = [['time', ns_of, time], ['GFLOP', p => p.flop / 1e9, num],
      ['bytes', p => p.bytes, bytes]];
    const head = figures.flatMap(([name]) => [name + ', exact', 'LLM-Viewer', 'over exact']);
    const rows = PHASES.map((name, i) => [name, ...figures.flatMap(([, of, text]) => {
      const x = of(ours.phases[i]), y = of(its.phases[i]);
      return [text(x), text(y), over(y, x)];
    })]);
    return [title, grid(['phase', ...head], rows, 'whatif-result lv-result'),
      el('p', {}, 'Its faults included, to the last digit of its source: the output matrix counts half its ' +
        'operations, attention is not causal, norms and activations are counted by its own rules, one ' +
        'bandwidth serves all footprints (ridge roofline --explain lists the differences with their size).')];
  };
  const experts = (v, b) => v[I.experts] ? ` Of ${exact(v[I.experts])} experts a layer the prompt's ` +
    `calls read ${num(b.phases[0].experts_read)} and a step ${num(b.phases[1].experts_read)} ` +
    `(tokens choose: ${W.routings[v[I.routing]]}).` : '';
  const compute = () => {
    const run = run_of(), v = wanted(), a = model(base(run)), b = model(v);
    for (const k of ['gbps', 'gflops'])
      inputs[k].closest('label').classList.toggle('gone', inputs.hardware.value !== 'own');
    if (!b) {
      words.textContent = 'These numbers are not possible for this model: a context beyond ' +
        `${exact(v[I.ctx_train])} tokens, a batch of 0, or devices that cannot share the heads evenly.`;
      result.replaceChildren();
      return;
    }
    const rows = PHASES.map((name, i) => {
      const p = phase_of(run, name), f = p && p.roof_fraction || null;
      const was = a && ns_of(a.phases[i]), t = ns_of(b.phases[i]), speed = t && 1e9 * b.phases[i].tokens / t;
      return [name, time(was), time(t), over(was, t), num(speed), percent(f), time(f && t && t / f),
        num(f && t && speed * f)];
    });
    const svg = plane(a, b), h = hardware();
    const head = ['phase', 'run, analytic', 'what if, analytic', 'times as fast', 'tokens/s at the roofs',
      'efficiency assumed', 'expected time', 'expected tokens/s'];
    result.replaceChildren(grid(head, rows, 'whatif-result'), ...(svg ? [svg] : []), ...by_llm_viewer(v, b));
    words.textContent = `Prefill of ${exact(v[I.batch] * v[I.seqlen])} tokens and one decode step of ` +
      `${exact(v[I.batch])} sequence(s) with ${exact(v[I.seqlen])} tokens of context. Memory per device: ` +
      `weights ${bytes(b.phases[1].mem_weights)}, KV cache ${bytes(b.phases[1].mem_kv)}.` +
      `${experts(v, b)} Expected: the ` +
      'analytic time over the share of its roofs that this run reached, assumed to stay the same. ' +
      (h ? `Source of ${h.name}: ${h.source}` : '');
    panel.dataset.ready = '1';
  };
  reset_whatif = () => { from_run(); compute(); };
  from_run();
  for (const part of state.what.split('!')) {
    const [k, v] = part.split('~');
    if (inputs[k] && v !== undefined) inputs[k].value = v;
  }
  compute();
};
const failed = e => panel.append(el('p', {}, 'What-if does not run in this browser: ' + e.message));
if (W && panel) what_if().catch(failed);
document.documentElement.dataset.ready = '1';
