#!/bin/sh
# Every test: Rust, C and Python. Needs Rust, a C compiler and Python 3.11 or later; fetches the rest.
set -eu
cd "$(dirname "$0")/.."

echo "== Rust and C"
cargo test --workspace --locked
echo "== Rust, with what is off by default"
cargo test -p wisen -p wisen-tests --features hnsw_rs --locked --test adopt
cargo test -p wisen -p wisen-tests --features hnsw_rs --locked --doc adopt

echo "== Python"
python=${PYTHON:-python3}
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
(cd python && ../.venv/bin/python -m pip install --quiet --disable-pip-version-check --group dev)
(
    # The profile of the tests above, so that the engine is not built once more.
    . .venv/bin/activate
    cd python
    maturin develop --quiet --locked
    pytest -q
)
