"""remember_many: one value for all, or one for each."""

from datetime import timedelta
from typing import Any

import pytest

import wisen

VECTORS = [[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0]]
TEXTS = ["a", "b", "c"]


def records(store: wisen.Store, ids: list[int]) -> list[wisen.Record]:
    found = [store.get(memory) for memory in ids]
    assert None not in found
    return [record for record in found if record is not None]


def test_one_value_for_all(store: wisen.Store) -> None:
    ids = store.remember_many(
        TEXTS, VECTORS, namespace="n", kind="k", metadata={"x": 1}, author="ana", ttl=60
    )
    for record, text in zip(records(store, ids), TEXTS, strict=True):
        assert (record.content, record.namespace, record.kind) == (text, "n", "k")
        assert (record.metadata, record.author) == ({"x": 1}, "ana")
        assert record.expires_at == record.created_at + timedelta(minutes=1)


def test_one_value_for_each(store: wisen.Store) -> None:
    old = store.remember("old", VECTORS[0])
    ids = store.remember_many(
        (text for text in TEXTS),
        VECTORS,
        namespace=["x", "default", "z"],
        kind=("k", "l", "m"),
        metadata=[{"x": 1}, None, {}],
        author=["ana", None, "bo"],
        key=["k1", None, "k3"],
        supersedes=[None, old, None],
        ttl=[None, 60, timedelta(days=1)],
    )
    found = records(store, ids)
    assert [record.namespace for record in found] == ["x", "default", "z"]
    assert [record.kind for record in found] == ["k", "l", "m"]
    assert [record.metadata for record in found][:2] == [{"x": 1}, None]
    assert [record.author for record in found] == ["ana", None, "bo"]
    assert [record.key for record in found] == ["k1", None, "k3"]
    assert [record.expires_at is None for record in found] == [True, False, False]
    replaced = store.get(old)
    assert replaced is not None
    assert replaced.superseded_by == ids[1]


@pytest.mark.parametrize("name", ["namespace", "kind", "metadata", "author", "key", "ttl"])
def test_the_lengths_must_agree(store: wisen.Store, name: str) -> None:
    arguments: dict[str, Any] = {name: [None, None]}
    with pytest.raises(wisen.InvalidArgumentError, match=f"{name}: 2 entries for 3"):
        store.remember_many(TEXTS, VECTORS, **arguments)
    with pytest.raises(wisen.InvalidArgumentError, match="vectors: 2 vectors for 3"):
        store.remember_many(TEXTS, VECTORS[:2])
    assert store.count() == 0


def test_all_or_none_and_the_row_is_named(store: wisen.Store) -> None:
    bad: list[tuple[type[wisen.WisenError], Any, dict[str, Any]]] = [
        (wisen.NotFiniteError, [VECTORS[0], [float("nan"), 0, 0, 0], VECTORS[2]], {}),
        (wisen.WrongDimensionError, [VECTORS[0], [1.0], VECTORS[2]], {}),
        (wisen.ZeroVectorError, [VECTORS[0], [0.0] * 4, VECTORS[2]], {}),
        (wisen.NotUtf8Error, VECTORS, {"author": ["a", "\ud800", "c"]}),
        (wisen.InvalidArgumentError, VECTORS, {"metadata": [{}, {"x": float("inf")}, {}]}),
        (wisen.InvalidArgumentError, VECTORS, {"ttl": [1, -1, 1]}),
        (wisen.UnknownMemoryError, VECTORS, {"supersedes": [None, 999, None]}),
    ]
    for kind, vectors, arguments in bad:
        with pytest.raises(kind, match="row 1 of the batch") as caught:
            store.remember_many(TEXTS, vectors, **arguments)
        assert caught.value.row == 1
        assert caught.value.code == kind.code
    assert store.count() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"contents": "abc"}, r"^contents must be a sequence of str, not str$"),
        ({"contents": ["a", 2, "c"]}, r"^contents\[1\] must be str, not int$"),
        ({"vectors": 3}, r"^vectors must be .*, not int$"),
        ({"vectors": [[1.0, 0, 0, 0], "ab", 0]}, r"^vectors\[1\] must be .*, not str$"),
        ({"kind": ["a", 2, "c"]}, r"^kind\[1\] must be str, not int$"),
        ({"kind": 3}, r"^kind must be str or a sequence of str, not int$"),
        ({"key": "one"}, r"^key must be a sequence of str or None, not str$"),
        ({"metadata": [{}, 3, {}]}, r"^metadata\[1\] must be dict or None, not int$"),
        ({"metadata": "x"}, r"^metadata must be a dict or a sequence of dicts, not str$"),
        ({"supersedes": 3}, r"^supersedes must be a sequence of ids or None, not int$"),
        ({"supersedes": [None, "x", None]}, r"^supersedes\[1\] must be int, not str$"),
        ({"ttl": "x"}, r"^ttl must be .* not str$"),
        ({"ttl": object()}, r"^ttl\[0\] must be .* not object$"),
    ],
)
def test_wrong_types_are_named(store: wisen.Store, arguments: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"contents": TEXTS, "vectors": VECTORS} | arguments
    with pytest.raises(TypeError, match=message):
        store.remember_many(**given)
