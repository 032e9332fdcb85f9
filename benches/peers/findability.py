"""Can everything that was stored be found? Wisen and other vector indexes on the data that breaks them.

    python findability.py [--points N] [--clustered N] [--metrics l2,cosine] [--engines a,b,...]
                          [--cases TEXT] [--seed N] [--threads N]

Every engine is built with M=16 and ef_construction=200 from the same rows in the same order, then asked
for the nearest one (k=1) of every row, at its own default width. A row is *found* if what comes back is at
no distance from it: under "l2" the same numbers, under "cosine" the same direction within what
a 32-bit inner product can tell (1 - cos <= 2.4e-7). Whoever owns an equal row counts.

*Unreachable* are rows that no width finds: for Wisen what `verify()` counts from its entry point; for the
others the rows that one search for all rows, with as much width, does not return.

Wisen's graphs are forced (scan_below=0): by default it would scan what has fewer than 1,024 different vectors.

Prints one table, one line a case: rows found, and how many are unreachable. Ends with 1 if Wisen misses a row or
cannot reach one.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import metadata

import numpy as np
from peers import BUILD_THREADS, EF_CONSTRUCTION, M, processor

DIMENSIONS = (1, 2, 3, 4, 8, 15, 16, 17, 31, 64, 100, 384, 768, 1536, 4096)
# What a 32-bit inner product of unit vectors cannot tell from 1: two steps of its last bit, and a little.
SAME_DIRECTION = 2.4e-7

Rows = np.ndarray
# Rows found by themselves, and the number of rows that cannot be reached.
Result = tuple[np.ndarray, int]


# Data


def cases(points: int, clustered: int, seed: int) -> Iterator[tuple[str, Callable[[], Rows]]]:
    """Names of the cases, and what makes their rows."""

    def rng() -> np.random.Generator:
        return np.random.default_rng(seed)

    def normal(n: int, dim: int) -> Rows:
        return rng().standard_normal((n, dim)).astype(np.float32)

    def bursts(n: int, dim: int, spread: float, each: int = 100) -> Rows:
        centres = normal(-(-n // each), dim)
        noise = np.random.default_rng(seed + 1).standard_normal((n, dim))
        return (centres[np.arange(n) // each] + spread * noise).astype(np.float32)

    def clusters() -> Rows:
        dim, many = 64, 600
        centres = normal(many, dim)
        other = np.random.default_rng(seed + 1)
        return (
            centres[other.integers(0, many, clustered)] + 0.1 * other.standard_normal((clustered, dim))
        ).astype(np.float32)

    line = np.linspace(1, 2, points)[:, None]
    for dim in (32, 384):
        for spread in (0.1, 0.01, 0.001):
            yield f"bursts of 100, spread {spread}, in order, d={dim}", lambda s=spread, d=dim: bursts(points, d, s)
    yield "each vector 20 times, grouped, d=32", lambda: np.repeat(normal(points // 20, 32), 20, axis=0)
    yield "each vector 20 times, interleaved, d=32", lambda: np.tile(normal(points // 20, 32), (20, 1))
    yield "one vector many times, d=32", lambda: np.repeat(normal(1, 32), points, axis=0)
    yield "sorted along a coordinate, d=8", lambda: normal(points, 8)[np.argsort(normal(points, 8)[:, 0])]
    yield "sorted by cluster, d=32", lambda: bursts(points, 32, 0.3, 50)
    yield "on a line, in order, d=32", lambda: (line * normal(1, 32) + normal(2, 32)[1]).astype(np.float32)
    yield "multiples of one vector, d=32", lambda: (line * normal(1, 32)).astype(np.float32)
    yield "two points, d=32", lambda: normal(2, 32)
    yield "one point, d=32", lambda: normal(1, 32)
    for dim in DIMENSIONS:
        yield f"scattered, d={dim}", lambda d=dim: normal(min(points, max(1200, 6_000_000 // d)), d)
    yield f"{clustered} in 600 clusters, d=64", clusters


# Engines: the row that each row finds, and how many rows cannot be reached


def wisen_(rows: Rows, metric: str, threads: int) -> tuple[np.ndarray, int]:
    import wisen

    with tempfile.TemporaryDirectory() as folder:
        store = wisen.open(
            os.path.join(folder, "store"),
            rows.shape[1],
            metric=metric,
            threads=threads,
            seal_at=len(rows) + 1,
            scan_below=0,
        )
        ids = store.remember_many(["x"] * len(rows), rows)
        store.seal()
        row_of = {i: row for row, i in enumerate(ids)}
        found = np.array([row_of[store.recall(q, k=1, receipt=False)[0].id] for q in rows])
        verified = store.verify()
        store.close()
    if verified.faults:
        sys.exit(f"verify: {verified.faults}")
    return found, verified.unreachable


def hnswlib_(rows: Rows, metric: str, threads: int) -> tuple[np.ndarray, int]:
    import hnswlib

    n, dim = rows.shape
    index = hnswlib.Index(space="ip" if metric == "cosine" else "l2", dim=dim)
    index.init_index(n, M=M, ef_construction=EF_CONSTRUCTION)
    index.add_items(rows, num_threads=threads)
    found = index.knn_query(rows, k=1, num_threads=threads)[0][:, 0]
    # It raises if it finds fewer than asked for: the largest number it does not raise at.
    index.set_ef(n)
    low, high = 1, n + 1
    many = n
    while high - low > 1:
        try:
            index.knn_query(rows[:1], k=many, num_threads=1)
            low = many
        except RuntimeError:
            high = many
        many = (low + high) // 2
    return found.astype(np.int64), n - low


def usearch_(rows: Rows, metric: str, threads: int) -> tuple[np.ndarray, int]:
    from usearch.index import Index

    n, dim = rows.shape
    index = Index(
        ndim=dim,
        metric="ip" if metric == "cosine" else "l2sq",
        dtype="f32",
        connectivity=M,
        expansion_add=EF_CONSTRUCTION,
    )
    index.add(np.arange(n), rows, threads=threads)
    answers = [index.search(q, 1, threads=1).keys for q in rows]
    found = np.array([keys[0] if len(keys) else -1 for keys in answers]).astype(np.int64)
    index.expansion_search = n
    reached = np.unique(index.search(rows[0], n, threads=1).keys)
    return found, n - len(reached)


def faiss_(rows: Rows, metric: str, threads: int) -> tuple[np.ndarray, int]:
    import faiss

    n, dim = rows.shape
    kind = faiss.METRIC_INNER_PRODUCT if metric == "cosine" else faiss.METRIC_L2
    index = faiss.IndexHNSWFlat(dim, M, kind)
    index.hnsw.efConstruction = EF_CONSTRUCTION
    faiss.omp_set_num_threads(threads)
    index.add(rows)
    found = index.search(rows, 1)[1][:, 0]
    index.hnsw.efSearch = n
    # Or it stops at as many nodes better than the query's own as the width: all of them are wanted.
    reached = index.search(rows[:1], n)[1][0]
    return found, n - len(np.unique(reached[reached >= 0]))


ENGINES = {"wisen": wisen_, "hnswlib": hnswlib_, "usearch": usearch_, "faiss": faiss_}
PACKAGES = {"faiss": "faiss-cpu"}


def is_same(rows: Rows, found: np.ndarray, metric: str) -> np.ndarray:
    """Whether each row found itself, or a row at no distance from it."""
    there = found >= 0
    other = rows[np.where(there, found, 0)]
    if metric == "l2":
        return there & (rows == other).all(1)
    cos = np.einsum("ij,ij->i", rows, other, dtype=np.float64)
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1) * np.linalg.norm(other.astype(np.float64), axis=1)
    return there & (1 - cos / lengths <= SAME_DIRECTION)


def share(good: int, of: int) -> str:
    """As a percentage that says 100 of all, and of nothing else."""
    if good == of:
        return "100 %"
    percent = 100 * good / of
    return f"{min(percent, 99.99):.2f} %"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=5000, help="rows of a case [5000]")
    parser.add_argument("--clustered", type=int, default=60_000, help="rows of the large case [60000]")
    parser.add_argument("--metrics", default="l2,cosine")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--cases", default="", help="only those whose name has this in it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=BUILD_THREADS, help="that build [2]")
    args = parser.parse_args()

    engines = args.engines.split(",")
    versions = ", ".join(f"{name} {metadata.version(PACKAGES.get(name, name))}" for name in engines)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    begun = time.perf_counter()
    print(f"{today}. {processor()}. {versions}.")
    print(f"M = {M}, ef_construction = {EF_CONSTRUCTION}, {args.threads} build threads, seed {args.seed}; ", end="")
    print("each row asked for at k = 1 and the default width of the engine.\n")
    print("| case | rows | metric | " + " | ".join(f"{name}: found, unreachable" for name in engines) + " |")
    print("|---" * (3 + len(engines)) + "|")
    lost = 0
    worst: dict[str, float] = dict.fromkeys(engines, 1.0)
    stranded: dict[str, int] = dict.fromkeys(engines, 0)
    for metric in args.metrics.split(","):
        for name, make in cases(args.points, args.clustered, args.seed):
            if args.cases not in name:
                continue
            rows = make()
            if metric == "cosine":
                rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            rows = np.ascontiguousarray(rows, dtype=np.float32)
            cells = []
            for engine in engines:
                found, unreachable = ENGINES[engine](rows, metric, args.threads)
                good = int(is_same(rows, found, metric).sum())
                worst[engine] = min(worst[engine], good / len(rows))
                stranded[engine] += unreachable
                if engine == "wisen":
                    lost += len(rows) - good + unreachable
                cells.append(f"{share(good, len(rows))}, {unreachable}")
            print(f"| {name} | {len(rows)} | {metric} | " + " | ".join(cells) + " |", flush=True)
    ends = (f"{100 * worst[e]:.2f} %, {stranded[e]}" for e in engines)
    print("| **worst case, unreachable in all** | | | " + " | ".join(ends) + " |")
    print(f"\n{time.perf_counter() - begun:.0f} s in all.")
    if lost:
        sys.exit(f"wisen: {lost} rows missed or out of reach")


if __name__ == "__main__":
    main()
