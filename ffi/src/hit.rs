//! Hits: what a recall found, and why.

use std::cell::OnceCell;

use wisen::{Hit, Precedent};

use crate::call::call_on;
use crate::error::{invalid, wisen_error};
use crate::guard::source_number;
use crate::origin::{self, Origin};
use crate::raw::from_c;
use crate::recall::wisen_recall;
use crate::receipt::wisen_receipt;
use crate::status::wisen_status;
use crate::text::{Chars, json, wisen_text};

/// A remembered attempt in a situation like this one.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_precedent {
    /// Similarity of that situation to this one, in the measure of wisen_hit.similarity.
    pub similarity: f64,
    /// Mean outcome of the reports made there, in 0 to 1.
    pub outcome: f64,
    /// How many reports were made there.
    pub reports: u64,
}

/// A memory that fits, and why. Make it with wisen_hit_init(); wisen_recall_hit() fills it. Its
/// texts belong to the recall.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_hit {
    /// Size of this structure, for growth: set by wisen_hit_init().
    pub struct_size: u32,
    /// Not 0: it was found through situations in which it worked, not through its own words.
    pub nominated: u32,
    /// Not 0: `supporting` is filled.
    pub has_supporting: u32,
    /// Not 0: `contradicting` is filled.
    pub has_contradicting: u32,
    /// The memory.
    pub id: u64,
    /// What hits are ranked by. It orders the hits of one recall and means nothing across recalls.
    pub score: f64,
    /// Cosine, dot product, or minus the squared Euclidean distance to the query.
    pub similarity: f64,
    /// Probability that using it here succeeds: mean of the posterior, in 0 to 1.
    pub probability: f64,
    /// Lower end of the central 90 % credible interval of `probability`.
    pub interval_low: f64,
    /// Upper end of the central 90 % credible interval of `probability`.
    pub interval_high: f64,
    /// Weight of the memory's own fit to the query: one pseudo-success at its own place.
    pub own_fit: f64,
    /// Weight of successes in situations like this one.
    pub successes: f64,
    /// Weight of failures in situations like this one.
    pub failures: f64,
    /// Reports behind these two sums.
    pub reports: u64,
    /// The nearest situation in which it mostly worked.
    pub supporting: wisen_precedent,
    /// The nearest situation in which it mostly failed.
    pub contradicting: wisen_precedent,
    /// Its namespace.
    pub namespace_name: wisen_text,
    /// Its text; NULL unless the query asked for contents.
    pub content: wisen_text,
    /// Its metadata, as JSON; NULL unless the query asked for contents and it has some.
    pub metadata: wisen_text,
    /// Why it is a hit, in sentences for people, one a line.
    pub reasons: wisen_text,
    /// The probability with which it was shown: 1, unless chance put it there. For a quarantined memory
    /// that is tried again in the last place, the share of recalls on which that happens. For one that
    /// was explored (wisen_query.explore), the probability of being drawn into any of the explored
    /// places, estimated from 256 draws: its standard error is at most 0.031, and it is never below
    /// 1/258.
    pub propensity: f64,
    /// Who wrote it, as whoever remembered it told; NULL: nobody named, or the query asked for no contents.
    pub author: wisen_text,
    /// How far the word of its author is good, in 0 to 1: 1 if it names none, else its reliability
    /// (wisen_principal). 0 unless the query asked for contents.
    pub trust: f64,
    /// How long ago it was stored, in microseconds. 0 unless the query asked for contents.
    pub age_us: u64,
    /// A wisen_source. 0: not told, or the query asked for no contents.
    pub source: i32,
    /// What was noticed when it came, added up: 1 it holds a secret, 2 a secret was taken out, 4 a word is too
    /// random for one, 8 invisible characters, 16 bidirectional marks. 0 unless the query asked for contents.
    pub flags: u32,
    /// The recall in which it came about; all zero: not told, or the query asked for no contents.
    pub origin: wisen_receipt,
    /// The memories that it was made of; none unless the query asked for contents.
    pub parents: *const u64,
    /// How many parents there are.
    pub parents_count: usize,
    /// The model that wrote it; NULL: not told, or the query asked for no contents.
    pub model: wisen_text,
    /// What the hook of a handle has called it; none unless the query asked for contents.
    pub tags: *const wisen_text,
    /// How many tags there are.
    pub tags_count: usize,
    /// The PREFER or AVOID directive that has shifted its rank; NULL: none has.
    pub rule: wisen_text,
    /// By how much it has shifted the score: in -1.8 to 0.7; 0 without one. It moves the place and not the
    /// probability.
    pub shift: f64,
}

/// A hit, and its texts as C sees them.
pub(crate) struct Shown {
    hit: Hit,
    namespace: Chars,
    content: Option<Chars>,
    metadata: Option<Chars>,
    reasons: OnceCell<Chars>,
    rule: Option<Chars>,
    origin: Origin,
}

impl Shown {
    pub(crate) fn new(mut hit: Hit) -> Self {
        let namespace = Chars::new(std::mem::take(&mut hit.namespace));
        let content = hit.content.take().map(Chars::new);
        let metadata = hit.metadata.take().as_ref().and_then(json);
        let origin = Origin::new(hit.provenance.as_ref());
        let rule = hit.rule.as_deref().map(Chars::new);
        Self { hit, namespace, content, metadata, reasons: OnceCell::new(), rule, origin }
    }

    fn lend(&self) -> wisen_hit {
        let (evidence, from) = (&self.hit.evidence, self.hit.provenance.as_ref());
        let (interval_low, interval_high) = self.hit.interval();
        let (parents, parents_count) = self.origin.parents();
        let (tags, tags_count) = self.origin.tags();
        let reasons = self.reasons.get_or_init(|| Chars::new(self.hit.reasons().join("\n")));
        wisen_hit {
            struct_size: size_of::<wisen_hit>() as u32,
            nominated: evidence.nominated.into(),
            has_supporting: evidence.supporting.is_some().into(),
            has_contradicting: evidence.contradicting.is_some().into(),
            id: self.hit.id.0,
            score: self.hit.score,
            similarity: self.hit.similarity.into(),
            probability: self.hit.probability(),
            interval_low,
            interval_high,
            own_fit: evidence.own_fit,
            successes: evidence.successes,
            failures: evidence.failures,
            reports: evidence.reports,
            supporting: precedent(evidence.supporting),
            contradicting: precedent(evidence.contradicting),
            namespace_name: self.namespace.lend(),
            content: Chars::lend_option(self.content.as_ref()),
            metadata: Chars::lend_option(self.metadata.as_ref()),
            reasons: reasons.lend(),
            propensity: self.hit.propensity,
            author: self.origin.author(),
            trust: from.map_or(0.0, |from| from.trust),
            age_us: from.map_or(0, |from| from.age.as_micros() as u64),
            source: source_number(from.and_then(|from| from.source)),
            flags: origin::flags(from),
            origin: origin::receipt(from),
            parents,
            parents_count,
            model: self.origin.model(),
            tags,
            tags_count,
            rule: Chars::lend_option(self.rule.as_ref()),
            shift: self.hit.shift,
        }
    }
}

fn precedent(found: Option<Precedent>) -> wisen_precedent {
    match found {
        Some(p) => {
            wisen_precedent { similarity: p.similarity.into(), outcome: p.outcome, reports: p.reports }
        }
        None => wisen_precedent { similarity: 0.0, outcome: 0.0, reports: 0 },
    }
}

/// Fills `*hit` with hit number `index`, the best being 0; `hit->struct_size` must be set, as
/// wisen_hit_init() does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_recall_hit(
    recall: *const wisen_recall,
    index: usize,
    hit: *mut wisen_hit,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(recall, hit, error);
    call_on(recall, error, |recall| {
        let found = recall.hits.get(index);
        let found = found
            .ok_or_else(|| invalid("index", format!("{index}, there are {} hits", recall.hits.len())))?;
        hit.fill(&found.lend())
    })
}
