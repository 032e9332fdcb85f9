#!/bin/sh
# Fuzzes for so many seconds per target, guided by coverage: sh tests/fuzz/run.sh SECONDS [TARGET...]
# With WISEN_ASAN=1 under the address sanitizer (needs RUSTC_BOOTSTRAP, which it sets). Inputs that were found are kept in
# target/fuzz/corpus, and what went wrong in target/fuzz/wrong: run the target on such a file to repeat it.
set -eu
cd "$(dirname "$0")"
seconds=${1:?"seconds per target, as in: sh tests/fuzz/run.sh 60"}
shift
[ $# -gt 0 ] || set -- segment calls import rules
out=$(cd ../.. && pwd)/target/fuzz
triple=$(rustc -vV | sed -n 's/^host: //p')
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
flags="$flags -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
if [ "${WISEN_ASAN:-}" = 1 ]; then
    export RUSTC_BOOTSTRAP=1
    flags="$flags -Zsanitizer=address"
    out=$out/asan
fi
RUSTFLAGS="$flags" cargo build --release --target "$triple" --target-dir "$out" --bins
mkdir -p "$out/wrong"
for target in "$@"; do
    mkdir -p "$out/corpus/$target"
    case $target in
    calls) most=1024 ;;
    import) most=65536 ;;
    *) most=16384 ;;
    esac
    WISEN_FUZZ_SEED=$out/corpus/$target/seed "$out/$triple/release/$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len="$most" -len_control=10 -use_value_profile=1 \
        -artifact_prefix="$out/wrong/$target-" -print_final_stats=1 "$out/corpus/$target" 2>"$out/$target.log" || {
        tail -40 "$out/$target.log"
        exit 1
    }
    printf '%s: ' "$target"
    grep -E 'Done [0-9]+ runs' "$out/$target.log"
    grep -aE ' cov: ' "$out/$target.log" | tail -1
done
