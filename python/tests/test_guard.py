"""Halting, the audit, provenance, hooks and secrets."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import wisen

V = [1.0, 0.5, 0.0, 0.1]
PASSWORD = "s3cr3t-Pa55"  # noqa: S105
DSN = f"connect to postgres://app:{PASSWORD}@db.internal/app"


def test_a_halt_is_obeyed_until_it_is_resumed(tmp_path: Path) -> None:
    with wisen.open(tmp_path / "s", 4) as store, wisen.open(tmp_path / "s") as other:
        store.remember("one", V)
        assert store.halted() is None
        halt = store.halt("a drill", "no_writes")
        assert (halt.level, halt.reason, halt.by, halt.recorded) == (
            "no_writes",
            "a drill",
            "owner",
            True,
        )
        assert halt.since.tzinfo is not None
        assert "a drill" in repr(halt)
        with pytest.raises(wisen.HaltedError, match="a drill") as caught:
            other.remember("two", V)
        assert caught.value.code == 501
        assert len(other.recall(V)) == 1
        store.halt("worse")
        found = other.halted()
        assert found is not None
        assert found.level == "deny_all"
        with pytest.raises(wisen.HaltedError):
            other.recall(V)
        with pytest.raises(wisen.HaltedError):
            other.get(1)
        assert other.resume("over")
        assert not store.resume("again")
        assert len(store.recall(V)) == 1
        with pytest.raises(wisen.InvalidArgumentError, match="level"):
            store.halt("x", "some")  # type: ignore[arg-type]
        with pytest.raises(wisen.InvalidArgumentError, match="reason"):
            store.halt("")
        with pytest.raises(wisen.InvalidArgumentError, match="secret key"):
            store.resume("x", key="nonsense")


def test_triggers_halt() -> None:
    with wisen.open(":memory:", 4) as store:
        memory = store.remember("one", V)
        assert store.triggers() == wisen.Triggers()
        triggers = wisen.Triggers(failures_in_a_row=2, spend_per_hour_micros=10, level="no_memory")
        store.set_triggers(triggers)
        assert store.triggers() == triggers
        assert "failures_in_a_row=2" in repr(triggers)
        store.report_memory(memory, "failure")
        store.report_memory(memory, "failure")
        halt = store.halted()
        assert halt is not None
        assert (halt.by, halt.level) == ("engine", "no_memory")
        store.resume("seen")
        with pytest.raises(TypeError, match="Triggers"):
            store.set_triggers({})  # type: ignore[arg-type]


def test_the_audit_is_verified_anchored_and_exported(tmp_path: Path) -> None:
    with wisen.open(tmp_path / "s", 4) as store:
        store.remember("one", V)
        anchor = store.anchor()
        store.remember("two", V)
        found = store.audit_verify(anchor)
        assert found.ok
        assert (found.entries, found.memories, found.faults) == (2, 2, [])
        assert found.anchor == store.anchor() != anchor
        wrong = store.audit_verify(anchor.replace(":1:", ":7:"))
        assert not wrong.ok
        assert "are missing" in wrong.faults[0][1]
        with pytest.raises(wisen.InvalidArgumentError, match="anchor"):
            store.audit_verify("x")
        assert store.audit_export(tmp_path / "audit.jsonl") == 2
        lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
        assert [line["op"] for line in lines] == ["remember", "remember"]
        with pytest.raises(wisen.IoError):
            store.audit_export(tmp_path / "nowhere" / "audit.jsonl")
        with pytest.raises(wisen.InvalidArgumentError, match="directory of the store"):
            store.audit_export(Path(store.path) / "memory.db")
        assert store.audit_level() == "everything"
        store.set_audit_level("decisions")
        store.remember("three", V)
        assert [entry.op for entry in store.audit_entries(after=2)] == ["audit_level"]


def test_memories_say_where_they_come_from() -> None:
    with wisen.open(":memory:", 4) as store:
        one = store.remember("one", V)
        recall = store.recall(V)
        two = store.remember(
            "two", V, author="ann", source="agent", origin=recall, parents=[one], model="a model"
        )
        record = store.get(two)
        assert record is not None
        found = record.provenance
        assert (found.author, found.source, found.parents, found.model) == (
            "ann",
            "agent",
            [one],
            "a model",
        )
        assert found.origin == recall.receipt
        assert found.age >= timedelta(0)
        assert 0 < found.trust < 1
        assert found.flags == []
        assert found.tags == []
        hits = {hit.id: hit.provenance for hit in store.recall(V, content=True)}
        later, first = hits[two], hits[one]
        assert later is not None
        assert later.source == "agent"
        assert first is not None
        assert first.trust == 1
        assert store.recall(V)[0].provenance is None
        ids = store.remember_many(["a", "b"], [V, V], source=["web", None], parents=[[one], None])
        records = [store.get(id) for id in ids]
        assert [r.provenance.source for r in records if r] == ["web", None]
        with pytest.raises(wisen.InvalidArgumentError, match="source"):
            store.remember("x", V, source="dream")  # type: ignore[arg-type]
        with pytest.raises(wisen.UnknownMemoryError):
            store.remember("x", V, parents=[99])


def test_secrets_are_redacted_by_default_and_otherwise_as_chosen() -> None:
    for action, expected, flags in [
        ("redact", DSN.replace(PASSWORD, "[redacted: dsn_password]"), ["redacted"]),
        ("tag", DSN, ["secret"]),
        ("allow", DSN, []),
    ]:
        with wisen.open(":memory:", 4, secrets=action) as store:  # type: ignore[arg-type]
            record = store.get(store.remember(DSN, V))
            assert record is not None
            assert (record.content, record.provenance.flags) == (expected, flags)
    with (
        wisen.open(":memory:", 4, secrets="refuse") as store,
        pytest.raises(wisen.RefusedError, match="dsn_password") as caught,
    ):
        store.remember(DSN, V)
    assert caught.value.code == 502
    assert PASSWORD not in str(caught.value)
    text = "\u00e9\u00e9 " + DSN
    [(kind, start, end)] = wisen.find_secrets(text)
    assert (kind, text[start:end]) == ("dsn_password", PASSWORD)
    assert wisen.find_secrets("nothing here") == []


def test_a_hook_decides() -> None:
    seen: list[dict[str, Any]] = []

    def hook(memory: dict[str, Any]) -> wisen.Ruling | str | None:
        seen.append(memory)
        if "poison" in memory["content"]:
            return wisen.Ruling(refuse="it is poison")
        if "Bob" in memory["content"]:
            return str(memory["content"]).replace("Bob", "[name]")
        if memory["source"] == "web":
            return wisen.Ruling(tags=["outside"])
        if memory["content"] == "broken":
            raise ValueError("the hook is broken")
        if memory["content"] == "wrong":
            return 7  # type: ignore[return-value]
        return None

    with wisen.open(":memory:", 4, hook=hook) as store:
        record = store.get(store.remember("Bob called", V, metadata={"n": 1}, kind="fact"))
        assert record is not None
        assert record.content == "[name] called"
        assert seen[0] == {
            "content": "Bob called",
            "metadata": {"n": 1},
            "namespace": "default",
            "kind": "fact",
            "author": None,
            "source": None,
        }
        record = store.get(store.remember("a page", V, source="web"))
        assert record is not None
        assert record.provenance.tags == ["outside"]
        for text, why in [
            ("poison", "it is poison"),
            ("broken", "the hook is broken"),
            ("wrong", "not int"),
        ]:
            with pytest.raises(wisen.RefusedError, match=why):
                store.remember(text, V)
        assert store.count() == 2
    with pytest.raises(TypeError, match="hook"):
        wisen.open(":memory:", 4, hook=3)  # type: ignore[arg-type]
