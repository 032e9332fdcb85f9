//! What the engine hands back: recalls and hits, records, replies, figures.

use serde_json::Value;

use crate::clock::Timestamp;
use crate::id::{MemoryId, ReceiptId, ReportId};
use crate::outcome::{Calibration, Evidence, StandingState};
use crate::vector::{Metric, Storage};

use super::origin::Provenance;
use super::ruled::RuleNote;

/// The answer to a [`Query`](crate::Query).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Recall {
    /// Names this recall in a report; `None` if the query asked for none.
    pub receipt: Option<ReceiptId>,
    /// The MUST directives that apply where it looked, in the order in which they decide: whatever is done
    /// with the hits has to heed them.
    pub rules: Vec<RuleNote>,
    /// Best first, then those that were explored; at most `k`.
    pub hits: Vec<Hit>,
    /// Probability that one of the hits succeeds here, in `0..=1`: that of the likeliest one, and so a
    /// lower bound where several could. Low means that nothing fits; 0 without hits.
    pub fit: f64,
    /// Whether the hits were withheld at random, to learn how things go without memory
    /// ([`Query::hold_out`](crate::Query::hold_out)): there are none then, and the report on this recall
    /// can name none.
    pub withheld: bool,
    /// Memories that are no hits because they failed, if the query asked for warnings; nearest first.
    pub warnings: Vec<Warning>,
    /// Bytes of codes, graph rows, vectors, samples and contents that were read for it.
    pub bytes_touched: u64,
}

/// A memory that fits, and why.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Hit {
    /// The memory.
    pub id: MemoryId,
    /// Its namespace.
    pub namespace: String,
    /// What hits are ranked by: `ln alpha - ln beta` of this recall. It orders the hits of one
    /// recall and means nothing across recalls.
    pub score: f64,
    /// Cosine, dot product, or minus the squared Euclidean distance to the query.
    pub similarity: f32,
    /// What experience says of it in situations like this one.
    pub evidence: Evidence,
    /// The probability with which it was shown: 1, unless chance put it there. For a quarantined memory
    /// that is tried again in the last place, the share of recalls on which that happens. For one that was
    /// explored ([`Query::explore`](crate::Query::explore)), the probability of being drawn into any of
    /// the explored places, estimated from 256 draws: its standard error is at most 0.031, and it is
    /// never below 1/258.
    pub propensity: f64,
    /// The PREFER or AVOID directive that shifts it among the hits, if one does.
    pub rule: Option<String>,
    /// By how much that directive shifted the score: in `-1.8..=0.7`, 0 without one. It moves the place and
    /// not the probability.
    pub shift: f64,
    /// Its text, if the query asked for contents.
    pub content: Option<String>,
    /// Its metadata, if the query asked for contents; null if it has none.
    pub metadata: Option<Value>,
    /// Where it comes from and how far that is trusted, if the query asked for contents.
    pub provenance: Option<Provenance>,
}

impl Hit {
    /// Probability that using it here succeeds: mean of the posterior, in `0..=1`.
    pub fn probability(&self) -> f64 {
        self.evidence.probability()
    }

    /// Central 90 % credible interval of [`Hit::probability`], each end in `0..=1`.
    pub fn interval(&self) -> (f64, f64) {
        self.evidence.interval(0.90)
    }

    /// Why it is a hit, in sentences for people.
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons = crate::rank::reasons(self.similarity, &self.evidence);
        if let Some(rule) = &self.rule {
            let way = if self.shift > 0.0 { "raises" } else { "lowers" };
            reasons.push(format!("The directive {rule:?} {way} its score by {:.2}.", self.shift.abs()));
        }
        reasons
    }
}

/// A memory that would be near, and is kept from the hits because it failed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Warning {
    /// The memory.
    pub id: MemoryId,
    /// Its namespace.
    pub namespace: String,
    /// How it stands: quarantined, on probation or retired.
    pub state: StandingState,
    /// Cosine, dot product, or minus the squared Euclidean distance to the query.
    pub similarity: f32,
    /// Weight of its successes in situations like this one, in outcomes.
    pub successes: f64,
    /// Weight of its failures in situations like this one, in outcomes.
    pub failures: f64,
    /// That in a sentence, such as "Quarantined; tried in situations like this one: failed 7 of 8."
    pub text: String,
    /// Its text, if the query asked for contents.
    pub content: Option<String>,
    /// Its metadata, if the query asked for contents; null if it has none.
    pub metadata: Option<Value>,
}

/// Everything stored about a memory.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// Its id.
    pub id: MemoryId,
    /// Its namespace.
    pub namespace: String,
    /// Its kind.
    pub kind: String,
    /// Its text.
    pub content: String,
    /// Its embedding, as it was given; in a store with f16 as that keeps it ([`Storage::F16`]).
    pub vector: Vec<f32>,
    /// Its metadata; null if it has none.
    pub metadata: Value,
    /// Who wrote it.
    pub author: Option<String>,
    /// The caller's own name for it.
    pub key: Option<String>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it stops being recalled.
    pub expires_at: Option<Timestamp>,
    /// The memory that replaced it, or that it was merged into.
    pub superseded_by: Option<MemoryId>,
    /// The memory that stands for it since it was merged ([`Store::distil`](crate::Store::distil)).
    pub merged_into: Option<MemoryId>,
    /// Where it comes from, and how far that is trusted.
    pub provenance: Provenance,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportStatus {
    /// It counts from now on.
    Credited,
    /// It is kept, and moves nothing: the outcome is unknown, the hits were withheld, or several were
    /// shown and none was named as used.
    NotCredited,
    /// Its receipt has not arrived yet: it is kept and counts as soon as it does.
    Pending,
    /// The same report was here before, under the same key: nothing changed.
    Duplicate,
}

impl ReportStatus {
    /// `"credited"`, `"not_credited"`, `"pending"` or `"duplicate"`.
    pub fn as_str(self) -> &'static str {
        match self {
            ReportStatus::Credited => "credited",
            ReportStatus::NotCredited => "not_credited",
            ReportStatus::Pending => "pending",
            ReportStatus::Duplicate => "duplicate",
        }
    }
}

/// The reply to a [`Report`](crate::Report).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ReportReply {
    /// Names the report.
    pub id: ReportId,
    /// What became of it.
    pub status: ReportStatus,
    /// The memories it counts for, each with its share of the one unit of credit.
    pub credited: Vec<(MemoryId, f64)>,
}

/// A namespace and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Memories in it that were neither forgotten nor superseded.
    pub memories: u64,
    /// When the first memory came.
    pub created_at: Timestamp,
}

/// Figures of a store. Counters since opening are those of this handle.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Dimension of the vectors.
    pub dimension: usize,
    /// Metric of the vectors.
    pub metric: Metric,
    /// How the vectors of memories are stored.
    pub storage: Storage,
    /// Name of the embedding model, if one was recorded.
    pub model: Option<String>,
    /// Memories neither forgotten nor superseded.
    pub memories: u64,
    /// Reports received.
    pub reports: u64,
    /// Points of experience: distinct pairs of memory and situation with evidence.
    pub experiences: u64,
    /// Namespaces.
    pub namespaces: u64,
    /// Segments in use.
    pub segments: u64,
    /// Segment files that were set aside as damaged, since opening.
    pub segments_set_aside: u64,
    /// Bytes of the segments in use.
    pub segment_bytes: u64,
    /// Vectors (memories and experiences) not yet in a segment.
    pub unsealed: u64,
    /// Recalls since opening.
    pub recalls: u64,
    /// Graph searches since opening.
    pub graph_searches: u64,
    /// Exact scans since opening.
    pub scans: u64,
    /// Bytes touched by recalls since opening.
    pub bytes_touched: u64,
    /// Full vectors compared by recalls since opening, beyond their codes.
    pub reranked: u64,
    /// Segments built by this handle.
    pub seals: u64,
    /// How the probabilities promised by recalls have come true, in all namespaces together.
    pub calibration: Calibration,
}

/// An entry of the audit: what was done or decided, by whom and on which figures. Never changed or
/// deleted; [`Store::audit_verify`](crate::Store::audit_verify) shows it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AuditEntry {
    /// Its number: 1, 2, 3, ... without gaps.
    pub id: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// `"engine"`: by a rule; `"owner"`: by a call; `"principal:NAME"`: proven by its token;
    /// `"unproven:NAME"`: a name that anybody may use; `"authority:NAME"`: proven by its signature.
    pub actor: String,
    /// What was done, such as `"remember"`, `"quarantine"` or `"policy"`.
    pub op: String,
    /// The namespace it is about, unless that is gone.
    pub namespace: Option<String>,
    /// The memory it is about.
    pub memory: Option<MemoryId>,
    /// The figures and reasons behind it: a JSON object.
    pub detail: Value,
    /// Its hash in the chain, in hexadecimal digits: that which an [`anchor`](crate::Store::anchor) ends with that was
    /// taken when it was the last. `None`: somebody has taken it away.
    pub hash: Option<String>,
}

/// What [`Store::verify`](crate::Store::verify) found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Verification {
    /// Whether everything was read, or only what a quick look tells.
    pub full: bool,
    /// Memories whose row and payload were checked.
    pub memories: u64,
    /// Reports whose rows were checked.
    pub reports: u64,
    /// Cells of evidence that were recomputed from the raw reports.
    pub cells: u64,
    /// Segments that were checked in full.
    pub segments: u64,
    /// Vectors in them.
    pub sealed: u64,
    /// Vectors that a graph search can never reach.
    pub unreachable: u64,
    /// Everything that is wrong, one sentence each, with the table and row or the file, and the way out;
    /// empty when all is well.
    pub faults: Vec<String>,
}

impl Verification {
    pub(crate) fn note(&mut self, fault: impl std::fmt::Display, way_out: &str) {
        self.faults.push(format!("{fault} ({way_out})"));
    }

    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.faults.is_empty() && self.unreachable == 0
    }
}
