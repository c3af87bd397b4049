// The WebAssembly model inside a page against the native program on a grid. node whatif_grid.mjs RIDGE PAGE.html MACHINE.json RUN
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const [, , ridge, page, machine] = process.argv;
const text = readFileSync(page, 'utf8');
const raw = JSON.parse(text.slice(text.indexOf('id="ridge-data">') + 16, text.indexOf('</script>', text.indexOf('id="ridge-data">'))));
const W = raw.whatif;
if (!W) { console.log('SKIPPED: the program was built without clang and lld for WebAssembly'); process.exit(77); }
const { instance: { exports: m } } = await WebAssembly.instantiate(Buffer.from(W.wasm, 'base64'), { env: { log: Math.log } });
const input = new Float64Array(m.memory.buffer, m.rg_whatif_in(), W.n_in), output = new Float64Array(m.memory.buffer, m.rg_whatif_out(), W.n_out);

let checked = 0, worst = 0;
const near = (got, want, tolerance, what) => {
  checked++;
  if (want === null) { if (got !== -1) throw new Error(`${what}: ${got}, the program does not know`); return; }
  const d = Math.abs(got - want) / Math.max(Math.abs(want), 1e-300);
  worst = Math.max(worst, want === 0 && got === 0 ? 0 : d);
  if (!(got === want || d <= tolerance)) throw new Error(`${what}: ${got}, the program says ${want}`);
};

const hardware = ['nvidia_A40', 'amd_epyc_9755', 'intel_core_i9_13900k', 'aws_graviton3', 'apple_m2', 'measured'];
const grid = { dtype: ['f16', 'q4g64', 'q8g32'], kv: ['f16', 'q8_0'], fuse: ['rope', 'act+add'], flash: ['on', 'off'], tp: [1, 2], batch: [1, 7], seqlen: [1, 33, 200] };
for (const hw of hardware)
  for (const dtype of grid.dtype)
    for (const kv of grid.kv)
      for (const [nth, flash] of grid.flash.entries())
        for (const tp of grid.tp) {
          const fuse = grid.fuse[(nth + tp) % grid.fuse.length];
          const args = ['roofline', '--hardware', hw === 'measured' ? machine : hw, '--dtype', dtype, '-ctk', kv, '-ctv', kv, '--flash', flash, '--fuse', fuse, '--tp', String(tp), '--act', 'f32',
            '-ub', '512', '--batch', grid.batch.join(','), '--seqlen', grid.seqlen.join(','), '-o', 'json'];
          const cases = JSON.parse(execFileSync(ridge, args, { encoding: 'utf8', maxBuffer: 1 << 26 })).cases;
          for (const c of cases) {
            input.fill(0);
            for (const [i, x] of W.base[0]) input[i] = x;
            const h = W.hardware.find(x => x.name === hw);
            for (const [i, x] of h ? h.v : W.own[0]) input[i] = x;
            const I = W.in;
            input[I.dtype] = W.dtypes.indexOf(dtype);
            input[I.head] = W.dtypes.indexOf(c.input.head_dtype);
            input[I.kv] = W.kvtypes.indexOf(kv);
            input[I.act] = W.acts.indexOf('f32');
            input[I.flash] = flash === 'on' ? 1 : 0;
            input[I.fuse] = W.fuses.indexOf(fuse);
            input[I.tp] = tp;
            input[I.batch] = c.input.batch;
            input[I.seqlen] = c.input.seqlen;
            input[I.ubatch] = c.input.ubatch ?? 0;
            if (m.rg_whatif() !== 0) throw new Error(`refused: ${JSON.stringify(c.input)}`);
            const what = JSON.stringify(c.input), tolerance = h ? 1e-12 : 1e-5; // measured roofs are written with six digits
            if (output[W.points] !== c.ops.length) throw new Error(`${what}: ${output[W.points]} operators, the program has ${c.ops.length}`);
            c.ops.forEach((o, k) => {
              const p = output.subarray(W.points + 1 + k * W.fields), name = `${what} ${o.phase} ${o.site}`;
              if (W.sites[p[0]] !== o.site || (p[1] ? 'decode' : 'prefill') !== o.phase) throw new Error(`${name}: the module has ${W.sites[p[0]]}`);
              near(p[2], o.flop, 1e-12, name + ' FLOP');
              near(p[3], o.total_bytes, 1e-12, name + ' bytes');
              near(p[4] < 0 ? -1 : 1e9 * p[4], o.ideal_ns, tolerance, name + ' time');
            });
          }
        }
// LLM-Viewer's formulas: bits instead of formats; its operators stand for one layer each
const layers = (W.base[0].find(([i]) => i === W.in.layers) || [0, 1])[1];
for (const hw of ['nvidia_A40', 'intel_core_i9_13900k', 'measured'])
  for (const [w, a, kv] of [[16, 16, 16], [4, 16, 8], [8, 8, 8], [2, 4, 1]])
    for (const flash of ['on', 'off']) {
      const args = ['roofline', '--cost', 'llm-viewer', '--hardware', hw === 'measured' ? machine : hw, '--w-bit', String(w), '--a-bit', String(a), '--kv-bit', String(kv), '--flash', flash, '--tp', '1,2',
        '--batch', grid.batch.join(','), '--seqlen', grid.seqlen.join(','), '-o', 'json'];
      for (const c of JSON.parse(execFileSync(ridge, args, { encoding: 'utf8', maxBuffer: 1 << 26 })).cases) {
        input.fill(0);
        for (const [i, x] of W.base[0]) input[i] = x;
        const h = W.hardware.find(x => x.name === hw), what = JSON.stringify(c.input), tolerance = h ? 1e-12 : 1e-5;
        for (const [i, x] of h ? h.v : W.own[0]) input[i] = x;
        for (const [k, x] of Object.entries({ cost: 1, w_bit: w, a_bit: a, kv_bit: kv, flash: flash === 'on' ? 1 : 0, tp: c.input.tp_size, batch: c.input.batchsize, seqlen: c.input.seqlen })) input[W.in[k]] = x;
        if (m.rg_whatif() !== 0) throw new Error(`refused: ${what}`);
        let k = 0;
        ['prefill', 'decode'].forEach((phase, ph) => {
          const sum = c.total[phase], out = name => output[ph * W.phase + W.out[name]];
          for (const [name, want, t] of [['flop', sum.OPs, 1e-12], ['bytes', sum.memory_access, 1e-12], ['w_rd', sum.load_weight, 1e-12], ['kv_rd', sum.load_kv_cache, 1e-12],
            ['time_s', sum.inference_time, tolerance], ['mem_weights', sum.memory_consumption_weight, 1e-12], ['mem_kv', sum.memory_consumption_kv_cache, 1e-12]])
            near(out(name), want, t, `${what} ${phase} ${name}`);
          for (const [name, o] of Object.entries(c[phase])) {
            const p = output.subarray(W.points + 1 + k++ * W.fields), each = x => x === null ? null : (name === 'lm_head' ? 1 : layers) * x;
            near(p[2], each(o.OPs), 1e-12, `${what} ${phase} ${name} OPs`);
            near(p[3], each(o.memory_access), 1e-12, `${what} ${phase} ${name} bytes`);
            near(p[4], each(o.inference_time), tolerance, `${what} ${phase} ${name} time`);
          }
        });
        if (output[W.points] !== k) throw new Error(`${what}: ${output[W.points]} operators, the program has ${k}`);
      }
    }
// impossible numbers are refused, not computed
for (const [k, x] of [['batch', 0], ['seqlen', 0], ['seqlen', 1e9], ['heads', 7], ['layers', 1e6], ['dtype', 99], ['tp', 3], ['dim', -5], ['w_bit', 3]]) {
  input.fill(0);
  for (const [i, v] of W.base[0]) input[i] = v;
  for (const [i, v] of W.hardware[0].v) input[i] = v;
  if (k === 'w_bit') for (const b of ['cost', 'a_bit', 'kv_bit']) input[W.in[b]] = b === 'cost' ? 1 : 16;
  input[W.in[k]] = x;
  if (m.rg_whatif() === 0) throw new Error(`${k} = ${x} was accepted`);
  checked++;
}
console.log(`${checked} figures of the module agree with the program; largest relative difference ${worst.toExponential(1)}`);
