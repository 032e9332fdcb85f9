"""Several processes and one store; forks; ends without a close."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import wisen


def python(program: str, *arguments: str) -> str:
    """Run a program in an interpreter of its own and return what it prints."""
    command = [sys.executable, "-P", "-W", "error", "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_report_is_seen_by_another_process(
    store: wisen.Store, path: Path, east: list[float]
) -> None:
    memory = store.remember("a", east)
    store.report(store.recall(east), "success")
    program = """
import sys, wisen
with wisen.open(sys.argv[1]) as store:
    recall = store.recall([1, 0, 0, 0], content=True)
    print(recall[0].id, recall[0].content, recall[0].evidence.reports)
    store.report(recall, "failure")
    store.remember("b", [0, 1, 0, 0])
"""
    assert python(program, str(path)).split() == [str(memory), "a", "1"]
    evidence = store.recall(east)[0].evidence
    assert evidence.reports == 2
    assert evidence.failures > 0
    assert store.count() == 2


def test_a_receipt_can_be_reported_by_another_process(
    store: wisen.Store, path: Path, east: list[float]
) -> None:
    store.remember("a", east)
    recall = store.recall(east)
    store.flush()
    program = """
import sys, wisen
with wisen.open(sys.argv[1]) as store:
    print(store.report(sys.argv[2], True).status)
"""
    assert python(program, str(path), recall.receipt or "").strip() == "credited"
    assert store.recall(east)[0].evidence.reports == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_store_is_not_used_after_a_fork(path: Path) -> None:
    program = """
import os, sys, warnings, wisen
warnings.simplefilter("ignore")
store = wisen.open(sys.argv[1], 4)
store.remember("a", [1, 0, 0, 0])
child = os.fork()
if child == 0:
    try:
        store.recall([1, 0, 0, 0])
    except wisen.ForkedError as error:
        with wisen.open(sys.argv[1]) as again:
            own = len(again.recall([1, 0, 0, 0]))
        os._exit(10 + own if str(os.getpid()) in str(error) and error.code == 107 else 1)
    os._exit(2)
_, status = os.waitpid(child, 0)
store.recall([1, 0, 0, 0])
store.close()
print(os.waitstatus_to_exitcode(status))
"""
    assert python(program, str(path)).strip() == "11"


@pytest.mark.parametrize(
    "last", ["del store", "pass", "raise SystemExit", "cycle = [store]; cycle.append(cycle)"]
)
def test_an_end_without_a_close_loses_nothing(path: Path, last: str) -> None:
    program = f"""
import sys, wisen
store = wisen.open(sys.argv[1], 4)
store.remember("a", [1, 0, 0, 0])
store.report(store.recall([1, 0, 0, 0]), True)
{last}
"""
    python(program, str(path))
    with wisen.open(path) as store:
        assert store.recall([1, 0, 0, 0])[0].evidence.reports == 1
        assert store.verify().ok


def test_numpy_is_not_needed(path: Path) -> None:
    program = """
import sys
sys.modules["numpy"] = None
import wisen
from array import array
with wisen.open(sys.argv[1], 2) as store:
    store.remember("a", array("f", [1, 0]))
    print(store.get(store.recall([1, 0])[0].id).vector.tolist())
"""
    assert python(program, str(path)).strip() == "[1.0, 0.0]"
