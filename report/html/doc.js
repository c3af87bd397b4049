
/* Pages of bench, compare, roofline: tables that sort and search, and the exact figures behind a mark. */
(() => {
  const { files, el, $, say, field, state, start, write_state, csv_cell, exactly } = ridge;
  const at = path => path.split('.').reduce((v, k) => v === null || v === undefined ? v : v[k], files[0]);
  const tables = $('table.doc');
  const keys_of = t => $('thead th', t).map(h => h.dataset.key);
  const value = (row, key, own) => { const v = key === '$key' ? own : field(row, key); return v === undefined || (v !== null && typeof v === 'object') ? null : v; };

  /* ---- a mark's figures, to the last digit ---- */
  exactly.of = mark => {
    const path = mark.dataset.at;
    if (!path) return [];
    const t = tables.find(x => path.startsWith(x.dataset.from + '.'));
    if (!t) return [];
    const rest = path.slice(t.dataset.from.length + 1), own = rest.split('.')[0], below = rest.slice(own.length + 1), row = at(t.dataset.from)[own];
    /* variants.1.decode: the columns of that part */
    const home = below ? tables.find(x => x.dataset.from === t.dataset.from && keys_of(x).some(k => k.startsWith(below + '.'))) || t : t;
    const body = el('tbody');
    for (const k of keys_of(home)) {
      const v = value(row, k, own);
      if (typeof v === 'number' && (!below || k.startsWith(below + '.'))) body.append(el('tr', {}, el('td', {}, k), el('td', {}, String(v))));
    }
    return body.children.length ? [el('table', { className: 'exact' }, body)] : [];
  };

  /* ---- tables: state in the address as t0=key.asc|words ---- */
  const parts = t => { const [sort, words] = (state['t' + t.dataset.table] || '').split('|'); return { sort: sort || '', words: words || '' }; };
  const keep = (t, sort, words) => { state['t' + t.dataset.table] = sort || words ? sort + '|' + words : ''; write_state(); apply(t); };
  const none = v => v === null || v === undefined;
  const boxes = new Map();
  const apply = t => {
    const { sort, words } = parts(t), [key, dir] = sort ? [sort.replace(/\.asc$/, ''), sort.endsWith('.asc') ? 1 : -1] : ['', 1], rows = at(t.dataset.from);
    const body = t.tBodies[0], list = $('tr', body), want = words.toLowerCase().split(/\s+/).filter(w => w);
    if (boxes.get(t).value !== words) boxes.get(t).value = words;
    for (const h of $('thead th', t)) if (key && h.dataset.key === key) h.setAttribute('aria-sort', dir > 0 ? 'ascending' : 'descending'); else h.removeAttribute('aria-sort');
    const val = new Map(list.map(r => [r, key ? value(rows[r.dataset.row], key, r.dataset.row) : +r.dataset.at]));
    list.sort((x, y) => {
      const a = val.get(x), b = val.get(y);
      if (none(a) || none(b)) return none(a) - none(b) || x.dataset.at - y.dataset.at; /* unknown comes last */
      return (typeof a === 'string' ? a.localeCompare(b) : a - b) * dir || x.dataset.at - y.dataset.at;
    });
    for (const r of list) { const text = r.textContent.toLowerCase(); r.classList.toggle('gone', !want.every(w => text.includes(w))); }
    body.append(...list);
  };
  for (const t of tables) {
    start['t' + t.dataset.table] = '';
    $('tbody tr', t).forEach((r, i) => { r.dataset.at = i; });
    for (const h of $('thead th', t)) {
      const b = el('button', { type: 'button', title: h.title + ': sort' }, h.textContent.trim());
      h.removeAttribute('title');
      b.addEventListener('click', () => {
        const { sort, words } = parts(t), same = sort.replace(/\.asc$/, '') === h.dataset.key;
        keep(t, same && !sort.endsWith('.asc') ? h.dataset.key + '.asc' : same ? '' : h.dataset.key, words);
        say('sorted by ' + b.textContent);
      });
      h.replaceChildren(b);
    }
    const search = el('input', { type: 'search', placeholder: 'words', size: 14 }), copy = el('button', { type: 'button' }, 'copy as CSV');
    boxes.set(t, search);
    search.addEventListener('input', () => keep(t, parts(t).sort, search.value.replace(/\|/g, ' ')));
    copy.addEventListener('click', async () => {
      const keys = keys_of(t), rows = at(t.dataset.from);
      const csv = [keys.map(csv_cell).join(','), ...$('tbody tr', t).filter(r => !r.classList.contains('gone')).map(r => keys.map(k => csv_cell(value(rows[r.dataset.row], k, r.dataset.row))).join(','))].join('\n') + '\n';
      try { await navigator.clipboard.writeText(csv); } catch {
        const area = el('textarea', { value: csv });
        document.body.append(area); area.select(); document.execCommand('copy'); area.remove();
      }
      say('copied');
      copy.textContent = 'copied';
      setTimeout(() => { copy.textContent = 'copy as CSV'; }, 1500);
    });
    t.closest('.scroll').previousElementSibling.append(el('label', {}, 'search', search), copy);
  }
  const read = () => {
    const p = new URLSearchParams(location.hash.slice(1));
    for (const t of tables) { const k = 't' + t.dataset.table; state[k] = p.has(k) ? p.get(k) : ''; apply(t); }
  };
  read();
  addEventListener('hashchange', read);
  document.addEventListener('ridge-reset', () => { for (const t of tables) apply(t); });
  document.documentElement.dataset.ready = '1';
})();
