import os
from array import array
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import EllipsisType, TracebackType
from typing import (
    Any,
    Final,
    Literal,
    Protocol,
    Self,
    SupportsFloat,
    SupportsIndex,
    TypeAlias,
    final,
    overload,
)

from typing_extensions import Buffer

__all__ = [
    "Evidence",
    "Hit",
    "MemoryIterator",
    "Namespace",
    "Precedent",
    "Recall",
    "Record",
    "ReportReply",
    "Stats",
    "Store",
    "Verification",
    "__version__",
    "open",
]

__version__: Final[str]

class _Array(Protocol):
    def __array__(self) -> Any: ...

_Vector: TypeAlias = Buffer | _Array | Iterable[SupportsFloat | SupportsIndex]
_Vectors: TypeAlias = Buffer | _Array | Iterable[_Vector]
_Seconds: TypeAlias = float | timedelta
_Metadata: TypeAlias = Mapping[str, Any]
_Metric: TypeAlias = Literal["cosine", "dot", "l2"]
_Outcome: TypeAlias = Literal["success", "failure", "unknown"] | bool | float | None

def open(
    path: str | os.PathLike[str],
    dimension: int | None = None,
    *,
    metric: _Metric | None = None,
    model: str | None = None,
    durability: Literal["normal", "full"] = "normal",
    read_only: bool = False,
    busy_timeout: _Seconds = 5.0,
    threads: int = 0,
    width: int = 0,
    scan_below: int | None = None,
    seal_at: int | None = None,
) -> Store: ...

@final
class Store:
    @property
    def path(self) -> str: ...
    @property
    def closed(self) -> bool: ...
    def remember(
        self,
        content: str,
        vector: _Vector,
        *,
        namespace: str = "default",
        kind: str = "note",
        metadata: _Metadata | None = None,
        author: str | None = None,
        key: str | None = None,
        supersedes: int | None = None,
        ttl: _Seconds | None = None,
    ) -> int: ...
    def remember_many(
        self,
        contents: Iterable[str],
        vectors: _Vectors,
        *,
        namespace: str | Iterable[str] = "default",
        kind: str | Iterable[str] = "note",
        metadata: _Metadata | Iterable[_Metadata | None] | None = None,
        author: str | Iterable[str | None] | None = None,
        key: Iterable[str | None] | None = None,
        supersedes: Iterable[int | None] | None = None,
        ttl: _Seconds | Iterable[_Seconds | None] | None = None,
    ) -> list[int]: ...
    def update(
        self,
        id: int,
        *,
        content: str | None = None,
        vector: _Vector | None = None,
        kind: str | None = None,
        metadata: _Metadata | EllipsisType | None = ...,
        ttl: _Seconds | EllipsisType | None = ...,
    ) -> None: ...
    def recall(
        self,
        vector: _Vector,
        *,
        text: str | None = None,
        k: int = 10,
        namespace: str | Iterable[str] = "default",
        kind: str | None = None,
        receipt: bool = True,
        content: bool = False,
        width: int = 0,
    ) -> Recall: ...
    def report(
        self,
        receipt: str | Recall,
        outcome: _Outcome,
        *,
        used: int | Hit | Iterable[int | Hit] | None = None,
        tokens: int | None = None,
        cost_micros: int | None = None,
        reporter: str | None = None,
        key: str | None = None,
        note: str | None = None,
    ) -> ReportReply: ...
    def report_memory(
        self,
        memory: int,
        outcome: _Outcome,
        *,
        situation: _Vector | None = None,
        tokens: int | None = None,
        cost_micros: int | None = None,
        reporter: str | None = None,
        key: str | None = None,
        note: str | None = None,
    ) -> ReportReply: ...
    def get(self, id: int) -> Record | None: ...
    def forget(self, id: int) -> bool: ...
    def page(
        self, namespace: str | None = None, *, after: int = 0, limit: int = 100
    ) -> list[Record]: ...
    def memories(self, namespace: str | None = None) -> MemoryIterator: ...
    def namespaces(self) -> list[Namespace]: ...
    def count(self, namespace: str | None = None) -> int: ...
    def drop_namespace(self, namespace: str) -> int: ...
    def stats(self) -> Stats: ...
    def verify(self) -> Verification: ...
    def flush(self) -> None: ...
    def seal(self) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None: ...

@final
class Recall:
    @property
    def receipt(self) -> str | None: ...
    @property
    def hits(self) -> tuple[Hit, ...]: ...
    @property
    def bytes_touched(self) -> int: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Hit]: ...
    @overload
    def __getitem__(self, key: SupportsIndex, /) -> Hit: ...
    @overload
    def __getitem__(self, key: slice, /) -> tuple[Hit, ...]: ...

@final
class Hit:
    @property
    def id(self) -> int: ...
    @property
    def namespace(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def similarity(self) -> float: ...
    @property
    def probability(self) -> float: ...
    @property
    def interval(self) -> tuple[float, float]: ...
    @property
    def evidence(self) -> Evidence: ...
    @property
    def content(self) -> str | None: ...
    @property
    def metadata(self) -> dict[str, Any] | None: ...
    @property
    def reasons(self) -> list[str]: ...

@final
class Evidence:
    @property
    def own_fit(self) -> float: ...
    @property
    def successes(self) -> float: ...
    @property
    def failures(self) -> float: ...
    @property
    def reports(self) -> int: ...
    @property
    def nominated(self) -> bool: ...
    @property
    def supporting(self) -> Precedent | None: ...
    @property
    def contradicting(self) -> Precedent | None: ...

@final
class Precedent:
    @property
    def similarity(self) -> float: ...
    @property
    def outcome(self) -> float: ...
    @property
    def reports(self) -> int: ...

@final
class Record:
    @property
    def id(self) -> int: ...
    @property
    def namespace(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def content(self) -> str: ...
    @property
    def vector(self) -> array[float]: ...
    @property
    def metadata(self) -> dict[str, Any] | None: ...
    @property
    def author(self) -> str | None: ...
    @property
    def key(self) -> str | None: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def updated_at(self) -> datetime: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def superseded_by(self) -> int | None: ...

@final
class MemoryIterator:
    def __iter__(self) -> Self: ...
    def __next__(self) -> Record: ...

@final
class ReportReply:
    @property
    def id(self) -> int: ...
    @property
    def status(self) -> Literal["credited", "not_credited", "pending", "duplicate"]: ...
    @property
    def credited(self) -> dict[int, float]: ...

@final
class Namespace:
    @property
    def name(self) -> str: ...
    @property
    def memories(self) -> int: ...
    @property
    def created_at(self) -> datetime: ...

@final
class Stats:
    @property
    def dimension(self) -> int: ...
    @property
    def metric(self) -> _Metric: ...
    @property
    def model(self) -> str | None: ...
    @property
    def memories(self) -> int: ...
    @property
    def reports(self) -> int: ...
    @property
    def experiences(self) -> int: ...
    @property
    def namespaces(self) -> int: ...
    @property
    def segments(self) -> int: ...
    @property
    def segments_set_aside(self) -> int: ...
    @property
    def segment_bytes(self) -> int: ...
    @property
    def unsealed(self) -> int: ...
    @property
    def recalls(self) -> int: ...
    @property
    def graph_searches(self) -> int: ...
    @property
    def scans(self) -> int: ...
    @property
    def bytes_touched(self) -> int: ...
    @property
    def seals(self) -> int: ...

@final
class Verification:
    @property
    def memories(self) -> int: ...
    @property
    def reports(self) -> int: ...
    @property
    def cells(self) -> int: ...
    @property
    def segments(self) -> int: ...
    @property
    def sealed(self) -> int: ...
    @property
    def unreachable(self) -> int: ...
    @property
    def ok(self) -> bool: ...
    @property
    def faults(self) -> list[str]: ...
