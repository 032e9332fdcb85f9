"""Memories that fail are taken out of recall; standings, warnings, the audit table."""

from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest

import wisen


@pytest.fixture
def bad(store: wisen.Store, east: list[float]) -> int:
    """A memory that a severe failure has quarantined, beside a good one."""
    # No recall of these tests tries a memory again by chance.
    store.set_policy("default", wisen.Policy(probation_share=0))
    bad = store.remember("bad", east, metadata={"n": 1})
    store.remember("good", [0.9, 0.1, 0.0, 0.0])
    store.report_memory(bad, False, severe=True)
    return bad


def shown(store: wisen.Store, situation: list[float]) -> list[int]:
    return [hit.id for hit in store.recall(situation, receipt=False)]


def test_a_severe_failure_quarantines(store: wisen.Store, bad: int, east: list[float]) -> None:
    assert bad not in shown(store, east)
    standing = store.standing(bad)
    assert (standing.id, standing.namespace, standing.state) == (bad, "default", "quarantined")
    assert standing.since is not None
    assert standing.since.tzinfo is UTC
    assert (standing.successes, standing.failures, standing.reports) == (0, 1, 1)
    assert not standing.pinned
    assert 0 < standing.doubt < 1
    assert standing.reason == "a severe failure was reported"
    assert repr(standing).startswith(f"Standing(id={bad}, namespace='default', state='quarantined'")
    good = store.standing(bad + 1)
    assert (good.state, good.since, good.reports) == ("active", None, 0)


def test_failures_in_a_row_quarantine(store: wisen.Store, east: list[float]) -> None:
    store.set_policy("default", wisen.Policy(quarantine=True))
    memory = store.remember("a", east)
    store.report_many([memory] * 12, [False] * 12)
    assert store.standing(memory).state == "quarantined"
    assert store.standing(memory).doubt > 0.95
    trusting = store.remember("b", east, namespace="trusting")
    store.report_many([trusting] * 12, [False] * 12)
    assert store.standing(trusting).state == "active"


def test_a_recall_warns(store: wisen.Store, bad: int, east: list[float]) -> None:
    assert store.recall(east).warnings == ()
    (warning,) = store.recall(east, warnings=3, content=True).warnings
    assert (warning.id, warning.namespace, warning.state) == (bad, "default", "quarantined")
    assert warning.similarity == pytest.approx(1, abs=1e-3)
    assert warning.successes == 0
    assert warning.failures > 0
    assert "failed 1 of 1" in warning.text
    assert (warning.content, warning.metadata) == ("bad", {"n": 1})
    assert repr(warning).startswith(f"Warning(id={bad}, namespace='default', state='quarantined'")
    (plain,) = store.recall(east, warnings=1).warnings
    assert (plain.content, plain.metadata) == (None, None)


def test_what_the_owner_decides(store: wisen.Store, bad: int, east: list[float]) -> None:
    good = bad + 1
    store.release(bad, "try it again")
    assert store.standing(bad).state == "probation"
    store.retire(bad, "of no use")
    assert (store.standing(bad).state, store.standing(bad).reason) == ("retired", "of no use")
    assert bad not in shown(store, east)
    store.pin(good)
    assert [(s.id, s.state, s.pinned) for s in store.review()] == [
        (bad, "retired", False),
        (good, "active", True),
    ]
    assert store.review("nowhere") == []
    with pytest.raises(wisen.InvalidArgumentError, match="is pinned"):
        store.retire(good, "it is pinned")
    store.unpin(good)
    with pytest.raises(wisen.InvalidArgumentError, match="is active"):
        store.release(good, "it is active")
    store.pin(bad)
    assert shown(store, east) == [bad, good]


def test_all_of_it_is_written_down(store: wisen.Store, bad: int) -> None:
    store.pin(bad)
    everyday = {"remember", "report"}
    entries = [entry for entry in store.audit_entries() if entry.op not in everyday]
    assert [(e.actor, e.op, e.memory) for e in entries] == [
        ("owner", "policy", None),
        ("engine", "quarantine", bad),
        ("owner", "pin", bad),
    ]
    assert all(entry.at.tzinfo is UTC and entry.namespace == "default" for entry in entries)
    assert entries[0].detail["after"]["probation_share"] == 0
    assert entries[2].detail["to"] == "active"
    assert (
        repr(entries[2]) == f"AuditEntry(id={entries[2].id}, actor='owner', op='pin', memory={bad})"
    )
    assert [entry.id for entry in store.audit_entries(after=1, limit=1)] == [2]


def test_bad_arguments(store: wisen.Store, east: list[float]) -> None:
    anything: Any = store
    unknown: list[Callable[[], object]] = [
        lambda: store.standing(7),
        lambda: store.pin(7),
        lambda: store.unpin(7),
        lambda: store.release(7, "why not"),
        lambda: store.retire(7, "why not"),
    ]
    for call in unknown:
        with pytest.raises(wisen.UnknownMemoryError, match="no memory has id 7"):
            call()
    out_of_range: list[tuple[str, Callable[[], object]]] = [
        ("id", lambda: store.pin(-1)),
        ("after", lambda: store.audit_entries(after=-1)),
        ("warnings", lambda: store.recall(east, warnings=-1)),
        ("namespace", lambda: store.policy("")),
    ]
    for name, call in out_of_range:
        with pytest.raises(wisen.InvalidArgumentError, match=f"^invalid {name}: "):
            call()
    with pytest.raises(wisen.NotUtf8Error, match=r"^reason is not valid UTF-8"):
        store.retire(7, "\ud800")
    wrong_types: list[tuple[str, Callable[[], object]]] = [
        ("reason must be str, not NoneType", lambda: anything.release(1, None)),
        ("policy must be Policy, not dict", lambda: anything.set_policy("a", {"tail": 0.9})),
        ("limit must be int, not str", lambda: anything.audit_entries(limit="1")),
    ]
    for message, call in wrong_types:
        with pytest.raises(TypeError, match=message):
            call()
