"""Records, pages, namespaces, forgetting, figures; and how all of it looks in a console."""

from array import array
from pathlib import Path

import pytest

import wisen


def test_get_gives_everything(store: wisen.Store) -> None:
    old = store.remember("old", [0.5, 0.25, 0, 0])
    new = store.remember("new", [1, 2, 3, 4], supersedes=old, key="k", kind="fix", author="ana")
    record = store.get(new)
    assert record is not None
    assert (record.id, record.namespace, record.kind) == (new, "default", "fix")
    assert (record.content, record.author, record.key) == ("new", "ana", "k")
    assert record.vector == array("f", [1, 2, 3, 4])
    assert (record.metadata, record.expires_at, record.superseded_by) == (None, None, None)
    replaced = store.get(old)
    assert replaced is not None
    assert replaced.superseded_by == new
    assert store.get(10**9) is None


def test_the_same_key_stores_nothing_again(store: wisen.Store, east: list[float]) -> None:
    first = store.remember("a", east, key="k")
    assert store.remember("a", east, key="k") == first
    with pytest.raises(wisen.KeyConflictError):
        store.remember("b", east, key="k")


def test_update_changes_only_what_is_named(store: wisen.Store, east: list[float]) -> None:
    memory = store.remember("a", east, metadata={"n": 1}, ttl=60)
    store.update(memory, content="b", kind="fix")
    record = store.get(memory)
    assert record is not None
    assert (record.content, record.kind, record.metadata) == ("b", "fix", {"n": 1})
    assert record.expires_at is not None

    store.update(memory, metadata=None, ttl=None, vector=[0, 1, 0, 0])
    record = store.get(memory)
    assert record is not None
    assert (record.metadata, record.expires_at) == (None, None)
    assert list(record.vector) == [0, 1, 0, 0]


def test_pages_and_iteration(store: wisen.Store, east: list[float]) -> None:
    ids = store.remember_many([str(n) for n in range(600)], [east] * 600)
    other = store.remember("x", east, namespace="other")
    assert [record.id for record in store.memories()] == [*ids, other]
    assert [record.id for record in store.memories("other")] == [other]
    assert [record.id for record in store.memories("none")] == []
    assert [record.id for record in store.page(limit=2)] == ids[:2]
    assert [record.id for record in store.page("default", after=ids[1], limit=1)] == [ids[2]]
    records = store.memories("other")
    assert iter(records) is records
    next(records)
    assert next(records, None) is None
    assert next(records, None) is None


def test_forgetting(store: wisen.Store, east: list[float]) -> None:
    a = store.remember("a", east)
    store.remember("b", east, namespace="other")
    assert (store.count(), store.count("default"), store.count("none")) == (2, 1, 0)
    assert [(n.name, n.memories) for n in store.namespaces()] == [("default", 1), ("other", 1)]
    assert store.forget(a)
    assert not store.forget(a)
    assert store.get(a) is None
    assert store.drop_namespace("other") == 1
    assert store.count() == 0


def test_figures(store: wisen.Store, east: list[float]) -> None:
    store.remember("a", east)
    store.report(store.recall(east), True)
    store.flush()
    store.seal()
    stats = store.stats()
    assert (stats.memories, stats.reports, stats.experiences, stats.namespaces) == (1, 1, 1, 1)
    assert (stats.recalls, stats.unsealed, stats.segments_set_aside) == (1, 0, 0)
    assert stats.segments >= 1
    assert stats.seals >= 1
    assert stats.segment_bytes > 0
    assert stats.bytes_touched > 0
    assert stats.scans + stats.graph_searches >= 1
    found = store.verify()
    assert found.ok
    assert found.faults == []
    assert (found.memories, found.reports, found.cells, found.unreachable) == (1, 1, 1, 0)
    assert found.segments >= 1
    assert found.sealed >= 1


def test_reprs(path: Path, east: list[float]) -> None:
    store = wisen.open(path, 4)
    assert repr(store) == f"Store({str(path)!r})"
    assert store.path == str(path)
    store.remember("it's " + "long " * 40, east, namespace="n'1")
    recall = store.recall(east, namespace="n'1")
    assert repr(recall).startswith(f"Recall(receipt='{recall.receipt}', hits=[1], bytes_touched=")
    assert repr(recall[0]).startswith("""Hit(id=1, namespace="n'1", similarity=1.0000, prob""")
    assert repr(recall[0].evidence).startswith("Evidence(own_fit=")
    reply = store.report(recall, True)
    assert repr(reply) == f"ReportReply(id={reply.id}, status='credited', credited={{1: 1.0}})"
    supporting = store.recall(east, namespace="n'1")[0].evidence.supporting
    assert repr(supporting).startswith("Precedent(similarity=")
    record = repr(store.get(1))
    assert record.startswith("""Record(id=1, namespace="n'1", kind='note', content="it's long""")
    assert record.endswith("""...")""")
    assert repr(store.namespaces()) == """[Namespace(name="n'1", memories=1)]"""
    assert repr(store.stats()).startswith("Stats(dimension=4, metric='cosine', memories=1")
    assert repr(store.verify()).startswith("Verification(ok=True, memories=1, reports=1")
    store.close()
    assert repr(store) == f"Store({str(path)!r}, closed)"


def test_results_cannot_be_changed_or_made(store: wisen.Store, east: list[float]) -> None:
    store.remember("a", east)
    hit = store.recall(east)[0]
    with pytest.raises(AttributeError):
        hit.score = 2.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        wisen.Hit()
