//! Recall: search both graphs, judge, explain, and issue a receipt. Waits for no write.

use std::borrow::Cow;
use std::sync::Arc;

use roaring::RoaringTreemap;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::graph::{Effort, Scratch, Want};
use crate::id::{DEFAULT_NAMESPACE, MemoryId, ReceiptId};
use crate::outcome::{Background, Calibrator, MIN_EXPERIENCES, NEIGHBOURS};
use crate::rank::{Candidate, Grounds, Neighbour, Ranked, nominate, rank};
use crate::segment::SpaceKind;
use crate::store::{Condition, Facts, HitFacts, Slip, memories, names};
use crate::vector::{Metric, Probe};

use super::chance::{self, Placed};
use super::core::{Core, check_name};
use super::input::Query;
use super::output::{Hit, Recall};
use super::partition::Partition;
use super::points::{Among, Damage, Search, experience_metric, memory_vector};
use super::ruled::{self, Ruled};
use super::snapshot::Snapshot;
use super::{gate, origin, trial};

/// A namespace that takes part in a recall.
pub(super) struct Ground {
    pub name: String,
    pub partition: Arc<Partition>,
    pub seen: Snapshot,
    /// Memories of the kind asked for, and their cells; `None`: all.
    pub only: Option<(Arc<RoaringTreemap>, Arc<RoaringTreemap>)>,
    /// Whether memories that are kept from the hits are found all the same.
    pub lifted: bool,
    /// What the rules say of its memories; `None`: nothing.
    pub ruled: Option<Arc<Ruled>>,
}

/// The query in the two spaces.
pub(super) struct Probes {
    pub memories: Probe,
    /// `None`: the same as in that of the memories, and preparing it twice is time lost.
    experiences: Option<Probe>,
}

impl Probes {
    pub fn new(core: &Core, vector: &[f32]) -> Result<Self> {
        let memories = Probe::new(core.metric, &core.prepare(vector)?);
        let metric = experience_metric(core.metric);
        let experiences =
            if metric == core.metric { None } else { Some(Probe::new(metric, &metric.prepare(vector)?)) };
        Ok(Self { memories, experiences })
    }

    pub fn experiences(&self) -> &Probe {
        self.experiences.as_ref().unwrap_or(&self.memories)
    }
}

/// Answers a query.
pub(crate) fn recall(core: &Core, query: &Query) -> Result<Recall> {
    core.check_model(query.embedding_model.as_deref())?;
    let probes = Probes::new(core, &query.vector)?;
    for namespace in &query.namespaces {
        check_name("namespace", namespace)?;
    }
    chance::check(query)?;
    let now = core.now();
    let mut effort = Effort::default();
    let receipt = (query.receipt && !core.db.is_read_only()).then(|| ReceiptId::at(now));
    let text =
        gate::admit_note(core, query.text.as_deref().filter(|_| receipt.is_some()))?.map(Cow::into_owned);
    let width = if query.width == 0 { core.settings.width } else { query.width };
    let (grounds, mut placed, mut warnings, rules) = loop {
        core.view.follow(&core.db)?;
        let mut grounds = survey(core, query, now)?;
        let rules = ruled::ask(core, query, &mut grounds)?;
        let answer = core.with_scratch(|scratch| {
            let mut search = |grounds: &[Ground], most: usize| {
                search(grounds, &probes, query, (width, most), now, scratch, &mut effort)
            };
            let mut placed = chance::place(search(&grounds, chance::ranked(query))?, query, receipt);
            let seed = receipt.map(|id| chance::seed(query, id));
            let everything = |grounds: &[Ground]| search(grounds, usize::MAX);
            let mut lifted = trial::look(&mut grounds, query, seed, everything)?;
            if let Some((ranked, propensity)) = lifted.trial {
                placed.truncate(query.k - 1);
                placed.push(Placed { ranked, propensity });
            }
            trial::explain(&mut lifted.warnings, &grounds, &probes, width, now, scratch, &mut effort)?;
            Ok((placed, lifted.warnings))
        });
        match answer {
            Ok((placed, warnings)) => break (grounds, placed, warnings, rules),
            // Each round takes a damaged segment out of use, so the rounds are bounded.
            Err(Damage { name, fault }) => {
                core.view.condemn(&core.db, now, &name, &fault.to_string())?;
            }
        }
    };
    let policies = grounds.iter().map(|ground| ground.seen.policy.hold_out);
    let share = policies.fold(query.hold_out, f64::max);
    let held = receipt.map(|id| chance::hold_out(&mut placed, share, query, id)).unwrap_or_default();
    if held.withheld {
        // What warns would help too.
        warnings.clear();
    }
    let mut hits: Vec<Hit> = placed
        .iter()
        .filter(|_| !held.withheld)
        .map(|Placed { ranked: r, propensity }| Hit {
            id: MemoryId(r.memory),
            namespace: grounds[r.namespace].name.clone(),
            score: r.score,
            similarity: r.similarity,
            evidence: r.evidence,
            propensity: *propensity,
            rule: ruled::leaning(&grounds[r.namespace], r),
            shift: r.lean,
            content: None,
            metadata: None,
            provenance: None,
        })
        .collect();
    if query.content {
        let contents = hits.iter_mut().map(|hit| (hit.id, &mut hit.content, &mut hit.metadata));
        let warnings = warnings.iter_mut().map(|w| (w.id, &mut w.content, &mut w.metadata));
        load_contents(core, contents.chain(warnings), &mut effort)?;
        origin::load(core, &mut hits, now)?;
    }
    if let Some(id) = receipt {
        let shown = placed.iter().map(|placed| placed.ranked.memory).collect();
        let vector = query.vector.clone();
        let facts = Facts {
            withheld: held.withheld,
            unplaced: false,
            hold_out: held.share,
            left_out: held.left_out,
            namespaces: grounds.iter().map(|ground| ground.seen.namespace).collect(),
            hits: placed
                .iter()
                .map(|Placed { ranked: r, propensity }| HitFacts {
                    namespace: grounds[r.namespace].seen.namespace,
                    propensity: *propensity as f32,
                    probability: r.evidence.probability() as f32,
                    features: r.features,
                })
                .collect(),
        };
        core.receipts.issue(Slip { id, vector, text, shown, facts }, core.db.erasures());
    }
    core.counters.add(&effort);
    let fit = hits.iter().map(Hit::probability).fold(0.0, f64::max);
    Ok(Recall { receipt, rules, hits, fit, withheld: held.withheld, warnings, bytes_touched: effort.bytes })
}

/// The namespaces of a query that exist, each once.
fn survey(core: &Core, query: &Query, now: Timestamp) -> Result<Vec<Ground>> {
    let kind = match &query.kind {
        None => None,
        Some(kind) => match core.db.read(|conn| names::kind_by_name(conn, kind))? {
            Some(kind) => Some(kind),
            None => return Ok(Vec::new()),
        },
    };
    let filter = query.filter.as_ref().map(|filter| {
        filter.check()?;
        let kind = query.kind.iter().map(|kind| Filter::kind(kind.clone()));
        let filter = Filter::All(kind.chain([filter.clone()]).collect());
        Ok::<_, Error>((filter.key()?, filter))
    });
    let filter = filter.transpose()?;
    let default = [DEFAULT_NAMESPACE.to_owned()];
    let mut wanted: Vec<&String> = if query.namespaces.is_empty() {
        default.iter().collect()
    } else {
        query.namespaces.iter().collect()
    };
    wanted.sort_unstable();
    wanted.dedup();
    let mut grounds = Vec::new();
    for name in wanted {
        let Some(partition) = core.view.partition(&core.db, name)? else {
            continue;
        };
        let only = match (kind, &filter) {
            (None, None) => None,
            (Some(kind), None) => Some(partition.of_kind(&core.db, kind)?),
            (_, Some((key, filter))) => {
                Some(partition.passing(&core.db, key, |conn| Condition::of(conn, filter))?)
            }
        };
        let seen = partition.snapshot(now);
        grounds.push(Ground { name: name.clone(), partition, seen, only, lifted: false, ruled: None });
    }
    Ok(grounds)
}

/// The best candidates for the places of the query, at most `most`.
fn search(
    grounds: &[Ground],
    probes: &Probes,
    query: &Query,
    (width, most): (usize, usize),
    now: Timestamp,
    scratch: &mut Scratch,
    effort: &mut Effort,
) -> Result<Vec<Ranked>, Damage> {
    if query.k == 0 {
        return Ok(Vec::new());
    }
    let experienced = grounds.iter().any(|ground| ground.seen.cells > 0);
    // Without experience the order is that of similarity: the best k are all there is to know.
    let leans = ruled::any_leans(grounds);
    let want = if experienced || leans { query.k.max(NEIGHBOURS) } else { query.k };
    let want = want.max(chance::wanted(query));
    let wanted = Want { best: want, sure: query.k.max(SURE) };

    let mut candidates = Vec::new();
    for (namespace, ground) in grounds.iter().enumerate() {
        let found =
            ground.search(SpaceKind::Memories, &probes.memories, wanted, width, now, scratch, effort)?;
        candidates.extend(found.into_iter().map(|found| Candidate {
            memory: found.id,
            namespace,
            similarity: found.similarity,
            nominated: false,
        }));
    }
    candidates.sort_unstable_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.memory.cmp(&b.memory)));
    candidates.truncate(want);

    let mut neighbours = Vec::new();
    if experienced {
        for (namespace, ground) in grounds.iter().enumerate() {
            neighbours.extend(ground.neighbours(
                namespace,
                probes.experiences(),
                width,
                now,
                scratch,
                effort,
            )?);
        }
        neighbours.sort_unstable_by(Neighbour::order);
        // All of a crowd at the edge counts, or none of it could be told from the rest.
        if let Some(last) = neighbours.get(NEIGHBOURS - 1).map(|last| last.similarity) {
            neighbours.truncate(neighbours.partition_point(|near| near.similarity >= last));
        }
        for (memory, namespace) in nominate(&neighbours) {
            let ground = &grounds[namespace];
            if candidates.iter().any(|c| c.memory == memory) || !ground.accepts(memory, now) {
                continue;
            }
            if let Some(vector) = memory_vector(
                ground.seen.namespace,
                memory,
                &ground.seen.sealed,
                &ground.seen.fresh_memories,
            )? {
                let similarity = probes.memories.exact(&vector);
                effort.bytes += size_of_val(&*vector) as u64;
                candidates.push(Candidate { memory, namespace, similarity, nominated: true });
            }
        }
    }

    let (memories, experiences) = if experienced {
        backgrounds(grounds, probes, scratch, effort)
    } else {
        (Background::NONE, Background::NONE)
    };
    let identical = if probes.experiences().metric() == Metric::L2 { 0.0 } else { 1.0 };
    let overall = grounds
        .iter()
        .fold((0.0, 0.0), |(s, f), ground| (s + ground.seen.overall.0, f + ground.seen.overall.1));
    let calibrators: Vec<Calibrator> = grounds.iter().map(|ground| ground.seen.calibrator).collect();
    let common = Grounds { memories, experiences, identical, overall, calibrators: &calibrators };
    let record = |memory, namespace: usize| grounds[namespace].partition.tally(memory, now);
    if leans {
        let all = rank(&candidates, &neighbours, &common, usize::MAX, record);
        return Ok(ruled::lean(all, grounds, most));
    }
    Ok(rank(&candidates, &neighbours, &common, most, record))
}

impl Ground {
    /// Whether a memory may be a hit: of the kind asked for, its time not over, and not kept from the hits.
    fn accepts(&self, memory: u64, now: Timestamp) -> bool {
        (self.lifted || !self.seen.barred.has(memory))
            && self.ruled.as_ref().is_none_or(|ruled| !ruled.bars(memory))
            && self.only.as_ref().is_none_or(|(memories, _)| memories.contains(memory))
            && self.seen.expiring.get(&memory).is_none_or(|at| now < *at)
    }

    #[allow(clippy::too_many_arguments, reason = "a search is made of these")]
    fn search(
        &self,
        kind: SpaceKind,
        probe: &Probe,
        Want { best: want, sure }: Want,
        width: usize,
        now: Timestamp,
        scratch: &mut Scratch,
        effort: &mut Effort,
    ) -> Result<Vec<crate::graph::Found>, Damage> {
        let bars = !self.lifted && !self.seen.barred.is_empty()
            || self.ruled.as_ref().is_some_and(|ruled| ruled.bars_any());
        let accepted = |id: u64| self.accepts(id, now);
        let audible = |cell: u64| {
            !self.seen.mute.contains(cell)
                && (self.lifted || !self.seen.barred.has_cell(cell))
                && self.only.as_ref().is_none_or(|(_, cells)| cells.contains(cell))
        };
        let sifted: RoaringTreemap;
        let (fresh, among) = match (kind, &self.only) {
            (SpaceKind::Memories, Some((memories, _)))
                if (bars || !self.seen.expiring.is_empty()) && memories.len() <= MOST_SIFTED =>
            {
                // A small set is searched as one: sifted here, not point by point on the way.
                sifted = memories.iter().filter(|id| self.accepts(*id, now)).collect();
                (&self.seen.fresh_memories, Among::Set(&sifted))
            }
            (SpaceKind::Memories, _) if bars || !self.seen.expiring.is_empty() => {
                (&self.seen.fresh_memories, Among::Test(&accepted))
            }
            (SpaceKind::Memories, Some((memories, _))) => (&self.seen.fresh_memories, Among::Set(memories)),
            (SpaceKind::Memories, None) => (&self.seen.fresh_memories, Among::All),
            (SpaceKind::Experiences, _) if bars || !self.seen.mute.is_empty() => {
                (&self.seen.fresh_cells, Among::Test(&audible))
            }
            (SpaceKind::Experiences, Some((_, cells))) => (&self.seen.fresh_cells, Among::Set(cells)),
            (SpaceKind::Experiences, None) => (&self.seen.fresh_cells, Among::All),
        };
        // An absurd k must not become an absurd allocation.
        let most = self.seen.points(kind);
        let search =
            Search { namespace: self.seen.namespace, kind, probe, want: want.min(most), sure, width, among };
        search.run(&self.seen.sealed, fresh, scratch, effort)
    }

    /// The points of experience nearest to the query, with their evidence.
    fn neighbours(
        &self,
        namespace: usize,
        probe: &Probe,
        width: usize,
        now: Timestamp,
        scratch: &mut Scratch,
        effort: &mut Effort,
    ) -> Result<Vec<Neighbour>, Damage> {
        if self.seen.cells == 0 {
            return Ok(Vec::new());
        }
        let mut want = NEIGHBOURS + 1;
        let found = loop {
            let found = self.search(
                SpaceKind::Experiences,
                probe,
                Want { best: want, sure: SURE },
                width,
                now,
                scratch,
                effort,
            )?;
            // A crowd at one place is cut off by memory, not by the order in which it came about: all
            // of it has to be seen, within reason.
            match found.get(NEIGHBOURS - 1) {
                Some(last)
                    if found.len() == want
                        && want < MOST_TIED
                        && found[want - 1].similarity.to_bits() == last.similarity.to_bits() =>
                {
                    want = (4 * want).min(MOST_TIED);
                }
                _ => break found,
            }
        };
        let cells = self.partition.cells(found.iter().map(|found| found.id), now);
        let neighbour = |(found, cell): (crate::graph::Found, Option<super::holdings::Cell>)| {
            // A cell that went away since the snapshot has nothing to say.
            cell.map(|cell| Neighbour {
                cell: found.id,
                memory: cell.memory,
                namespace,
                similarity: found.similarity,
                weights: cell.weights,
            })
        };
        Ok(found.into_iter().zip(cells).filter_map(neighbour).collect())
    }
}

/// Nearest points of either kind that a recall has to get right whatever the error of the codes. What
/// lies beyond them and beyond the hits asked for is as good as a walk finds it.
const SURE: usize = 10;
/// Most memories a filter may let through for those that are kept from the hits to be taken out beforehand.
const MOST_SIFTED: u64 = 4096;
/// Points of experience that are looked at where many are as near as the last one considered.
const MOST_TIED: usize = 1024;

/// The backgrounds of memories and experiences, each from the samples of all namespaces searched.
/// While there are few experiences, theirs is the one of the memories.
pub(super) fn backgrounds(
    grounds: &[Ground],
    probes: &Probes,
    scratch: &mut Scratch,
    effort: &mut Effort,
) -> (Background, Background) {
    let mut background = |probe: &Probe, kind: SpaceKind, unit: bool| {
        let mut similarities = Vec::new();
        for Ground { seen, .. } in grounds {
            let sample = match kind {
                SpaceKind::Memories => &seen.memory_sample,
                SpaceKind::Experiences => &seen.cell_sample,
            };
            sample.similarities(probe, unit, scratch, effort, &mut similarities);
        }
        Background::of(&mut similarities)
    };
    let memories = background(&probes.memories, SpaceKind::Memories, false);
    let cells: usize = grounds.iter().map(|ground| ground.seen.cells).sum();
    let experiences = if cells >= MIN_EXPERIENCES {
        background(probes.experiences(), SpaceKind::Experiences, false)
    } else if probes.memories.metric() == probes.experiences().metric() {
        memories
    } else {
        // Under dot, situations are compared by cosine, and so the memories must be here.
        background(probes.experiences(), SpaceKind::Memories, true)
    };
    (memories, experiences)
}

fn load_contents<'a>(
    core: &Core,
    hits: impl Iterator<Item = (MemoryId, &'a mut Option<String>, &'a mut Option<serde_json::Value>)>,
    effort: &mut Effort,
) -> Result<()> {
    core.db.snapshot(|conn| {
        for (id, content, metadata) in hits {
            // A memory forgotten since the search has no content any more.
            if let Some((text, stored, bytes)) = memories::payload(conn, id.0.cast_signed())? {
                *content = Some(text);
                *metadata = Some(parse_metadata(stored.as_deref())?);
                effort.bytes += bytes;
            }
        }
        Ok(())
    })
}

/// Metadata from its stored text.
pub(crate) fn parse_metadata(text: Option<&str>) -> Result<serde_json::Value> {
    text.map_or(Ok(serde_json::Value::Null), |text| {
        serde_json::from_str(text)
            .map_err(|error| Error::corrupt(format!("stored metadata is no JSON: {error}")))
    })
}
