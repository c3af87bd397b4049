
'use strict';
const ridge = (() => {
  /* ---- data: lists of like objects come as columns (page_data.c) ---- */
  const PLACES = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const column = c => {
    if (!c.$d) return unpack(c);
    const d = c.$d.map(unpack), p = Array.from(c.$i, x => PLACES.indexOf(x));
    return d.length <= 64 ? p.map(i => d[i]) : p.filter((_, i) => i % 2).map((low, i) => d[64 * p[2 * i] + low]);
  };
  const unpack = v => {
    if (Array.isArray(v)) return v.map(unpack);
    if (v === null || typeof v !== 'object') return v;
    if (Array.isArray(v.$k)) { const c = v.$c.map(column); return Array.from({ length: v.$n }, (_, i) => Object.fromEntries(v.$k.map((k, j) => [k, c[j][i]]))); }
    return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, unpack(x)]));
  };
  const raw = JSON.parse(document.getElementById('ridge-data').textContent);
  const files = raw.packed ? raw.files.map(unpack) : raw.files;
  const runs = files.flatMap(f => f.schema === 'ridge.profile' ? [f] : (f.runs || []).filter(r => r)); /* a comparison has null where a saved side was no run */
  const $ = (sel, at) => Array.from((at || document).querySelectorAll(sel));
  const el = (name, props, ...kids) => {
    const e = document.createElement(name);
    for (const [k, v] of Object.entries(props || {})) {
      if (k in e && k !== 'list') e[k] = v; else e.setAttribute(k, v);
    }
    e.append(...kids);
    return e;
  };
  const SVG = 'http://www.w3.org/2000/svg';
  const say = text => { document.getElementById('live').textContent = text; };

  /* ---- figures, as the program prints them ---- */
  const num = x => {
    if (x === null || x === undefined || !Number.isFinite(x)) return 'n/a';
    const a = Math.abs(x);
    if (a === 0) return '0';
    if (a >= 99.95) return a < 1e9 ? x.toFixed(0) : x.toExponential(2);
    if (a >= 9.995) return x.toFixed(1);
    if (a >= 0.9995) return x.toFixed(2);
    return a >= 1e-5 ? x.toFixed(2 - Math.floor(Math.log10(a) + 2e-4)) : x.toExponential(2);
  };
  const scaled = (x, units, base, edge) => {
    if (x === null || x === undefined || !Number.isFinite(x)) return 'n/a';
    let u = 0;
    while (Math.abs(x) >= edge && u < units.length - 1) { x /= base; u++; }
    return num(x) + ' ' + units[u];
  };
  const time = ns => scaled(ns, ['ns', 'us', 'ms', 's'], 1000, 999.5);
  const bytes = b => scaled(b, ['B', 'KiB', 'MiB', 'GiB', 'TiB'], 1024, 1023.5);
  const percent = f => f === null || f === undefined ? 'n/a' : num(100 * f) + ' %';
  const exact = n => n === null || n === undefined ? 'n/a' : n.toLocaleString('en-US');
  const field = (o, key) => {
    if (key === 'ratio') return o.analytic.total_bytes > 0 ? o.counted.total_bytes / o.analytic.total_bytes : null;
    return key.split('.').reduce((v, k) => v === null || v === undefined ? v : v[k], o);
  };

  /* ---- explanations ---- */
  const advice = o => {
    const out = [];
    if (o.bound === 'memory') out.push('Bytes set its roof: smaller weight or KV types or more sequences per call would raise it.');
    if (o.bound === 'compute') out.push('Arithmetic sets its roof: an instruction class with a higher peak would raise it, smaller weights would not.');
    if (o.bound === 'overhead') out.push('One call is worth less than two barriers: fusing it with its neighbour or fewer threads would help.');
    const more = field(o, 'ratio');
    if (more > 1.1) out.push('It streams ' + num(more) + ' times the compulsory bytes: larger blocks would help.');
    if (o.wait_ns > 0.1 * o.t_ns) out.push('Threads wait ' + time(o.wait_ns) + ' in sum at its barrier.');
    if (o.roof_fraction !== null && o.roof_fraction < 0.6 && more <= 1.1 && o.bound !== 'overhead') out.push('It moves what it must; the rest lies inside the kernel.');
    return out.join(' ');
  };
  const table = (head, rows) => {
    const t = el('table');
    if (head) t.append(el('thead', {}, el('tr', {}, ...head.map(h => el('th', {}, h)))));
    t.append(el('tbody', {}, ...rows.map(r => el('tr', {}, ...r.map(c => el('td', {}, c))))));
    return t;
  };
  const kinds = [['weights', 'weight'], ['activations read', 'act_read'], ['activations written', 'act_write'], ['KV read', 'kv_read'], ['KV written', 'kv_write'], ['total', 'total']];
  const explain_op = (run, i) => {
    const o = runs[run].ops[i], sum = o.layer === null, out = [];
    out.push(el('h4', {}, o.site + ', ' + o.phase + (sum ? '' : ', layer ' + o.layer) + (runs.length > 1 ? ', ' + raw.labels[run] : '')));
    out.push(table(null, [['measured', time(o.t_ns) + ' (' + exact(o.t_ns) + ' ns), ' + exact(o.calls) + ' calls'], ['analytic', time(o.analytic.t_ns)],
      ['of the roof', percent(o.roof_fraction) + (o.roof ? ' (' + o.roof + ')' : o.roof_reason ? ' (' + o.roof_reason + ')' : '')],
      ['speed', num(o.gflops) + ' GFLOP/s, ' + num(o.gbps) + ' GB/s'], ['intensity', num(o.ai_counted) + ' counted, ' + num(o.ai_analytic) + ' analytic, FLOP/byte'],
      ['kernel', o.kernel || 'n/a']]));
    const formula = raw.formulas[o.op], filled = sum ? raw.filled[run][o.phase + '/' + o.site] : null;
    if (formula && formula.flop !== '0') out.push(el('p', {}, 'FLOP = ' + formula.flop + (filled ? ' = ' + filled : '') + ' = ' + exact(o.flop)));
    out.push(table(['bytes', 'counted', 'analytic', 'formula per call'], kinds.filter(k => o.counted[k[1] + '_bytes'] > 0 || o.analytic[k[1] + '_bytes'] > 0)
      .map(k => [k[0], exact(o.counted[k[1] + '_bytes']), exact(o.analytic[k[1] + '_bytes']), formula && formula[k[1]] ? formula[k[1]] : ''])));
    out.push(el('p', {}, advice(o)));
    return out;
  };
  const group_of = site => site in raw.groups.sites ? raw.groups.sites[site] : raw.groups.rest;
  const members = (run, phase, group) => runs[run].ops.filter(o => o.layer === null && o.phase === phase && group_of(o.site) === group);
  const explain_group = (mark, text) => {
    const run = +mark.dataset.run, lines = text.split('\n'), ops = members(run, mark.dataset.phase, +mark.dataset.group);
    const out = [el('h4', {}, lines[0]), ...lines.slice(1).map(l => el('p', {}, l))];
    if (ops.length) {
      out.push(table(['operator', 'time', 'roof', 'counted', 'analytic'], ops.map(o => [o.site, time(o.t_ns), percent(o.roof_fraction), bytes(o.counted.total_bytes), bytes(o.analytic.total_bytes)])));
      const longest = ops.reduce((a, b) => b.t_ns > a.t_ns ? b : a);
      out.push(el('p', {}, longest.site + ': ' + advice(longest)));
    }
    return out;
  };

  /* ---- tooltips: hover and keyboard; one tab stop per picture, arrows inside ---- */
  const tip = document.getElementById('tip');
  const texts = new WeakMap();
  let focused = null; /* the mark whose focus showed the explanation; null when a pointer did */
  const hide = () => { tip.hidden = true; focused = null; };
  /* the figures of the file behind a mark, to the last digit */
  const exactly = { of: () => [] }; /* of reports that are no runs: doc.js */
  const exactly_run = mark => {
    const f = mark.closest('figure'), d = mark.dataset;
    if (f && f.dataset.chart === 'latency' && d.n === '1') return [el('p', {}, exact(runs[+f.dataset.run].phases.find(p => p.phase === d.phase).call_ns[+d.first]) + ' ns')];
    return [];
  };
  const show = (mark, x, y) => {
    const text = texts.get(mark) || '';
    if ('op' in mark.dataset) tip.replaceChildren(...explain_op(+(mark.dataset.run || mark.closest('[data-run]').dataset.run), +mark.dataset.op));
    else if (mark.dataset.group !== undefined && mark.dataset.group !== '-1' && mark.dataset.run !== undefined) tip.replaceChildren(...explain_group(mark, text));
    else { const l = text.split('\n'); tip.replaceChildren(el('h4', {}, l[0]), ...l.slice(1).map(t => el('p', {}, t)), ...exactly_run(mark), ...exactly.of(mark)); }
    tip.hidden = false;
    focused = null;
    put_tip(x, y);
  };
  const put_tip = (x, y) => {
    const box = tip.getBoundingClientRect(), w = innerWidth, h = innerHeight;
    tip.style.left = Math.max(6, Math.min(x + 16, w - box.width - 8)) + 'px';
    tip.style.top = Math.max(6, y + 18 + box.height > h ? Math.max(6, y - box.height - 14) : y + 18) + 'px';
  };
  const MARKS = '.point,.bar,.cell,.ridge,.roofmark,.dot';
  const prepare = root => {
    for (const svg of $('svg', root)) {
      svg.setAttribute('role', 'group');
      const marks = $(MARKS, svg);
      marks.forEach((m, i) => {
        const title = m.querySelector(':scope > title');
        if (title) { texts.set(m, title.textContent); m.setAttribute('aria-label', title.textContent.replace(/\n/g, '; ')); title.remove(); }
        m.setAttribute('role', 'img');
        m.setAttribute('tabindex', i ? '-1' : '0');
      });
      svg.addEventListener('keydown', e => {
        const at = marks.indexOf(document.activeElement);
        if (at < 0) return;
        if (e.key === 'Escape') hide();
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
        if (!step) return;
        e.preventDefault();
        let to = at;
        do to = (to + step + marks.length) % marks.length; while (to !== at && (marks[to].closest('.gone') || marks[to].classList.contains('dim')));
        marks[at].setAttribute('tabindex', '-1');
        marks[to].setAttribute('tabindex', '0');
        marks[to].focus();
      });
    }
  };
  prepare(document);
  /* Focus scrolls a mark into view. Then other marks pass under a pointer that rests: they say nothing, and what was shown stays at its mark. */
  let pointer = '';
  document.addEventListener('pointerover', e => {
    const at = e.screenX + ' ' + e.screenY, rests = at === pointer;
    pointer = at;
    if (rests && focused) return;
    const m = e.target.closest && e.target.closest(MARKS);
    if (m && !m.classList.contains('dim')) show(m, e.clientX, e.clientY);
    else if (!tip.hidden) hide();
  });
  document.addEventListener('pointermove', e => { pointer = e.screenX + ' ' + e.screenY; }, { passive: true });
  const beside = m => { const b = m.getBoundingClientRect(); return [b.left + Math.min(b.width, 200), b.bottom - 10]; };
  document.addEventListener('focusin', e => {
    const m = e.target.closest && e.target.closest(MARKS + ',tr[data-op]');
    if (!m) { hide(); return; }
    show(m, ...beside(m));
    focused = m;
  });
  document.addEventListener('focusout', hide);
  addEventListener('scroll', () => { if (focused) put_tip(...beside(focused)); else hide(); }, { passive: true });
  addEventListener('keydown', e => { if (e.key === 'Escape') hide(); });

  /* ---- state, kept in the address behind # ---- */
  const start = { phase: '', q: '', layer: '', run: '', sort: '', a: '', b: '', hide: '', heat: 't_ns', zoom: '', what: '' };
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

  /* ---- controls ---- */
  const box = name => document.querySelector('[data-tools=' + name + ']');
  const controls = {};
  const set = (k, v) => { state[k] = v; apply(); write_state(); };
  const choice = (key, label, options) => {
    const s = el('select', {}, ...options.map(([v, t]) => el('option', { value: v }, t)));
    s.addEventListener('change', () => set(key, s.value));
    controls[key] = s;
    return el('label', {}, label, s);
  };
  const page = box('page') || el('div'); /* only pages of runs have it */
  if (runs.length > 1) {
    const names = raw.labels.map((l, i) => [String(i), l]);
    page.append(choice('run', 'run', [['', 'all'], ...names]), choice('a', 'arrows from', [['', 'none'], ...names]), choice('b', 'to', [['', 'none'], ...names]));
  }
  page.append(choice('phase', 'phase', [['', 'both'], ['prefill', 'prefill'], ['decode', 'decode']]));
  const layers = [...new Set(runs.flatMap(r => r.ops.map(o => o.layer)).filter(l => l !== null))].sort((a, b) => a - b);
  if (layers.length) page.append(choice('layer', 'layer', [['', 'all'], ...layers.map(l => [String(l), String(l)])]));
  const search = el('input', { type: 'search', placeholder: 'name or part of it' });
  search.addEventListener('input', () => set('q', search.value));
  controls.q = search;
  page.append(el('label', {}, 'operator', search));
  const toggles = {};
  for (const [key, text] of [['analytic', 'analytic'], ['measured', 'measured'], ['roofs', 'roofs']]) {
    const c = el('input', { type: 'checkbox', checked: true });
    c.addEventListener('change', () => {
      const off = new Set(state.hide ? state.hide.split(',') : []);
      if (c.checked) off.delete(key); else off.add(key);
      set('hide', [...off].sort().join(','));
    });
    toggles[key] = c;
    page.append(el('label', {}, c, text));
  }
  const reset = el('button', { type: 'button' }, 'reset');
  reset.addEventListener('click', () => { Object.assign(state, start); apply(); write_state(); document.dispatchEvent(new Event('ridge-reset')); });
  page.append(reset);
  page.hidden = false;

  /* ---- tables ---- */
  const tables = $('table.ops:not(.doc)');
  const csv_cell = v => { const s = v === null || v === undefined ? '' : String(v); return /[",\n]|^[=+@-](?![\d.]+$)/.test(s) ? '"' + (/^[=+@-]/.test(s) ? "'" : '') + s.replace(/"/g, '""') + '"' : s; };
  const csv_of = t => {
    const run = +t.dataset.run, keys = $('thead th', t).map(h => h.dataset.key);
    const rows = $('tbody tr', t).filter(r => !r.classList.contains('gone')).map(r => keys.map(k => csv_cell(field(runs[run].ops[+r.dataset.op], k))).join(','));
    return [keys.join(','), ...rows].join('\n') + '\n';
  };
  for (const t of tables) {
    for (const h of $('thead th', t)) {
      const b = el('button', { type: 'button', title: h.title + ': sort' }, h.textContent);
      h.removeAttribute('title');
      b.addEventListener('click', () => {
        const cur = state.sort.split('.asc')[0] === h.dataset.key;
        set('sort', cur && !state.sort.endsWith('.asc') ? h.dataset.key + '.asc' : cur ? '' : h.dataset.key);
        say('sorted by ' + h.dataset.key);
      });
      h.replaceChildren(b);
    }
    $('tbody tr', t).forEach((r, i) => { r.dataset.at = i; });
    t.addEventListener('click', e => { const r = e.target.closest('tr[data-op]'); if (r) show(r, e.clientX, e.clientY); });
    const copy = el('button', { type: 'button' }, 'copy as CSV');
    copy.addEventListener('click', async () => {
      try { await navigator.clipboard.writeText(csv_of(t)); say('copied'); copy.textContent = 'copied'; } catch {
        const area = el('textarea', { value: csv_of(t) });
        document.body.append(area); area.select(); document.execCommand('copy'); area.remove(); copy.textContent = 'copied';
      }
      setTimeout(() => { copy.textContent = 'copy as CSV'; }, 1500);
    });
    t.closest('.scroll').previousElementSibling.append(copy);
  }
  const sort_table = t => {
    const [key, dir] = state.sort ? [state.sort.replace(/\.asc$/, ''), state.sort.endsWith('.asc') ? 1 : -1] : ['', 1];
    const run = +t.dataset.run, body = t.tBodies[0], rows = $('tr', body);
    for (const h of $('thead th', t)) {
      if (h.dataset.key === key && key) h.setAttribute('aria-sort', dir > 0 ? 'ascending' : 'descending');
      else h.removeAttribute('aria-sort');
    }
    const val = new Map(rows.map(r => [r, key ? field(runs[run].ops[+r.dataset.op], key) : +r.dataset.at]));
    const none = v => v === null || v === undefined;
    rows.sort((x, y) => {
      const a = val.get(x), b = val.get(y);
      if (none(a) || none(b)) return none(a) - none(b) || x.dataset.at - y.dataset.at; /* unknown comes last */
      const c = typeof a === 'string' ? a.localeCompare(b) : a - b;
      return c * dir || x.dataset.at - y.dataset.at;
    });
    body.append(...rows);
  };

  /* ---- zoom of the rooflines ---- */
  const charts = $('figure.chart').filter(f => ['roofline', 'compare', 'sweep'].includes(f.dataset.chart));
  const full = svg => ['0', '0', svg.getAttribute('width'), svg.getAttribute('height')].map(Number);
  const now = svg => svg.getAttribute('viewBox').split(' ').map(Number);
  const chart_id = f => f.dataset.chart + (f.dataset.run || '');
  const look = (f, v) => {
    const svg = f.querySelector('svg'), [, , w, h] = full(svg);
    const k = Math.min(1, Math.max(0.05, v[2] / w)), nw = w * k, nh = h * k;
    const x = Math.min(Math.max(0, v[0]), w - nw), y = Math.min(Math.max(0, v[1]), h - nh);
    svg.setAttribute('viewBox', [x, y, nw, nh].map(n => +n.toFixed(2)).join(' '));
    state.zoom = k > 0.999 ? '' : chart_id(f) + ':' + now(svg).join(',');
    write_state();
  };
  const zoom = (f, factor, cx, cy) => {
    const svg = f.querySelector('svg'), [x, y, w, h] = now(svg);
    const px = cx === undefined ? x + w / 2 : cx, py = cy === undefined ? y + h / 2 : cy;
    look(f, [px - (px - x) * factor, py - (py - y) * factor, w * factor, h * factor]);
  };
  for (const f of charts) {
    const svg = f.querySelector('svg'), bar = f.querySelector('.zoom');
    for (const [text, label, act] of [['+', 'zoom in', () => zoom(f, 0.7)], ['\u2212', 'zoom out', () => zoom(f, 1 / 0.7)], ['whole', 'whole picture', () => look(f, full(svg))]]) {
      const b = el('button', { type: 'button', 'aria-label': label }, text);
      b.addEventListener('click', act);
      bar.append(b);
    }
    const at = e => { const p = svg.createSVGPoint(); p.x = e.clientX; p.y = e.clientY; return p.matrixTransform(svg.getScreenCTM().inverse()); };
    svg.addEventListener('wheel', e => {
      if (!e.ctrlKey && !e.metaKey) return;
      e.preventDefault();
      const p = at(e);
      zoom(f, e.deltaY > 0 ? 1.2 : 1 / 1.2, p.x, p.y);
    }, { passive: false });
    svg.addEventListener('dblclick', e => { const p = at(e); zoom(f, 0.6, p.x, p.y); });
    let grip = null;
    svg.addEventListener('pointerdown', e => { if (now(svg)[2] < full(svg)[2]) grip = at(e); });
    svg.addEventListener('pointermove', e => { if (!grip) return; const p = at(e), v = now(svg); look(f, [v[0] + grip.x - p.x, v[1] + grip.y - p.y, v[2], v[3]]); });
    addEventListener('pointerup', () => { grip = null; });
  }

  /* ---- heat map ---- */
  const heats = $('figure[data-chart=heat]');
  const metrics = [['t_ns', 'time'], ['gbps', 'GB/s'], ['roof_fraction', '% of roof'], ['ratio', 'counted / analytic']];
  if (heats.length) {
    heats[0].querySelector('.zoom').append(choice('heat', 'colour by', metrics));
  }
  const paint = f => {
    const run = +f.dataset.run, key = metrics.some(m => m[0] === state.heat) ? state.heat : 't_ns', cells = $('.cell', f);
    const most = {};
    for (const c of cells) { const o = runs[run].ops[+c.dataset.op], v = field(o, key); if (v > (most[o.phase] || 0)) most[o.phase] = v; }
    for (const c of cells) { const o = runs[run].ops[+c.dataset.op], v = field(o, key); c.setAttribute('fill-opacity', v ? (0.04 + 0.96 * v / most[o.phase]).toFixed(3) : '0.04'); }
  };

  /* ---- arrows from run A to run B in A's roofline ---- */
  const axes = svg => { const g = svg.querySelector('.plot'); return { x: g.dataset.x.split(' ').map(Number), y: g.dataset.y.split(' ').map(Number) }; };
  const to_value = (a, p) => a[0] * Math.pow(a[1] / a[0], (p - a[2]) / (a[3] - a[2]));
  const to_place = (a, v) => a[2] + (a[3] - a[2]) * Math.log(v / a[0]) / Math.log(a[1] / a[0]);
  const centre = m => { const b = m.getBBox(); return [b.x + b.width / 2, b.y + b.height / 2]; };
  const arrows = () => {
    $('.ab').forEach(g => g.remove());
    if (state.a === '' || state.b === '' || state.a === state.b) return;
    const fa = document.querySelector('figure[data-chart=roofline][data-run="' + +state.a + '"]'), fb = document.querySelector('figure[data-chart=roofline][data-run="' + +state.b + '"]');
    if (!fa || !fb) return;
    const sa = fa.querySelector('svg'), A = axes(sa), B = axes(fb.querySelector('svg')), layer = document.createElementNS(SVG, 'g');
    layer.setAttribute('class', 'ab');
    for (const m of $('.point[data-kind=measured]', fa)) {
      const n = fb.querySelector('.point[data-kind=measured][data-phase=' + m.dataset.phase + '][data-group="' + m.dataset.group + '"]');
      if (!n || m.classList.contains('dim')) continue;
      const [x0, y0] = centre(m), [bx, by] = centre(n), x1 = to_place(A.x, to_value(B.x, bx)), y1 = to_place(A.y, to_value(B.y, by)), len = Math.hypot(x1 - x0, y1 - y0);
      const p = document.createElementNS(SVG, 'path'), ux = (x1 - x0) / (len || 1), uy = (y1 - y0) / (len || 1);
      p.setAttribute('class', 'roof-line arrow');
      p.setAttribute('stroke-width', '1.6');
      p.setAttribute('d', 'M' + [x0, y0, 'L', x1, y1].join(' ') + (len > 8 ? ['M', x1 - ux * 8 - uy * 4, y1 - uy * 8 + ux * 4, 'L', x1, y1, 'L', x1 - ux * 8 + uy * 4, y1 - uy * 8 - ux * 4].join(' ') : ''));
      layer.append(p);
    }
    sa.append(layer);
  };

  /* ---- apply the state to everything ---- */
  const visible_op = o => (!state.phase || o.phase === state.phase) && (!state.q || o.site.toLowerCase().includes(state.q.toLowerCase()));
  const apply = () => {
    for (const [k, c] of Object.entries(controls)) if (c.value !== state[k]) c.value = state[k];
    const off = state.hide ? state.hide.split(',') : [];
    for (const [k, c] of Object.entries(toggles)) c.checked = !off.includes(k);
    for (const e of $('main [data-run]')) if (/^(DIV|FIGURE)$/.test(e.tagName)) e.classList.toggle('gone', state.run !== '' && e.dataset.run !== state.run);
    for (const m of $('.point')) {
      const run = +m.dataset.run, g = +m.dataset.group;
      let on = !state.phase || m.dataset.phase === state.phase;
      if (on && state.q && m.dataset.run !== undefined && g >= 0) on = members(run, m.dataset.phase, g).some(visible_op);
      m.classList.toggle('dim', !on);
      m.classList.toggle('gone', off.includes(m.dataset.kind));
    }
    for (const m of $('.roofmark,.ridge')) m.classList.toggle('gone', off.includes('roofs'));
    for (const m of $('.bar,.cell,.dot')) {
      const o = 'op' in m.dataset ? runs[+m.dataset.run].ops[+m.dataset.op] : null;
      m.classList.toggle('dim', o ? !visible_op(o) || (o.layer !== null && state.layer !== '' && String(o.layer) !== state.layer) : !!state.phase && !!m.dataset.phase && m.dataset.phase !== state.phase);
    }
    let shown = 0;
    for (const t of tables) {
      const run = +t.dataset.run;
      for (const r of $('tbody tr', t)) {
        const o = runs[run].ops[+r.dataset.op], on = visible_op(o) && (o.layer === null || state.layer === '' || String(o.layer) === state.layer);
        r.classList.toggle('gone', !on);
        shown += on;
      }
      sort_table(t);
      if (t.dataset.rows === 'layer' && state.layer !== '') t.closest('details').open = true;
    }
    for (const f of heats) paint(f);
    arrows();
    return shown;
  };

  /* ---- the data ---- */
  const data = box('data');
  files.forEach((f, i) => {
    const b = el('button', { type: 'button' }, files.length > 1 ? 'download JSON ' + (i + 1) : 'download JSON');
    b.addEventListener('click', () => {
      const a = el('a', { href: URL.createObjectURL(new Blob([JSON.stringify(f, null, 1) + '\n'], { type: 'application/json' })), download: files.length > 1 ? 'run-' + (i + 1) + '.json' : 'run.json' });
      a.click();
      setTimeout(() => URL.revokeObjectURL(a.href), 1000);
    });
    data.append(b);
  });
  data.hidden = false;

  read_state();
  apply();
  if (state.zoom) {
    const [id, v] = state.zoom.split(':'), f = charts.find(c => chart_id(c) === id), n = (v || '').split(',').map(Number);
    if (f && n.length === 4 && n.every(Number.isFinite)) look(f, n);
  }

  /* ---- what if: the cost model in C, as WebAssembly ---- */
  const W = raw.whatif, panel = box('whatif');
  const what_if = async () => {
    const code = Uint8Array.from(atob(W.wasm), c => c.charCodeAt(0));
    const { instance: { exports: m } } = await WebAssembly.instantiate(code, { env: { log: Math.log } });
    const model = v => {
      const input = new Float64Array(m.memory.buffer, m.rg_whatif_in(), W.n_in);
      input.set(v);
      const status = m.rg_whatif();
      if (status) return null;
      const o = new Float64Array(m.memory.buffer, m.rg_whatif_out(), W.n_out), out = { phases: [], ops: [] };
      for (let p = 0; p < 2; p++) out.phases.push(Object.fromEntries(Object.entries(W.out).map(([k, i]) => [k, o[p * W.phase + i]])));
      for (let i = 0, n = o[W.points]; i < n; i++) {
        const at = W.points + 1 + i * W.fields;
        out.ops.push({ site: W.sites[o[at]], phase: o[at + 1] ? 'decode' : 'prefill', flop: o[at + 2], bytes: o[at + 3], time_s: o[at + 4] });
      }
      return out;
    };
    const usable = runs.map((_, i) => i).filter(i => W.base[i]);
    if (!usable.length) { panel.append(el('p', {}, 'The types of this run are not known to this version: no what-if.')); return; }
    const base = run => { const v = new Float64Array(W.n_in); for (const [i, x] of W.base[run]) v[i] = x; for (const [i, x] of W.own[run]) v[i] = x; return v; };
    const inputs = {}, form = el('div', { className: 'tools' });
    const add = (key, label, input) => { inputs[key] = input; input.addEventListener('change', () => { remember(); compute(); }); form.append(el('label', {}, label, input)); };
    const select = options => el('select', {}, ...options.map(([v, t]) => el('option', { value: String(v) }, t)));
    const number = (value, max) => el('input', { type: 'number', min: '1', max: String(max), step: '1', value: String(value) });
    const index = list => list.map((t, i) => [i, t]);
    if (usable.length > 1) add('run', 'start from', select(usable.map(i => [i, raw.labels[i]])));
    add('hardware', 'hardware', select([['measured', 'this machine, as measured'], ...W.hardware.map(h => [h.name, h.name]), ['own', 'own numbers']]));
    add('gbps', 'GB/s', number(100, 1e6));
    add('gflops', 'GFLOP/s', number(1000, 1e9));
    add('batch', 'batch', number(1, 65536));
    add('seqlen', 'context', number(1, 1e7));
    add('dtype', 'weights', select(index(W.dtypes)));
    add('kv', 'KV', select(index(W.kvtypes)));
    add('act', 'activations', select(index(W.acts)));
    add('flash', 'attention', select([[1, 'fused'], [0, 'unfused']]));
    add('fuse', 'fusions', select(index(W.fuses)));
    add('tp', 'devices', number(1, 1024));
    const result = el('div', { className: 'scroll', tabIndex: 0, role: 'region', 'aria-label': 'What-if result' }), words = el('p'), again = el('button', { type: 'button' }, 'as in the run');
    form.append(again);
    panel.append(form, words, result);
    const I = W.in, run_of = () => inputs.run ? +inputs.run.value : usable[0];
    const from_run = () => {
      const v = base(run_of());
      for (const k of ['batch', 'seqlen', 'dtype', 'kv', 'act', 'flash', 'fuse', 'tp']) inputs[k].value = String(v[I[k]]);
      inputs.hardware.value = v[I.measured] ? 'measured' : W.hardware[0].name;
    };
    again.addEventListener('click', () => { from_run(); state.what = ''; write_state(); compute(); });
    if (inputs.run) inputs.run.addEventListener('change', () => { from_run(); remember(); compute(); });
    const remember = () => { state.what = Object.entries(inputs).map(([k, e]) => k + '~' + e.value).join('!'); write_state(); };
    const restore = () => { from_run(); for (const part of state.what.split('!')) { const [k, v] = part.split('~'); if (inputs[k] && v !== undefined) inputs[k].value = v; } };
    const wanted = () => {
      const v = base(run_of()), hw = inputs.hardware.value;
      if (hw !== 'measured') {
        v.fill(0, Math.min(I.measured, I.bandwidth, I.link, I.accelerator));
        const h = W.hardware.find(x => x.name === hw);
        if (h) for (const [i, x] of h.v) v[i] = x;
        else { v[I.bandwidth] = 1e9 * inputs.gbps.value; W.classes.forEach((_, i) => { v[W.peak + i] = 1e9 * inputs.gflops.value; }); }
      }
      for (const k of ['batch', 'seqlen', 'dtype', 'kv', 'act', 'flash', 'fuse', 'tp']) v[I[k]] = Math.max(0, Math.floor(+inputs[k].value || 0));
      return v;
    };
    const rate = p => p.time_s > 0 ? p.tokens / p.time_s : null;
    const draw = (a, b) => { /* groups before (hollow) and after (filled) in the log-log plane */
      const pts = [];
      for (const [which, r] of [[0, a], [1, b]]) {
        if (!r) continue;
        const sums = {};
        for (const o of r.ops) { const g = group_of(o.site), k = o.phase + g, s = sums[k] = sums[k] || { g, phase: o.phase, flop: 0, bytes: 0, t: 0 }; s.flop += o.flop; s.bytes += o.bytes; s.t += o.time_s < 0 ? NaN : o.time_s; }
        for (const [k, s] of Object.entries(sums)) if (s.flop > 0 && s.t > 0) pts.push({ k, which, g: s.g, phase: s.phase, x: s.flop / s.bytes, y: s.flop / s.t / 1e9 });
      }
      if (!pts.length) return null;
      const svg = document.createElementNS(SVG, 'svg'), put = (name, at, cls, text) => { const e = document.createElementNS(SVG, name); for (const [k, v] of Object.entries(at)) e.setAttribute(k, v); e.setAttribute('class', cls); if (text) e.textContent = text; svg.append(e); return e; };
      for (const [k, v] of Object.entries({ viewBox: '0 0 960 450', width: 960, height: 450, role: 'img', 'aria-label': 'Operator groups before and after in the roofline plane', 'font-family': 'sans-serif', 'font-size': 11 })) svg.setAttribute(k, v);
      const span = v => { const lo = Math.log10(Math.min(...v)) - 0.2, hi = Math.log10(Math.max(...v)) + 0.2; return [lo, hi]; };
      const [x0, x1] = span(pts.map(p => p.x)), [y0, y1] = span(pts.map(p => p.y));
      const X = v => 66 + (Math.log10(v) - x0) / (x1 - x0) * 870, Y = v => 370 - (Math.log10(v) - y0) / (y1 - y0) * 350;
      /* 1, 2, 5 where that leaves room for the figures, else powers of ten */
      const ticks = (lo, hi, room) => { const out = []; for (let d = Math.floor(lo); d <= hi; d++) for (const m of room / (hi - lo) > 150 ? [1, 2, 5] : [1]) { const l = d + Math.log10(m); if (l >= lo && l <= hi) out.push(+(m * 10 ** d).toPrecision(1)); } return out; };
      for (const v of ticks(x0, x1, 870)) { put('line', { x1: X(v), x2: X(v), y1: 20, y2: 370 }, 'grid-line'); put('text', { x: X(v), y: 386, 'text-anchor': 'middle' }, 'soft', String(v)); }
      for (const v of ticks(y0, y1, 700)) { put('line', { x1: 66, x2: 936, y1: Y(v), y2: Y(v) }, 'grid-line'); put('text', { x: 60, y: Y(v) + 4, 'text-anchor': 'end' }, 'soft', String(v)); }
      put('text', { x: 500, y: 404, 'text-anchor': 'middle' }, 'ink', 'arithmetic intensity, FLOP/byte');
      put('text', { x: 14, y: 195, 'text-anchor': 'middle', transform: 'rotate(-90 14 195)' }, 'ink', 'at the roof, GFLOP/s');
      put('text', { x: 66, y: 442 }, 'soft', 'hollow: the run, filled: what if, both analytic; circles: prefill, squares: decode');
      let at = 66;
      for (const g of [...new Set(pts.map(p => p.g))].sort((p, q) => p - q)) { put('rect', { x: at, y: 415, width: 10, height: 10 }, raw.groups.classes[g]); put('text', { x: at + 15, y: 424 }, 'ink', raw.groups.names[g]); at += 40 + 6.5 * raw.groups.names[g].length; }
      for (const p of pts) {
        const q = pts.find(o => o.which === 1 && o.k === p.k), cls = raw.groups.classes[p.g];
        if (!p.which && q) put('line', { x1: X(p.x), y1: Y(p.y), x2: X(q.x), y2: Y(q.y), 'stroke-width': 1 }, cls + '-line');
      }
      for (const p of pts) {
        const cls = raw.groups.classes[p.g] + (p.which ? ' see' : '-line hollow mark');
        if (p.phase === 'prefill') put('circle', { cx: X(p.x), cy: Y(p.y), r: p.which ? 6 : 4.5 }, cls); else put('rect', { x: X(p.x) - (p.which ? 5 : 4), y: Y(p.y) - (p.which ? 5 : 4), width: p.which ? 10 : 8, height: p.which ? 10 : 8 }, cls);
      }
      return svg;
    };
    /* LLM-Viewer knows bits, no formats: 16 for all floats, scales are not counted */
    const bits = name => /^q4/.test(name) ? 4 : /^q8/.test(name) ? 8 : 16;
    const beside = (v, ours) => {
      const w = Float64Array.from(v), b = { w_bit: bits(W.dtypes[v[I.dtype]]), a_bit: bits(W.acts[v[I.act]]), kv_bit: bits(W.kvtypes[v[I.kv]]) };
      w[I.cost] = 1;
      if (!(v[I.onchip] > 0)) w[I.flash] = 0; /* its fused attention is tiled by the on-chip memory */
      for (const [k, x] of Object.entries(b)) w[I[k]] = x;
      const its = model(w), title = el('h3', {}, 'The same by LLM-Viewer\'s formulas (w' + b.w_bit + ' a' + b.a_bit + ' kv' + b.kv_bit + (v[I.flash] && !w[I.flash] ? ', unfused attention: no figure for on-chip memory' : '') + ')');
      if (!its) return [title, el('p', {}, 'n/a: LLM-Viewer needs the bandwidth and the FP16 (8 bits throughout: INT8) peak of the machine, and sizes that the devices divide.')];
      const ns = p => p.time_s > 0 ? 1e9 * p.time_s : null, over = (x, y) => x > 0 && y > 0 ? num(x / y) : 'n/a';
      const t = table(['phase', 'time, exact', 'LLM-Viewer', 'over exact', 'GFLOP, exact', 'LLM-Viewer', 'over exact', 'bytes, exact', 'LLM-Viewer', 'over exact'], ['prefill', 'decode'].map((name, i) => {
        const x = ours.phases[i], y = its.phases[i];
        return [name, time(ns(x)), time(ns(y)), over(ns(y), ns(x)), num(x.flop / 1e9), num(y.flop / 1e9), over(y.flop, x.flop), bytes(x.bytes), bytes(y.bytes), over(y.bytes, x.bytes)];
      }));
      t.className = 'whatif-result lv-result';
      return [title, t, el('p', {}, 'Its faults included, to the last digit of its source: the output matrix counts half its operations, attention is not causal, norms and activations are counted by its own rules, one bandwidth serves all footprints (ridge roofline --explain lists the differences with their size).')];
    };
    const compute = () => {
      const run = run_of(), own = inputs.hardware.value === 'own';
      for (const k of ['gbps', 'gflops']) inputs[k].closest('label').classList.toggle('gone', !own);
      const a = model(base(run)), v = wanted(), b = model(v);
      if (!b) { words.textContent = 'These numbers are not possible for this model: a context beyond ' + exact(v[I.ctx_train]) + ' tokens, a batch of 0, or devices that cannot share the heads evenly.'; result.replaceChildren(); return; }
      const rows = ['prefill', 'decode'].map((name, i) => {
        const p = runs[run].phases.find(x => x.phase === name), f = p ? p.roof_fraction : null, t = b.phases[i].time_s > 0 ? b.phases[i].time_s : null;
        return [name, a ? time(a.phases[i].time_s > 0 ? 1e9 * a.phases[i].time_s : null) : 'n/a', time(t && 1e9 * t), a && t && a.phases[i].time_s > 0 ? num(a.phases[i].time_s / t) : 'n/a', num(rate(b.phases[i])),
          f ? percent(f) : 'n/a', f && t ? time(1e9 * t / f) : 'n/a', f && t ? num(b.phases[i].tokens / t * f) : 'n/a'];
      });
      const t = table(['phase', 'run, analytic', 'what if, analytic', 'times as fast', 'tokens/s at the roofs', 'efficiency assumed', 'expected time', 'expected tokens/s'], rows);
      t.className = 'whatif-result';
      const svg = draw(a, b);
      result.replaceChildren(t, ...(svg ? [svg] : []), ...beside(v, b));
      const h = W.hardware.find(x => x.name === inputs.hardware.value);
      words.textContent = 'Prefill of ' + exact(v[I.batch] * v[I.seqlen]) + ' tokens and one decode step of ' + exact(v[I.batch]) + ' sequence(s) with ' + exact(v[I.seqlen]) + ' tokens of context. Memory per device: weights ' +
        bytes(b.phases[1].mem_weights) + ', KV cache ' + bytes(b.phases[1].mem_kv) + '. Expected: the analytic time over the share of its roofs that this run reached, assumed to stay the same. ' + (h ? 'Source of ' + h.name + ': ' + h.source : '');
      panel.dataset.ready = '1';
    };
    restore();
    compute();
    document.addEventListener('ridge-reset', () => { from_run(); compute(); });
  };
  if (W && panel) what_if().catch(e => panel.append(el('p', {}, 'What-if does not run in this browser: ' + e.message)));
  addEventListener('hashchange', () => { read_state(); apply(); });
  return { files, el, $, say, field, state, start, write_state, csv_cell, exactly };
})();
