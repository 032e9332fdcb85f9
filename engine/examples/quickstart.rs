//! Remember, recall, report, recall again: `cargo run --example quickstart -- DIRECTORY`.

use wisen::{Memory, Options, Outcome, Query, Report, Store};

fn main() -> wisen::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| ":memory:".to_owned());
    let store = Store::open(path, Options::new(4))?;
    store.remember(Memory::new("Restart the worker.", [0.9, 0.1, 0.0, 0.1]))?;
    let timeout = store.remember(Memory::new("Raise the timeout of the database.", [0.8, 0.3, 0.1, 0.0]))?;

    // The embedding of "the queue does not drain".
    let now = Query::new([0.8, 0.2, 0.0, 0.1]).k(2).content(true);
    let first = store.recall(&now)?;
    println!("first: {}", first.hits[0].content.as_deref().unwrap_or_default());
    if let Some(receipt) = first.receipt {
        // It did not help; the other one did.
        store.report(&Report::on(receipt, Outcome::Failure).used(first.hits[0].id))?;
    }
    if let Some(receipt) = store.recall(&now)?.receipt {
        store.report(&Report::on(receipt, Outcome::Success).used(timeout))?;
    }
    println!("now: {}", store.recall(&now)?.hits[0].content.as_deref().unwrap_or_default());
    store.close()
}
