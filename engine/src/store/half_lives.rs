//! Half-lives of kinds: given, or fitted to the reports so far.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::outcome::{CANDIDATES, Credit, Observed, Scales, Source, Sums, Told, best, day, fit};

use super::authorities::Trust;
use super::changes::Op;
use super::db::{Tx, sql};
use super::principals::{self, Standing};
use super::sum::RowSum;

/// Experiences of a kind before its half-life is fitted for the first time.
const FIRST_FIT: i64 = 50;
/// It is fitted to at most so many experiences of the kind, the newest...
const FIT_TO: usize = 4096;
/// ... among so many of all kinds.
const LOOK_AT: i64 = 65_536;

/// A kind whose evidence fades, or may.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HalfLifeRow {
    pub kind: i64,
    /// In days; `None`: nothing fades (until a fit says otherwise).
    pub days: Option<f64>,
    /// Whether it is chosen by fitting.
    pub auto: bool,
    /// Experiences of the kind since it is.
    pub seen: i64,
    /// How many these were at the last fit, and when that was.
    pub fitted: Option<(i64, Timestamp)>,
    /// Mean log loss of each of the candidates at the last fit.
    pub losses: Vec<f64>,
}

const COLUMNS: &str = "kind, days, auto, seen, fitted_seen, fitted_at, losses, checksum";

impl HalfLifeRow {
    fn losses_blob(&self) -> &[u8] {
        bytemuck::cast_slice(&self.losses)
    }

    fn sum(&self) -> RowSum {
        RowSum::new("half_lives")
            .int(self.kind)
            .real(self.days)
            .int(i64::from(self.auto))
            .int(self.seen)
            .opt(self.fitted.map(|(seen, _)| seen))
            .opt(self.fitted.map(|(_, at)| at))
            .bytes(self.losses_blob())
    }

    fn read(r: &rusqlite::Row<'_>) -> rusqlite::Result<(Self, i64)> {
        let fitted: (Option<i64>, Option<Timestamp>) = (r.get(4)?, r.get(5)?);
        let losses: Vec<u8> = r.get(6)?;
        let row = Self {
            kind: r.get(0)?,
            days: r.get(1)?,
            auto: r.get(2)?,
            seen: r.get(3)?,
            fitted: fitted.0.zip(fitted.1),
            losses: losses.chunks_exact(8).map(bytemuck::pod_read_unaligned).collect(),
        };
        Ok((row, r.get(7)?))
    }

    fn checked((row, checksum): (Self, i64)) -> Result<Self> {
        row.sum().check(checksum, row.kind)?;
        if row.days.is_some_and(|days| days.is_nan() || days < 1.0) {
            return Err(Error::corrupt(format!("kind {} has a half-life below a day", row.kind)));
        }
        Ok(row)
    }

    fn save(&self, tx: &Tx<'_>) -> Result<()> {
        tx.conn
            .prepare_cached(&format!(
                "INSERT OR REPLACE INTO half_lives({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
            ))
            .and_then(|mut s| {
                s.execute(params![
                    self.kind,
                    self.days,
                    self.auto,
                    self.seen,
                    self.fitted.map(|(seen, _)| seen),
                    self.fitted.map(|(_, at)| at),
                    self.losses_blob(),
                    self.sum().finish()
                ])
            })
            .map(|_| ())
            .map_err(sql)
    }

    /// Whether the half-life is to be fitted again: the experiences have grown by a quarter.
    fn is_due(&self) -> bool {
        let next = self.fitted.map_or(FIRST_FIT, |(seen, _)| (seen + seen / 4).max(FIRST_FIT));
        self.auto && self.seen >= next
    }

    /// Fits the half-life to the newest experiences of the kind that are worth something.
    fn refit(&mut self, tx: &Tx<'_>, trust: &Trust) -> Result<()> {
        let trials = trials(tx.conn, trust, self.kind)?;
        // Who is not trusted may have told all but a few: then what was chosen before stays.
        if trials.len() as i64 >= FIRST_FIT {
            let losses = fit(&trials);
            self.days = best(&losses);
            self.losses = losses.to_vec();
        }
        self.fitted = Some((self.seen, tx.now));
        Ok(())
    }
}

/// The entry of a kind; `None`: its evidence never fades.
pub(crate) fn load(conn: &Connection, kind: i64) -> Result<Option<HalfLifeRow>> {
    let row = conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM half_lives WHERE kind = ?1"))
        .and_then(|mut s| s.query_row([kind], HalfLifeRow::read).optional())
        .map_err(sql)?;
    row.map(HalfLifeRow::checked).transpose()
}

/// The half-lives in force, in days, by kind.
pub(crate) fn in_force(conn: &Connection) -> Result<HashMap<i64, f64>> {
    Ok(all(conn)?.into_iter().filter_map(|row| Some((row.kind, row.days?))).collect())
}

/// All entries. Checks them.
pub(crate) fn all(conn: &Connection) -> Result<Vec<HalfLifeRow>> {
    let mut statement =
        conn.prepare_cached(&format!("SELECT {COLUMNS} FROM half_lives ORDER BY kind")).map_err(sql)?;
    let rows = statement.query_map([], HalfLifeRow::read).map_err(sql)?;
    rows.map(|row| HalfLifeRow::checked(row.map_err(sql)?)).collect()
}

/// Sets the half-life of a kind to so many days, or to what is fitted. The caller moves its evidence
/// where the kind had none before.
pub(super) fn set(tx: &mut Tx<'_>, trust: &Trust, kind: i64, days: Option<f64>, auto: bool) -> Result<()> {
    let mut row = HalfLifeRow { kind, days, auto, seen: 0, fitted: None, losses: Vec::new() };
    if auto {
        row.seen = trials(tx.conn, trust, kind)?.len() as i64;
        if row.is_due() {
            row.refit(tx, trust)?;
        }
    }
    row.save(tx)?;
    tx.change(Op::HalfLifeChanged, 0, kind).map(|_| ())
}

/// Evidence of a kind never fades from now on.
pub(super) fn unset(tx: &mut Tx<'_>, kind: i64) -> Result<()> {
    tx.conn.execute("DELETE FROM half_lives WHERE kind = ?1", [kind]).map_err(sql)?;
    tx.change(Op::HalfLifeChanged, 0, kind).map(|_| ())
}

/// Notes so many more experiences of a kind, and fits its half-life when that is due.
pub(super) fn note(tx: &mut Tx<'_>, trust: &Trust, kind: i64, more: i64) -> Result<()> {
    let Some(mut row) = load(tx.conn, kind)?.filter(|row| row.auto) else {
        return Ok(());
    };
    row.seen += more;
    if row.is_due() {
        row.refit(tx, trust)?;
        tx.change(Op::HalfLifeChanged, 0, kind)?;
    }
    row.save(tx)
}

/// The newest experiences of a kind, oldest first, each with the weight of whoever told it; what has none is left out.
/// What it costs does not grow with the store.
fn trials(conn: &Connection, trust: &Trust, kind: i64) -> Result<Vec<Observed>> {
    // Without half-lives: it is these that are to be found.
    let scales = Scales { trust: principals::weights(conn, trust)?, half_lives: HashMap::new() };
    let mut statement = conn
        .prepare_cached(
            "SELECT e.memory, r.at, e.outcome, e.credit, r.standing, r.reporter FROM
               (SELECT * FROM experiences ORDER BY report DESC, memory DESC LIMIT ?2) e
             JOIN memories m ON m.id = e.memory JOIN reports r ON r.id = e.report
             WHERE m.kind = ?1 AND r.standing < 2 ORDER BY e.report DESC, e.memory DESC",
        )
        .map_err(sql)?;
    let mut rows = statement.query(params![kind, LOOK_AT]).map_err(sql)?;
    let mut trials: Vec<(Observed, Source)> = Vec::new();
    let mut told: HashMap<i64, Told> = HashMap::new();
    while trials.len() < FIT_TO
        && let Some(row) = rows.next().map_err(sql)?
    {
        let group = Standing::from_number(row.get(4).map_err(sql)?)?.group(row.get(5).map_err(sql)?);
        if scales.trust(group) <= 0.0 && !crate::sabotage::on("anybody_teaches") {
            continue;
        }
        let (memory, day) = (row.get(0).map_err(sql)?, day(row.get(1).map_err(sql)?));
        let (outcome, credit) = (row.get(2).map_err(sql)?, Credit::from_raw(row.get(3).map_err(sql)?));
        let sums = Sums::of(credit, outcome);
        let of_memory = told.entry(memory).or_insert_with(|| Told::of(kind));
        of_memory.shift((group, day), sums.success, sums.failure);
        trials.push((Observed { memory, day, outcome, weight: credit.weight() }, (group, day)));
    }
    if !crate::sabotage::on("anybody_teaches") {
        for (trial, source) in &mut trials {
            trial.weight *= told.get(&trial.memory).map_or(0.0, |told| told.share(*source, &scales));
        }
    }
    Ok(trials.into_iter().rev().map(|(trial, _)| trial).collect())
}

/// The half-lives among which a fit chooses, in days.
pub(crate) const CHOICES: [Option<f64>; CANDIDATES.len()] = CANDIDATES;
