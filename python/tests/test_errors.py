"""What cannot be done raises the error of that name, with the engine's message."""

import errno
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import wisen


@pytest.mark.parametrize(
    ("vector", "kind", "message"),
    [
        ([float("nan"), 0, 0, 1], wisen.NotFiniteError, "vector element 0 is NaN"),
        ([0, float("-inf"), 0, 1], wisen.NotFiniteError, "vector element 1 is -inf"),
        ([0, 0, 1e300, 1], wisen.NotFiniteError, "vector element 2 is inf"),
        ([0, 0, 1], wisen.WrongDimensionError, "4 numbers, this one has 3"),
        ([0, 0, 0, 0], wisen.ZeroVectorError, "zero vector"),
    ],
)
def test_bad_vectors(
    store: wisen.Store, vector: list[float], kind: type[wisen.WisenError], message: str
) -> None:
    memory = store.remember("a", [1, 0, 0, 0])
    calls: list[Callable[[], object]] = [
        lambda: store.remember("a", vector),
        lambda: store.recall(vector),
        lambda: store.update(memory, vector=vector),
        lambda: store.report_memory(memory, True, situation=vector),
    ]
    for call in calls:
        with pytest.raises(kind, match=message):
            call()


def test_a_zero_vector_is_fine_where_it_has_a_distance(tmp_path: Path) -> None:
    with wisen.open(tmp_path / "l2", 4, metric="l2") as store:
        store.remember("a", [0, 0, 0, 0])
        assert store.recall([0, 0, 0, 0])[0].similarity == 0
    with wisen.open(tmp_path / "dot", 4, metric="dot") as store:
        store.remember("a", [0, 0, 0, 0])
        assert store.recall([1, 0, 0, 0])[0].similarity == 0


def test_unknown_ids(store: wisen.Store, east: list[float]) -> None:
    with pytest.raises(wisen.UnknownMemoryError, match="no memory has id 7"):
        store.update(7, content="x")
    with pytest.raises(KeyError):
        store.report_memory(7, True)
    with pytest.raises(wisen.UnknownMemoryError):
        store.remember("a", east, supersedes=7)


def test_receipts_that_are_none(store: wisen.Store) -> None:
    for malformed in ("", "no receipt", "0" * 35, "\0"):
        with pytest.raises(wisen.UnknownReceiptError, match=r"^no receipt"):
            store.report(malformed, True)
    with pytest.raises(wisen.UnknownReceiptError, match=r"^no receipt"):
        store.report(str(uuid.uuid4()), True)


def test_what_was_not_shown_cannot_have_been_used(store: wisen.Store, east: list[float]) -> None:
    store.remember("a", east)
    other = store.remember("b", east, namespace="other")
    with pytest.raises(wisen.NotShownError, match=f"memory {other} was not among the hits"):
        store.report(store.recall(east), True, used=other)


def test_a_closed_store(path: Path, east: list[float]) -> None:
    with wisen.open(path, 4) as store:
        records = store.memories()
        assert not store.closed
    assert store.closed
    store.close()
    calls: list[Callable[[], object]] = [
        lambda: store.remember("a", east),
        lambda: store.remember_many(["a"], [east]),
        lambda: store.update(1, content="x"),
        lambda: store.recall(east),
        lambda: store.report_memory(1, True),
        lambda: store.get(1),
        lambda: store.forget(1),
        store.page,
        lambda: next(records),
        store.namespaces,
        store.count,
        lambda: store.drop_namespace("default"),
        lambda: store.report_many([1], [True]),
        lambda: store.retract(1),
        lambda: store.register("ann"),
        lambda: store.revoke("ann"),
        store.principals,
        lambda: store.set_half_life("note", 7),
        lambda: store.half_life("note"),
        lambda: store.set_policy("default", wisen.Policy()),
        lambda: store.policy("default"),
        lambda: store.standing(1),
        store.review,
        lambda: store.pin(1),
        lambda: store.unpin(1),
        lambda: store.release(1, "why"),
        lambda: store.retire(1, "why"),
        store.audit_entries,
        lambda: store.distil("default", 0.9),
        lambda: store.separate(1),
        lambda: store.uplift(1),
        lambda: store.figures(from_=datetime(2020, 1, 1, tzinfo=UTC), to=datetime.now(UTC)),
        store.calibration,
        store.stats,
        store.verify,
        store.verify_quick,
        store.compact,
        lambda: store.backup("backup"),
        lambda: store.export("export"),
        lambda: store.import_memories("export"),
        lambda: store.forget_hard(1),
        store.flush,
        store.seal,
        store.__enter__,
    ]
    for call in calls:
        with pytest.raises(wisen.ClosedError, match="closed"):
            call()


def test_an_error_in_the_block_still_closes(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), wisen.open(path, 4) as store:
        raise ZeroDivisionError
    assert store.closed


def test_paths_that_are_no_stores(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no store")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "other.txt").write_text("something else")
    for path, dimension in [("file", 4), ("full", 4), ("nothing here", None)]:
        with pytest.raises(wisen.NotAStoreError, match="is not a Wisen store"):
            wisen.open(tmp_path / path, dimension)


def test_other_settings_than_at_creation(path: Path) -> None:
    wisen.open(path, 4, metric="l2", model="m").close()
    for arguments in ({"dimension": 5}, {"metric": "dot"}, {"storage": "f16"}, {"model": "other"}):
        with pytest.raises(wisen.MismatchError, match=next(iter(arguments))):
            wisen.open(path, **arguments)


def test_a_store_opened_for_recalls_only(path: Path, east: list[float]) -> None:
    with wisen.open(path, 4) as store:
        store.remember("a", east)
    with wisen.open(path, read_only=True) as store:
        assert len(store.recall(east, receipt=False)) == 1
        with pytest.raises(wisen.ReadOnlyError, match="read-only") as caught:
            store.remember("b", east)
        assert caught.value.errno == errno.EROFS
        assert caught.value.filename == str(path)


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_a_directory_that_cannot_be_written() -> None:
    program = """
import os, sys, wisen
if os.geteuid() == 0:
    os.seteuid(65534)  # root may write anywhere
for path in ("new", "old"):
    try:
        wisen.open(os.path.join(sys.argv[1], path), 4).remember("a", [1, 0, 0, 0])
    except (wisen.IoError, wisen.ReadOnlyError) as error:
        print(path, type(error).__name__, error.errno, error)
"""
    with tempfile.TemporaryDirectory() as directory:
        wisen.open(Path(directory, "old"), 4).close()
        for path in (*Path(directory, "old").iterdir(), Path(directory, "old"), Path(directory)):
            path.chmod(0o555 if path.is_dir() else 0o444)
        command = [sys.executable, "-P", "-c", program, directory]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        for path in (Path(directory), Path(directory, "old")):
            path.chmod(0o755)
    assert done.returncode == 0, done.stderr
    new, old = done.stdout.splitlines()
    assert new.startswith(f"new IoError {errno.EACCES} cannot ")
    assert old.startswith("old ")


def test_a_file_where_the_directory_should_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((wisen.IoError, wisen.NotAStoreError)):
        wisen.open(tmp_path / "file" / "store", 4)
