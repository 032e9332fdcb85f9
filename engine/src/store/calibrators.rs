//! Calibrators: per namespace, what was fitted to the hits that were reported on.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result};
use crate::outcome::{Calibrator, Credit, Example, MOST_EXAMPLES};

use super::changes::Op;
use super::db::{Tx, sql};
use super::receipts::decode_ids;
use super::slip::Facts;
use super::sum::RowSum;

/// What version 2 of the schema adds.
pub(super) const TABLES: &str = "
CREATE TABLE calibrators(
  namespace INTEGER PRIMARY KEY, weights BLOB NOT NULL, reports INTEGER NOT NULL, at INTEGER NOT NULL,
  checksum INTEGER NOT NULL);
ALTER TABLE receipts ADD COLUMN namespace INTEGER;
CREATE INDEX receipts_namespace ON receipts(namespace, id) WHERE namespace IS NOT NULL;
";

/// The calibrator of a namespace, and how many reports there were when it was fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fitted {
    pub calibrator: Calibrator,
    pub reports: i64,
}

fn sum(namespace: i64, weights: &[u8], reports: i64, at: i64) -> RowSum {
    RowSum::new("calibrators").int(namespace).bytes(weights).int(reports).int(at)
}

/// The calibrator of a namespace; `None` if none was fitted yet.
pub(crate) fn load(conn: &Connection, namespace: i64) -> Result<Option<Fitted>> {
    let row = conn
        .prepare_cached("SELECT weights, reports, at, checksum FROM calibrators WHERE namespace = ?1")
        .and_then(|mut s| {
            s.query_row([namespace], |r| {
                Ok((r.get::<_, Vec<u8>>(0)?, r.get(1)?, r.get(2)?, r.get::<_, i64>(3)?))
            })
            .optional()
        })
        .map_err(sql)?;
    let Some((weights, reports, at, checksum)) = row else {
        return Ok(None);
    };
    sum(namespace, &weights, reports, at).check(checksum, namespace)?;
    let calibrator = Calibrator::decode(&weights)
        .ok_or_else(|| Error::corrupt(format!("the calibrator of namespace {namespace} is none")))?;
    Ok(Some(Fitted { calibrator, reports }))
}

/// Records the calibrator of a namespace.
pub(crate) fn put(tx: &mut Tx<'_>, namespace: i64, fitted: &Fitted) -> Result<()> {
    let weights = fitted.calibrator.encode();
    let checksum = sum(namespace, &weights, fitted.reports, tx.now).finish();
    tx.conn
        .prepare_cached(
            "INSERT OR REPLACE INTO calibrators(namespace, weights, reports, at, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .and_then(|mut s| s.execute(params![namespace, weights, fitted.reports, tx.now, checksum]))
        .map_err(sql)?;
    tx.change(Op::Calibrated, namespace, namespace).map(|_| ())
}

/// The newest hits of a namespace that were reported on, newest first.
pub(crate) fn examples(conn: &Connection, namespace: i64) -> Result<Vec<Example>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT c.shown, c.facts, e.memory, e.outcome, e.credit FROM receipts c
             JOIN reports r ON r.receipt = c.id JOIN experiences e ON e.report = r.id
             WHERE c.namespace = ?1 AND c.facts IS NOT NULL AND e.credit > 0 AND r.standing < 2
             ORDER BY c.id DESC, e.report, e.memory
             LIMIT ?2",
        )
        .map_err(sql)?;
    let mut rows = statement.query(params![namespace, MOST_EXAMPLES as i64]).map_err(sql)?;
    let mut examples = Vec::new();
    while let Some(row) = rows.next().map_err(sql)? {
        let (shown, facts): (Vec<u8>, Vec<u8>) = (row.get(0).map_err(sql)?, row.get(1).map_err(sql)?);
        let memory: i64 = row.get(2).map_err(sql)?;
        let (shown, facts) = (decode_ids(&shown)?, Facts::decode(&facts)?);
        let hit = shown.iter().zip(&facts.hits).find(|(id, _)| **id == memory.cast_unsigned());
        if let Some((_, hit)) = hit.filter(|(_, hit)| hit.namespace == namespace) {
            let (outcome, credit) = (row.get(3).map_err(sql)?, row.get(4).map_err(sql)?);
            let weight = Credit::from_raw(credit).weight();
            examples.push(Example { features: hit.features, outcome, weight });
        }
    }
    Ok(examples)
}

/// Checks every row; one sentence for each at fault.
pub(crate) fn check_all(conn: &Connection) -> Result<Vec<String>> {
    let mut statement = conn.prepare("SELECT namespace FROM calibrators").map_err(sql)?;
    let namespaces = statement.query_map([], |r| r.get(0)).map_err(sql)?;
    let mut faults = Vec::new();
    for namespace in namespaces {
        match load(conn, namespace.map_err(sql)?) {
            Err(Error::Corrupt { what }) => faults.push(what),
            other => drop(other?),
        }
    }
    Ok(faults)
}
