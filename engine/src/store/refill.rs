//! Cells computed anew from the experiences.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rusqlite::Connection;

use crate::error::Result;
use crate::outcome::{Credit, Group, HalfLife, Source, Sums, day};

use super::authorities::Trust;
use super::cells;
use super::db::{Tx, sql};
use super::grid::{Place, Places};
use super::half_lives;
use super::names::intern_kind;
use super::principals::Standing;

/// The evidence in a cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Content {
    /// The owner's, of a kind that never fades.
    pub inline: Sums,
    /// All other.
    pub lots: BTreeMap<Source, Sums>,
}

impl Content {
    /// Adds evidence of a kind that fades, or does not.
    pub(super) fn add(&mut self, source: Source, sums: Sums, fades: bool) {
        if source.0 == Group::OWNER && !fades {
            self.inline.add(sums);
        } else {
            self.lots.entry(source).or_default().add(sums);
        }
    }

    pub(super) fn merge(&mut self, other: &Content) {
        self.inline.add(other.inline);
        for (source, sums) in &other.lots {
            self.lots.entry(*source).or_default().add(*sums);
        }
    }

    /// How many reports it holds, or, for a change, how many came less those that went.
    pub(super) fn reports(&self) -> i64 {
        self.inline.reports + self.lots.values().map(|sums| sums.reports).sum::<i64>()
    }
}

/// Which experiences to look at; all are of live memories.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of {
    All,
    Kind(i64),
    Memory(i64),
}

/// The evidence of each memory in each place, computed from the experiences, with the situation that is
/// the point of the place.
pub(crate) fn contents(conn: &Connection, of: Of) -> Result<BTreeMap<(i64, Place), (i64, Content)>> {
    let mut places = Places::default();
    let mut points: BTreeMap<(i64, Place), (Vec<u8>, i64, Content)> = BTreeMap::new();
    for ((namespace, memory, situation), content) in by_situation(conn, of)? {
        let (place, hash) = match places.find(conn, namespace, situation)? {
            None => (Place::Situation(situation), Vec::new()),
            Some((_, spot)) => (Place::Grid(spot.key), spot.hash),
        };
        match points.entry((memory, place)) {
            Entry::Vacant(entry) => drop(entry.insert((hash, situation, content))),
            Entry::Occupied(mut entry) => {
                let (least, point, merged) = entry.get_mut();
                merged.merge(&content);
                if hash < *least {
                    (*least, *point) = (hash, situation);
                }
            }
        }
    }
    Ok(points.into_iter().map(|(at, (_, point, content))| (at, (point, content))).collect())
}

/// The evidence per (namespace, memory, situation).
pub(super) fn by_situation(conn: &Connection, of: Of) -> Result<BTreeMap<(i64, i64, i64), Content>> {
    let (condition, value) = match of {
        Of::All => ("?1 = 0", 0),
        Of::Kind(kind) => ("m.kind = ?1", kind),
        Of::Memory(memory) => ("m.id = ?1", memory),
    };
    let mut statement = conn
        .prepare_cached(&format!(
            "SELECT e.memory, e.situation, e.outcome, e.credit, e.won, r.at, r.standing, r.reporter,
               m.kind IN (SELECT kind FROM half_lives), m.namespace
             FROM memories m JOIN experiences e ON e.memory = m.id JOIN reports r ON r.id = e.report
             WHERE m.status IN (0, 3) AND {condition}"
        ))
        .map_err(sql)?;
    let mut rows = statement.query([value]).map_err(sql)?;
    let mut contents: BTreeMap<(i64, i64, i64), Content> = BTreeMap::new();
    while let Some(row) = rows.next().map_err(sql)? {
        let at = (row.get(9).map_err(sql)?, row.get(0).map_err(sql)?, row.get(1).map_err(sql)?);
        let credit = Credit::from_raw(row.get(3).map_err(sql)?);
        let mut sums = Sums::of(credit, row.get(2).map_err(sql)?);
        sums.wins = row.get(4).map_err(sql)?;
        let group = Standing::from_number(row.get(6).map_err(sql)?)?.group(row.get(7).map_err(sql)?);
        let source = (group, day(row.get(5).map_err(sql)?));
        contents.entry(at).or_default().add(source, sums, row.get(8).map_err(sql)?);
    }
    Ok(contents)
}

/// Brings the cells of these memories in step with what their kinds are now.
pub(super) fn refill(tx: &mut Tx<'_>, of: Of) -> Result<()> {
    for ((memory, place), (_, content)) in contents(tx.conn, of)? {
        cells::rewrite(tx, memory, place, &content)?;
    }
    Ok(())
}

/// Sets the half-life of a kind.
pub(crate) fn set_half_life(tx: &mut Tx<'_>, trust: &Trust, kind: &str, half_life: HalfLife) -> Result<()> {
    let kind = intern_kind(tx, kind)?;
    let before = half_lives::load(tx.conn, kind)?.is_some();
    match half_life {
        HalfLife::None if before => half_lives::unset(tx, kind)?,
        HalfLife::None => return Ok(()),
        HalfLife::Days(days) => half_lives::set(tx, trust, kind, Some(days), false)?,
        HalfLife::Auto => half_lives::set(tx, trust, kind, None, true)?,
    }
    if before == (half_life != HalfLife::None) {
        return Ok(());
    }
    refill(tx, Of::Kind(kind))
}
