// hostile.mjs IN OUT: every text of a saved report that pages show replaced by one that tries to break out of where it is put.
import { readFileSync, writeFileSync } from 'node:fs';
const evil = '</script></title></svg><script>window.broken=1</script><img src=x onerror="window.broken=1">"\'&{{7*7}}\u202e';
const skip = new Set(['schema', 'version', 'phase', 'isa', 'kind', 'bound', 'site', 'op', 'source', 'cost', 'stage', 'hardware', 'type_k', 'type_v', 'act', 'access', 'class', 'status', 'mode']);
const walk = (v, key) => typeof v === 'string' ? (skip.has(key) ? v : evil + v)
  : Array.isArray(v) ? v.map(x => walk(x, key))
  : v && typeof v === 'object' ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, walk(x, k)])) : v;
const j = walk(JSON.parse(readFileSync(process.argv[2], 'utf8')), '');
if (j.ops) {
  j.ops[0].site = evil; // a site that this version does not know
  j.ops[1].op = '__proto__';
}
if (j.errors) j.errors[evil] = j.errors.decode;
if (j.errors) Object.defineProperty(j.errors, '__proto__', { value: j.errors.decode, enumerable: true });
if (j.hardware) { j.hardware[0].name = evil; for (const c of j.cases) c.input.hardware = evil; }
writeFileSync(process.argv[3], JSON.stringify(j));
