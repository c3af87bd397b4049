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

# runs to look at: two weight types with rows by layer, 22 layers, and a model with a hostile name
cd "$work"
"$ridge" machine --quick --no-save --save machine.json -o json >/dev/null 2>&1 || "$ridge" machine --quick --save machine.json -o json >/dev/null
quick="--machine machine.json -r 1 --counters off --per-layer -o json"
[ -d deep ] || "$ridge" synth --dims hidden=64,layers=22,heads=4,kv_heads=2,ffn=128,vocab=256 --dtype f16 -o deep >/dev/null
# shellcheck disable=SC2086
"$ridge" profile --dtype f16,q4g64 -p 24 -n 8 $quick --html live.html >pair.json
# shellcheck disable=SC2086
"$ridge" profile -m deep -p 16 -n 4 $quick >deep.json
"$ridge" report pair.json -o pair.html
"$ridge" report deep.json -o deep.html
"$ridge" report pair.json deep.json -o three.html
node "$source/tests/browser/hostile.mjs" deep.json hostile.json
"$ridge" report hostile.json -o hostile.html
if grep -q '"whatif":null' pair.html; then
    echo "SKIPPED what-if: built without clang and lld for WebAssembly"
else
    node "$source/tests/browser/whatif_grid.mjs" "$ridge" pair.html machine.json
fi
cp "$source/tests/browser/browser_test.mjs" .
exec node browser_test.mjs "$browser" "$work"
