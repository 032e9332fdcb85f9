"""Near-duplicates merged, and set apart again."""

from typing import Any

import pytest

import wisen

NEARLY_EAST = [1.0, 0.001, 0.0, 0.0]


def test_near_duplicates_are_merged(
    store: wisen.Store, east: list[float], north: list[float]
) -> None:
    first, double, other = store.remember_many(["a", "b", "c"], [east, NEARLY_EAST, north])
    store.report_memory(double, True)
    (merge,) = store.distil("default", 0.99)
    assert (merge.survivor, merge.absorbed) == (first, double)
    assert merge.similarity == pytest.approx(1, abs=1e-3)
    assert repr(merge) == f"Merge(survivor={first}, absorbed={double}, similarity=1.0000)"
    assert [hit.id for hit in store.recall(east)] == [first, other]
    assert store.standing(first).successes == pytest.approx(1)
    record = store.get(double)
    assert record is not None
    assert record.merged_into == record.superseded_by == first
    assert store.distil("default", 0.99) == []
    assert store.distil("nowhere", 0.99) == []

    store.separate(double)
    record = store.get(double)
    assert record is not None
    assert record.merged_into is None
    assert len(store.recall(east)) == 3
    assert store.standing(first).successes == 0
    with pytest.raises(wisen.InvalidArgumentError, match="merged into no other"):
        store.separate(double)


def test_a_policy_merges_what_comes_in(store: wisen.Store, east: list[float]) -> None:
    first = store.remember("a", east)
    store.set_policy("default", wisen.Policy(distil_at=0.99))
    assert store.remember("b", NEARLY_EAST) == first
    assert store.remember("c", NEARLY_EAST, kind="rule") != first


def test_bad_arguments(store: wisen.Store) -> None:
    anything: Any = store
    for threshold in (float("nan"), float("inf"), 1e300):
        with pytest.raises(wisen.InvalidArgumentError, match=r"^invalid threshold: "):
            store.distil("default", threshold)
    with pytest.raises(wisen.InvalidArgumentError, match=r"^invalid namespace: "):
        store.distil("", 0.99)
    with pytest.raises(wisen.UnknownMemoryError):
        store.separate(7)
    with pytest.raises(TypeError, match="threshold must be float, not str"):
        anything.distil("default", "0.99")
