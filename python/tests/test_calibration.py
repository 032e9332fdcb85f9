"""How the probabilities that recalls promise come true."""

from typing import Any

import pytest

import wisen


def test_promises_beside_outcomes(store: wisen.Store, east: list[float]) -> None:
    memory = store.remember("a", east)
    nothing = store.calibration()
    assert (nothing.weight, nothing.brier, nothing.bins) == (0, 0, [])
    told: list[tuple[float, int]] = []
    last = None
    for outcome in [0, 1, 1] * 4:
        recall = store.recall(east)
        told.append((recall[0].probability, outcome))
        last = store.report(recall, outcome, used=memory)
    found = store.calibration("default")
    assert found.weight == pytest.approx(12)
    assert found.promised == pytest.approx(sum(p for p, _ in told) / 12, abs=1e-6)
    assert found.outcome == pytest.approx(8 / 12, abs=1e-6)
    assert found.brier == pytest.approx(sum((p - y) ** 2 for p, y in told) / 12, abs=1e-6)
    assert 0 < found.error < 1
    assert 1 < len(found.bins) <= 20
    assert sum(bin_.weight for bin_ in found.bins) == pytest.approx(12)
    assert [bin_.promised for bin_ in found.bins] == sorted(bin_.promised for bin_ in found.bins)
    error = sum(bin_.weight * abs(bin_.promised - bin_.outcome) for bin_ in found.bins) / 12
    assert found.error == pytest.approx(error)
    assert store.stats().calibration.brier == found.brier
    assert repr(found).startswith("Calibration(weight=12.0, promised=0.")
    assert repr(found.bins[0]).startswith("CalibrationBin(weight=")

    assert store.calibration("nowhere").weight == 0
    assert last is not None
    store.retract(last)
    assert store.calibration().weight == pytest.approx(11)


def test_bad_arguments(store: wisen.Store) -> None:
    anything: Any = store
    with pytest.raises(wisen.NotUtf8Error, match=r"^namespace is not valid UTF-8"):
        store.calibration("\ud800")
    with pytest.raises(TypeError, match="namespace must be str, not int"):
        anything.calibration(7)
