"""Wisen: an embedded memory engine for AI agents that learns what works.

An agent remembers things, recalls what fits the present situation, acts, and reports how it went;
the next recall is better for it::

    import wisen

    with wisen.open("memories", dimension=384) as store:
        store.remember("restart the worker after a deploy", embed("..."))
        found = store.recall(embed("the queue does not drain"), content=True)
        ...
        store.report(found, "success", used=found[0])

Vectors are taken from anything that holds numbers: a float32 buffer (numpy, `array.array`,
`memoryview`) is taken as it is, every other buffer or sequence is converted to float32.
"""

from wisen import errors
from wisen._wisen import (
    AuditEntry,
    Calibration,
    CalibrationBin,
    Evidence,
    Figures,
    HalfLifeFit,
    HalfLifeStatus,
    Hit,
    MemoryIterator,
    Merge,
    Namespace,
    Policy,
    Precedent,
    Principal,
    Rate,
    Recall,
    Record,
    ReportReply,
    Standing,
    Stats,
    Store,
    Uplift,
    Verification,
    Warning,
    __version__,
    open,
)
from wisen.errors import (
    BadTokenError,
    BusyError,
    ClosedError,
    CorruptError,
    DiskFullError,
    ForkedError,
    InternalError,
    InvalidArgumentError,
    IoError,
    KeyConflictError,
    MismatchError,
    NewerSchemaError,
    NotAStoreError,
    NotFiniteError,
    NotShownError,
    NotUtf8Error,
    ReadOnlyError,
    UnknownMemoryError,
    UnknownReceiptError,
    UnknownReportError,
    WisenError,
    WrongDimensionError,
    ZeroVectorError,
)

__all__ = [
    "AuditEntry",
    "BadTokenError",
    "BusyError",
    "Calibration",
    "CalibrationBin",
    "ClosedError",
    "CorruptError",
    "DiskFullError",
    "Evidence",
    "Figures",
    "ForkedError",
    "HalfLifeFit",
    "HalfLifeStatus",
    "Hit",
    "InternalError",
    "InvalidArgumentError",
    "IoError",
    "KeyConflictError",
    "MemoryIterator",
    "Merge",
    "MismatchError",
    "Namespace",
    "NewerSchemaError",
    "NotAStoreError",
    "NotFiniteError",
    "NotShownError",
    "NotUtf8Error",
    "Policy",
    "Precedent",
    "Principal",
    "Rate",
    "ReadOnlyError",
    "Recall",
    "Record",
    "ReportReply",
    "Standing",
    "Stats",
    "Store",
    "UnknownMemoryError",
    "UnknownReceiptError",
    "UnknownReportError",
    "Uplift",
    "Verification",
    "Warning",
    "WisenError",
    "WrongDimensionError",
    "ZeroVectorError",
    "__version__",
    "errors",
    "open",
]
