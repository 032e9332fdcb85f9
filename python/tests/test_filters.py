"""Filters: which memories a recall may find."""

from typing import Any

import pytest

import wisen


@pytest.fixture
def store() -> wisen.Store:
    store = wisen.open(":memory:", dimension=2)
    store.declare_field("lang")
    store.remember("a", [1.0, 0.0], kind="fact", author="ann", metadata={"lang": ["c", "rust"]})
    store.remember("b", [1.0, 0.1], kind="note", author="bob", metadata={"lang": "c"})
    store.remember("c", [1.0, 0.2], kind="fact", author="ann")
    return store


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, "abc"),
        ({"kind": "fact"}, "ac"),
        ({"author": "bob"}, "b"),
        ({"field": {"name": "lang", "equals": "rust"}}, "a"),
        ({"field": {"name": "lang", "one_of": ["rust", "c"]}}, "ab"),
        ({"field": {"name": "lang", "exists": False}}, "c"),
        ({"not": {"field": {"name": "lang", "equals": "rust"}}}, "bc"),
        ({"any": [{"author": "bob"}, {"field": {"name": "lang", "exists": False}}]}, "bc"),
        ({"all": [{"kind": "fact"}, {"field": {"name": "lang", "range": {"from": "d"}}}]}, "a"),
        ({"created": {"before": 0}}, ""),
    ],
)
def test_a_filter_lets_through_what_it_says(
    store: wisen.Store, given: dict[str, Any] | None, found: str
) -> None:
    recall = store.recall([1.0, 0.0], filter=given, content=True)
    assert "".join(hit.content or "" for hit in recall.hits) == found


def test_fields_are_declared_and_dropped(store: wisen.Store) -> None:
    assert store.fields() == ["lang"]
    assert not store.declare_field("lang")
    assert store.drop_field("lang")
    with pytest.raises(wisen.InvalidArgumentError, match="declare_field"):
        store.recall([1.0, 0.0], filter={"field": {"name": "lang", "equals": "c"}})


@pytest.mark.parametrize("wrong", [{}, {"knd": "x"}, {"kind": 3}, {"field": {"name": "lang"}}])
def test_what_is_no_filter_is_refused(store: wisen.Store, wrong: dict[str, Any]) -> None:
    with pytest.raises(wisen.InvalidArgumentError, match="filter"):
        store.recall([1.0, 0.0], filter=wrong)
