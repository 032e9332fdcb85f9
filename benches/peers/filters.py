"""Searches under a filter: Wisen, hnswlib and faiss on one data set, in one process.

    python filters.py [DIR] [--dim N] [--metric cosine|l2] [--shares 1,0.1,...] [--widths 64,256]
                      [--queries N] [--rounds N] [--engines a,b] [--clock cpu|wall] [--svg FILE]

DIR as for peers.py; without it, the slice in datasets/ann. All indexes are built with M=16 and
ef_construction=200 and asked one query at a time by one thread, k=10. A filter lets a share of the rows through:

- *independent*: rows drawn at random. The queries are those of DIR.
- *against the query*: for each of four directions (one query each), the rows least similar to it; it is asked
  by the queries most similar to it. What the filter lets through lies farthest from what is asked.

Each engine filters as its users would: Wisen by two declared fields of the metadata (a range), faiss by an
`IDSelectorBitmap`, hnswlib by a Python function. Wisen's width is its default; the others' are listed (its own
default and hnswlib's and faiss's differ too much to say anything). Wisen finds out what a filter lets through when it
is first used and keeps that in step: the first use is timed by itself ("first ms", the mean of the filters).

Recall@10 is against the exact nearest of the rows let through (ten, or all of them where there are fewer). "short"
counts the queries that got fewer answers than there are. Queries a second: the median of the rounds. An engine that
takes over 20 ms a query is asked fewer queries; recall is of those.

Ends with 1 if Wisen gives fewer answers than exist, or falls below a recall of 0.95.
"""

from __future__ import annotations

import argparse
import datetime
import math
import os
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
from peers import BUILD_THREADS, COLOURS, EF_CONSTRUCTION, K, M, Data, load, processor

SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001)
KINDS = ("independent", "against the query")
DIRECTIONS = 4
SLOW = 0.02
LOW_RECALL = 0.95

Ask = Callable[[np.ndarray], Any]


@dataclass
class Part:
    """Queries under one filter, which lets through the rows whose rank in `field` is below `most`."""

    field: str
    most: int
    allowed: np.ndarray
    queries: np.ndarray
    exact: list[set[int]]


@dataclass
class Point:
    kind: str
    share: float
    recall: float
    short: int
    queries: int
    qps: float
    first_ms: float


# The questions


def ranks(data: Data, many: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For each field: the rank of every row in it, and the queries to be asked under a filter on it."""
    n = len(data.base)
    random = np.random.default_rng(1)
    out = {"random": (random.permutation(n), data.queries[:many])}
    for i in range(DIRECTIONS):
        centre = data.queries[i * len(data.queries) // DIRECTIONS]
        if data.is_ip:
            near, asked = data.base @ centre, data.queries @ centre
        else:
            near, asked = -((data.base - centre) ** 2).sum(1), -((data.queries - centre) ** 2).sum(1)
        rank = np.empty(n, dtype=np.int64)
        rank[np.argsort(near, kind="stable")] = np.arange(n)
        nearest = np.argsort(-asked, kind="stable")[: many // DIRECTIONS]
        out[f"far{i}"] = (rank, data.queries[nearest])
    return out


def parts(data: Data, fields: dict[str, tuple[np.ndarray, np.ndarray]], kind: str, share: float) -> list[Part]:
    out = []
    for field, (rank, queries) in fields.items():
        if (field == "random") != (kind == KINDS[0]):
            continue
        most = max(1, round(share * len(rank)))
        allowed = np.flatnonzero(rank < most)
        base = data.base[allowed]
        exact = []
        for q in queries:
            away = -(base @ q) if data.is_ip else ((base - q) ** 2).sum(1)
            exact.append(set(allowed[np.argsort(away, kind="stable")[:K]].tolist()))
        out.append(Part(field, most, allowed, queries, exact))
    return out


# Engines: `bind(part, width)` gives the call that answers with rows


class Wisen:
    def __init__(self, data: Data, fields: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
        import wisen

        self.where = tempfile.TemporaryDirectory()
        n, dim = data.base.shape
        self.store = wisen.open(
            os.path.join(self.where.name, "store"), dim, metric=data.metric, threads=BUILD_THREADS, seal_at=n + 1
        )
        for field in fields:
            self.store.declare_field(field)
        self.row_of: dict[int, int] = {}
        for at in range(0, n, 10_000):
            rows = range(at, min(at + 10_000, n))
            facts = [{field: int(rank[row]) for field, (rank, _) in fields.items()} for row in rows]
            ids = self.store.remember_many(["x"] * len(rows), data.base[rows.start : rows.stop], metadata=facts)
            self.row_of.update(zip(ids, rows, strict=True))
        self.store.seal()

    def bind(self, part: Part, width: int) -> Ask:
        recall = self.store.recall
        only = {"field": {"name": part.field, "range": {"to": part.most - 1}}}
        return lambda q: [hit.id for hit in recall(q, k=K, receipt=False, filter=only, width=width)]

    def rows(self, ids: Any) -> list[int]:
        return [self.row_of[i] for i in ids]

    def close(self) -> None:
        self.store.close()
        self.where.cleanup()


class Hnswlib:
    def __init__(self, data: Data, _: Any) -> None:
        import hnswlib

        self.index = hnswlib.Index(space="ip" if data.is_ip else "l2", dim=data.base.shape[1])
        self.index.init_index(len(data.base), M=M, ef_construction=EF_CONSTRUCTION)
        self.index.add_items(data.base, num_threads=BUILD_THREADS)
        self.index.set_num_threads(1)

    def bind(self, part: Part, width: int) -> Ask:
        self.index.set_ef(width)
        allows = set(part.allowed.tolist()).__contains__
        k = min(K, len(part.allowed))

        def ask(q: np.ndarray) -> Any:
            try:
                return self.index.knn_query(q, k=k, num_threads=1, filter=allows)[0][0]
            except RuntimeError:  # fewer than k were found: it then gives none
                return []

        return ask

    def rows(self, ids: Any) -> list[int]:
        return [int(i) for i in ids]

    def close(self) -> None:
        pass


class Faiss:
    def __init__(self, data: Data, _: Any) -> None:
        import faiss

        self.faiss = faiss
        metric = faiss.METRIC_INNER_PRODUCT if data.is_ip else faiss.METRIC_L2
        self.index = faiss.IndexHNSWFlat(data.base.shape[1], M, metric)
        self.index.hnsw.efConstruction = EF_CONSTRUCTION
        faiss.omp_set_num_threads(BUILD_THREADS)
        self.index.add(data.base)
        faiss.omp_set_num_threads(1)

    def bind(self, part: Part, width: int) -> Ask:
        bits = np.zeros(self.index.ntotal, dtype=bool)
        bits[part.allowed] = True
        selector = self.faiss.IDSelectorBitmap(np.packbits(bits, bitorder="little"))
        how = self.faiss.SearchParametersHNSW(sel=selector, efSearch=width)
        return lambda q: self.index.search(q[None], K, params=how)[1][0]

    def rows(self, ids: Any) -> list[int]:
        return [int(i) for i in ids if i >= 0]

    def close(self) -> None:
        pass


ENGINES: dict[str, tuple[Any, str]] = {
    "wisen": (Wisen, "wisen"),
    "hnswlib": (Hnswlib, "hnswlib"),
    "faiss": (Faiss, "faiss-cpu"),
}


# Measuring


def ask_all(
    engine: Any, asked: list[Part], width: int, rounds: int, clock: Callable[[], float]
) -> tuple[float, int, int, float, float]:
    """Recall, short answers, queries asked, queries a second, milliseconds of the first use of a filter."""
    found = wanted = short = many = 0
    firsts = []
    asks: list[tuple[Ask, list[np.ndarray]]] = []
    for part in asked:
        ask = engine.bind(part, width)
        begun = time.perf_counter()
        ask(part.queries[0])
        firsts.append(1e3 * (time.perf_counter() - begun))
        begun = clock()
        ask(part.queries[0])
        slow = clock() - begun > SLOW
        queries = list(part.queries[: max(5, len(part.queries) // 20)] if slow else part.queries)
        for q, exact in zip(queries, part.exact, strict=False):
            rows = engine.rows(ask(q))
            if len(rows) != len(set(rows)) or not set(rows) <= set(part.allowed.tolist()):
                sys.exit(f"{type(engine).__name__} answers twice, or what the filter does not let through")
            found += len(exact & set(rows))
            wanted += len(exact)
            short += len(rows) < len(exact)
            many += 1
        asks.append((ask, queries))
    times = []
    for _ in range(rounds):
        took = 0.0
        for part, (_, queries) in zip(asked, asks, strict=True):
            ask = engine.bind(part, width)  # hnswlib's width is the index's, not the call's
            begun = clock()
            for q in queries:
                ask(q)
            took += clock() - begun
        times.append(took)
    return found / wanted, short, many, many / statistics.median(times), statistics.mean(firsts)


# Reporting


def panels(file: str, title: str, foot: str, curves: dict[str, list[Point]]) -> None:
    """Recall above, queries a second below, over the share let through."""
    width, height, left, right, top = 1000, 640, 70, 120, 58
    wide, high = (width - left - right - 60) / 2, 230
    points = [p for curve in curves.values() for p in curve]
    shares = sorted({p.share for p in points})
    low, up = math.log10(min(p.qps for p in points)) - 0.1, math.log10(max(p.qps for p in points)) + 0.1
    span = math.log10(shares[-1] / shares[0]) or 1.0
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{left}" y="20" font-size="14">{title}</text>',
        f'<text x="{left}" y="{height - 6}" fill="#555">{foot}</text>',
    ]
    for column, kind in enumerate(KINDS):
        x0 = left + column * (wide + 60)
        x = lambda share, x0=x0: x0 + wide * (1 - math.log10(share / shares[0]) / span)  # noqa: E731
        out.append(f'<text x="{x0}" y="{top - 12}">filter {kind}</text>')
        for row, (label, y_of) in enumerate(
            (
                ("recall@10", lambda p: p.recall),
                ("queries/s", lambda p: (math.log10(p.qps) - low) / (up - low)),
            )
        ):
            y0 = top + row * (high + 50)
            y = lambda part, y0=y0: y0 + high * (1 - part)  # noqa: E731
            marks: Iterator[tuple[float, str]]
            if row == 0:
                marks = ((v, f"{v:g}") for v in (0, 0.25, 0.5, 0.75, 0.95, 1))
            else:
                marks = (
                    ((math.log10(v) - low) / (up - low), f"{v:,}")
                    for power in range(math.floor(low), math.ceil(up) + 1)
                    for v in (10**power,)
                    if power >= 0 and low <= power <= up
                )
            for part, text in marks:
                out.append(
                    f'<path d="M{x0:.1f} {y(part):.1f}h{wide:.1f}" stroke="#ddd"/>'
                    f'<text x="{x0 - 6:.1f}" y="{y(part) + 4:.1f}" text-anchor="end">{text}</text>'
                )
            for share in shares:
                if math.log10(share).is_integer():
                    out.append(
                        f'<path d="M{x(share):.1f} {y0}v{high}" stroke="#ddd"/>'
                        f'<text x="{x(share):.1f}" y="{y0 + high + 16}" text-anchor="middle">{100 * share:g} %</text>'
                    )
            out.append(f'<text x="{x0 + 6:.1f}" y="{y0 + high - 8}" fill="#555">{label}</text>')
            # The first engine last, so that it lies on top.
            for i, curve in reversed(list(enumerate(curves.values()))):
                line = [(x(p.share), y(y_of(p))) for p in curve if p.kind == kind]
                path = " ".join(f"{px:.1f},{py:.1f}" for px, py in line)
                colour = COLOURS[i % len(COLOURS)]
                out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
                out += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="2.5" fill="{colour}"/>' for px, py in line]
    for i, name in enumerate(curves):
        at = top + 14 + i * 18
        out.append(
            f'<path d="M{width - right + 8} {at - 4}h22" stroke="{COLOURS[i % len(COLOURS)]}" stroke-width="2"/>'
            f'<text x="{width - right + 36}" y="{at}">{name}</text>'
        )
    pathlib.Path(file).write_text("\n".join([*out, "</svg>"]) + "\n")


def tables(curves: dict[str, list[Point]], rows: int) -> None:
    names = list(curves)
    for kind in KINDS:
        print(f"\n### Filter {kind}\n")
        head = [f"{name}: recall@10, short, queries/s" for name in names]
        print("| let through | rows | " + " | ".join(head) + " | wisen: first ms |")
        print("|---" * (3 + len(names)) + "|")
        for share in dict.fromkeys(p.share for curve in curves.values() for p in curve):
            cells = []
            first = ""
            for name in names:
                p = next(p for p in curves[name] if p.kind == kind and p.share == share)
                cells.append(f"{p.recall:.3f}, {p.short} of {p.queries}, {p.qps:,.0f}")
                if name.startswith("wisen"):
                    first = f"{p.first_ms:.1f}"
            print(f"| {100 * share:g} % | {max(1, round(share * rows))} | " + " | ".join(cells) + f" | {first} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="?", metavar="DIR")
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--metric", choices=("cosine", "l2"), default="cosine")
    parser.add_argument("--shares", default=",".join(f"{s:g}" for s in SHARES))
    parser.add_argument("--widths", default="64,256", help="of hnswlib and faiss [64,256]")
    parser.add_argument("--queries", type=int, default=200, help="asked of each kind [200]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu")
    parser.add_argument("--svg", metavar="FILE")
    args = parser.parse_args()

    data = load(args.data, args.dim, args.metric)
    n, dim = data.base.shape
    fields = ranks(data, args.queries)
    clock = time.process_time if args.clock == "cpu" else time.perf_counter
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    shares = [float(s) for s in args.shares.split(",")]
    versions = ", ".join(f"{name} {metadata.version(ENGINES[name][1])}" for name in args.engines.split(","))
    print(f"{today}. {processor()}. {versions}.")
    print(f"{data.name}: {n} vectors, d={dim}, {data.metric}; {args.queries} queries of each kind, k={K}, 1 thread;")
    print(f"M={M}, ef_construction={EF_CONSTRUCTION}; {args.clock} time, the median of {args.rounds} rounds.")

    asked = {(kind, share): parts(data, fields, kind, share) for kind in KINDS for share in shares}
    curves: dict[str, list[Point]] = {}
    for name in args.engines.split(","):
        engine = ENGINES[name][0](data, fields)
        for width in [0] if name == "wisen" else [int(w) for w in args.widths.split(",")]:
            called = name if width == 0 else f"{name} {width}"
            curves[called] = [
                Point(kind, share, *ask_all(engine, questions, width, args.rounds, clock))
                for (kind, share), questions in asked.items()
            ]
        engine.close()
        print(f"measured {name}", file=sys.stderr, flush=True)
    tables(curves, n)
    if args.svg:
        foot = f"{n:,} x {dim}, {data.metric}, one query at a time, one thread, {args.clock} time; {processor()}; {today}"
        panels(args.svg, f"Searching under a filter: {data.name}", foot, curves)
    poor = [p for p in curves.get("wisen", []) if p.short or p.recall < LOW_RECALL]
    if poor:
        sys.exit(f"wisen is short of what is asked of it: {poor}")


if __name__ == "__main__":
    main()
