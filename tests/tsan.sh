#!/bin/sh
# The stress of threads under the thread sanitizer: sh tests/tsan.sh
# It needs RUSTC_BOOTSTRAP, which it sets. The standard library is not instrumented, so that its own locks are not
# understood; the engine uses those of parking_lot. Reports that lie in it alone are suppressed (tsan.txt).
# WISEN_SLOW makes what is built for the second test a tenth of its size: the sanitizer makes it ten times slower.
set -eu
cd "$(dirname "$0")/.."
triple=$(rustc -vV | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1 WISEN_SLOW=1
export RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer"
export TSAN_OPTIONS="suppressions=$PWD/tests/tsan.txt halt_on_error=0 exitcode=66 ${TSAN_OPTIONS:-}"
cargo test -p wisen-tests --locked --target "$triple" --target-dir target/tsan --test concurrency -- \
    threads_write_read_and_seal_at_once recalls_go_on_while_sealing --test-threads 1 --nocapture
