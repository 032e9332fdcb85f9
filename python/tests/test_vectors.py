"""Vectors are taken from anything that holds numbers."""

import ctypes
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wisen

NUMBERS = [1.0, -2.5, 0.25, 3.0]


class WithArray:
    """Like the tensor of another library: no buffer, but `__array__`."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.asarray(NUMBERS, dtype=np.float16 if dtype is None else dtype)


FORMS: dict[str, Callable[[], Any]] = {
    "list": lambda: NUMBERS,
    "tuple": lambda: tuple(NUMBERS),
    "generator": lambda: (x for x in NUMBERS),
    "array f": lambda: array("f", NUMBERS),
    "array d": lambda: array("d", NUMBERS),
    "memoryview": lambda: memoryview(array("f", NUMBERS)),
    "float32": lambda: np.array(NUMBERS, dtype=np.float32),
    "ctypes": lambda: (ctypes.c_float * 4)(*NUMBERS),
    "float64": lambda: np.array(NUMBERS),
    "float16": lambda: np.array(NUMBERS, dtype=np.float16),
    "big-endian": lambda: np.array(NUMBERS, dtype=">f4"),
    "read-only": lambda: np.frombuffer(array("f", NUMBERS).tobytes(), dtype=np.float32),
    "every other": lambda: np.repeat(np.array(NUMBERS, dtype=np.float32), 2)[::2],
    "backwards": lambda: np.array(NUMBERS[::-1], dtype=np.float32)[::-1],
    "column": lambda: np.repeat(np.array(NUMBERS)[:, None], 3, axis=1)[:, 1],
    "list of scalars": lambda: list(np.array(NUMBERS, dtype=np.float32)),
    "objects": lambda: np.array(NUMBERS, dtype=object),
    "__array__": WithArray,
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_a_vector(store: wisen.Store, form: str) -> None:
    make = FORMS[form]
    memory = store.remember("a", make())
    record = store.get(memory)
    assert record is not None
    assert list(record.vector) == NUMBERS
    assert store.recall(make())[0].id == memory
    store.update(memory, vector=make())
    store.report_memory(memory, True, situation=make())


def test_integers_and_bools_are_numbers(store: wisen.Store) -> None:
    for numbers in ([1, 0, 2, 1], np.array([1, 0, 2, 1]), np.array([1, 0, 2, 1], dtype=np.uint8)):
        record = store.get(store.remember("a", numbers))
        assert record is not None
        assert list(record.vector) == [1, 0, 2, 1]


def test_vectors_come_back_as_a_buffer(store: wisen.Store) -> None:
    record = store.get(store.remember("a", NUMBERS))
    assert record is not None
    view = np.asarray(record.vector)
    assert view.dtype == np.float32
    assert view.tolist() == NUMBERS
    assert record.vector is not record.vector


MATRICES: dict[str, Callable[[], Any]] = {
    "float32": lambda: np.array([NUMBERS, NUMBERS[::-1]], dtype=np.float32),
    "float64": lambda: np.array([NUMBERS, NUMBERS[::-1]]),
    "int": lambda: np.array([NUMBERS, NUMBERS[::-1]]).astype(object),
    "fortran": lambda: np.asfortranarray([NUMBERS, NUMBERS[::-1]], dtype=np.float32),
    "slices": lambda: np.tile(np.array([NUMBERS, NUMBERS[::-1]]), (2, 2))[:2, :4],
    "list of lists": lambda: [NUMBERS, NUMBERS[::-1]],
    "list of arrays": lambda: [np.array(NUMBERS), array("f", NUMBERS[::-1])],
    "generator": lambda: (row for row in (NUMBERS, NUMBERS[::-1])),
}


@pytest.mark.parametrize("form", MATRICES)
def test_forms_of_many_vectors(store: wisen.Store, form: str) -> None:
    ids = store.remember_many(["a", "b"], MATRICES[form]())
    found = [list(record.vector) for record in store.memories()]
    assert found == [NUMBERS, NUMBERS[::-1]]
    assert [record.id for record in store.memories()] == ids


@pytest.mark.parametrize(
    "wrong", [None, 3, "1234", b"1234", bytearray(16), {0: 1}, {1.0}, object(), [None] * 4, ["1"]]
)
def test_what_is_no_vector_is_a_type_error(store: wisen.Store, wrong: Any) -> None:
    for call in (store.recall, lambda it: store.remember("a", it)):
        with pytest.raises(TypeError, match=r"^vector must be "):
            call(wrong)


def test_text_and_complex_arrays_are_no_vectors(store: wisen.Store) -> None:
    for wrong in (np.array(["1"] * 4), np.array([1j] * 4), np.array([None] * 4)):
        with pytest.raises(TypeError, match=r"^vector must be "):
            store.recall(wrong)


def test_axes_are_counted(store: wisen.Store) -> None:
    with pytest.raises(wisen.InvalidArgumentError, match=r"vector.*one axis.*\[1, 4\]"):
        store.recall(np.zeros((1, 4), dtype=np.float32))
    with pytest.raises(wisen.InvalidArgumentError, match=r"vectors.*two axes.*\[4\]"):
        store.remember_many(["a"], np.zeros(4, dtype=np.float32))
    with pytest.raises(TypeError, match="vector must be "):
        store.recall(np.array(1.0))
    with pytest.raises(TypeError, match=r"vectors\[0\] must be "):
        store.remember_many(["a"], NUMBERS)  # type: ignore[arg-type]


def test_empty_vectors(store: wisen.Store) -> None:
    forms: list[Any] = [[], np.zeros(0, dtype=np.float32), np.zeros(0)]
    for empty in forms:
        with pytest.raises(wisen.WrongDimensionError):
            store.recall(empty)
    assert store.remember_many([], np.zeros((0, 4), dtype=np.float32)) == []
    assert store.remember_many([], []) == []
    with pytest.raises(wisen.WrongDimensionError):
        store.remember_many(["a", "b"], np.zeros((2, 0), dtype=np.float32))
