"""What chance decides in a recall: exploration, hold-out; and how sure a recall is."""

from collections.abc import Callable
from typing import Any

import pytest

import wisen


@pytest.fixture
def fan(store: wisen.Store) -> list[int]:
    """Forty memories from east to north, in this order."""
    vectors = [[40.0 - i, 1.0 + i, 0.0, 0.0] for i in range(40)]
    return store.remember_many([str(i) for i in range(40)], vectors)


def test_nothing_is_left_to_chance_unless_asked_for(
    store: wisen.Store, fan: list[int], east: list[float]
) -> None:
    recall = store.recall(east, k=5)
    assert [hit.id for hit in recall] == fan[:5]
    assert all(hit.propensity == 1.0 for hit in recall)
    assert recall.fit == max(hit.probability for hit in recall)
    assert not recall.withheld
    seeded = store.recall(east, k=5, explore=0, hold_out=0.0, seed=7)
    assert [(hit.id, hit.score) for hit in seeded] == [(hit.id, hit.score) for hit in recall]
    assert "fit=0." in repr(recall)
    assert repr(recall).endswith("withheld=False)")
    assert store.recall(east, namespace="nowhere").fit == 0


def test_exploration_draws_the_last_places(
    store: wisen.Store, fan: list[int], east: list[float]
) -> None:
    drawn: set[int] = set()
    for seed in range(20):
        hits = store.recall(east, k=5, explore=2, seed=seed)
        assert [hit.id for hit in hits[:3]] == fan[:3]
        assert all(hit.propensity == 1.0 for hit in hits[:3])
        assert all(0 < hit.propensity < 1 for hit in hits[3:])
        again = store.recall(east, k=5, explore=2, seed=seed, receipt=False)
        assert [hit.id for hit in again] == [hit.id for hit in hits]
        drawn.update(hit.id for hit in hits[3:])
    assert len(drawn) > 5


def test_withheld_recalls_say_so(store: wisen.Store, fan: list[int], east: list[float]) -> None:
    sizes = []
    for seed in range(60):
        recall = store.recall(east, k=3, hold_out=0.5, seed=seed)
        assert recall.withheld == (not recall)
        sizes.append(len(recall))
        if recall.withheld:
            assert recall.fit == 0
            assert store.report(recall, True).status == "not_credited"
            with pytest.raises(wisen.NotShownError):
                store.report(recall, True, used=fan[0])
    assert sizes.count(0) > 10
    assert sizes.count(2) > 5
    assert sizes.count(3) > 5
    for seed in range(20):
        assert len(store.recall(east, k=3, hold_out=0.5, seed=seed, receipt=False)) == 3


def test_bad_arguments(store: wisen.Store, east: list[float]) -> None:
    anything: Any = store
    out_of_range: list[tuple[str, Callable[[], object]]] = [
        ("hold_out", lambda: store.recall(east, hold_out=0.6)),
        ("hold_out", lambda: store.recall(east, hold_out=-0.1)),
        ("hold_out", lambda: store.recall(east, hold_out=float("nan"))),
        ("hold_out", lambda: store.recall(east, hold_out=10**400)),
        ("explore", lambda: store.recall(east, explore=-1)),
        ("seed", lambda: store.recall(east, seed=2**64)),
    ]
    for name, call in out_of_range:
        with pytest.raises(wisen.InvalidArgumentError, match=f"^invalid {name}: "):
            call()
    wrong_types: list[tuple[str, Callable[[], object]]] = [
        ("hold_out must be float, not str", lambda: anything.recall(east, hold_out="half")),
        ("explore must be int, not float", lambda: anything.recall(east, explore=1.0)),
        ("seed must be int, not str", lambda: anything.recall(east, seed="7")),
    ]
    for message, call in wrong_types:
        with pytest.raises(TypeError, match=message):
            call()
