"""Each error of the engine has a class, with a builtin base and the engine's code."""

import pickle
import re
from pathlib import Path

import pytest

import wisen

BASES: dict[type[wisen.WisenError], type[Exception]] = {
    wisen.InvalidArgumentError: ValueError,
    wisen.WrongDimensionError: ValueError,
    wisen.NotFiniteError: ValueError,
    wisen.ZeroVectorError: ValueError,
    wisen.NotUtf8Error: ValueError,
    wisen.ClosedError: ValueError,
    wisen.ForkedError: RuntimeError,
    wisen.ReadOnlyError: PermissionError,
    wisen.MismatchError: ValueError,
    wisen.UnknownMemoryError: KeyError,
    wisen.UnknownReceiptError: KeyError,
    wisen.KeyConflictError: ValueError,
    wisen.NotShownError: ValueError,
    wisen.UnknownReportError: KeyError,
    wisen.BadTokenError: ValueError,
    wisen.UnknownDirectiveError: KeyError,
    wisen.UnauthorisedError: ValueError,
    wisen.RuleConflictError: ValueError,
    wisen.IoError: OSError,
    wisen.BusyError: TimeoutError,
    wisen.DiskFullError: OSError,
    wisen.NotAStoreError: ValueError,
    wisen.NewerSchemaError: RuntimeError,
    wisen.CorruptError: RuntimeError,
    wisen.BadImportError: ValueError,
    wisen.BadBackupError: ValueError,
    wisen.HaltedError: PermissionError,
    wisen.RefusedError: ValueError,
    wisen.InternalError: RuntimeError,
}


def test_the_classes_are_those_of_the_engine() -> None:
    source = Path(__file__).parents[2] / "engine" / "src" / "error.rs"
    if not source.exists():
        pytest.skip("the engine's source is not here")
    codes = {
        name: int(code)
        for name, code in re.findall(r"^    (\w+) = (\d+),", source.read_text(), re.M)
    }
    assert {kind.__name__.removesuffix("Error"): kind.code for kind in BASES} == codes
    assert set(BASES) == set(wisen.errors._BY_CODE.values())


@pytest.mark.parametrize("kind", BASES)
def test_every_exception_survives_pickling(kind: type[wisen.WisenError]) -> None:
    assert issubclass(kind, BASES[kind])
    made = wisen.errors._from_engine(kind.code, "why 'it' is", 3, 5, "/some/where")
    for _ in range(2):
        assert type(made) is kind
        assert (str(made), made.code, made.row) == ("why 'it' is", kind.code, 3)
        if isinstance(made, OSError):
            assert (made.errno, made.filename) == (5, "/some/where")
        made = pickle.loads(pickle.dumps(made))  # noqa: S301
    assert kind.__doc__


def test_a_code_of_a_newer_engine_is_kept() -> None:
    made = pickle.loads(pickle.dumps(wisen.errors._from_engine(999, "new", None, None, None)))  # noqa: S301
    assert type(made) is wisen.WisenError
    assert (made.code, str(made), made.row) == (999, "new", None)
