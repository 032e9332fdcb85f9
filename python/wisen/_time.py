"""Times of the engine (microseconds since 1970, UTC) as `datetime`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


def moment(micros: int) -> datetime:
    """Return the aware datetime `micros` microseconds after 1970; `datetime.max` if beyond."""
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return _LAST


def micros(moment: datetime) -> int:
    """Return how many microseconds after 1970 this aware datetime lies."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
