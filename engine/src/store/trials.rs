//! What was told of a memory since the report from which on it counts, for memories about which something was
//! decided: derived from the experiences, and kept in step by each report. Without it every report on a memory on
//! probation, or come back from it, would read all those before.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use crate::error::{Error, Result};
use crate::outcome::{Credit, Group, Source, Sums, day};

use super::db::{Tx, sql};
use super::principals::Standing;
use super::standings;
use super::sum::RowSum;

/// What version 3 adds. [`adopt`] fills it for what older versions have decided.
pub(super) const TABLE: &str = "CREATE TABLE trials(
   memory INTEGER NOT NULL, principal INTEGER NOT NULL, day INTEGER NOT NULL, success INTEGER NOT NULL,
   failure INTEGER NOT NULL, reports INTEGER NOT NULL, checksum INTEGER NOT NULL,
   PRIMARY KEY (memory, principal, day)) WITHOUT ROWID";

/// By whom, and on which day.
pub(super) type Parts = BTreeMap<Source, Sums>;

fn row_sum(memory: i64, (group, day): Source, sums: Sums) -> RowSum {
    [memory, group.0, day, sums.success, sums.failure, sums.reports]
        .into_iter()
        .fold(RowSum::new("trials"), RowSum::int)
}

const LOAD: &str = "SELECT principal, day, success, failure, reports, checksum FROM trials WHERE memory = ?1";

/// What counts of what was told of a memory.
pub(super) fn load(conn: &Connection, memory: i64) -> Result<Parts> {
    let mut statement = conn.prepare_cached(LOAD).map_err(sql)?;
    let rows = statement
        .query_map([memory], |r| {
            let sums = Sums { success: r.get(2)?, failure: r.get(3)?, wins: 0, reports: r.get(4)? };
            Ok(((Group(r.get(0)?), r.get(1)?), sums, r.get::<_, i64>(5)?))
        })
        .map_err(sql)?;
    rows.map(|row| {
        let (source, sums, checksum) = row.map_err(sql)?;
        row_sum(memory, source, sums).check(checksum, memory)?;
        Ok((source, sums))
    })
    .collect()
}

/// Computes anew what counts of a memory, where something was decided about it.
pub(super) fn renew(tx: &Tx<'_>, memory: i64) -> Result<()> {
    remove(tx, memory)?;
    let Some(row) = standings::load(tx.conn, memory)? else {
        return Ok(());
    };
    told_since(tx.conn, memory, row.counts_from)?
        .into_iter()
        .try_for_each(|(source, sums)| put(tx.conn, memory, source, sums).map_err(sql))
}

/// Nothing is decided about a memory any more.
pub(super) fn remove(tx: &Tx<'_>, memory: i64) -> Result<()> {
    tx.conn
        .prepare_cached("DELETE FROM trials WHERE memory = ?1")
        .and_then(|mut s| s.execute([memory]))
        .map(drop)
        .map_err(sql)
}

/// Adds to what counts of a memory; what is taken away is negative.
pub(super) fn shift(tx: &Tx<'_>, memory: i64, source: Source, change: Sums) -> Result<()> {
    let mut sums = load(tx.conn, memory)?.remove(&source).unwrap_or_default();
    sums.add(Sums { wins: 0, ..change });
    if sums != Sums::default() {
        return put(tx.conn, memory, source, sums).map_err(sql);
    }
    tx.conn
        .prepare_cached("DELETE FROM trials WHERE memory = ?1 AND principal = ?2 AND day = ?3")
        .and_then(|mut s| s.execute([memory, source.0.0, source.1]))
        .map(drop)
        .map_err(sql)
}

fn put(conn: &Connection, memory: i64, source: Source, sums: Sums) -> rusqlite::Result<()> {
    let checksum = row_sum(memory, source, sums).finish();
    conn.prepare_cached(
        "INSERT OR REPLACE INTO trials(memory, principal, day, success, failure, reports, checksum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![memory, source.0.0, source.1, sums.success, sums.failure, sums.reports, checksum])
    .map(drop)
}

/// What reports above number `after` say of a memory, and of those that were merged into it.
pub(super) fn told_since(conn: &Connection, memory: i64, after: i64) -> Result<Parts> {
    let mut statement = conn
        .prepare_cached(
            "SELECT e.outcome, e.credit, r.standing, r.reporter, r.at
             FROM experiences e JOIN reports r ON r.id = e.report
             WHERE e.memory IN (SELECT ?1 UNION ALL SELECT memory FROM aliases WHERE survivor = ?1) AND e.report > ?2",
        )
        .map_err(sql)?;
    let mut rows = statement.query([memory, after]).map_err(sql)?;
    let mut parts = Parts::new();
    while let Some(row) = rows.next().map_err(sql)? {
        let group = Standing::from_number(row.get(2).map_err(sql)?)?.group(row.get(3).map_err(sql)?);
        let source = (group, day(row.get(4).map_err(sql)?));
        let credit = Credit::from_raw(row.get(1).map_err(sql)?);
        parts.entry(source).or_default().add(Sums::of(credit, row.get(0).map_err(sql)?));
    }
    Ok(parts)
}

/// Computes what counts for all that was decided by older versions. A row that is damaged is left to whoever reads it.
pub(super) fn adopt(conn: &Connection) -> rusqlite::Result<()> {
    let mut statement = conn.prepare("SELECT memory, counts_from FROM standings")?;
    let rows = statement.query_map([], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?)))?;
    for row in rows {
        let (memory, counts_from) = row?;
        for (source, sums) in told_since(conn, memory, counts_from).unwrap_or_default() {
            put(conn, memory, source, sums)?;
        }
    }
    Ok(())
}

/// What counts of live memories must be what the experiences give. One sentence for each fault.
pub(crate) fn check(conn: &Connection) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let standing = match standings::all(conn, None) {
        Ok(standing) => standing,
        // Whoever checks those says so.
        Err(Error::Corrupt { .. }) => return Ok(faults),
        Err(error) => return Err(error),
    };
    for row in standing {
        match load(conn, row.memory) {
            Ok(held) if held == told_since(conn, row.memory, row.counts_from)? => {}
            Ok(_) => faults.push(format!(
                "what counts of memory {} since report {} is not what its reports give",
                row.memory, row.counts_from
            )),
            Err(Error::Corrupt { what }) => faults.push(what),
            Err(error) => return Err(error),
        }
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema;

    /// What a report on a memory reads does not grow with those before it.
    #[test]
    fn what_counts_is_looked_up() {
        let conn = Connection::open_in_memory().expect("a database");
        schema::create(&conn).expect("the tables");
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {LOAD}")).expect("a statement");
        let mut steps = statement.raw_query();
        let step: String = steps.next().expect("a plan").expect("a step").get(3).expect("a text");
        assert!(step.starts_with("SEARCH trials USING PRIMARY KEY (memory=?"), "{step}");
        assert!(steps.next().expect("a plan").is_none());
    }
}
