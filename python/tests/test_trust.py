"""Who may report in whose name, and how far their word goes."""

from datetime import UTC
from typing import Any

import pytest

import wisen


def test_a_registered_name_needs_its_token(store: wisen.Store, east: list[float]) -> None:
    memory = store.remember("a", east)
    first = store.register("ann")
    assert len(first) == 64
    with pytest.raises(wisen.BadTokenError, match="does not prove"):
        store.report_memory(memory, True, reporter="ann")
    assert store.report_memory(memory, True, reporter="ann", token=first).status == "credited"
    token = store.register("ann")
    with pytest.raises(ValueError, match="ann"):
        store.report(store.recall(east), True, reporter="ann", token=first)
    store.report(store.recall(east), True, reporter="ann", token=token)
    with pytest.raises(wisen.BadTokenError):
        store.report_memory(memory, True, reporter="bob", token=token)
    with pytest.raises(wisen.InvalidArgumentError, match="token"):
        store.report_memory(memory, True, token=token)
    # A name that anybody may use, without a receipt.
    assert store.report_memory(memory, True, reporter="bob").status == "not_credited"


def test_reliability_is_learnt_beside_the_owner(store: wisen.Store, east: list[float]) -> None:
    assert store.principals() == []
    store.remember("a", east)
    token = store.register("ann")
    for outcome in [True, False] * 10:
        recall = store.recall(east)
        store.report_many([recall] * 2, [outcome] * 2, reporter=[None, "ann"], token=[None, token])
    store.report(store.recall(east), True, reporter="bob")
    ann, bob = store.principals()
    assert (ann.name, ann.reports, ann.judged_together) == ("ann", 20, 20)
    assert ann.registered_at is not None
    assert ann.registered_at.tzinfo is UTC
    low, high = ann.interval
    assert 0.5 < low < ann.reliability < high <= 1
    assert ann.reliability > 0.9
    assert (bob.name, bob.registered_at, bob.reports, bob.judged_together) == ("bob", None, 1, 0)
    assert repr(bob).startswith("Principal(name='bob', reports=1, reliability=0.")

    assert store.revoke("ann")
    assert not store.revoke("ann")
    assert not store.revoke("nobody")
    assert store.principals()[0].registered_at is None


def test_an_authority_alone_registers(store: wisen.Store, east: list[float]) -> None:
    memory = store.remember("a", east)
    before = store.register("ann")
    key, _ = store.create_authority("ops")
    with pytest.raises(wisen.UnauthorisedError):
        store.register("bob")
    with pytest.raises(wisen.UnauthorisedError):
        store.revoke("ann")
    with pytest.raises(wisen.InvalidArgumentError):
        store.register("bob", key="nonsense")
    token = store.register("bob", key=key)
    for name, proof in (("ann", before), ("bob", token)):
        assert store.report_memory(memory, True, reporter=name, token=proof).status == "credited"
    assert not any(one.disbelieved for one in store.principals())
    assert store.revoke("ann", key=key)
    assert [one.registered_at is None for one in store.principals()] == [True, False]


def test_names_that_are_none(store: wisen.Store) -> None:
    anything: Any = store
    for name in ("", "x" * 256, "a\0b"):
        with pytest.raises(wisen.InvalidArgumentError, match=r"^invalid name: "):
            store.register(name)
    with pytest.raises(wisen.NotUtf8Error, match=r"^name is not valid UTF-8"):
        store.register("\ud800")
    with pytest.raises(TypeError, match="name must be str, not int"):
        anything.revoke(1)
