"""Arguments out of range, of the wrong type, or no UTF-8: the error names them."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wisen


def test_lone_surrogates(store: wisen.Store, east: list[float]) -> None:
    with pytest.raises(wisen.NotUtf8Error, match=r"content .* \(first bad byte at 3\)"):
        store.remember("a\u00e9\ud800", east)
    bad = "\udfff"
    calls: list[tuple[str, Callable[[], object]]] = [
        ("namespace", lambda: store.remember("a", east, namespace=bad)),
        ("text", lambda: store.recall(east, text=bad)),
        ("namespace", lambda: store.recall(east, namespace=bad)),
        ("note", lambda: store.report_memory(1, True, note=bad)),
        ("outcome", lambda: store.report_memory(1, bad)),  # type: ignore[arg-type]
        ("receipt", lambda: store.report(bad, True)),
        ("namespace", lambda: store.drop_namespace(bad)),
    ]
    for name, call in calls:
        with pytest.raises(wisen.NotUtf8Error, match=f"^{name} is not valid UTF-8"):
            call()


def test_values_out_of_range(store: wisen.Store, east: list[float], tmp_path: Path) -> None:
    memory = store.remember("a", east)
    calls: list[tuple[str, Callable[[], object]]] = [
        ("k", lambda: store.recall(east, k=-1)),
        ("width", lambda: store.recall(east, width=2**64)),
        ("namespace", lambda: store.recall(east, namespace=[])),
        ("namespace", lambda: store.remember("a", east, namespace="")),
        ("kind", lambda: store.remember("a", east, kind="x" * 256)),
        ("ttl", lambda: store.remember("a", east, ttl=-1)),
        ("ttl", lambda: store.remember("a", east, ttl=float("nan"))),
        ("id", lambda: store.get(-1)),
        ("outcome", lambda: store.report_memory(memory, "great")),  # type: ignore[arg-type]
        ("outcome", lambda: store.report_memory(memory, 1.5)),
        ("outcome", lambda: store.report_memory(memory, float("nan"))),
        ("tokens", lambda: store.report_memory(memory, True, tokens=-1)),
        ("cost_micros", lambda: store.report_memory(memory, True, cost_micros=2**63)),
        ("dimension", lambda: wisen.open(tmp_path / "b", 0)),
        ("dimension", lambda: wisen.open(tmp_path / "b", 4097)),
        ("metric", lambda: wisen.open(tmp_path / "b", 4, metric="hamming")),  # type: ignore[arg-type]
        ("durability", lambda: wisen.open(tmp_path / "b", 4, durability="x")),  # type: ignore[arg-type]
        ("busy_timeout", lambda: wisen.open(tmp_path / "b", 4, busy_timeout=-1)),
    ]
    for name, call in calls:
        with pytest.raises(wisen.InvalidArgumentError, match=f"^invalid {name}: "):
            call()


def test_wrong_types_name_the_argument(store: wisen.Store, east: list[float]) -> None:
    anything: Any = store
    calls: list[tuple[str, Callable[[], object]]] = [
        ("content must be str, not bytes", lambda: anything.remember(b"a", east)),
        ("namespace must be str, not int", lambda: anything.remember("a", east, namespace=1)),
        ("ttl must be a number of seconds", lambda: anything.remember("a", east, ttl="1")),
        ("supersedes must be int, not str", lambda: anything.remember("a", east, supersedes="1")),
        ("k must be int, not float", lambda: anything.recall(east, k=1.0)),
        (r"namespace\[1\] must be str", lambda: anything.recall(east, namespace=["a", 1])),
        ("receipt must be bool, not str", lambda: anything.recall(east, receipt="yes")),
        ("receipt must be str or Recall", lambda: anything.report(7, True)),
        ("outcome must be str, bool", lambda: anything.report_memory(1, [])),
        ("used must be an id, a Hit", lambda: anything.report(str(uuid.uuid4()), True, used=1.5)),
        (r"used\[1\] must be int", lambda: anything.report(str(uuid.uuid4()), True, used=[1, "2"])),
        ("id must be int, not str", lambda: anything.get("1")),
        ("limit must be int, not str", lambda: anything.page(limit="1")),
        ("path must be str or os.PathLike, not int", lambda: wisen.open(3)),  # type: ignore[arg-type]
    ]
    for message, call in calls:
        with pytest.raises(TypeError, match=message):
            call()
