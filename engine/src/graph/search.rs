//! Answering a query from one space: by walking its graph, or by an exact scan where that is cheaper or
//! the only way to keep the promise of `want` results.

use crate::vector::{Kernel, Probe, Scorer, Task, dispatch};

use super::pool::{Entry, Floor};
use super::query::{Accept, DEFAULT_WIDTH, Effort, Found, Scratch, keep};
use super::scan::{scan, scan_all};
use super::view::{Above, Ground, View};
use super::walk::{descend, walk};

/// What a walk costs for each place in its pool, in nodes of a scan. A walk scores more (13 to 26 per place
/// on sentence embeddings), but a scan computes a bound for each and may call the filter for all.
const SCORED_PER_WIDTH: usize = 10;

/// The same for a walk that is made again because the one before met too little that a filter lets through: it
/// leads away from where the query is, and what it keeps in order is long.
const SCORED_PER_WIDTH_AGAIN: usize = 20;

/// How many vectors ahead of the one being compared are fetched.
const EXACT_AHEAD: usize = 3;

/// How many codes ahead of the one being scored a scan of scattered nodes fetches.
const CODES_AHEAD: usize = 8;

/// A pool that ends within the error of the codes is widened up to this many times the width asked for.
const MOST_WIDENING: usize = 32;

/// After so many walks that ended within the error of the codes, codes in halves are read whole: in a crowd of points near
/// one another the coarse halves do not tell which is which.
const COARSE_ROUNDS: u32 = 2;

/// A scan of at most so many nodes for each place of the widest pool settles what whole codes cannot.
const SCANNED_PER_WIDEST: usize = 64;

/// How many results a search is to find.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Want {
    pub best: usize,
    /// How many of them have to be right whatever the error of the codes: for these a walk is widened, the
    /// others are as good as it happens to find them.
    pub sure: usize,
}

impl From<usize> for Want {
    fn from(best: usize) -> Self {
        Self { best, sure: best }
    }
}

/// Appends to `out` the best `want` acceptable owners by (similarity descending, id ascending); fewer only
/// if the space has fewer. `width` is the ef of the walk. `exact` gives the similarity of a node's full
/// vector, or says what is wrong with it.
#[allow(clippy::too_many_arguments, reason = "the one door; callers go through Space::search")]
pub(crate) fn search<E>(
    view: &View<'_>,
    probe: &Probe,
    want: Want,
    width: usize,
    accept: Accept<'_>,
    scratch: &mut Scratch,
    effort: &mut Effort,
    out: &mut Vec<Found>,
    exact: impl Fn(u32) -> Result<f32, E>,
) -> Result<(), E> {
    let Want { best: want, sure } = want;
    let nodes = view.nodes as usize;
    if want == 0 || nodes == 0 {
        return Ok(());
    }
    // A pool with no room beyond what has to be right always ends within the error of the codes.
    let mut width = width.max(sure.saturating_add(sure / 2)).max(want);
    let floor = scratch.met.floor(width);
    // What a scan would score.
    let mut scanned = nodes;
    if let Accept::Only(set) = accept {
        let owners = view.owners.ids.len();
        let allowed = usize::try_from(set.len()).unwrap_or(usize::MAX).min(owners);
        if allowed == 0 {
            return Ok(());
        }
        // A walk has to be widened by owners / allowed; a scan scores `allowed`. Take the cheaper.
        let widened = (width.saturating_mul(owners) / allowed).max(width);
        if !view.has_graph() || allowed <= widened.saturating_mul(SCORED_PER_WIDTH) {
            return scan_set(view, probe, want, accept, scratch, effort, out, exact);
        }
        width = widened;
        scanned = allowed.min(nodes);
    }
    let most = width.saturating_mul(MOST_WIDENING);
    let mut per_width = SCORED_PER_WIDTH;
    let mut rounds = 0;
    while view.has_graph() && width.saturating_mul(per_width) < scanned {
        let scorer = probe.scorer(view.mean, view.layout.is_halved(), &mut scratch.centre);
        let room = Room {
            pool: &mut scratch.pool,
            visited: &mut scratch.visited,
            fresh: &mut scratch.fresh,
            rescored: &mut scratch.rescored,
        };
        let coarse =
            view.layout.is_halved() && (rounds < COARSE_ROUNDS || crate::sabotage::on("crowds_in_halves"));
        let walked = dispatch(Walk { view, scorer, coarse, width, floor, room });
        effort.graph_searches += 1;
        effort.distances += walked.scored;
        effort.bytes += walked.scored * (view.layout.stride - view.layout.code_at) as u64
            + walked.rows * view.layout.code_at as u64
            + if coarse { scratch.rescored.len() as u64 } else { walked.scored } * view.layout.fine as u64;

        let (pool, found) = (&scratch.pool, &mut scratch.found);
        let entries = if coarse { &scratch.rescored } else { pool.entries() };
        // What is beyond the pool is at most this similar.
        let most_left = pool
            .entries()
            .last()
            .map(|e| e.score() + walked.beyond + scorer.likely_error(view.meta(e.node())));
        let seen = rerank(
            view,
            &scorer,
            Want { best: want, sure },
            accept,
            (entries, most_left),
            found,
            effort,
            &exact,
        )?;
        // The best of all spaces are found when what is left here is certainly none of them.
        let reached = floor.score().is_some_and(|floor| most_left.is_none_or(|most| most < floor));
        // Everything reachable was seen and it was not enough: only a scan can tell whether there is more.
        if !reached && !pool.is_full() && found.len() < want {
            break;
        }
        let enough = match accept {
            Accept::All => found.len() >= want,
            // Twice as many as have to be right, so that the last is not the worst of an almost empty pool.
            _ => found.len() >= want && seen.accepted >= (2 * sure).min(pool.entries().len()),
        };
        if enough && !reached && seen.saturated && width >= most && !crate::sabotage::on("crowds_in_halves") {
            if coarse {
                // Perhaps not a crowd, but the error of the halves.
                rounds = COARSE_ROUNDS;
                continue;
            }
            // What not even whole codes tell apart a scan does, where it takes about as long as the walks did.
            if scanned <= most.saturating_mul(SCANNED_PER_WIDEST) {
                break;
            }
        }
        if reached || enough && (!seen.saturated || width >= most) {
            let accepted = |e: &&Entry| {
                matches!(accept, Accept::All) || view.owners.of(e.node()).any(|id| accept.accepts(id))
            };
            scratch.met.add(pool.entries().iter().filter(accepted).copied());
            out.extend_from_slice(found);
            return Ok(());
        }
        let short = if enough { 4 } else { (2 * want).div_ceil(seen.accepted.max(1)).clamp(2, 64) };
        width = width.saturating_mul(short);
        rounds += u32::from(enough);
        per_width = if enough { SCORED_PER_WIDTH } else { SCORED_PER_WIDTH_AGAIN };
    }
    scan_set(view, probe, want, accept, scratch, effort, out, exact)
}

/// Exact scan of the nodes that acceptable ids own.
#[allow(clippy::too_many_arguments, reason = "as search")]
fn scan_set<E>(
    view: &View<'_>,
    probe: &Probe,
    want: usize,
    accept: Accept<'_>,
    scratch: &mut Scratch,
    effort: &mut Effort,
    out: &mut Vec<Found>,
    exact: impl Fn(u32) -> Result<f32, E>,
) -> Result<(), E> {
    let owners = view.owners;
    match accept {
        Accept::Only(set) if (set.len() as usize) < owners.ids.len() => {
            // Two ids may own one node; each node is to be scanned once.
            scratch.visited.reset(view.nodes as usize);
            let mut nodes = std::mem::take(&mut scratch.nodes);
            nodes.clear();
            let mut at = 0;
            let owned = set.iter().filter_map(|id| owners.node_from(id, &mut at));
            nodes.extend(owned.filter(|&n| scratch.visited.insert(n)));
            let ahead = nodes.iter().enumerate().map(|(i, &n)| {
                nodes.get(i + CODES_AHEAD).iter().for_each(|&&later| view.prefetch_code(later));
                n
            });
            let result = scan_all(view, probe, ahead, want, accept, scratch, effort, out, exact);
            scratch.nodes = nodes;
            result
        }
        _ => scan(view, probe, 0..view.nodes, want, accept, scratch, effort, out, exact),
    }
}

struct Room<'a> {
    pool: &'a mut super::pool::Pool,
    visited: &'a mut super::pool::Visited,
    fresh: &'a mut super::pool::Fresh,
    rescored: &'a mut Vec<Entry>,
}

/// What a walk cost, and how far its scores are off.
struct Walked {
    /// Nodes scored.
    scored: u64,
    /// Rows read.
    rows: u64,
    /// By how much the coarse half of a code that the walk left out may understate a similarity; 0 where codes are whole.
    beyond: f32,
}

/// One walk from the entry point down (Algorithm 5), leaving its pool.
struct Walk<'a> {
    view: &'a View<'a>,
    scorer: Scorer<'a>,
    /// By the coarse halves of the codes.
    coarse: bool,
    width: usize,
    floor: Floor,
    room: Room<'a>,
}

impl Task for Walk<'_> {
    type Out = Walked;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Walked {
        let view = self.view;
        let ground = Ground { view, scorer: self.scorer, kernel, coarse: self.coarse };
        let mut scored = 1;
        let node = if view.upper.counts.is_empty() {
            view.entry
        } else {
            let mut record = 0;
            let mut score = super::walk::Layer::score(&ground, view.upper.nodes[0]);
            let mut end = view.upper.links.len();
            for &count in view.upper.counts.iter().rev() {
                let links = &view.upper.links[end - count as usize * view.m..end];
                end -= links.len();
                (record, score) = descend(&Above { ground, links }, record, score, &mut scored);
            }
            view.upper.nodes[record as usize]
        };
        let Room { pool, visited, fresh, rescored } = self.room;
        pool.reset(self.width);
        visited.reset(view.nodes as usize);
        visited.insert(node);
        pool.insert(Entry::new(super::walk::Layer::score(&ground, node), node));
        let (walked, rows) = walk(&ground, pool, visited, fresh, self.floor);
        let understated = rescore(&ground, pool.entries(), rescored);
        let beyond = match pool.entries().last() {
            Some(last) if self.coarse => {
                // Whoever asks for less than the default width takes a risk, and has it in proportion.
                let share = (self.width as f32 / DEFAULT_WIDTH as f32).min(1.0);
                understated.max(share * self.scorer.coarse_error(view.meta(last.node())))
            }
            _ => 0.0,
        };
        Walked { scored: scored + walked, rows, beyond }
    }
}

/// Puts the entries of a pool into the order of the whole of their codes, if it was filled by coarse halves. Gives the most by
/// which a coarse half understated: codes of points near one another err to the same side.
#[inline(always)]
fn rescore<K: Kernel>(ground: &Ground<'_, K>, entries: &[Entry], rescored: &mut Vec<Entry>) -> f32 {
    rescored.clear();
    if crate::sabotage::on("coarse_alone") {
        rescored.extend_from_slice(entries);
        return 0.0;
    }
    if !ground.coarse {
        return 0.0;
    }
    for e in entries.iter().take(CODES_AHEAD) {
        ground.view.prefetch_fine(e.node());
    }
    let mut understated = 0f32;
    for (i, e) in entries.iter().enumerate() {
        if let Some(later) = entries.get(i + CODES_AHEAD) {
            ground.view.prefetch_fine(later.node());
        }
        let whole = ground.view.whole(&ground.scorer, ground.kernel, e.node());
        understated = understated.max(whole - e.score());
        rescored.push(Entry::new(whole, e.node()));
    }
    rescored.sort_unstable();
    understated
}

struct Seen {
    /// Nodes of the pool with an acceptable owner.
    accepted: usize,
    /// The worst of a full pool could still be among the wanted: others beyond it could be, too.
    saturated: bool,
}

/// Exact similarities of every pool member that may be among the best `want`, into `found`. `most_left` is what lies
/// beyond the pool at most.
#[allow(clippy::too_many_arguments, reason = "as search")]
fn rerank<E>(
    view: &View<'_>,
    scorer: &Scorer<'_>,
    Want { best: want, sure }: Want,
    accept: Accept<'_>,
    (entries, most_left): (&[Entry], Option<f32>),
    found: &mut Vec<Found>,
    effort: &mut Effort,
    exact: impl Fn(u32) -> Result<f32, E>,
) -> Result<Seen, E> {
    found.clear();
    let may_matter = |found: &[Found], e: &Entry| {
        let most = e.score() + scorer.likely_error(view.meta(e.node()));
        found.len() < want || found.last().is_none_or(|worst| most >= worst.similarity)
    };
    let mut accepted = 0;
    let mut reranked = 0;
    for e in entries.iter().take(EXACT_AHEAD) {
        view.prefetch_exact(e.node());
    }
    for (i, e) in entries.iter().enumerate() {
        if let Some(later) = entries.get(i + EXACT_AHEAD).filter(|later| may_matter(found, later)) {
            view.prefetch_exact(later.node());
        }
        if !matches!(accept, Accept::All) && !view.owners.of(e.node()).any(|id| accept.accepts(id)) {
            continue;
        }
        accepted += 1;
        if may_matter(found, e) {
            let similarity = exact(e.node())?;
            reranked += 1;
            for id in view.owners.of(e.node()).filter(|&id| accept.accepts(id)) {
                keep(found, want, Found { id, similarity });
            }
        }
    }
    effort.reranked += reranked;
    effort.distances += reranked;
    effort.bytes += reranked * view.vectors.bytes() as u64;
    let certain = found.get(sure.clamp(1, want) - 1).filter(|_| found.len() == want);
    let saturated = most_left.is_some_and(|most| certain.is_none_or(|last| most >= last.similarity));
    Ok(Seen { accepted, saturated })
}
