"""Remember, recall, report: the whole loop, and that it learns."""

import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import wisen


def test_the_whole_loop(store: wisen.Store, east: list[float]) -> None:
    memory = store.remember(
        "restart the worker", east, kind="fix", metadata={"by": ["ops", 1, None]}, author="ana"
    )
    recall = store.recall(east, text="the queue does not drain", content=True)

    assert recall.receipt is not None
    assert len(recall.receipt) == 36
    assert recall.bytes_touched > 0
    assert [hit.id for hit in recall] == [memory]
    hit = recall[0]
    assert recall.hits == (hit,)
    assert recall[:1] == (hit,)
    assert recall[-1] is hit
    assert (hit.namespace, hit.content) == ("default", "restart the worker")
    assert hit.metadata == {"by": ["ops", 1, None]}
    assert hit.similarity == pytest.approx(1.0, abs=0.02)
    assert all(isinstance(reason, str) for reason in hit.reasons)
    low, high = hit.interval
    assert 0 <= low <= hit.probability <= high <= 1

    reply = store.report(recall, "success", tokens=12, cost_micros=-3, key="job 1", note="ok")
    assert reply.status == "credited"
    assert reply.credited == {memory: pytest.approx(1.0)}

    evidence = store.recall(east)[0].evidence
    assert evidence.reports == 1
    assert evidence.successes > 0
    assert evidence.failures == 0
    assert evidence.own_fit > 0
    assert not evidence.nominated
    assert evidence.supporting is not None
    assert evidence.supporting.outcome == pytest.approx(1.0)
    assert evidence.supporting.reports == 1
    assert evidence.supporting.similarity == pytest.approx(1.0, abs=0.02)
    assert evidence.contradicting is None


def test_no_report_no_change_and_reports_change_the_order(store: wisen.Store) -> None:
    near = store.remember("near", [1.0, 0.05, 0.0, 0.0])
    far = store.remember("far", [1.0, 0.5, 0.0, 0.0])
    situation = [1.0, 0.0, 0.0, 0.0]

    for _ in range(3):
        recall = store.recall(situation)
        assert [hit.id for hit in recall] == [near, far]
        store.report(recall, "unknown", used=[near, far])
    for _ in range(8):
        store.report(store.recall(situation), "failure", used=near)
        store.report(store.recall(situation), "success", used=far)

    hits = store.recall(situation)
    assert [hit.id for hit in hits] == [far, near]
    assert hits[0].probability > hits[1].probability


@pytest.mark.parametrize(
    ("outcome", "successes"),
    [("success", 1), (True, 1), (1, 1), (1.0, 1), ("failure", 0), (False, 0), (0.25, 0.25)],
)
def test_outcomes(store: wisen.Store, east: list[float], outcome: float, successes: float) -> None:
    store.remember("a", east)
    assert store.report(store.recall(east), outcome).status == "credited"
    evidence = store.recall(east)[0].evidence
    share = evidence.successes / (evidence.successes + evidence.failures)
    assert share == pytest.approx(successes)


def test_unknown_outcomes_move_nothing(store: wisen.Store, east: list[float]) -> None:
    store.remember("a", east)
    for outcome in (None, "unknown"):
        reply = store.report(store.recall(east), outcome)
        assert (reply.status, reply.credited) == ("not_credited", {})
    assert store.recall(east)[0].evidence.reports == 0


def test_what_was_used_is_named_by_id_or_hit(store: wisen.Store, east: list[float]) -> None:
    a, b = store.remember("a", east), store.remember("b", [0.9, 0.1, 0.0, 0.0])
    recall = store.recall(east)
    assert store.report(recall, True).status == "not_credited"
    assert store.report(recall.receipt or "", True, used=a).credited == {a: pytest.approx(1.0)}
    assert store.report(recall, True, used=recall[0]).credited.keys() == {a}
    assert store.report(recall, True, used=[recall[0], b]).credited.keys() == {a, b}


def test_the_same_report_under_the_same_key_counts_once(
    store: wisen.Store, east: list[float]
) -> None:
    store.remember("a", east)
    recall = store.recall(east)
    first = store.report(recall, True, key="job 7")
    again = store.report(recall, True, key="job 7")
    assert (first.status, again.status, again.id) == ("credited", "duplicate", first.id)
    assert store.recall(east)[0].evidence.reports == 1


def test_report_on_a_memory_without_a_recall(store: wisen.Store, east: list[float]) -> None:
    memory = store.remember("a", east)
    assert store.report_memory(memory, True).credited == {memory: pytest.approx(1.0)}
    assert store.report_memory(memory, False, situation=[0.9, 0.1, 0, 0]).status == "credited"
    assert store.recall(east)[0].evidence.reports == 2


def test_recall_can_be_narrowed(store: wisen.Store, east: list[float], north: list[float]) -> None:
    a = store.remember("a", east, namespace="x", kind="fix")
    b = store.remember("b", north, namespace="y")
    assert len(store.recall(east)) == 0
    assert [hit.id for hit in store.recall(east, namespace="x")] == [a]
    assert [hit.id for hit in store.recall(east, namespace=["x", "y", "none"])] == [a, b]
    assert [hit.id for hit in store.recall(east, namespace=("x", "y"), k=1)] == [a]
    assert [hit.id for hit in store.recall(east, namespace={"x", "y"}, k=1)] == [a]
    assert [hit.id for hit in store.recall(east, namespace=["x", "y"], kind="fix")] == [a]


def test_recall_without_receipt_and_content(store: wisen.Store, east: list[float]) -> None:
    store.remember("a", east)
    recall = store.recall(east, receipt=False)
    assert recall.receipt is None
    assert (recall[0].content, recall[0].metadata) == (None, None)
    with pytest.raises(wisen.InvalidArgumentError, match="receipt"):
        store.report(recall, True)


def test_times_are_aware(store: wisen.Store, east: list[float]) -> None:
    before = datetime.now(UTC)
    memory = store.remember("a", east, ttl=timedelta(hours=1))
    record = store.get(memory)
    assert record is not None
    assert before - timedelta(seconds=1) <= record.created_at <= datetime.now(UTC)
    assert record.updated_at == record.created_at
    assert record.expires_at == record.created_at + timedelta(hours=1)
    assert store.namespaces()[0].created_at.tzinfo is UTC


def test_a_store_remembers_across_opens(path: Path, east: list[float]) -> None:
    with wisen.open(str(path), dimension=4, metric="cosine", model="m", durability="full") as store:
        memory = store.remember("a", east)
        store.report(store.recall(east), True)
    with wisen.open(path) as store:
        hit = store.recall(east)[0]
        assert (hit.id, hit.evidence.reports) == (memory, 1)
        stats = store.stats()
        assert (stats.dimension, stats.metric, stats.model) == (4, "cosine", "m")


def test_an_empty_store_and_k_of_0(store: wisen.Store, east: list[float]) -> None:
    assert list(store.recall(east)) == []
    store.remember("a", east)
    assert list(store.recall(east, k=0)) == []
    assert not store.recall(east, k=0)
    assert len(store.recall(east, k=1)) == 1


def test_a_store_in_memory(east: list[float]) -> None:
    with wisen.open(":memory:", dimension=4) as store:
        assert store.path == ":memory:"
        store.remember("a", east)
        assert len(store.recall(east)) == 1


def test_vectors_in_two_bytes_a_number(tmp_path: Path) -> None:
    given = [0.1, 0.7, -0.3, 0.2]
    for storage, bytes_each in (("f32", 4), ("f16", 2)):
        with wisen.open(tmp_path / storage, 4, metric="l2", storage=storage) as store:  # type: ignore[arg-type]
            assert store.stats().storage == storage
            kept = store.get(store.remember("x", given))
            assert kept is not None
            assert kept.vector == pytest.approx(given, rel=0.0005)
            exact = list(struct.unpack("4f", struct.pack("4f", *given)))
            assert (list(kept.vector) == exact) is (bytes_each == 4)
            assert store.recall(given, k=1)[0].similarity == pytest.approx(0.0, abs=1e-6)
    refused = pytest.raises(wisen.InvalidArgumentError, match="65504")
    with wisen.open(tmp_path / "f16") as store, refused:
        store.remember("too large for it", [0.0, 7e4, 0.0, 0.0])
    with pytest.raises(wisen.InvalidArgumentError, match="f32, f16"):
        wisen.open(tmp_path / "x", 4, storage="f8")  # type: ignore[arg-type]
