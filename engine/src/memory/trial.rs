//! What a recall makes of the memories that are kept from its hits: now and then it tries one again,
//! and on request it warns of them.

use crate::graph::{Effort, Scratch};
use crate::id::MemoryId;
use crate::outcome::{NEIGHBOURS, StandingState, likeness, trial_lot};
use crate::rank::{Ranked, warning};
use crate::segment::SpaceKind;
use crate::vector::Metric;

use super::input::Query;
use super::output::Warning;
use super::points::{Among, Damage, Search};
use super::recall::{Ground, Probes, backgrounds};

/// What there would be had nothing been kept from the hits.
#[derive(Default)]
pub(crate) struct Lifted {
    /// The memory that takes the last place, and the probability with which it was to.
    pub trial: Option<(Ranked, f64)>,
    pub warnings: Vec<Warning>,
}

/// Looks again with nothing kept from the hits, if chance or the query want it. `seed`: that of a recall with
/// a receipt; `search` finds all candidates, best first.
pub(crate) fn look(
    grounds: &mut [Ground],
    query: &Query,
    seed: Option<u64>,
    search: impl FnOnce(&[Ground]) -> Result<Vec<Ranked>, Damage>,
) -> Result<Lifted, Damage> {
    // A query without a receipt cannot be reported on, and so tries nothing; and the first place is
    // never given to a memory that failed.
    let draw = seed.map(trial_lot).filter(|_| query.k > 1);
    let tries = |ground: &Ground| {
        draw.is_some_and(|draw| draw < ground.seen.policy.tried()) && ground.seen.barred.any_to_try()
    };
    let warns = query.warnings > 0 && grounds.iter().any(|ground| !ground.seen.barred.is_empty());
    if !warns && !grounds.iter().any(tries) {
        return Ok(Lifted::default());
    }
    let lift = |grounds: &mut [Ground], lifted: bool| {
        for ground in grounds {
            ground.lifted = lifted;
        }
    };
    lift(grounds, true);
    let all = search(grounds);
    lift(grounds, false);
    let mut all = all?;
    let state = |r: &Ranked| grounds[r.namespace].seen.barred.state(r.memory);
    let trial = all
        .iter()
        .take(query.k)
        .find(|r| state(r).may_be_tried() && tries(&grounds[r.namespace]))
        .map(|r| (*r, grounds[r.namespace].seen.policy.tried()));
    let mut warnings = Vec::new();
    if warns {
        all.retain(|r| !r.evidence.nominated);
        all.sort_unstable_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.memory.cmp(&b.memory)));
        let near = all.iter().take(query.k.max(query.warnings)).filter(|r| state(r).is_barred());
        let tried = trial.map(|(r, _)| r.memory);
        warnings = near
            .filter(|r| Some(r.memory) != tried)
            .take(if crate::sabotage::on("warn_nobody") { 0 } else { query.warnings })
            .map(|r| Warning {
                id: MemoryId(r.memory),
                namespace: grounds[r.namespace].name.clone(),
                state: state(r),
                similarity: r.similarity,
                successes: 0.0,
                failures: 0.0,
                text: String::new(),
                content: None,
                metadata: None,
            })
            .collect();
    }
    Ok(Lifted { trial, warnings })
}

/// Fills in how the memories warned of went in situations like this one.
pub(crate) fn explain(
    warnings: &mut [Warning],
    grounds: &[Ground],
    probes: &Probes,
    width: usize,
    now: crate::clock::Timestamp,
    scratch: &mut Scratch,
    effort: &mut Effort,
) -> Result<(), Damage> {
    if warnings.is_empty() {
        return Ok(());
    }
    let probe = probes.experiences();
    let (_, background) = backgrounds(grounds, probes, scratch, effort);
    let here = background.place(if probe.metric() == Metric::L2 { 0.0 } else { 1.0 });
    for ground in grounds {
        let search = Search {
            namespace: ground.seen.namespace,
            kind: SpaceKind::Experiences,
            probe,
            want: NEIGHBOURS.min(ground.seen.points(SpaceKind::Experiences)),
            sure: 0,
            width,
            among: Among::Test(&|cell| ground.seen.barred.has_cell(cell)),
        };
        let found = search.run(&ground.seen.sealed, &ground.seen.fresh_cells, scratch, effort)?;
        let cells = ground.partition.cells(found.iter().map(|found| found.id), now);
        for (found, cell) in found.iter().zip(cells) {
            let Some(cell) = cell else { continue };
            let kernel = likeness(background.place(found.similarity) - here);
            let of = |w: &&mut Warning| w.id.0 == cell.memory && w.namespace == ground.name;
            if let Some(warning) = warnings.iter_mut().find(of) {
                warning.successes += kernel * cell.weights.successes;
                warning.failures += kernel * cell.weights.failures;
            }
        }
    }
    for w in warnings {
        w.text = warning(w.state == StandingState::Retired, w.successes, w.failures);
    }
    Ok(())
}
