//! What chance decides in a recall: which memories are explored, and what is held out. Without
//! exploration and hold-out nothing is left to it, and no random number is drawn.

use crate::error::{Error, Result};
use crate::id::ReceiptId;
use crate::outcome::{Fate, MOST_HELD_OUT, NEIGHBOURS, Shares, explore};
use crate::rank::Ranked;

use super::input::Query;

/// A memory that has its place among the hits.
pub(crate) struct Placed {
    pub ranked: Ranked,
    /// How likely chance was to put it there; 1 where it had no part in it.
    pub propensity: f64,
}

/// What was held out of a recall.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Held {
    /// Share of recalls on which memory is withheld; 0 if on none.
    pub share: f64,
    pub withheld: bool,
    /// The one hit that is not among the placed ones any more.
    pub left_out: Option<u64>,
}

/// Refuses a share that is none.
pub(crate) fn check(query: &Query) -> Result<()> {
    if (0.0..=MOST_HELD_OUT).contains(&query.hold_out) {
        return Ok(());
    }
    let why = format!("it is {}; a share to be held out lies in 0..={MOST_HELD_OUT}", query.hold_out);
    Err(Error::invalid("hold_out", why))
}

/// Memories without a place that exploration has to choose from, if there are so many.
const CHOICE: usize = NEIGHBOURS / 2;

/// How many candidates a query needs for its exploration; 0 if it does not explore. Up to about 32
/// places that is what a recall with experience looks at anyway, and so exploration moves nothing in
/// the places that it leaves alone.
pub(crate) fn wanted(query: &Query) -> usize {
    match query.explore.min(query.k) {
        0 => 0,
        explored => (query.k - explored).saturating_add(CHOICE).max(NEIGHBOURS),
    }
}

/// How many candidates are to be ranked: all of them if some places go by lot.
pub(crate) fn ranked(query: &Query) -> usize {
    if query.explore > 0 { usize::MAX } else { query.k }
}

/// Gives the `k` places of a query to these candidates, best first, the last ones by lot if it explores.
pub(crate) fn place(mut ranked: Vec<Ranked>, query: &Query, receipt: Option<ReceiptId>) -> Vec<Placed> {
    let explored = query.explore.min(query.k);
    let rest = ranked.split_off((query.k - explored).min(ranked.len()));
    let mut placed: Vec<Placed> =
        ranked.into_iter().map(|ranked| Placed { ranked, propensity: 1.0 }).collect();
    if explored > 0 {
        let posteriors: Vec<(f64, f64)> = rest.iter().map(|r| r.evidence.posterior()).collect();
        // Without a receipt, the random bits of one that nobody gets.
        let seed = seed(query, receipt.unwrap_or_else(|| ReceiptId::at(0)));
        let drawn = explore(&posteriors, explored, seed);
        placed.extend(drawn.into_iter().map(|(i, propensity)| Placed { ranked: rest[i], propensity }));
    }
    placed
}

/// Decides whether something is held out of the hits, and takes away the one that is left out.
/// `share`: that of the query, or of the policy of a namespace searched if it is larger.
pub(crate) fn hold_out(placed: &mut Vec<Placed>, share: f64, query: &Query, receipt: ReceiptId) -> Held {
    if share <= 0.0 {
        return Held::default();
    }
    let held = Held { share, ..Held::default() };
    match Shares::of(share).draw(placed.len(), seed(query, receipt)) {
        Fate::Whole => held,
        Fate::Withheld => Held { withheld: true, ..held },
        Fate::LeftOut(i) => Held { left_out: Some(placed.remove(i).ranked.memory), ..held },
    }
}

/// What decides all that chance does in this recall.
pub(crate) fn seed(query: &Query, receipt: ReceiptId) -> u64 {
    query.seed.unwrap_or_else(|| receipt.seed())
}
