//! Opening a store.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::graph::DEFAULT_WIDTH;
use crate::segment::BuildParams;
use crate::store::{Db, Identity, Receipts, Wanted};
use crate::vector::Metric;

use super::core::{Core, Parts, Settings, check_name, is_memory};
use super::files::Files;
use super::options::{Durability, Options};
use super::view::View;

/// Most numbers a vector may have.
pub(crate) const MAX_DIMENSION: usize = 4096;
/// Most threads that may build a segment.
const MAX_THREADS: usize = 256;
/// SQLite counts milliseconds in an i32; a longer wait is as good as for ever.
const MAX_BUSY: Duration = Duration::from_hours(24);

/// Opens the store at `path`, or creates it.
pub(crate) fn open(path: &Path, options: &Options) -> Result<Core> {
    if let Some(dimension) = options.dimension
        && !(1..=MAX_DIMENSION).contains(&dimension)
    {
        return Err(Error::invalid(
            "dimension",
            format!("it is {dimension}; 1 to {MAX_DIMENSION} are allowed"),
        ));
    }
    if let Some(model) = &options.model {
        check_name("model", model)?;
    }
    if path.as_os_str().is_empty() {
        return Err(Error::invalid("path", "it is empty; name a directory, or \":memory:\""));
    }
    if options.threads > MAX_THREADS {
        let why = format!("it is {}; up to {MAX_THREADS} are allowed, 0 means one per core", options.threads);
        return Err(Error::invalid("threads", why));
    }
    let dir = if is_memory(path) { None } else { Some(path.to_owned()) };
    if let Some(dir) = &dir {
        find_or_create(dir, options)?;
    }
    let busy = options.busy_timeout.min(MAX_BUSY);
    let store_id = uuid::Uuid::new_v4().into_bytes();
    let identity = options.dimension.map(|dimension| Identity {
        store_id,
        first_id: store_id,
        dimension,
        metric: options.metric.unwrap_or_default().as_str().to_owned(),
        storage: options.storage.unwrap_or_default(),
        model: options.model.clone(),
    });
    let wanted = Wanted {
        dir: dir.as_deref(),
        identity,
        full: options.durability == Durability::Full,
        read_only: options.read_only,
        busy,
        now: options.clock.now(),
        pinned: options.authority_key,
    };
    let (db, identity) = Db::open(&wanted)?;
    let metric = agree(path, options, &identity)?;
    let receipts = Receipts::open(dir.as_deref(), options.read_only, busy)?;
    let view = View::new(identity.store_id, identity.dimension, metric, Files::of(dir.as_deref()));
    let settings = Settings {
        width: if options.width == 0 { DEFAULT_WIDTH } else { options.width },
        seal_at: options.seal_at,
        threads: options.threads,
        secrets: options.secrets,
        hook: options.hook.clone(),
        build: BuildParams { graph_from: options.scan_below, ..BuildParams::default() },
    };
    let clock = options.clock.clone();
    let path = path.to_owned();
    Ok(Core::new(Parts { path, dir, identity, metric, db, receipts, view, clock, settings }))
}

/// Makes sure that the directory holds a store, or can become one.
fn find_or_create(dir: &Path, options: &Options) -> Result<()> {
    let not_a_store = |why: &str| Error::NotAStore { path: dir.to_owned(), why: why.to_owned() };
    let found = match fs::metadata(dir) {
        Ok(found) => Some(found),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::io("open", dir)(error)),
    };
    match found {
        Some(found) if !found.is_dir() => Err(not_a_store("it is a file; a store is a directory")),
        // Listed before it is looked into: whoever creates a store here now begins with memory.db.
        Some(_)
            if fs::read_dir(dir).map_err(Error::io("list", dir))?.next().is_some()
                && !dir.join("memory.db").exists() =>
        {
            let why = "the directory holds other files and no memory.db; name an empty or a new directory";
            Err(not_a_store(why))
        }
        Some(_) if dir.join("memory.db").exists() => Ok(()),
        _ if options.read_only => Err(not_a_store("there is nothing, and a read-only open creates nothing")),
        _ if options.dimension.is_none() => {
            Err(not_a_store("there is nothing; to create a store, give the dimension of its vectors"))
        }
        Some(_) => Ok(()),
        None => create_folder(dir),
    }
}

/// Creates a folder and those it lies in, so that a power loss does not take them away again.
pub(crate) fn create_folder(dir: &Path) -> Result<()> {
    let missing: Vec<&Path> = dir.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    for folder in missing {
        if crate::sabotage::on("folders_unsynced") {
            break;
        }
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        // Where it may not even be read there is nothing to be done.
        if let Ok(parent_file) = fs::File::open(parent) {
            parent_file.sync_all().map_err(Error::io("sync", parent))?;
        }
    }
    Ok(())
}

/// Checks the options against what was fixed at creation.
fn agree(path: &Path, options: &Options, identity: &Identity) -> Result<Metric> {
    let mismatch = |what, stored: &dyn std::fmt::Display, given: &dyn std::fmt::Display| Error::Mismatch {
        path: PathBuf::from(path),
        what,
        stored: stored.to_string(),
        given: given.to_string(),
    };
    let metric = Metric::parse(&identity.metric)
        .ok_or_else(|| Error::corrupt(format!("table meta names a metric {:?}", identity.metric)))?;
    if let Some(dimension) = options.dimension.filter(|dimension| *dimension != identity.dimension) {
        return Err(mismatch("dimension", &identity.dimension, &dimension));
    }
    if let Some(given) = options.metric.filter(|given| *given != metric) {
        return Err(mismatch("metric", &metric.as_str(), &given.as_str()));
    }
    if let Some(given) = options.storage.filter(|given| *given != identity.storage) {
        return Err(mismatch("storage", &identity.storage.as_str(), &given.as_str()));
    }
    if let Some(given) = options.model.as_ref().filter(|given| Some(*given) != identity.model.as_ref()) {
        return Err(identity.other_model(path, given));
    }
    Ok(metric)
}
