#!/bin/sh
# tile_instructions.sh OBJECT: the machine code of the kernels on AMX tiles holds every tile instruction at least as often as the source writes
# it, the loading of the configuration among them. No machine that only builds them would notice if a compiler dropped one.
command -v objdump >/dev/null 2>&1 || { echo "SKIPPED: no objdump"; exit 77; }
code=$(objdump -d --no-show-raw-insn "$1") || exit 1
if ! printf '%s\n' "$code" | grep -q 'tmm[0-7]' && printf '%s\n' "$code" | grep -q '(bad)'; then
    echo "SKIPPED: this objdump does not know AMX"
    exit 77
fi
bad=0
# instruction, least number: tile_body.h (mm: 1, 2, 3 products, for 32 and 16 tokens, x or b streamed; dot: 6 types or more, 1 and 2 planes)
while read -r name least; do
    n=$(printf '%s\n' "$code" | grep -cw "$name")
    if [ "$n" -lt "$least" ]; then
        echo "$name: $n times, expected at least $least"
        bad=1
    fi
done <<END
ldtilecfg 1
tilerelease 1
tdpbf16ps 72
tileloaddt1 31
tdpbssd 54
tileloadd 120
tilestored 72
tilezero 90
END
exit $bad
