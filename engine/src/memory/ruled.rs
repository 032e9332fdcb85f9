//! What the rules say of the memories of a namespace: which are in no recall, and which rank otherwise.
//!
//! Kept as a set per namespace, made when rules about memories are first met and then kept in step with the
//! log of changes: a recall only asks whether a memory is in it. Without such rules there is nothing to ask,
//! and a recall pays one comparison. When the rules about memories change, or one of them begins or ends, the
//! set is made anew, which reads every memory of the namespace once.

use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringTreemap;
use rusqlite::Connection;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::rank::Ranked;
use crate::rules::{Directive, Now, OfMemory, RuleBook, Thing};
use crate::store::changes;
use crate::store::memories::{self, MemoryRow};
use crate::store::names;
use crate::waits;

use super::core::Core;
use super::input::Query;
use super::recall::{Ground, parse_metadata};

/// Memories read at a time.
const PAGE: usize = 1024;

/// What the rules say of the memories of a namespace.
#[derive(Clone)]
pub(crate) struct Ruled {
    /// By which rules, and in which of their epochs.
    key: (u64, (usize, usize)),
    /// Changes up to this one are in.
    seq: i64,
    barred: RoaringTreemap,
    /// Memories that a rule shifts: the rule, and whether upwards.
    leans: HashMap<u64, (Arc<str>, bool)>,
}

/// A directive that comes with a recall, because what is done with the hits has to heed it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleNote {
    /// Its id.
    pub id: String,
    /// Its priority.
    pub priority: i32,
    /// Why there is this rule.
    pub reason: String,
    /// The directive as text.
    pub text: String,
}

impl Ruled {
    /// Whether a memory is in no recall.
    pub(crate) fn bars(&self, memory: u64) -> bool {
        self.barred.contains(memory)
    }

    /// Whether any is.
    pub(crate) fn bars_any(&self) -> bool {
        !self.barred.is_empty()
    }

    fn put(&mut self, book: &RuleBook, memory: u64, said: OfMemory) {
        if said.barred && !crate::sabotage::on("never_shown") {
            self.barred.insert(memory);
        } else {
            self.barred.remove(memory);
        }
        match said.lean {
            Some((rule, up)) => {
                let id = book.index().rules[rule as usize].directive.id.as_str();
                self.leans.insert(memory, (id.into(), up));
            }
            None => drop(self.leans.remove(&memory)),
        }
    }
}

/// Asks the rules for a recall: marks in the grounds what they say of memories, and returns those that come
/// with the recall. Rules that cannot be trusted are an error: what they keep back is not known.
pub(crate) fn ask(core: &Core, query: &Query, grounds: &mut [Ground]) -> Result<Vec<RuleNote>> {
    let state = core.rules.current(core, false)?;
    let book = state.book.as_ref().map_err(|why| Error::corrupt(why.clone()))?;
    if book.is_empty() {
        return Ok(Vec::new());
    }
    let now = state.now(core);
    if book.judges_memories() {
        for ground in &mut *grounds {
            ground.ruled = Some(of_namespace(core, book, (state.stamp, book.epoch(now)), now, ground)?);
        }
    }
    let searched: Vec<&str> = if query.namespaces.is_empty() {
        vec![crate::id::DEFAULT_NAMESPACE]
    } else {
        query.namespaces.iter().map(String::as_str).collect()
    };
    let note = |directive: &Directive| RuleNote {
        id: directive.id.clone(),
        priority: directive.priority,
        reason: directive.reason.clone(),
        text: directive.to_string(),
    };
    let musts = book.musts(&searched, query.kind.as_deref(), now);
    Ok(musts.into_iter().filter(|_| !crate::sabotage::on("musts_stay_away")).map(note).collect())
}

fn of_namespace(
    core: &Core,
    book: &RuleBook,
    key: (u64, (usize, usize)),
    now: Now,
    ground: &Ground,
) -> Result<Arc<Ruled>> {
    let namespace = ground.seen.namespace;
    // A lock for each namespace: judging one holds up no recall in another.
    let of_this = waits::lock(&core.rules.ruled).entry(namespace).or_default().clone();
    let mut last = waits::lock(&of_this);
    let known = last.as_ref().filter(|ruled| ruled.key == key);
    if let Some(ruled) = known.filter(|ruled| ruled.seq >= core.db.acknowledged()) {
        return Ok(ruled.clone());
    }
    let ruled = core.db.snapshot(|conn| {
        let seq = changes::last_seq(conn)?;
        let judge = Judge { conn, book, now, namespace: &ground.name, vectors: uses_vectors(book) };
        // The log may lack some of what came since: everything is judged anew.
        let thinned = changes::thinned(conn)?.max(0);
        let Some(known) =
            known.filter(|known| known.seq >= thinned || crate::sabotage::on("judge_by_a_thin_log"))
        else {
            let mut ruled = Ruled { key, seq, barred: RoaringTreemap::new(), leans: HashMap::new() };
            let mut after = 0;
            loop {
                let rows = memories::page(conn, Some(namespace), after, PAGE)?;
                for row in &rows {
                    judge.judge(&mut ruled, row)?;
                    after = row.id;
                }
                if rows.len() < PAGE {
                    return Ok(Arc::new(ruled));
                }
            }
        };
        let mut ruled = Ruled::clone(known);
        ruled.seq = seq;
        for memory in changes::of_memories(conn, namespace, known.seq)? {
            match memories::load(conn, memory)? {
                Some(row) if row.status != memories::FORGOTTEN => judge.judge(&mut ruled, &row)?,
                _ => ruled.put(book, memory.cast_unsigned(), OfMemory::default()),
            }
        }
        Ok(Arc::new(ruled))
    })?;
    *last = Some(ruled.clone());
    Ok(ruled)
}

struct Judge<'a> {
    conn: &'a Connection,
    book: &'a RuleBook,
    now: Now,
    namespace: &'a str,
    vectors: bool,
}

impl Judge<'_> {
    fn judge(&self, ruled: &mut Ruled, row: &MemoryRow) -> Result<()> {
        let Some((content, metadata, _)) = memories::payload(self.conn, row.id)? else {
            return Ok(());
        };
        let metadata: Value = parse_metadata(metadata.as_deref())?;
        let kind = names::kind_name(self.conn, row.kind)?;
        let author = row.author.map(|author| names::principal_name(self.conn, author)).transpose()?;
        let vector = if self.vectors { memories::vector(self.conn, row.id)? } else { None };
        let of = (self.namespace, kind.as_str(), author.as_deref());
        let thing = Thing::memory(&content, &metadata, of, vector.as_deref().unwrap_or_default());
        ruled.put(self.book, row.id.cast_unsigned(), self.book.judge_memory(&thing, self.now));
        Ok(())
    }
}

fn uses_vectors(book: &RuleBook) -> bool {
    book.directives().any(|directive| !directive.dimensions().is_empty())
}

/// Whether a rule shifts any of the memories searched.
pub(crate) fn any_leans(grounds: &[Ground]) -> bool {
    grounds.iter().filter_map(|ground| ground.ruled.as_ref()).any(|ruled| !ruled.leans.is_empty())
}

/// Shifts what the rules prefer or avoid, and keeps the best `most`. A PREFER counts as one more success, an
/// AVOID as one failure, of the weight that the memory's own fit to the query has:
///
/// ```text
/// PREFER   score + ln(1 + own / alpha)    by at most ln 2 = 0.69, as alpha is at least own
/// AVOID    score - ln(1 + own / beta)     by at most ln 6 = 1.79, as own is at most 1.5 and beta at least 0.3
/// ```
///
/// The probability shown stays what the reports say.
pub(crate) fn lean(mut ranked: Vec<Ranked>, grounds: &[Ground], most: usize) -> Vec<Ranked> {
    for r in &mut ranked {
        let ruled = grounds[r.namespace].ruled.as_ref();
        let Some((_, up)) = ruled.and_then(|ruled| ruled.leans.get(&r.memory)) else {
            continue;
        };
        let [_, ln_alpha, ln_beta, ..] = r.features.map(f64::from);
        let own = r.evidence.own_fit;
        // The features are rounded, and the bounds are exact.
        let mut share = if *up { (own / ln_alpha.exp()).min(1.0) } else { (own / ln_beta.exp()).min(5.0) };
        if crate::sabotage::on("preferences_rule") {
            share = 1e9;
        }
        r.lean = if *up { share.ln_1p() } else { -share.ln_1p() };
        r.score += r.lean;
    }
    ranked.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then(b.similarity.total_cmp(&a.similarity)).then(a.memory.cmp(&b.memory))
    });
    ranked.truncate(most);
    ranked
}

/// The directive that shifts a memory.
pub(crate) fn leaning(ground: &Ground, r: &Ranked) -> Option<String> {
    let (id, _) = ground.ruled.as_ref()?.leans.get(&r.memory).filter(|_| r.lean != 0.0)?;
    Some(id.to_string())
}

/// Whether a directive asks for similarity to vectors of another dimension than the store's.
pub(crate) fn wrong_dimension(directive: &Directive, dimension: usize) -> Option<usize> {
    directive.dimensions().into_iter().find(|found| *found != dimension)
}
