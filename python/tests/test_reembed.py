"""Re-embedding, and models that do not mix."""

import array
from pathlib import Path

import pytest

import wisen


def old(text: str) -> list[float]:
    """Give a vector of the old model."""
    return [1.0, len(text) / 10, float("e" in text), float("q" in text)]


def new(text: str) -> list[float]:
    """Give a vector of the new model: the same angles in another space."""
    a, b, c, d = old(text)
    return [d, 0.0, -c, b, a]


def filled() -> wisen.Store:
    """Make a store that has learnt something, and something of unknown places."""
    store = wisen.open(":memory:", 4, model="old")
    for text in ("east", "north", ""):
        store.remember(text, old(text + "x"))
    recall = store.recall(old("where to eat"), text="where to eat", k=3)
    assert recall.receipt is not None
    store.report(recall, "success", used=2)
    recall = store.recall(old("qqq"), k=3)
    store.report(recall, "failure", used=1)
    return store


def test_a_store_is_embedded_anew(tmp_path: Path) -> None:
    """Outcomes stay; what cannot be placed is counted."""
    store, asked = filled(), []

    def embed(texts: list[str], kind: str) -> "list[array.array[float]]":
        asked.append((kind, texts))
        return [array.array("f", new(text)) for text in texts]

    told = store.reembed(tmp_path / "new", "new", 5, embed)
    assert asked == [("memory", ["east", "north"]), ("query", ["where to eat"])]
    assert (told.memories, told.left_out, told.placed, told.unplaced) == (2, [3], 1, 1)
    assert repr(told) == "Reembedded(memories=2, left_out=[3], placed=1, unplaced=1)"
    with wisen.open(tmp_path / "new", model="new") as other:
        assert other.verify().ok
        assert (other.stats().dimension, other.stats().model) == (5, "new")
        hits = {hit.id: hit.evidence for hit in other.recall(new("where to eat")).hits}
        assert hits[2].successes > 0.5
        assert hits[2].supporting is not None
    assert store.stats().dimension == 4


def test_matrices_and_none_are_taken(tmp_path: Path) -> None:
    """A text may have no vector."""
    numpy = pytest.importorskip("numpy")
    store = filled()
    store.reembed(tmp_path / "a", "new", 5, lambda texts, _: numpy.array([new(t) for t in texts]))
    told = store.reembed(
        tmp_path / "b", "new", 5, lambda texts, _: [new(t) if t != "east" else None for t in texts]
    )
    assert told.left_out == [1, 3]


def test_what_embed_does_wrong(tmp_path: Path) -> None:
    """Leave nothing behind."""
    store, place = filled(), tmp_path / "new"

    def down(texts: list[str], kind: str) -> list[list[float]]:
        raise ConnectionError(f"{kind}: the server is down, {len(texts)}")

    with pytest.raises(ConnectionError, match="memory: the server is down, 2"):
        store.reembed(place, "new", 5, down)
    with pytest.raises(wisen.InvalidArgumentError, match="1 vectors for 2 texts"):
        store.reembed(place, "new", 5, lambda _, __: [[1.0] * 5])
    with pytest.raises(wisen.WrongDimensionError) as raised:
        store.reembed(place, "new", 5, lambda _, __: [[1.0] * 5, [1.0] * 4])
    assert raised.value.row == 1
    with pytest.raises(wisen.NotFiniteError):
        store.reembed(place, "new", 5, lambda texts, _: [[float("nan")] * 5 for _ in texts])
    with pytest.raises(TypeError, match="callable"):
        store.reembed(place, "new", 5, None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        store.reembed(place, "new", 5, lambda _, __: 7)  # type: ignore[arg-type, return-value]
    with pytest.raises(wisen.InvalidArgumentError, match="model"):
        store.reembed(place, "", 5, lambda texts, _: [new(t) for t in texts])
    assert not list(tmp_path.iterdir())


def test_models_do_not_mix() -> None:
    """Name what made a vector, and it is held against the store's."""
    with wisen.open(":memory:", 4, model="old") as store:
        one = store.remember("x", old("x"), embedding_model="old")
        with pytest.raises(wisen.MismatchError, match="embedding model"):
            store.remember("x", old("x"), embedding_model="new")
        with pytest.raises(wisen.MismatchError):
            store.remember_many(["x"], [old("x")], embedding_model="new")
        with pytest.raises(wisen.MismatchError):
            store.update(one, vector=old("y"), embedding_model="new")
        with pytest.raises(wisen.MismatchError):
            store.recall(old("x"), embedding_model="new")
        assert store.recall(old("x"), embedding_model="old").hits
