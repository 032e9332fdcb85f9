"""What an owner may decide for a namespace."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wisen


def test_the_signature_tells_the_defaults() -> None:
    policy = wisen.Policy()
    parameters = inspect.signature(wisen.Policy).parameters
    assert {name: parameter.default for name, parameter in parameters.items()} == {
        name: getattr(policy, name) for name in parameters
    }
    fields = [name for name in dir(policy) if not name.startswith("_") and name != "replace"]
    assert sorted(parameters) == fields


def test_a_policy_is_kept(path: Path) -> None:
    policy = wisen.Policy(
        quarantine=True,
        floor=0.3,
        tail=0.9,
        prior_mean=0.7,
        prior_weight=5,
        local_evidence=2,
        local_mean=0.45,
        probation_share=0.1,
        probation_outcomes=7,
        release_below=0.4,
        hold_out=0.25,
        distil_at=0.5,
    )
    with wisen.open(path, 4) as store:
        assert store.policy("a") == wisen.Policy()
        store.set_policy("a", policy)
    with wisen.open(path) as store:
        assert store.policy("a") == policy
        assert store.policy("b") == wisen.Policy() != policy
        assert (policy.quarantine, policy.probation_outcomes, policy.distil_at) == (True, 7, 0.5)
        store.set_policy("a", store.policy("a").replace(distil_at=None, floor=0.4))
        assert store.policy("a").distil_at is None
        assert (store.policy("a").floor, store.policy("a").tail) == (0.4, 0.9)
    shown = "Policy(quarantine=True, floor=0.3, tail=0.9, hold_out=0.25, distil_at=0.5)"
    assert repr(policy) == shown


def test_a_policy_holds_memory_out(store: wisen.Store, east: list[float]) -> None:
    store.remember("a", east)
    store.set_policy("default", wisen.Policy(hold_out=0.5))
    recalls = [store.recall(east, seed=seed) for seed in range(40)]
    assert 5 < sum(recall.withheld for recall in recalls) < 35


def test_what_no_rule_can_work_with_is_refused(store: wisen.Store) -> None:
    bad: list[tuple[str, wisen.Policy]] = [
        ("floor", wisen.Policy(floor=0)),
        ("tail", wisen.Policy(tail=1)),
        ("prior_mean", wisen.Policy(prior_mean=float("nan"))),
        ("prior_weight", wisen.Policy(prior_weight=0)),
        ("local_evidence", wisen.Policy(local_evidence=-1)),
        ("local_mean", wisen.Policy(local_mean=1.5)),
        ("probation_share", wisen.Policy(probation_share=1.1)),
        ("probation_share", wisen.Policy(probation_share=1)),
        ("probation_outcomes", wisen.Policy(probation_outcomes=0)),
        ("probation_outcomes", wisen.Policy(probation_outcomes=2**40)),
        ("release_below", wisen.Policy(release_below=-0.1)),
        ("hold_out", wisen.Policy(hold_out=0.6)),
        ("distil_at", wisen.Policy(distil_at=float("inf"))),
    ]
    for name, policy in bad:
        with pytest.raises(wisen.InvalidArgumentError, match=f"^invalid {name}: "):
            store.set_policy("default", policy)
    assert store.policy("default") == wisen.Policy()


def test_wrong_types_and_names() -> None:
    anything: Any = wisen.Policy
    calls: list[tuple[str, Callable[[], object]]] = [
        ('a policy has no field "flor"', lambda: anything(flor=0.3)),
        ('a policy has no field "Tail"', lambda: anything().replace(Tail=0.3)),
        ("floor must be float, not NoneType", lambda: anything(floor=None)),
        ("quarantine must be bool, not int", lambda: anything(quarantine=1)),
        ("probation_outcomes must be int, not float", lambda: anything(probation_outcomes=1.5)),
        ("positional", lambda: anything(True)),
        ("unhashable", lambda: hash(wisen.Policy())),
    ]
    for message, call in calls:
        with pytest.raises(TypeError, match=message):
            call()
