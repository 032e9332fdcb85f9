//! Forecasts: how the promises of each namespace came true, kept in step with the experiences.

use rusqlite::{Connection, params};

use crate::error::{Error, Result};
use crate::outcome::{BINS, Tally};

use super::db::{Tx, sql};
use super::sum::RowSum;

/// What version 2 of the schema adds.
pub(super) const TABLES: &str = "
CREATE TABLE forecasts(
  namespace INTEGER NOT NULL, bin INTEGER NOT NULL, weight INTEGER NOT NULL, promised INTEGER NOT NULL,
  outcome INTEGER NOT NULL, squares INTEGER NOT NULL, checksum INTEGER NOT NULL,
  PRIMARY KEY (namespace, bin)) WITHOUT ROWID;
";

fn sum(namespace: i64, bin: i64, tally: &Tally) -> RowSum {
    [tally.weight, tally.promised, tally.outcome, tally.squares]
        .into_iter()
        .fold(RowSum::new("forecasts").int(namespace).int(bin), RowSum::int)
}

/// The tallies of a namespace, or of all together, by bin.
pub(crate) fn tallies(conn: &Connection, namespace: Option<i64>) -> Result<[Tally; BINS]> {
    let filter = if namespace.is_some() { "WHERE namespace = ?1" } else { "WHERE ?1 IS NULL" };
    let mut statement = conn
        .prepare_cached(&format!(
            "SELECT namespace, bin, weight, promised, outcome, squares, checksum FROM forecasts {filter}"
        ))
        .map_err(sql)?;
    let mut rows = statement.query([namespace]).map_err(sql)?;
    let mut tallies = [Tally::default(); BINS];
    while let Some(row) = rows.next().map_err(sql)? {
        let cell = |i: usize| row.get::<_, i64>(i).map_err(sql);
        let (namespace, bin) = (cell(0)?, cell(1)?);
        let tally = Tally { weight: cell(2)?, promised: cell(3)?, outcome: cell(4)?, squares: cell(5)? };
        sum(namespace, bin, &tally).check(cell(6)?, namespace)?;
        usize::try_from(bin)
            .ok()
            .and_then(|bin| tallies.get_mut(bin))
            .ok_or_else(|| Error::corrupt(format!("table forecasts has a bin {bin}")))?
            .add(tally);
    }
    Ok(tallies)
}

/// Adds to, and takes from, the tally of a bin.
pub(crate) fn shift(tx: &Tx<'_>, namespace: i64, bin: usize, plus: Tally, minus: Tally) -> Result<()> {
    let mut tally = tallies(tx.conn, Some(namespace))?[bin];
    tally.add(plus);
    tally.subtract(minus);
    let checksum = sum(namespace, bin as i64, &tally).finish();
    let Tally { weight, promised, outcome, squares } = tally;
    tx.conn
        .prepare_cached(
            "INSERT OR REPLACE INTO forecasts(namespace, bin, weight, promised, outcome, squares, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .and_then(|mut s| {
            s.execute(params![namespace, bin as i64, weight, promised, outcome, squares, checksum])
        })
        .map(|_| ())
        .map_err(sql)
}
