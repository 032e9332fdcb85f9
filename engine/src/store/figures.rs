//! What figures and uplifts are made of, read from the reports.

use rusqlite::Connection;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::outcome::{Attempt, Origin, Shares, Trial, Word};

use super::audit;
use super::bound::{Bound, load_receipt};
use super::db::sql;
use super::memories::{self, FORGOTTEN};
use super::names;
use super::reports::Row;

/// What an uplift is asked of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tried {
    Memory(u64),
    Namespace(i64),
}

/// The outcomes of all recalls on which chance decided whether this was shown, and nothing else: one
/// for each receipt, the mean of what the owner told.
pub(crate) fn trials(conn: &Connection, tried: Tried) -> Result<Vec<Trial>> {
    let mut trials = Vec::new();
    for id in receipts(conn, "SELECT id FROM receipts WHERE facts IS NOT NULL", [])? {
        let Some(bound) = load_receipt(conn, &id)? else {
            continue;
        };
        let Some((without, chance_without)) = case(&bound, tried) else {
            continue;
        };
        let told: Vec<f64> = Row::load_where(conn, "receipt = ?1", id.as_slice())?
            .iter()
            .filter(|row| row.reporter.is_none() && !row.pending && row.retracted_at.is_none())
            .filter_map(|row| row.outcome)
            .collect();
        if !told.is_empty() {
            let outcome = told.iter().sum::<f64>() / told.len() as f64;
            trials.push(Trial { without, chance_without, outcome });
        }
    }
    Ok(trials)
}

/// Whether this recall went without, and how likely that was; `None` if it says nothing of this.
///
/// A recall with hits is whole, withheld, or lacks one hit. A namespace is tried by the first two, if it
/// had a hit; a memory by those that are whole and those that lack it: all else is the same in both.
fn case(bound: &Bound, tried: Tried) -> Option<(bool, f64)> {
    let facts = &bound.facts;
    if facts.hold_out <= 0.0 {
        return None;
    }
    let shares = Shares::of(facts.hold_out);
    match (tried, facts.left_out) {
        (Tried::Namespace(namespace), None) => facts
            .hits
            .iter()
            .any(|hit| hit.namespace == namespace)
            .then(|| (facts.withheld, shares.chance_of_withholding())),
        (Tried::Namespace(_), Some(_)) => None,
        (Tried::Memory(_), _) if facts.withheld => None,
        (Tried::Memory(memory), None) => {
            bound.shown.contains(&memory).then(|| (false, shares.chance_of_leaving_out(bound.shown.len())))
        }
        (Tried::Memory(memory), Some(left_out)) => {
            (memory == left_out).then(|| (true, shares.chance_of_leaving_out(bound.shown.len() + 1)))
        }
    }
}

/// Calls `take` with every attempt of a namespace, or of all, whose time lies in `[from, to)`, what
/// memory had to do with it, and when a memory used in it first fell after a success.
pub(crate) fn attempts(
    conn: &Connection,
    namespace: Option<i64>,
    (from, to): (Timestamp, Timestamp),
    mut take: impl FnMut(&Attempt, Origin, Option<Timestamp>),
) -> Result<()> {
    let word = |row: &Row, used: Vec<u64>| Word {
        at: row.at,
        owner: row.reporter.is_none(),
        retracted: row.retracted_at.is_some(),
        outcome: row.outcome,
        used,
        tokens: row.tokens.map(i64::cast_unsigned),
        cost_micros: row.cost_micros,
    };
    let mut judge = |words: Vec<Word>, origin: Origin| -> Result<()> {
        if let Some(attempt) = Attempt::of(words)
            && (from..to).contains(&attempt.at)
        {
            let fell = if attempt.success == Some(true) { fall(conn, &attempt)? } else { None };
            take(&attempt, origin, fell);
        }
        Ok(())
    };
    let reported = "SELECT DISTINCT receipt FROM reports
                    WHERE at >= ?1 AND at < ?2 AND pending = 0 AND receipt IS NOT NULL";
    for id in receipts(conn, reported, [from, to])? {
        let Some(bound) = load_receipt(conn, &id)? else {
            continue;
        };
        if let Some(wanted) = namespace
            && !searched(conn, &bound, wanted)?
        {
            continue;
        }
        let rows = Row::load_where(conn, "receipt = ?1", id.as_slice())?;
        let told = rows.iter().filter(|row| !row.pending);
        let words = told.map(|row| word(row, bound.used(&row.used))).collect();
        judge(words, if bound.facts.withheld { Origin::Withheld } else { Origin::Recall })?;
    }
    let direct =
        numbers(conn, "SELECT id FROM reports WHERE at >= ?1 AND at < ?2 AND receipt IS NULL", [from, to])?;
    for id in direct {
        for row in Row::load_where(conn, "id = ?1", id)? {
            if let Some(wanted) = namespace
                && !lives_in(conn, &row.used, wanted)?
            {
                continue;
            }
            judge(vec![word(&row, row.used.clone())], Origin::Direct)?;
        }
    }
    Ok(())
}

/// Whether a recall searched this namespace. Receipts of version 1 do not say: there, whether it had a
/// hit in it.
fn searched(conn: &Connection, bound: &Bound, namespace: i64) -> Result<bool> {
    if bound.facts.namespaces.is_empty() {
        return lives_in(conn, &bound.shown, namespace);
    }
    Ok(bound.facts.namespaces.contains(&namespace))
}

/// Whether one of these memories belongs to this namespace, or did when it was forgotten.
fn lives_in(conn: &Connection, memories: &[u64], namespace: i64) -> Result<bool> {
    for memory in memories {
        if memories::load(conn, memory.cast_signed())?.is_some_and(|row| row.namespace == namespace) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// When one of the memories used in an attempt first fell after it.
fn fall(conn: &Connection, attempt: &Attempt) -> Result<Option<Timestamp>> {
    let mut first = None;
    for &memory in &attempt.used {
        let falls = [
            forgotten_at(conn, memory)?,
            audit::first_since(conn, "quarantine", memory.cast_signed(), attempt.at)?,
        ];
        let fell = falls.into_iter().flatten().filter(|at| *at >= attempt.at).min();
        first = [first, fell].into_iter().flatten().min();
    }
    Ok(first)
}

/// When a memory was forgotten by somebody: not because its time was over, nor with its namespace.
fn forgotten_at(conn: &Connection, memory: u64) -> Result<Option<Timestamp>> {
    let Some(row) = memories::load(conn, memory.cast_signed())? else {
        return Ok(None);
    };
    let expired = row.expires_at.is_some_and(|at| at <= row.updated_at);
    if row.status != FORGOTTEN || expired || names::namespace_by_id(conn, row.namespace)?.is_none() {
        return Ok(None);
    }
    Ok(Some(row.updated_at))
}

fn numbers(conn: &Connection, text: &str, values: impl rusqlite::Params) -> Result<Vec<i64>> {
    let mut statement = conn.prepare_cached(text).map_err(sql)?;
    let rows = statement.query_map(values, |r| r.get(0)).map_err(sql)?;
    rows.map(|row| row.map_err(sql)).collect()
}

fn receipts(conn: &Connection, text: &str, values: impl rusqlite::Params) -> Result<Vec<[u8; 16]>> {
    let mut statement = conn.prepare_cached(text).map_err(sql)?;
    let rows = statement.query_map(values, |r| r.get::<_, Vec<u8>>(0)).map_err(sql)?;
    rows.map(|row| {
        row.map_err(sql)?.try_into().map_err(|_| Error::corrupt("a receipt id is not 16 bytes long"))
    })
    .collect()
}
