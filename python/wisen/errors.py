"""Everything that can go wrong: one class for each error of the engine.

Every class derives from `WisenError` and from the builtin exception that fits it best, so that
``except ValueError`` or ``except OSError`` work as anywhere else. The message is the engine's; the
attribute ``code`` is the same number in Rust, C and Python. All exceptions can be pickled.

An argument of the wrong type is a plain `TypeError` that names the argument.
"""

from __future__ import annotations

import errno as _errno
from typing import Any

__all__ = [
    "BadBackupError",
    "BadImportError",
    "BadTokenError",
    "BusyError",
    "ClosedError",
    "CorruptError",
    "DiskFullError",
    "ForkedError",
    "InternalError",
    "InvalidArgumentError",
    "IoError",
    "KeyConflictError",
    "MismatchError",
    "NewerSchemaError",
    "NotAStoreError",
    "NotFiniteError",
    "NotShownError",
    "NotUtf8Error",
    "ReadOnlyError",
    "RuleConflictError",
    "UnauthorisedError",
    "UnknownDirectiveError",
    "UnknownMemoryError",
    "UnknownReceiptError",
    "UnknownReportError",
    "WisenError",
    "WrongDimensionError",
    "ZeroVectorError",
]


class WisenError(Exception):
    """Base of all errors of the engine."""

    code: int = 0
    """Stable number of the error, the same in Rust, C and Python."""

    row: int | None = None
    """Position (from 0) of the memory or report at fault in a batch; None outside of batches."""

    def __str__(self) -> str:
        """Return the engine's message (`KeyError` would quote it)."""
        return str(self.args[0]) if self.args else ""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the message and the attributes."""
        return (type(self), self.args, dict(self.__dict__))


class _SystemError(WisenError, OSError):
    """What the operating system refused: ``errno`` and ``filename`` as in any `OSError`."""

    def __reduce__(self) -> tuple[Any, ...]:
        state = {"errno": self.errno, "filename": self.filename, **self.__dict__}
        return (type(self), self.args, state)


class InvalidArgumentError(WisenError, ValueError):
    """An argument is outside its range or contradicts another one."""

    code = 101


class WrongDimensionError(WisenError, ValueError):
    """A vector has another number of dimensions than the store."""

    code = 102


class NotFiniteError(WisenError, ValueError):
    """A vector holds NaN or an infinity, or numbers whose squares overflow a float32."""

    code = 103


class ZeroVectorError(WisenError, ValueError):
    """A zero vector has no direction, so it has no cosine."""

    code = 104


class NotUtf8Error(WisenError, ValueError):
    """A text holds a lone surrogate, so it has no UTF-8 form."""

    code = 105


class ClosedError(WisenError, ValueError):
    """The store was closed (a `ValueError`, as for a closed file)."""

    code = 106


class ForkedError(WisenError, RuntimeError):
    """The store was opened before a fork and is used after it, in the other process."""

    code = 107


class ReadOnlyError(_SystemError, PermissionError):
    """A write on a store that was opened read-only."""

    code = 108


class MismatchError(WisenError, ValueError):
    """The store was created with other settings than those asked for."""

    code = 109


class UnknownMemoryError(WisenError, KeyError):
    """No memory has this id, or it was forgotten."""

    code = 201


class UnknownReceiptError(WisenError, KeyError):
    """No recall of this store has this receipt, or the text is no receipt at all."""

    code = 202


class KeyConflictError(WisenError, ValueError):
    """A key was used before for something else."""

    code = 203


class NotShownError(WisenError, ValueError):
    """A report names a memory that its recall had not shown."""

    code = 204


class UnknownReportError(WisenError, KeyError):
    """No report has this id."""

    code = 205


class BadTokenError(WisenError, ValueError):
    """A report names a reporter and does not prove it."""

    code = 206


class UnknownDirectiveError(WisenError, KeyError):
    """No directive has this id."""

    code = 207


class UnauthorisedError(WisenError, ValueError):
    """A key, signature or authority is not good for what was asked."""

    code = 208


class RuleConflictError(WisenError, ValueError):
    """A directive contradicts, hides or repeats another one."""

    code = 209


class IoError(_SystemError):
    """The file system refused."""

    code = 301


class BusyError(_SystemError, TimeoutError):
    """Others hold the write lock for longer than the ``busy_timeout`` given at open."""

    code = 302


class DiskFullError(_SystemError):
    """The disk is full; nothing acknowledged is lost."""

    code = 303


class NotAStoreError(WisenError, ValueError):
    """The path holds something else than a store."""

    code = 401


class NewerSchemaError(WisenError, RuntimeError):
    """The store was written by a newer Wisen."""

    code = 402


class CorruptError(WisenError, RuntimeError):
    """The database is damaged."""

    code = 403


class BadImportError(WisenError, ValueError):
    """An export cannot be imported; nothing was. The message names the line."""

    code = 404


class BadBackupError(WisenError, ValueError):
    """A file is no whole backup; nothing was restored."""

    code = 405


class HaltedError(_SystemError, PermissionError):
    """The store was halted, and the call is one that the halt forbids."""

    code = 501


class RefusedError(WisenError, ValueError):
    """A memory was not let in, by the hook of the handle or because of a secret in it."""

    code = 502


class InternalError(WisenError, RuntimeError):
    """A defect of Wisen itself; please report it."""

    code = 901


_BY_CODE: dict[int, type[WisenError]] = {
    kind.code: kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, WisenError) and kind.code
}

_ERRNO = {
    ReadOnlyError.code: _errno.EROFS,
    BusyError.code: _errno.ETIMEDOUT,
    DiskFullError.code: _errno.ENOSPC,
}


def _from_engine(
    code: int, message: str, row: int | None, errno: int | None, filename: str | None
) -> WisenError:
    """Make the exception for an error of the engine; called by the compiled module."""
    error = _BY_CODE.get(code, WisenError)(message)
    if type(error) is WisenError:
        error.code = code
    if row is not None:
        error.row = row
    if isinstance(error, OSError):
        error.errno = errno if errno is not None else _ERRNO.get(code)
        error.filename = filename
    return error
