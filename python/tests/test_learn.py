"""Reports weighed, told together and taken back; evidence that fades."""

from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

import numpy as np
import pytest

import wisen


def evidence(store: wisen.Store, memory: int, situation: list[float]) -> wisen.Evidence:
    """What experience says of a memory in a situation."""
    hits = store.recall(situation, k=100, receipt=False)
    return next(hit.evidence for hit in hits if hit.id == memory)


def test_weights(store: wisen.Store, east: list[float]) -> None:
    memory = store.remember("a", east)
    assert store.report_memory(memory, True, weight=0.25).status == "credited"
    store.report_memory(memory, True, weight=0)
    assert evidence(store, memory, east).successes == pytest.approx(0.25)
    store.report(store.recall(east), False, weight=np.float64(0.5))
    assert evidence(store, memory, east).failures == pytest.approx(0.5)


def test_only_failures_are_severe(store: wisen.Store, east: list[float]) -> None:
    memory = store.remember("a", east)
    for outcome in (True, 0.5, None):
        with pytest.raises(wisen.InvalidArgumentError, match=r"^invalid severe: "):
            store.report_memory(memory, outcome, severe=True)
    assert store.report_memory(memory, 0.25, severe=True).status == "credited"


def test_what_is_retracted_counts_no_more(store: wisen.Store, east: list[float]) -> None:
    memory = store.remember("a", east)
    first = store.report_memory(memory, True)
    second = store.report_memory(memory, True)
    assert evidence(store, memory, east).successes == pytest.approx(2)
    assert store.retract(first)
    assert not store.retract(first)
    assert store.retract(second.id)
    assert evidence(store, memory, east).reports == 0
    with pytest.raises(wisen.UnknownReportError, match="no report has id 99"):
        store.retract(99)
    with pytest.raises(KeyError):
        store.retract(0)


def test_several_reports_at_once(store: wisen.Store, east: list[float], north: list[float]) -> None:
    a, b = store.remember("a", east), store.remember("b", north)
    recall = store.recall(east)
    replies = store.report_many(
        [recall, recall.receipt or "", a, b],
        ["success", False, 0.5, True],
        used=[recall[0], [b], None, None],
        situation=[None, None, north, np.array(east, dtype=np.float32)],
        weight=[1, 0.5, None, 0.5],
        severe=[False, None, None, False],
        tokens=[1, None, 3, 4],
        cost_micros=[None, -1, None, 2],
        key=["one", "two", None, None],
        note="told together",
    )
    assert [reply.status for reply in replies] == ["credited"] * 4
    assert [list(reply.credited) for reply in replies] == [[a], [b], [a], [b]]
    # The recall has one unit of credit to give, in halves here; the second one weighs half of that.
    found = evidence(store, b, east)
    assert [found.successes, found.failures] == [pytest.approx(0.5), pytest.approx(0.25)]
    again = store.report_many(
        [recall], [True], used=[[a]], key=["one"], tokens=[1], note="told together"
    )
    assert [(reply.status, reply.id) for reply in again] == [("duplicate", replies[0].id)]
    assert store.report_many([], []) == []
    assert len(store.report_many([a] * 3, np.array([0.0, 0.5, 1.0]), weight=0.5, severe=False)) == 3


def test_all_reports_or_none(store: wisen.Store, east: list[float]) -> None:
    memory = store.remember("a", east)
    recall = store.recall(east)
    anything: Any = store
    two: list[str | wisen.Recall | int] = [memory, recall]
    calls: list[tuple[int, type[wisen.WisenError], Callable[[], object]]] = [
        (1, wisen.UnknownMemoryError, lambda: store.report_many([memory, 7], [True, True])),
        (1, wisen.UnknownReceiptError, lambda: store.report_many([memory, "x"], [True, True])),
        (1, wisen.InvalidArgumentError, lambda: store.report_many([memory] * 2, [True, 1.5])),
        (1, wisen.InvalidArgumentError, lambda: anything.report_many(two, [None, "great"])),
        (0, wisen.InvalidArgumentError, lambda: store.report_many([-1, recall], [True, True])),
        (1, wisen.NotShownError, lambda: store.report_many(two, [True, True], used=[None, [7]])),
        (1, wisen.InvalidArgumentError, lambda: store.report_many(two, [0, 1], severe=True)),
        (0, wisen.BadTokenError, lambda: store.report_many(two, [1, 1], reporter="x", token="")),
        (1, wisen.NotUtf8Error, lambda: store.report_many(two, [1, 1], key=[None, "\ud800"])),
        (
            1,
            wisen.InvalidArgumentError,
            lambda: store.report_many(two, [1, 1], situation=[east] * 2),
        ),
        (1, wisen.InvalidArgumentError, lambda: store.report_many(two, [1, 1], used=[[], -3])),
    ]
    for row, kind, call in calls:
        with pytest.raises(kind) as caught:
            call()
        assert caught.value.row == row
    assert store.stats().reports == 0


def test_bad_columns(store: wisen.Store) -> None:
    anything: Any = store
    lengths: list[tuple[str, Callable[[], object]]] = [
        ("outcomes: 1 outcomes for 2 subjects", lambda: store.report_many([1, 2], [True])),
        ("weight: 1 entries for 2 subjects", lambda: store.report_many([1, 2], [1, 1], weight=[1])),
        ("key: 0 entries for 1 subjects", lambda: store.report_many([1], [True], key=[])),
    ]
    for message, call in lengths:
        with pytest.raises(wisen.InvalidArgumentError, match=f"^invalid {message}"):
            call()
    wrong_types: list[tuple[str, Callable[[], object]]] = [
        ("subjects must be a sequence of rec", lambda: anything.report_many("a", [True])),
        ("outcomes must be a sequence", lambda: anything.report_many([1], "success")),
        (r"subjects\[0\] must be int, not float", lambda: anything.report_many([1.0], [True])),
        (r"weight\[0\] must be float", lambda: anything.report_many([1], [1], weight=["x"])),
        ("weight must be float or a seq", lambda: anything.report_many([1], [1], weight="x")),
        (r"severe\[0\] must be bool", lambda: anything.report_many([1], [False], severe=1)),
        ("weight must be float, not str", lambda: anything.report_memory(1, True, weight="1")),
        ("severe must be bool, not int", lambda: anything.report_memory(1, True, severe=1)),
        ("token must be str, not bytes", lambda: anything.report_memory(1, True, token=b"x")),
        ("report must be int, not str", lambda: anything.retract("1")),
    ]
    for message, call in wrong_types:
        with pytest.raises(TypeError, match=message):
            call()
    for weight in (-0.1, 1.1, float("nan")):
        with pytest.raises(wisen.InvalidArgumentError, match=r"^invalid weight: "):
            store.report_memory(1, True, weight=weight)


def test_half_lives(store: wisen.Store, east: list[float]) -> None:
    status = store.half_life("note")
    assert (status.setting, status.days, status.fit) == (None, None, None)
    store.set_half_life("note", 30)
    status = store.half_life("note")
    assert (status.setting, status.days) == (30, 30)
    assert repr(status) == "HalfLifeStatus(setting=30.0, days=30.0)"
    store.set_half_life("note", timedelta(days=2, hours=12))
    assert store.half_life("note").days == 2.5

    store.set_half_life("note", "auto")
    status = store.half_life("note")
    assert (status.setting, status.fit) == ("auto", None)
    memory = store.remember("a", east)
    store.report_many([memory] * 60, [True] * 60)
    fit = store.half_life("note").fit
    assert fit is not None
    assert fit.at.tzinfo is UTC
    assert fit.experiences >= 50
    assert [days for days, _ in fit.losses] == [None, 7, 14, 30, 60, 120, 240]
    assert all(loss > 0 for _, loss in fit.losses)
    assert repr(fit) == f"HalfLifeFit(experiences={fit.experiences}, losses=7)"
    store.set_half_life("note", None)
    assert store.half_life("note").setting is None


def test_half_lives_that_are_none(store: wisen.Store) -> None:
    anything: Any = store
    for half_life in (0.5, -1, float("nan"), float("inf"), timedelta(hours=1), "soon"):
        with pytest.raises(wisen.InvalidArgumentError, match=r"^invalid half_life: "):
            anything.set_half_life("note", half_life)
    with pytest.raises(wisen.InvalidArgumentError, match=r"^invalid kind: "):
        store.set_half_life("", 7)
    with pytest.raises(TypeError, match="half_life must be float, not list"):
        anything.set_half_life("note", [7])
