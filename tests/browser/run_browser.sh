#!/bin/sh
# Browser tests of the report: makes pages with the program, installs playwright-core and axe-core into the build folder, drives Chromium.
# Exit code 77 and a line that starts with SKIPPED where that is not possible. run_browser.sh RIDGE SOURCE_DIR WORK_DIR
set -eu
ridge=$1
source=$2
work=$3
skip() { echo "SKIPPED browser tests: $*"; exit 77; }
for tool in node npm; do
    command -v $tool >/dev/null 2>&1 || skip "$tool is not installed (apt-get install nodejs npm)"
done
browser=""
for b in chromium chromium-browser google-chrome; do
    command -v $b >/dev/null 2>&1 && browser=$(command -v $b) && break
done
[ -n "$browser" ] || skip "no Chromium (apt-get install chromium)"
mkdir -p "$work"
cmp -s "$source/tests/browser/package.json" "$work/package.json" && [ -d "$work/node_modules/axe-core" ] || {
    cp "$source/tests/browser/package.json" "$work/package.json"
    (cd "$work" && timeout 120 npm install --no-audit --no-fund --loglevel=error >npm.log 2>&1) || { rm -f "$work/package.json"; skip "npm cannot install playwright-core and axe-core: $(tail -n 1 "$work/npm.log")"; }
}

# what to look at: two weight types with rows by layer, 22 layers, and a model with a hostile name
cd "$work"
head -c 6000 "$source"/weights/demo/heldout.txt >text.txt
"$ridge" machine --quick --no-save --save machine.json -o json >/dev/null 2>&1 || "$ridge" machine --quick --save machine.json -o json >/dev/null
quick="--machine machine.json -r 1 --counters off --per-layer -o json"
[ -d deep ] || "$ridge" synth --dims hidden=64,layers=22,heads=4,kv_heads=2,ffn=128,vocab=256 --dtype f16 -o deep >/dev/null
# shellcheck disable=SC2086
"$ridge" profile --dtype f16,q4g64 -p 24 -n 8 $quick --html live.html >pair.json
# shellcheck disable=SC2086
"$ridge" profile -m deep -p 16 -n 4 -t 1 $quick >deep.json
"$ridge" report pair.json -o pair.html
"$ridge" report deep.json -o deep.html
"$ridge" report pair.json deep.json -o three.html
"$ridge" report deep.json deep.json -o two.html
# reports that are no runs: pages made with them must be the pages made of what was saved
bench="--machine machine.json -t 1 -r 3 --no-warmup"
# shellcheck disable=SC2086
"$ridge" bench $bench --dtype f16,q4g64 -p 8,16 -n 4 -d 0,32 -B 1,2 -o json --html live-bench.html >bench.json
# shellcheck disable=SC2086
"$ridge" compare $bench --dtype f16,q4g64 -p 16 -n 4 --eval text.txt -o json --html live-compare.html >compare.json
# shellcheck disable=SC2086
"$ridge" compare --machine machine.json -t 1 -r 1 --no-warmup -p 8 -n 2 --ablate -o json --html live-ablation.html >ablation.json
"$ridge" roofline --shape tinyllama-1.1b --hardware amd_epyc_9654 --dtype f16,q4g64 --batch 1-16*2 -o json --html live-sweep.html >sweep.json
"$ridge" roofline --shape tinyllama-1.1b --hardware amd_epyc_9654 -o json --html live-single.html >single.json
"$ridge" roofline --shape llama-2-7b --hardware nvidia_A40 --cost llm-viewer -o json --html live-viewer.html >viewer.json
"$ridge" roofline --shape tinyllama-1.1b --hardware amd_epyc_9654 --study ablation -o json --html live-study.html >study.json
node "$source/tests/browser/validation.mjs" validation.json
for r in bench compare ablation sweep single viewer study; do
    "$ridge" report $r.json -o $r.html
    cmp -s $r.html live-$r.html || { echo "FAILED: the page of saved $r.json is not the page that was made with it"; exit 1; }
done
"$ridge" report validation.json -o validation.html
for r in bench compare ablation sweep validation; do
    node "$source/tests/browser/hostile.mjs" $r.json hostile-$r.json
    "$ridge" report hostile-$r.json -o hostile-$r.html
done
node "$source/tests/browser/hostile.mjs" deep.json hostile.json
"$ridge" report hostile.json -o hostile.html
if grep -q '"whatif":null' pair.html; then
    echo "SKIPPED what-if: built without clang and lld for WebAssembly"
else
    node "$source/tests/browser/whatif_grid.mjs" "$ridge" pair.html machine.json
fi
for t in browser_test browser_util doc_test; do cp "$source/tests/browser/$t.mjs" .; done
exec node browser_test.mjs "$browser" "$work"
