"""Wisen and other vector indexes on one data set, in one process: recall against queries a second.

    python peers.py [DIR ...] [--dim N] [--metric cosine|l2] [--engines a,b,...] [--rounds N]
                    [--reports N] [--clock cpu|wall] [--csv FILE] [--svg FILE] [--also NAME=FOLDER ...]

DIR holds base.f32, query.f32 and, if known, gt.i32 (rows of little-endian numbers, no header; each
row of gt.i32 has the exact neighbours of a query, nearest first, ten or more). Without DIR the
slice in datasets/ann is used, which is too small to say much about speed. Several folders have to
hold the same base.f32: the indexes are built once and asked the queries of each. Under "cosine" the rows
are scaled to length 1 first, and the peers search by inner product.

Method:
- Every peer is built with M=16 (32 links a node at the bottom) and ef_construction=200, with two
  threads. What is timed is the insertion of all vectors; for Wisen the sealing (building, writing,
  syncing and checking the segment file), with the time to store the memories told apart.
- Queries are asked one at a time by one thread, through each project's own Python package, with the
  call its users make. For Wisen that is `store.recall(vector, k=10, receipt=False, width=W)` on a
  store on disk; the clock includes reading the ids off its hits. "wisen full" also issues receipts
  and loads contents. "wisen full, N reports" does so on a store that has been told as many outcomes: each on a
  memory, in a situation about half its length away from it, 7 in 10 a success. Its recalls then search what was
  experienced too and rank by both, so its ten best are not the ten most similar: it is asked at the widths of
  "wisen", and what is printed as its recall is the share of the most similar that are still among its hits.
- The even queries choose each engine's width: the smallest that reaches the recall asked for on
  them. What is printed was measured on the odd queries only: recall and speed at that width.
- Passes over the odd queries are interleaved: each round asks every engine once, at every width,
  beginning with another one. The figure is the median of the rounds; the best is in the CSV too.
- The clock is the processor time of the whole process ("--clock cpu"), which other programs on the
  machine disturb little; while one thread asks, it is the time that passes on a quiet machine. A
  query is charged whatever it makes other threads do. "--clock wall": the time that passes.
- Recall@10 is the share of the ten exact neighbours found. The exact neighbours are computed here
  or, if they come from gt.i32, checked here on a few queries.

Absolute figures depend on machine and hour; ratios within one run are what can be compared.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import importlib
import json
import math
import os
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import numpy as np

K = 10
M = 16
EF_CONSTRUCTION = 200
BUILD_THREADS = 2
TARGETS = (0.90, 0.95, 0.99)
LADDER = (10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 448)
WIDEST = 1024

Ask = Callable[[Any], Any]


@dataclass
class Data:
    """Vectors, queries and the exact answers."""

    name: str
    base: np.ndarray
    queries: np.ndarray
    exact: np.ndarray
    metric: str

    @property
    def is_ip(self) -> bool:
        return self.metric == "cosine"


@dataclass
class Engine:
    """A built index: `at(width)` gives the call that answers one query with row numbers."""

    version: str
    build_s: tuple[float, float]
    at: Callable[[int], Ask]
    note: str = "in memory only"
    narrowest: int = K
    # The engine whose widths it is asked at; empty: it has its own.
    widths_of: str = ""
    curve: list[tuple[int, float, float, float]] = field(default_factory=list)
    targets: dict[float, tuple[int, float, float, float]] = field(default_factory=dict)


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds that passed, and seconds of the processor over all threads."""
    begun, processor_begun = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begun, time.process_time() - processor_begun


# Engines


def hnswlib_(data: Data) -> Engine:
    import hnswlib

    n, dim = data.base.shape
    index = hnswlib.Index(space="ip" if data.is_ip else "l2", dim=dim)
    index.init_index(n, M=M, ef_construction=EF_CONSTRUCTION)
    build = timed(lambda: index.add_items(data.base, num_threads=BUILD_THREADS))
    index.set_num_threads(1)

    def at(width: int) -> Ask:
        index.set_ef(width)
        return lambda q: index.knn_query(q, k=K, num_threads=1)[0][0]

    return Engine(metadata.version("hnswlib"), build, at)


def usearch_(kind: str) -> Callable[[Data], Engine]:
    def make(data: Data) -> Engine:
        from usearch.index import Index

        n, dim = data.base.shape
        index = Index(
            ndim=dim,
            metric="ip" if data.is_ip else "l2sq",
            dtype=kind,
            connectivity=M,
            expansion_add=EF_CONSTRUCTION,
        )
        build = timed(lambda: index.add(np.arange(n), data.base, threads=BUILD_THREADS))

        def at(width: int) -> Ask:
            index.expansion_search = width
            return lambda q: index.search(q, K, threads=1).keys

        return Engine(metadata.version("usearch"), build, at)

    return make


def faiss_(data: Data) -> Engine:
    import faiss

    metric = faiss.METRIC_INNER_PRODUCT if data.is_ip else faiss.METRIC_L2
    index = faiss.IndexHNSWFlat(data.base.shape[1], M, metric)
    index.hnsw.efConstruction = EF_CONSTRUCTION
    faiss.omp_set_num_threads(BUILD_THREADS)
    build = timed(lambda: index.add(data.base))
    faiss.omp_set_num_threads(1)

    def at(width: int) -> Ask:
        index.hnsw.efSearch = width
        return lambda q: index.search(q[None], K)[1][0]

    return Engine(metadata.version("faiss-cpu"), build, at)


def svs_(kind: str) -> Callable[[Data], Engine]:
    """Intel's Vamana; its degree is that of the others' bottom layer. "lvq8": 8-bit codes of its own."""

    def make(data: Data) -> Engine:
        import svs

        if kind == "lvq8" and "GenuineIntel" not in pathlib.Path("/proc/cpuinfo").read_text():
            raise RuntimeError("on other processors than Intel's the package ends the process")
        parameters = svs.VamanaBuildParameters(
            graph_max_degree=2 * M, window_size=EF_CONSTRUCTION, alpha=0.95 if data.is_ip else 1.2
        )
        distance = svs.DistanceType.MIP if data.is_ip else svs.DistanceType.L2
        with tempfile.TemporaryDirectory() as folder:
            if kind == "lvq8":
                file = os.path.join(folder, "base.fvecs")
                svs.write_vecs(data.base, file)
                loader = svs.VectorDataLoader(file, svs.DataType.float32, dims=data.base.shape[1])
                source = svs.LVQLoader(loader, primary=8, residual=0)
            else:
                source = data.base.astype(kind)
            made: list[Any] = []
            build = timed(
                lambda: made.append(svs.Vamana.build(parameters, source, distance, num_threads=BUILD_THREADS))
            )
        index = made[0]
        index.num_threads = 1

        def at(width: int) -> Ask:
            index.search_window_size = width
            return lambda q: index.search(q[None], K)[0][0]

        return Engine(metadata.version("scalable-vs"), build, at)

    return make


def vsag_(data: Data) -> Engine:
    """Its build takes no number of threads; it uses its own."""
    import pyvsag

    n, dim = data.base.shape
    index = pyvsag.Index(
        "hgraph",
        json.dumps(
            {
                "dtype": "float32",
                "metric_type": "ip" if data.is_ip else "l2",
                "dim": dim,
                "index_param": {
                    "base_quantization_type": "sq8",
                    "precise_quantization_type": "fp32",
                    "use_reorder": True,
                    "max_degree": 2 * M,
                    "ef_construction": EF_CONSTRUCTION,
                },
            }
        ),
    )
    ids = np.arange(n, dtype=np.int64)
    build = timed(lambda: index.build(vectors=data.base, ids=ids, num_elements=n, dim=dim))

    def at(width: int) -> Ask:
        how = json.dumps({"hgraph": {"ef_search": width}})
        return lambda q: index.knn_search(vector=q, k=K, parameters=how)[0]

    return Engine(metadata.version("pyvsag"), build, at)


def wisen_engines(
    data: Data, keep: list[Any], reports: int, name: str = "wisen", folder: str | None = None
) -> dict[str, Engine]:
    """Recalls that only ask, and full ones, on one store; and full ones on another one that has heard reports.
    `folder`: where the package is, if not installed."""
    for module in [module for module in sys.modules if module.split(".")[0] == "wisen"]:
        del sys.modules[module]
    if folder:
        sys.path.insert(0, folder)
    wisen = importlib.import_module("wisen")
    if folder:
        sys.path.remove(folder)
    n, dim = data.base.shape
    version = metadata.version("wisen") if not folder else folder

    def fill() -> tuple[Any, dict[int, int], tuple[float, float], tuple[float, float]]:
        where = tempfile.TemporaryDirectory()
        # It is sealed once, when all is there, as the peers are built once.
        store = wisen.open(
            os.path.join(where.name, "store"), dim, metric=data.metric, threads=BUILD_THREADS, seal_at=n + 1
        )
        keep.append((store, where))
        row_of: dict[int, int] = {}

        def remember() -> None:
            step = 10_000
            for at in range(0, n, step):
                rows = range(at, min(at + step, n))
                ids = store.remember_many([f"memory {row}" for row in rows], data.base[at : at + step])
                row_of.update(zip(ids, rows, strict=True))

        stored = timed(remember)
        return store, row_of, stored, timed(store.seal)

    def engine(filled: Any, note: str, **how: bool) -> Engine:
        store, row_of, _, build = filled
        recall = store.recall

        def at(width: int) -> Ask:
            ask = lambda q: [hit.id for hit in recall(q, k=K, width=width, **how)]  # noqa: E731
            # Ids become rows outside the clock, see `shares`.
            ask.row_of = row_of  # type: ignore[attr-defined]
            return ask

        # As narrow as k, a search ends within the error of its codes and is made again, wider: recall then
        # is that of a width of 40.
        return Engine(version, build, at, note, K + 2)

    filled = fill()
    note = f"on disk, durability normal; storing {n} memories took {filled[2][0]:.1f} s"
    full = {"receipt": True, "content": True}
    engines = {name: engine(filled, note, receipt=False), f"{name} full": engine(filled, note, **full)}
    if reports:
        filled = fill()
        took = timed(lambda: report(filled[0], filled[1], data, reports))
        engines[f"{name} full, {reports:,} reports"] = told = engine(
            filled, f"{note}; reporting and sealing took {took[0]:.1f} s", **full
        )
        told.widths_of = name
    return engines


def report(store: Any, row_of: dict[int, int], data: Data, reports: int) -> None:
    """Reports on memories drawn at random, each made near the memory; sealed in the end."""
    random = np.random.default_rng(5)
    ids = np.array(list(row_of))
    rows = np.array(list(row_of.values()))
    for at in range(0, reports, 2000):
        which = random.integers(0, len(ids), min(2000, reports - at))
        near = data.base[rows[which]]
        noise = random.standard_normal(near.shape)
        lengths = np.linalg.norm(near, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1, keepdims=True)
        near = (near + 0.5 * noise * lengths).astype(np.float32)
        store.report_many(ids[which].tolist(), (random.random(len(which)) < 0.7).tolist(), situation=list(near))
    store.seal()


ENGINES: dict[str, Callable[[Data], Engine]] = {
    "svs lvq8": svs_("lvq8"),
    "svs f32": svs_("float32"),
    "svs f16": svs_("float16"),
    "hnswlib": hnswlib_,
    "faiss": faiss_,
    "vsag sq8": vsag_,
    "usearch i8": usearch_("i8"),
    "usearch f16": usearch_("f16"),
}


# Measuring


def shares(ask: Ask, answers: list[Any], exact: np.ndarray) -> float:
    """Recall@10 of the answers to these queries."""
    row_of = getattr(ask, "row_of", None)
    found = 0
    for ids, truth in zip(answers, exact, strict=True):
        rows = {row_of[i] if row_of else int(i) for i in list(ids)[:K]}
        found += len(rows & set(truth[:K].tolist()))
    return found / (K * len(answers))


def recall_at(engine: Engine, width: int, queries: list[Any], exact: np.ndarray) -> float:
    ask = engine.at(width)
    return shares(ask, [ask(q) for q in queries], exact)


def smallest_width(engine: Engine, target: float, queries: list[Any], exact: np.ndarray) -> int | None:
    """The smallest width that reaches the target, by bisection: recall rises with the width."""
    low = high = engine.narrowest
    while recall_at(engine, high, queries, exact) < target:
        low, high = high + 1, high * 2
        if high > WIDEST:
            return None
    while low < high:
        middle = (low + high) // 2
        if recall_at(engine, middle, queries, exact) < target:
            low = middle + 1
        else:
            high = middle
    return high


def interleaved(
    jobs: list[tuple[str, Engine, int]],
    queries: list[Any],
    exact: np.ndarray,
    rounds: int,
    clock: Callable[[], float],
) -> list[tuple[float, float, float]]:
    """For each job (engine at a width): recall, median and best queries a second."""
    seconds: list[list[float]] = [[] for _ in jobs]
    recalls = [0.0] * len(jobs)
    for turn in range(rounds + 1):
        for place in range(len(jobs)):
            job = (place + turn * 7) % len(jobs)
            _, engine, width = jobs[job]
            ask = engine.at(width)
            begun = clock()
            answers = [ask(q) for q in queries]
            took = clock() - begun
            if turn == 0:  # warms up, and counts
                recalls[job] = shares(ask, answers, exact)
            else:
                seconds[job].append(took)
    n = len(queries)
    return [
        (recall, n / statistics.median(times), n / min(times))
        for recall, times in zip(recalls, seconds, strict=True)
    ]


# Data


def exact_neighbours(base: np.ndarray, queries: np.ndarray, is_ip: bool) -> np.ndarray:
    nearest = []
    for q in queries.astype(np.float64):
        if is_ip:
            away = -(base @ q.astype(np.float32)).astype(np.float64)
        else:
            away = ((base - q.astype(np.float32)) ** 2).sum(1, dtype=np.float64)
        nearest.append(np.argsort(away, kind="stable")[:K])
    return np.array(nearest)


def load(folder: str | None, dim: int, metric: str) -> Data:
    exact = None
    if folder:
        place = pathlib.Path(folder)
        base = np.fromfile(place / "base.f32", "<f4").reshape(-1, dim)
        queries = np.fromfile(place / "query.f32", "<f4").reshape(-1, dim)
        if (place / "gt.i32").exists():
            exact = np.fromfile(place / "gt.i32", "<i4").reshape(len(queries), -1)
        name = place.name
    else:
        place = pathlib.Path(__file__).resolve().parents[2] / "datasets" / "ann"
        base = np.load(place / "base.npy").astype(np.float32)
        queries = np.load(place / "query_id.npy").astype(np.float32)
        name = "datasets/ann"
    is_ip = metric == "cosine"
    if is_ip:
        base = base / np.linalg.norm(base, axis=1, keepdims=True)
        queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    if exact is None:
        exact = exact_neighbours(base, queries, is_ip)
    else:
        here = exact_neighbours(base, queries[:20], is_ip)
        agree = np.mean([len(set(a[:K]) & set(b[:K])) / K for a, b in zip(exact[:20], here, strict=True)])
        if agree < 0.99:
            sys.exit(f"gt.i32 does not hold the nearest neighbours under {metric}: {agree:.2f} agree")
    return Data(name, np.ascontiguousarray(base), np.ascontiguousarray(queries), exact, metric)


# Reporting


def seconds(engine: Engine) -> str:
    return f"{engine.build_s[0]:.1f} ({engine.build_s[1]:.1f})"


def processor() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown processor"
    facts = {}
    for line in lines:
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    vnni = ", AVX-512 VNNI" if "avx512_vnni" in facts.get("flags", "") else ""
    model = f"family {facts.get('cpu family', '?')} model {facts.get('model', '?')}"
    return f"{facts.get('model name', '?')} ({model}{vnni}), {os.cpu_count()} cores"


def write_csv(
    file: str, data: Data, engines: dict[str, Engine], today: str, clock: str, more: bool
) -> None:
    n, dim = data.base.shape
    with open(file, "a" if more else "w", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        header = (
            "date processor clock data n d metric engine version build_s build_cpu_s point width recall_at_10 qps_median qps_best"
        )
        if not more:
            rows.writerow(header.split())
        for name, e in engines.items():
            start = [today, processor(), clock, data.name, n, dim, data.metric, name, e.version]
            start += [f"{seconds:.1f}" for seconds in e.build_s]
            for width, recall, median, best in e.curve:
                rows.writerow([*start, "curve", width, f"{recall:.4f}", f"{median:.0f}", f"{best:.0f}"])
            for target, (width, recall, median, best) in e.targets.items():
                rows.writerow(
                    [*start, f"target {target}", width, f"{recall:.4f}", f"{median:.0f}", f"{best:.0f}"]
                )


COLOURS = ("#d62728", "#e8a33d", "#1f77b4", "#2ca02c", "#9467bd", "#8c564b", "#17becf", "#7f7f7f")


def write_svg(file: str, data: Data, engines: dict[str, Engine], today: str, clock: str) -> None:
    """Recall to the right (denser towards 1), queries a second upwards on a logarithmic scale."""
    width, height, left, bottom, top, right = 760, 460, 70, 60, 56, 150
    x_of = lambda r: -math.log10(1.0005 - min(r, 1.0))  # noqa: E731
    ticks = (0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0)
    x_low, x_high = x_of(0.8), x_of(1.0)
    points = [(r, q) for e in engines.values() for _, r, q, _ in e.curve if r >= 0.8]
    if not points:
        return
    y_low = math.log10(min(q for _, q in points)) - 0.05
    y_high = math.log10(max(q for _, q in points)) + 0.05
    x = lambda r: left + (x_of(r) - x_low) / (x_high - x_low) * (width - left - right)  # noqa: E731
    y = lambda q: height - bottom - (math.log10(q) - y_low) / (y_high - y_low) * (height - bottom - top)  # noqa: E731
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{left}" y="20" font-size="14">Queries a second against recall@10: {data.name}, '
        f"{data.base.shape[0]:,} x {data.base.shape[1]}, {data.metric}</text>",
        f'<text x="{left}" y="38" fill="#555">one query at a time, one thread, through the Python packages, '
        f"{clock} time</text>",
        f'<text x="{left}" y="{height - 6}" fill="#555">{processor()}; {today}</text>',
    ]
    for r in ticks:
        out.append(
            f'<path d="M{x(r):.1f} {top}V{height - bottom}" stroke="#ddd"/>'
            f'<text x="{x(r):.1f}" y="{height - bottom + 16}" text-anchor="middle">{r:g}</text>'
        )
    for power in range(math.floor(y_low), math.ceil(y_high) + 1):
        for lead in (1, 2, 5):
            q = lead * 10**power
            if y_low <= math.log10(q) <= y_high:
                out.append(
                    f'<path d="M{left} {y(q):.1f}H{width - right}" stroke="#ddd"/>'
                    f'<text x="{left - 6}" y="{y(q) + 4:.1f}" text-anchor="end">{q:,}</text>'
                )
    for i, (name, e) in enumerate(engines.items()):
        colour = COLOURS[i % len(COLOURS)]
        line = [(x(r), y(q)) for _, r, q, _ in e.curve if r >= 0.8]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in line)
        dash = ' stroke-dasharray="5 3"' if "full" in name else ""
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        out += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="2.5" fill="{colour}"/>' for px, py in line]
        at = top + 14 + i * 18
        out.append(
            f'<path d="M{width - right + 12} {at - 4}h22" stroke="{colour}" stroke-width="2"{dash}/>'
            f'<text x="{width - right + 40}" y="{at}">{name}</text>'
        )
    out.append(f'<text x="{(left + width - right) / 2}" y="{height - 22}" text-anchor="middle">recall@10</text></svg>')
    pathlib.Path(file).write_text("\n".join(out) + "\n")


def measure(data: Data, engines: dict[str, Engine], rounds: int, clock: Callable[[], float]) -> None:
    """Fills in the targets and curves of the engines."""
    choosing, asked = list(data.queries[::2]), list(data.queries[1::2])
    exact_choosing, exact_asked = data.exact[::2], data.exact[1::2]
    for e in engines.values():
        e.curve, e.targets = [], {}
    jobs, places = [], []
    for name, e in engines.items():
        for target in TARGETS:
            width = smallest_width(engines.get(e.widths_of, e), target, choosing, exact_choosing)
            if width is not None:
                jobs.append((name, e, width))
                places.append((e, target))
    for (e, target), (_, _, width), found in zip(
        places, jobs, interleaved(jobs, asked, exact_asked, rounds, clock), strict=True
    ):
        e.targets[target] = (width, *found)
    jobs = [(name, e, width) for name, e in engines.items() for width in LADDER if width >= e.narrowest]
    for (_, e, width), found in zip(
        jobs, interleaved(jobs, asked, exact_asked, max(3, rounds // 3), clock), strict=True
    ):
        e.curve.append((width, *found))


def print_figures(data: Data, engines: dict[str, Engine]) -> None:
    print(f"\n{data.name}, {len(data.queries)} queries; curve: recall@10@queries/s")
    for name, e in engines.items():
        print(f"{name:28s}", " ".join(f"{recall:.3f}@{qps:.0f}" for _, recall, qps, _ in e.curve))
    head = "".join(f"   {f'queries/s at {t:.2f} (width, recall)':>38s}" for t in TARGETS)
    print(f"\n{'engine':28s} {'build s (cpu)':>14s}{head}")
    for name, e in engines.items():
        cells = ""
        for target in TARGETS:
            if target in e.targets:
                width, recall, qps, _ = e.targets[target]
                cells += f"   {f'{qps:,.0f} ({width}, {recall:.3f})':>38s}"
            else:
                cells += f"   {'never':>38s}"
        print(f"{name:28s} {seconds(e):>14s}{cells}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="*", metavar="DIR")
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--metric", choices=("cosine", "l2"), default="cosine")
    parser.add_argument("--engines", help="comma-separated: wisen, " + ", ".join(ENGINES))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--reports", type=int, default=100_000, help="in the store of full recalls [100000]; 0: none")
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu")
    parser.add_argument("--csv", metavar="FILE")
    parser.add_argument("--svg", metavar="FILE", help="a %% in it becomes the name of the folder")
    parser.add_argument(
        "--also", action="append", default=[], metavar="NAME=FOLDER", help="another build of wisen, unpacked"
    )
    args = parser.parse_args()

    sets = [load(folder, args.dim, args.metric) for folder in args.data or [None]]
    data = sets[0]
    if any(not np.array_equal(other.base, data.base) for other in sets):
        sys.exit("the folders hold different vectors")
    n, dim = data.base.shape
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    print(f"{n} vectors, d={dim}, {data.metric}; {processor()}; {today}")
    print(f"M={M}, ef_construction={EF_CONSTRUCTION}, {BUILD_THREADS} build threads, 1 query thread, k={K}")

    wanted = args.engines.split(",") if args.engines else ["wisen", *ENGINES]
    engines: dict[str, Engine] = {}
    keep: list[Any] = []
    for name in wanted:
        try:
            if name == "wisen":
                engines.update(wisen_engines(data, keep, args.reports))
            else:
                engines[name] = ENGINES[name](data)
        except (ImportError, RuntimeError, ValueError, AttributeError) as error:
            print(f"left out: {name}: {error!r}"[:200])
            continue
        print(f"built {name}: {seconds(engines[name])} ({engines[name].note})", flush=True)
    for other in args.also:
        name, _, folder = other.partition("=")
        engines.update(wisen_engines(data, keep, args.reports, name, folder))
        print(f"built {name}: {seconds(engines[name])}", flush=True)

    clock = time.process_time if args.clock == "cpu" else time.perf_counter
    for data in sets:
        measure(data, engines, args.rounds, clock)
        print_figures(data, engines)
        if args.csv:
            write_csv(args.csv, data, engines, today, args.clock, data is not sets[0])
        if args.svg:
            write_svg(args.svg.replace("%", data.name.replace("/", "-")), data, engines, today, args.clock)
    for store, where in keep:
        store.close()
        where.cleanup()


if __name__ == "__main__":
    main()
