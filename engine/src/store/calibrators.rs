//! Calibrators: per namespace, what was fitted to the hits that were reported on.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result};
use crate::outcome::{Calibrator, Credit, Example, Features, MOST_EXAMPLES, Source, Sums, Told, day};

use super::authorities::Trust;
use super::changes::Op;
use super::db::{Tx, sql};
use super::principals::Standing;
use super::receipts::decode_ids;
use super::scales;
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

/// What version 3 adds: the further namespaces with a hit on a receipt, beside the one in its row. Derived from the
/// facts of the receipts; `bound.rs` fills it.
pub(super) const FURTHER: &str = "
CREATE TABLE further_namespaces(
  namespace INTEGER NOT NULL, receipt BLOB NOT NULL, PRIMARY KEY (namespace, receipt)) WITHOUT ROWID;
CREATE INDEX further_namespaces_receipt ON further_namespaces(receipt);
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

/// The newest hits of a namespace that the owner reported on, and as many that principals did: each weighs what its
/// reporter's word is worth, and whoever reports much crowds nobody out.
pub(crate) fn examples(conn: &Connection, trust: &Trust, namespace: i64) -> Result<Vec<Example>> {
    let scales = scales::load(conn, trust)?;
    let mut told = newest(conn, namespace, "r.standing = 0")?;
    let heard: Vec<String> = scales
        .trust
        .iter()
        .filter(|(group, trust)| group.0 > 0 && (**trust > 0.0 || crate::sabotage::on("anybody_teaches")))
        .map(|(group, _)| group.0.to_string())
        .collect();
    if !heard.is_empty() {
        let who = format!("r.standing = 1 AND r.reporter IN ({})", heard.join(", "));
        told.extend(newest(conn, namespace, &who)?);
    }
    let mut by_memory: HashMap<i64, Told> = HashMap::new();
    for one in &told {
        let sums = Sums::of(one.credit, one.outcome);
        let of_memory = by_memory.entry(one.memory).or_insert_with(|| Told::of(0));
        of_memory.shift(one.source, sums.success, sums.failure);
    }
    let share = |one: &Teaching| match by_memory.get(&one.memory) {
        Some(told) if !crate::sabotage::on("anybody_teaches") => told.share(one.source, &scales),
        _ => 1.0,
    };
    let example = |one: &Teaching| Example {
        features: one.features,
        outcome: one.outcome,
        weight: one.credit.weight() * share(one),
    };
    Ok(told.iter().map(example).collect())
}

/// A hit that was reported on, and by whom.
struct Teaching {
    memory: i64,
    features: Features,
    outcome: f64,
    credit: Credit,
    source: Source,
}

/// Receipt, report and memory.
type Of = (Vec<u8>, i64, i64);

/// The newest hits of a namespace that some reported on: those on receipts that are noted under it, and those on
/// receipts that have it as a further one.
fn newest(conn: &Connection, namespace: i64, who: &str) -> Result<Vec<Teaching>> {
    let mut all: Vec<(Of, Teaching)> = Vec::new();
    // Two statements, so that either reads its index from the end and stops.
    let noted = ("receipts c", "c", "id");
    let further = ("further_namespaces n CROSS JOIN receipts c ON c.id = n.receipt", "n", "receipt");
    for (from, first, key) in [noted, further] {
        let text = format!(
            "SELECT c.shown, c.facts, e.memory, e.outcome, e.credit, r.standing, r.reporter, r.at, c.id, r.id
             FROM {from} JOIN reports r ON r.receipt = c.id JOIN experiences e ON e.report = r.id
             JOIN memories m ON m.id = e.memory
             WHERE {first}.namespace = ?1 AND c.facts IS NOT NULL AND e.credit > 0 AND m.namespace = ?1 AND {who}
             ORDER BY {first}.{key} DESC, e.report, e.memory
             LIMIT ?2"
        );
        gather(conn, namespace, &text, &mut all)?;
    }
    all.sort_by(|(a, _), (b, _)| b.0.cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    all.truncate(MOST_EXAMPLES);
    Ok(all.into_iter().map(|(_, teaching)| teaching).collect())
}

fn gather(conn: &Connection, namespace: i64, text: &str, all: &mut Vec<(Of, Teaching)>) -> Result<()> {
    let mut statement = conn.prepare_cached(text).map_err(sql)?;
    let mut rows = statement.query(params![namespace, MOST_EXAMPLES as i64]).map_err(sql)?;
    while let Some(row) = rows.next().map_err(sql)? {
        let (shown, facts): (Vec<u8>, Vec<u8>) = (row.get(0).map_err(sql)?, row.get(1).map_err(sql)?);
        let memory: i64 = row.get(2).map_err(sql)?;
        let (shown, facts) = (decode_ids(&shown)?, Facts::decode(&facts)?);
        let hit = shown.iter().zip(&facts.hits).find(|(id, _)| **id == memory.cast_unsigned());
        if let Some((_, hit)) = hit.filter(|(_, hit)| hit.namespace == namespace) {
            let group = Standing::from_number(row.get(5).map_err(sql)?)?.group(row.get(6).map_err(sql)?);
            let teaching = Teaching {
                memory,
                features: hit.features,
                outcome: row.get(3).map_err(sql)?,
                credit: Credit::from_raw(row.get(4).map_err(sql)?),
                source: (group, day(row.get(7).map_err(sql)?)),
            };
            all.push(((row.get(8).map_err(sql)?, row.get(9).map_err(sql)?, memory), teaching));
        }
    }
    Ok(())
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
