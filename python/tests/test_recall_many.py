"""recall_many: several recalls at once, each as if it were alone."""

import pytest

import wisen

VECTORS = [[1.0, 0.1, 0, 0], [0, 1.0, 0.2, 0], [0.3, 0, 1.0, 0], [0.1, 0.1, 0.1, 1.0]]


@pytest.fixture
def filled(store: wisen.Store) -> wisen.Store:
    around = [[x + 0.01 * i for x in vector] for i in range(10) for vector in VECTORS]
    store.remember_many([f"memory {i}" for i in range(len(around))], around)
    return store


def told(recall: wisen.Recall) -> list[tuple[int, float, float, str | None]]:
    return [(hit.id, hit.score, hit.similarity, hit.content) for hit in recall]


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_as_one_by_one(filled: wisen.Store, threads: int) -> None:
    queries = VECTORS * 10
    many = filled.recall_many(queries, k=7, content=True, threads=threads)
    assert [told(one) for one in many] == [
        told(filled.recall(v, k=7, content=True)) for v in queries
    ]
    receipts = [one.receipt for one in many]
    assert len(set(receipts)) == len(queries)
    assert None not in receipts
    filled.report(many[3], "success", used=many[3][1])
    # Reported on: the same again tells otherwise.
    assert told(filled.recall_many(queries, k=7, content=True)[3]) != told(many[3])


def test_arguments_for_all_and_for_each(filled: wisen.Store) -> None:
    many = filled.recall_many(
        VECTORS,
        text=["a", None, "c", "d"],
        k=5,
        explore=2,
        seed=[1, 2, None, 2**64 - 1],
        namespace="default",
    )
    for at, seed in ((0, 1), (1, 2), (3, 2**64 - 1)):
        assert told(many[at]) == told(filled.recall(VECTORS[at], k=5, explore=2, seed=seed))
    assert all(one.receipt is None for one in filled.recall_many(VECTORS, receipt=False))
    assert [len(one) for one in filled.recall_many(VECTORS, kind="none")] == [0] * 4
    assert [len(one) for one in filled.recall_many(VECTORS, filter={"kind": "note"}, k=2)] == [
        2
    ] * 4
    assert filled.recall_many([]) == []


def test_a_bad_row_is_named(filled: wisen.Store) -> None:
    with pytest.raises(wisen.WrongDimensionError) as caught:
        filled.recall_many([*VECTORS, [1.0]])
    assert caught.value.row == 4
    with pytest.raises(wisen.NotFiniteError) as caught_too:
        filled.recall_many([VECTORS[0], [float("nan")] * 4])
    assert caught_too.value.row == 1
    with pytest.raises(wisen.InvalidArgumentError, match="text: 1 entries for 4 vectors"):
        filled.recall_many(VECTORS, text=["a"])
    with pytest.raises(wisen.InvalidArgumentError, match="256"):
        filled.recall_many(VECTORS, threads=257)
    with pytest.raises(TypeError):
        filled.recall_many(VECTORS, seed=7)  # type: ignore[arg-type]
    filled.close()
    with pytest.raises(wisen.ClosedError):
        filled.recall_many(VECTORS)
