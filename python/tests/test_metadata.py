"""Metadata is JSON: kept exactly, or refused."""

from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import pytest

import wisen


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"a": None, "b": True, "c": [1, -2.5, "x", {}], "d": {"e": []}},
        {"big": 2**64 - 1, "small": -(2**63), "tiny": 5e-324, "huge": 1.7e308, "third": 1 / 3},
        {"": "", "text": 'quotes " and \\ and \n and \0 and \u00e9 and \U0001f600'},
    ],
)
def test_metadata_comes_back_as_it_was(
    store: wisen.Store, east: list[float], metadata: dict[str, Any]
) -> None:
    record = store.get(store.remember("a", east, metadata=metadata))
    assert record is not None
    assert record.metadata in (metadata, metadata or None)
    if metadata:
        hit = store.recall(east, content=True)[0]
        assert hit.metadata == metadata
        assert hit.metadata is not hit.metadata


def test_other_mappings_and_tuples_are_taken(store: wisen.Store, east: list[float]) -> None:
    for mapping in (OrderedDict(x=(1, 2)), MappingProxyType({"x": [1, 2]})):
        record = store.get(store.remember("a", east, metadata=mapping))
        assert record is not None
        assert record.metadata == {"x": [1, 2]}


@pytest.mark.parametrize("wrong", [{"x": float("nan")}, {"x": [float("inf")]}, {"x": 2**64}])
def test_what_json_cannot_say_is_refused(store: wisen.Store, east: list[float], wrong: Any) -> None:
    with pytest.raises(wisen.InvalidArgumentError, match="invalid metadata"):
        store.remember("a", east, metadata=wrong)


@pytest.mark.parametrize("wrong", [[], "x", 3, {1: 2}, {"x": {1, 2}}, {"x": b"y"}, {"x": object()}])
def test_wrong_types_are_type_errors(store: wisen.Store, east: list[float], wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"^metadata must be "):
        store.remember("a", east, metadata=wrong)


def test_depth_is_bounded(store: wisen.Store, east: list[float]) -> None:
    nested: dict[str, Any] = {}
    for _ in range(98):
        nested = {"x": nested}
    record = store.get(store.remember("a", east, metadata=nested))
    assert record is not None
    assert record.metadata == nested
    cycle: dict[str, Any] = {}
    cycle["x"] = [cycle]
    with pytest.raises(wisen.InvalidArgumentError, match="within each other"):
        store.remember("a", east, metadata=cycle)


@pytest.mark.parametrize("wrong", [{"x": "\udc80"}, {"\udc80": 1}])
def test_lone_surrogates(store: wisen.Store, east: list[float], wrong: Any) -> None:
    with pytest.raises(wisen.NotUtf8Error, match="metadata is not valid UTF-8"):
        store.remember("a", east, metadata=wrong)
