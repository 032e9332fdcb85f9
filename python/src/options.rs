//! `wisen.open`.

use std::sync::Arc;

use pyo3::prelude::*;
use wisen::{Durability, Incoming, Metric, Options, PublicKey, SecretAction, Storage};

use crate::convert::{self, Arg, Given, count, flag, optional_text, seconds, word};
use crate::errors::{call, to_py};
use crate::guard;
use crate::store::Store;

/// Open the store in the directory `path`, or create it.
///
/// Any number of threads may use the store, and any number of processes may open the same directory
/// at once. Close it with `Store.close`, or use it as a context manager.
///
/// Dimension, metric, storage and model are fixed when the store is created; given again later they are
/// checked, left out they are taken from the store.
///
/// Args:
///     path: Directory of the store; ":memory:" for a store of its own that lives in memory.
///     dimension: Numbers in a vector, 1 to 4096. None: the store has to exist.
///     metric: "cosine" (default of a new store), "dot" or "l2".
///     storage: "f32" (default of a new store) or "f16": two bytes a number, half the disk and half of what a
///         recall reads beyond codes; under "cosine" it is the unit vector that is kept, and a similarity may be off
///         by some 0.0001.
///     model: Name of the embedding model; opening with another name than recorded is refused.
///     durability: "normal": a write survives a killed process, and a power loss costs at most the
///         last writes; "full": every write is synced before it is acknowledged.
///     read_only: Open for recalls only; nothing is written, not even receipts.
///     busy_timeout: Seconds (or a timedelta) that a write waits for other writers.
///     threads: Threads that build segments; 0: as many as the machine has cores.
///     width: Width (ef) of a graph search: larger finds more and reads more; 0: the default.
///     scan_below: Namespaces with fewer vectors than this in a segment are scanned, not given a
///         graph. None: the engine's default (1024).
///     seal_at: Vectors that may wait before a segment is built in the background. None: the
///         engine's default (2048).
///     authority_key: The public key with which the authorities of the store have to begin; with any
///         other, every check is denied.
///     secrets: What happens to keys, tokens and passwords in what comes in: "allow", "tag", "redact" or
///         "refuse".
///     hook: A callable that looks at every memory that this handle remembers or changes: it gets a dict with
///         content, metadata, namespace, kind, author and source, and returns None (let it in), a str (store this
///         text instead) or a `Ruling`. If it raises, the memory is refused with `RefusedError`.
///
/// Raises:
///     InvalidArgumentError: An argument is outside its range.
///     MismatchError: The store was created with another dimension, metric, storage or model.
///     NotAStoreError: The path holds something else, or nothing where `dimension` is None.
///     NewerSchemaError: The store was written by a newer Wisen.
///     CorruptError: The store is damaged.
///     IoError: The file system refused.
#[pyfunction]
#[pyo3(
    signature = (path, dimension=None, *, metric=None, storage=None, model=None, durability=None,
                 read_only=None, busy_timeout=None, threads=None, width=None, scan_below=None, seal_at=None,
                 authority_key=None, secrets=None, hook=None),
    text_signature = "(path, dimension=None, *, metric=None, storage=None, model=None, durability='normal', \
        read_only=False, busy_timeout=5.0, threads=0, width=0, scan_below=None, seal_at=None, \
        authority_key=None, secrets='redact', hook=None)"
)]
#[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
pub(crate) fn open(
    py: Python<'_>,
    path: &Bound<'_, PyAny>,
    dimension: Given<'_, '_>,
    metric: Given<'_, '_>,
    storage: Given<'_, '_>,
    model: Given<'_, '_>,
    durability: Given<'_, '_>,
    read_only: Given<'_, '_>,
    busy_timeout: Given<'_, '_>,
    threads: Given<'_, '_>,
    width: Given<'_, '_>,
    scan_below: Given<'_, '_>,
    seal_at: Given<'_, '_>,
    authority_key: Given<'_, '_>,
    secrets: Given<'_, '_>,
    hook: Given<'_, '_>,
) -> PyResult<Store> {
    let path = convert::path(path, "path")?;
    let number = |value: Given<'_, '_>, what| value.map(|v| count(v, Arg::new(what))).transpose();
    let mut options = number(dimension, "dimension")?.map_or_else(Options::existing, Options::new);
    if let Some(metric) = metric {
        options = options.metric(word(metric, "metric", Metric::parse, "cosine, dot, l2")?);
    }
    if let Some(storage) = storage {
        options = options.storage(word(storage, "storage", Storage::parse, "f32, f16")?);
    }
    if let Some(model) = optional_text(model, "model")? {
        options = options.model(model);
    }
    if let Some(durability) = durability {
        options = options.durability(word(durability, "durability", Durability::parse, "normal, full")?);
    }
    if let Some(timeout) = busy_timeout {
        options = options.busy_timeout(seconds(timeout, Arg::new("busy_timeout"))?);
    }
    if let Some(threads) = number(threads, "threads")? {
        options = options.threads(threads);
    }
    if let Some(width) = number(width, "width")? {
        options = options.width(width);
    }
    if let Some(vectors) = number(scan_below, "scan_below")? {
        options = options.scan_below(vectors);
    }
    if let Some(vectors) = number(seal_at, "seal_at")? {
        options = options.seal_at(vectors);
    }
    if let Some(key) = optional_text(authority_key, "authority_key")? {
        options = options.authority_key(PublicKey::parse(&key).map_err(|error| to_py(py, &error))?);
    }
    if let Some(action) = secrets {
        options =
            options.secrets(word(action, "secrets", SecretAction::parse, "allow, tag, redact, refuse")?);
    }
    if let Some(hook) = hook {
        if !hook.is_callable() {
            return Err(Arg::new("hook").type_error("a callable", hook));
        }
        let hook = hook.clone().unbind();
        options = options.hook(Arc::new(move |memory: &Incoming<'_>| guard::ask(&hook, memory)));
    }
    if let Some(read_only) = read_only {
        options = options.read_only(flag(read_only, Arg::new("read_only"))?);
    }
    call(py, move || wisen::Store::open(path, options)).map(Store::new)
}
