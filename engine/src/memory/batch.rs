//! Many recalls at once, on several threads.
//!
//! The threads live as long as the call: nothing of them is kept by the handle, so there is nothing to stop when
//! it is closed and nothing that a fork could inherit half-way. The caller's thread is one of them, so a system
//! that gives no further thread costs time and no answer.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::error::{Error, Result};

use super::core::{Call, Core, row_error};
use super::input::Query;
use super::output::Recall;
use super::recall;
use super::store::Store;

/// Most threads that a batch may ask for.
const MAX_THREADS: usize = 256;
/// Queries that a thread takes at a time: so few that all end together, so many that taking them costs nothing.
const SHARE: usize = 4;

type Answer = (usize, Result<Recall>);

impl Store {
    /// Answers several queries on up to `threads` threads (0: one per core; at most 256), which end with the call.
    /// The answers come in the order of the queries, each as [`Store::recall`] gives it, with a receipt of its own.
    ///
    /// If a query is at fault there are no answers but an error that names its row, the lowest if there are
    /// several; [`InvalidArgument`](crate::ErrorCode::InvalidArgument) for too many threads.
    pub fn recall_many(&self, queries: &[Query], threads: usize) -> Result<Vec<Recall>> {
        self.core.enter_for(Call::Recall)?;
        if threads > MAX_THREADS {
            let why = format!("it is {threads}; up to {MAX_THREADS} are allowed, 0 means one per core");
            return Err(Error::invalid("threads", why));
        }
        let recalls = recall_many(&self.core, queries, threads)?;
        self.go_over_if_due();
        if recalls.iter().any(|recall| recall.receipt.is_some()) {
            self.keeper.receipts_wait();
        }
        Ok(recalls)
    }
}

fn recall_many(core: &Core, queries: &[Query], threads: usize) -> Result<Vec<Recall>> {
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        some => some,
    };
    let threads = threads.min(queries.len().div_ceil(SHARE)).max(1);
    let next = AtomicUsize::new(0);
    let work = || answer(core, queries, &next);
    let mut answers = std::thread::scope(|scope| {
        let helper =
            || std::thread::Builder::new().name("wisen-recall".to_owned()).spawn_scoped(scope, work).ok();
        let helpers: Vec<_> = (1..threads).filter_map(|_| helper()).collect();
        let mut answers = work();
        for helper in helpers {
            answers.extend(helper.join().map_err(|_| Error::internal("a thread of a batch panicked"))?);
        }
        Ok::<_, Error>(answers)
    })?;
    if !crate::sabotage::on("batches_shuffle") {
        answers.sort_unstable_by_key(|(row, _)| *row);
    }
    answers.into_iter().map(|(row, answer)| answer.map_err(row_error(row, queries.len()))).collect()
}

/// Answers queries until none is left.
fn answer(core: &Core, queries: &[Query], next: &AtomicUsize) -> Vec<Answer> {
    let mut answers = Vec::new();
    loop {
        let first = next.fetch_add(SHARE, Relaxed);
        let Some(share) = queries.get(first..queries.len().min(first + SHARE)).filter(|s| !s.is_empty())
        else {
            return answers;
        };
        for (row, query) in (first..).zip(share) {
            // Asked before each: a halt stops a long batch too.
            let answer = core.enter_for(Call::Recall).and_then(|()| recall::recall(core, query));
            answers.push((row, answer));
        }
    }
}
