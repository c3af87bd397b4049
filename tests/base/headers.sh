#!/bin/sh
# headers.sh SOURCE_DIR COMPILER: every header compiles alone, so that an include never depends on the ones before it.
set -eu
cd "$1"
cc=$2
flags="-fsyntax-only -x c -std=c11 -D_GNU_SOURCE -DRIDGE_SOURCE_DIR=\"\" -Wall -Wextra -Wno-unused -Werror -Iengine -Iengine/include -I. -Itests"
vectors="-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c"

# What headers need beyond the flags of every target: the bodies of kernels are compiled once per level, which names functions and sets registers.
special() {
    case $1 in
    engine/kernels/*_simd.h | engine/kernels/simd.h) echo "$vectors -DISA_FN(n)=n##__x" ;;
    engine/kernels/tile_body.h) echo "-DISA_FN(n)=n##__x -DRG_TILES_EMULATED" ;;
    engine/kernels/quant_body.h) echo "-DISA_FN(n)=n##__x" ;;
    engine/kernels/isa_avx2.h) echo "-mavx2 -mfma -mf16c" ;;
    engine/kernels/isa_avx512.h) echo "$vectors" ;;
    esac
}

folders=
for d in engine weights roofline report tools tests benchmarks; do [ ! -d "$d" ] || folders="$folders $d"; done
# shellcheck disable=SC2086
headers=$(find $folders -name '*.h' ! -path '*/build/*' | sort)
plain=
failed=0
for h in $headers; do
    extra=$(special "$h")
    if [ -z "$extra" ]; then
        plain="$plain $h"
    elif [ "$(uname -m)" = x86_64 ]; then
        # shellcheck disable=SC2086
        $cc $flags $extra "$h" || failed=1
    fi
done
# shellcheck disable=SC2086
printf '%s\n' $plain | xargs -n 16 -P "$(nproc)" $cc $flags || failed=1
# a header that needs another one must be found
broken=$(mktemp --suffix=.h)
trap 'rm -f "$broken"' EXIT
echo 'int64_t x(void);' >"$broken"
# shellcheck disable=SC2086
if $cc $flags "$broken" 2>/dev/null; then
    echo "headers.sh: $cc takes a header that lacks its includes"
    failed=1
fi
exit $failed
