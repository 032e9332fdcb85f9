"""The interpreter is released while the engine works."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import wisen

DIMENSION = 96
ROWS = 6000


@contextmanager
def counting() -> Iterator[Callable[[], int]]:
    """A thread that counts for as long as it gets the interpreter."""
    stop = threading.Event()
    count = 0

    def run() -> None:
        nonlocal count
        while not stop.is_set():
            count += 1
            time.sleep(0.0005)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield lambda: count
    finally:
        stop.set()
        thread.join()


def test_others_run_while_the_engine_works(path: Path) -> None:
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((ROWS, DIMENSION), dtype=np.float32)
    texts = [f"memory {n}" for n in range(ROWS)]
    with wisen.open(path, DIMENSION, threads=1, seal_at=10**6) as store, counting() as count:
        store.remember_many(texts[:10], vectors[:10])
        for work in (lambda: store.remember_many(texts[10:], vectors[10:]), store.seal):
            start, before = time.monotonic(), count()
            work()
            took, seen = time.monotonic() - start, count() - before
            # With the interpreter held there would be none in between, one or two around it.
            assert seen >= 5 + took / 0.5, f"{seen} steps in {took:.3f} s"


def test_threads_share_a_store(store: wisen.Store, east: list[float]) -> None:
    def work(n: int) -> int:
        memory = store.remember(f"memory {n}", [1.0, n / 100, 0, 0])
        recall = store.recall(east, k=3)
        store.report(recall, n % 2 == 0, used=recall[0])
        return memory

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(work, range(64)))
    assert len(set(ids)) == 64
    assert store.count() == 64
    assert store.stats().reports == 64
    assert store.verify().ok


def test_threads_share_an_iterator(store: wisen.Store, east: list[float]) -> None:
    ids = store.remember_many([str(n) for n in range(1000)], [east] * 1000)
    records = store.memories()

    def drain(_: int) -> list[int]:
        return [record.id for record in records]

    with ThreadPoolExecutor(4) as pool:
        seen = [memory for part in pool.map(drain, range(4)) for memory in part]
    assert sorted(seen) == ids
