"""What memory is worth, and what an owner wants to know of a stretch of time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

import wisen

DAY = timedelta(days=1)


@pytest.fixture
def memory(store: wisen.Store, east: list[float]) -> int:
    """A memory that works whenever it is shown: on about half of 150 attempts."""
    memory = store.remember("go east", east)
    for seed in range(150):
        recall = store.recall(east, hold_out=0.5, seed=seed)
        store.report(recall, bool(recall), tokens=10, cost_micros=500)
    return memory


def test_uplift(store: wisen.Store, memory: int, east: list[float]) -> None:
    of_namespace = store.uplift("default")
    assert of_namespace.verdict == "helps"
    assert of_namespace.difference == 1
    assert (of_namespace.with_.mean, of_namespace.without.mean) == (1, 0)
    assert of_namespace.with_.outcomes == of_namespace.with_.successes >= 20
    assert of_namespace.without.outcomes >= 20
    low, high = of_namespace.interval
    assert 0.5 < low < high == 1
    of_memory = store.uplift(memory)
    assert of_memory.verdict == "helps"
    assert of_memory.without.outcomes >= 20
    hit = store.recall(east)[0]
    assert store.uplift(hit).interval == of_memory.interval
    nothing = store.uplift("nowhere")
    assert (nothing.verdict, nothing.with_.outcomes) == ("insufficient_data", 0)
    assert repr(nothing).startswith("Uplift(verdict='insufficient_data', difference=0.000, int")
    assert repr(nothing.with_) == "Rate(outcomes=0.0, successes=0.0, mean=0.500)"


@pytest.mark.usefixtures("memory")
def test_figures(store: wisen.Store) -> None:
    now = datetime.now(UTC)
    figures = store.figures(from_=now - DAY, to=now + DAY)
    assert (figures.from_, figures.to) == (now - DAY, now + DAY)
    assert figures.attempts == figures.successes + figures.failures == 150
    assert figures.unknown == 0
    assert figures.success_rate == figures.successes / 150
    assert figures.durable_successes == figures.maturing == figures.successes == figures.hits
    assert (figures.tokens, figures.told_tokens) == (1500, 150)
    assert (figures.cost_micros, figures.told_cost) == (75000, 150)
    assert figures.tokens_per_durable_success == 1500 / figures.successes
    assert figures.micros_per_durable_success == 75000 / figures.successes
    assert figures.hit_rate == figures.hits / figures.recalls
    assert figures.recalls < 150
    assert (figures.with_memory.mean, figures.without_memory.mean) == (1, 0)
    assert figures.with_memory.outcomes + figures.without_memory.outcomes == 150
    assert figures.over_time == []
    assert repr(figures).startswith("Figures(attempts=150, successes=")


@pytest.mark.usefixtures("memory")
def test_windows(store: wisen.Store) -> None:
    now = datetime.now(UTC)
    start, end = now - DAY, now + DAY
    sliced = store.figures("default", from_=start, to=end, slices=4)
    assert [part.to - part.from_ for part in sliced.over_time] == [DAY / 2] * 4
    assert sum(part.attempts for part in sliced.over_time) == sliced.attempts == 150
    empty = sliced.over_time[3]
    assert empty.attempts == 0
    assert (empty.success_rate, empty.hit_rate) == (None, None)
    assert (empty.tokens_per_durable_success, empty.micros_per_durable_success) == (None, None)
    assert empty.with_memory.mean == 0.5
    assert store.figures(from_=start, to=end, durable_days=0).maturing == 0
    assert store.figures("nowhere", from_=start, to=end).attempts == 0
    assert store.figures(from_=start - 9 * DAY, to=start).attempts == 0
    # The same moments, told in another time zone.
    zone = timezone(timedelta(hours=5, minutes=30))
    moved = store.figures(from_=start.astimezone(zone), to=end.astimezone(zone))
    assert (moved.from_, moved.to, moved.attempts) == (start, end, 150)
    everything = store.figures(
        from_=datetime.min.replace(tzinfo=UTC), to=datetime.max.replace(tzinfo=UTC)
    )
    assert everything.attempts == 150


def test_bad_arguments(store: wisen.Store) -> None:
    anything: Any = store
    now = datetime.now(UTC)
    with pytest.raises(wisen.UnknownMemoryError):
        store.uplift(7)
    with pytest.raises(wisen.NotUtf8Error, match=r"^scope is not valid UTF-8"):
        store.uplift("\ud800")
    naive = now.replace(tzinfo=None)
    out_of_range: list[tuple[str, Callable[[], object]]] = [
        ("namespace", lambda: store.uplift("")),
        ("scope", lambda: store.uplift(-1)),
        ("window", lambda: store.figures(from_=now, to=now)),
        ("from_", lambda: store.figures(from_=naive, to=now)),
        ("durable_days", lambda: store.figures(from_=now - DAY, to=now, durable_days=-1)),
        ("slices", lambda: store.figures(from_=now - DAY, to=now, slices=0)),
        ("slices", lambda: store.figures(from_=now - DAY, to=now, slices=10_001)),
    ]
    for name, call in out_of_range:
        with pytest.raises(wisen.InvalidArgumentError, match=f"^invalid {name}: "):
            call()
    wrong_types: list[tuple[str, Callable[[], object]]] = [
        ("scope must be an id, a Hit or str, not float", lambda: anything.uplift(1.0)),
        ("to must be datetime.datetime, not int", lambda: anything.figures(from_=now, to=7)),
        ("from_ must be datetime.datetime", lambda: anything.figures(from_=now.date(), to=now)),
        (
            "durable_days must be float",
            lambda: anything.figures(from_=now, to=now, durable_days=""),
        ),
    ]
    for message, call in wrong_types:
        with pytest.raises(TypeError, match=message):
            call()
