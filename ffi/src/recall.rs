//! Recall: a query goes in, hits come out.

use std::mem::offset_of;
use std::ptr;

use wisen::{Filter, Query};

use crate::call::{call_on, peek};
use crate::error::{Fault, invalid, wisen_error};
use crate::handle::{Object, free, give};
use crate::hit::Shown;
use crate::raw::from_c;
use crate::receipt::wisen_receipt;
use crate::rule_note::Noted;
use crate::sized::Given;
use crate::status::wisen_status;
use crate::store::wisen_store;
use crate::text::wisen_text;
use crate::warning::Warned;

/// A question to the memory. Make it with wisen_query_init(), which sets k to 10, then set at least
/// the vector. Zero in every other field is its default.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_query {
    /// Size of this structure, for growth: set by wisen_query_init().
    pub struct_size: u32,
    /// Not 0: hits carry content and metadata. 0 reads fewer bytes.
    pub content: u32,
    /// How many hits at most. 0 gives none.
    pub k: usize,
    /// Embedding of the present situation. Needed.
    pub vector: *const f32,
    /// How many numbers `vector` has: as many as the store's dimension.
    pub dimension: usize,
    /// The text of the situation; kept with the receipt. NULL: none.
    pub text: wisen_text,
    /// The namespaces to search; one that does not exist holds nothing.
    pub namespaces: *const wisen_text,
    /// How many `namespaces` there are. 0: only "default".
    pub namespace_count: usize,
    /// Only memories of this kind. NULL: of any.
    pub kind: wisen_text,
    /// Not 0: the recall will not be reported on and needs no receipt.
    pub no_receipt: u32,
    /// Width (ef) of the graph search for this recall. 0: that of the store.
    pub width: u32,
    /// How many of the `k` places, the last ones, go to memories drawn by Thompson sampling, so that
    /// those of which little is known get their chance; wisen_hit.propensity says how likely that was.
    /// 0: nothing is left to chance.
    pub explore: usize,
    /// Share of recalls, in 0 to 0.5, on which memory is withheld at random, so that wisen_uplift() can
    /// tell what it is worth: such a recall has no hits and says so (wisen_recall_withheld()). On a
    /// further share of the same size (less above a third) one hit is left out silently. Only recalls
    /// with a receipt are held out. 0: none.
    pub hold_out: f64,
    /// Makes all that chance decides repeatable: the same store, query and seed give the same hits.
    /// NULL: the random bits of the receipt.
    pub seed: *const u64,
    /// Up to how many quarantined or retired memories to warn of, if they are among the `k` nearest
    /// (wisen_recall_warning()). 0: none.
    pub warnings: usize,
    /// Only memories that this lets through, `k` of them wherever so many exist. JSON: {"kind": "recipe"},
    /// {"author": "ann"}, {"created": {"from": t, "before": t}} (in microseconds since 1970),
    /// {"field": {"name": "lang", "equals": "rust"}} (or "one_of": [...], "range": {"from": 1, "to": 5},
    /// "exists": true) for fields declared with wisen_declare_field(), {"all": [...]}, {"any": [...]},
    /// {"not": {...}}. NULL: all.
    pub filter: wisen_text,
    /// The model that made `vector`: WISEN_MISMATCH if those of the store were made with another one
    /// (wisen_options.model). NULL: not told.
    pub embedding_model: wisen_text,
}

/// The answer to a query. Handle, to be freed with wisen_recall_free(); one thread at a time. It
/// needs the store no longer.
pub struct wisen_recall {
    receipt: Option<wisen_receipt>,
    bytes_touched: u64,
    fit: f64,
    withheld: bool,
    pub(crate) hits: Vec<Shown>,
    pub(crate) warnings: Vec<Warned>,
    pub(crate) rules: Vec<Noted>,
}

impl Object for wisen_recall {
    const NAME: &'static str = "wisen_recall";
    const MAGIC: u32 = u32::from_be_bytes(*b"Wrec");
}

impl From<wisen::Recall> for wisen_recall {
    fn from(found: wisen::Recall) -> Self {
        wisen_recall {
            receipt: found.receipt.map(|id| wisen_receipt { bytes: id.to_bytes() }),
            bytes_touched: found.bytes_touched,
            fit: found.fit,
            withheld: found.withheld,
            hits: found.hits.into_iter().map(Shown::new).collect(),
            warnings: found.warnings.into_iter().map(Warned::new).collect(),
            rules: found.rules.into_iter().map(Noted::new).collect(),
        }
    }
}

impl Given<'_, wisen_query> {
    fn query(&self) -> Result<Query, Fault> {
        if self.vector.is_null() {
            return Err(invalid("vector", "the pointer is NULL"));
        }
        let mut query = Query::new(self.slice("vector", |q| (q.vector, q.dimension))?);
        if self.knows(offset_of!(wisen_query, k)) {
            query = query.k(self.k);
        }
        if let Some(text) = self.text("text", |q| q.text)? {
            query = query.text(text);
        }
        for name in self.texts("namespaces", |q| (q.namespaces, q.namespace_count))? {
            query = query.namespace(name);
        }
        if let Some(model) = self.text("embedding_model", |q| q.embedding_model)? {
            query = query.embedding_model(model);
        }
        if let Some(kind) = self.text("kind", |q| q.kind)? {
            query = query.kind(kind);
        }
        if let Some(filter) = self.text("filter", |q| q.filter)? {
            query = query.filter(Filter::parse(filter)?);
        }
        if let Some(seed) = self.value("seed", |q| q.seed)? {
            query = query.seed(seed);
        }
        query = query.receipt(self.no_receipt == 0).content(self.content != 0).width(self.width as usize);
        Ok(query.explore(self.explore).hold_out(self.hold_out).warnings(self.warnings))
    }
}

/// Finds what fits: the memories near the query and those that worked in situations near it, ranked
/// by what experience says of them. Without reports the order is that of similarity. On success
/// `*recall` is a handle to be freed with wisen_recall_free(), on failure NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_recall(
    store: *mut wisen_store,
    query: *const wisen_query,
    recall: *mut *mut wisen_recall,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, query, recall, error);
    recall.write_if_wanted(ptr::null_mut());
    call_on(store, error, |store| {
        recall.check("recall")?;
        let found = store.store.recall(&query.read()?.query()?)?;
        recall.write("recall", give(wisen_recall::from(found)))
    })
}

/// Answers `count` queries that lie side by side, on up to `threads` threads (0: one per core; at most 256),
/// which end with the call. On success `recalls[i]` is the answer to `queries[i]`, as wisen_recall() gives it,
/// with a receipt of its own: `count` handles, each to be freed with wisen_recall_free(). On failure all of them
/// are NULL; if a query is at fault, the error names its row (wisen_error_row()). Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_recall_many(
    store: *mut wisen_store,
    queries: *const wisen_query,
    count: usize,
    threads: usize,
    recalls: *mut *mut wisen_recall,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, queries, recalls, error);
    recalls.write_many(std::iter::repeat_n(ptr::null_mut(), count), count);
    call_on(store, error, |store| {
        if count > 0 {
            recalls.check("recalls")?;
        }
        let given = queries.read_many(count)?;
        let rows = given.iter().enumerate();
        let queries = rows.map(|(row, query)| query.query().map_err(|fault| fault.in_row(row)));
        let found = store.store.recall_many(&queries.collect::<Result<Vec<_>, _>>()?, threads)?;
        recalls.write_many(found.into_iter().map(|found| give(wisen_recall::from(found))), count);
        Ok(())
    })
}

/// How many hits there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_recall_count(recall: *const wisen_recall) -> usize {
    from_c!(recall);
    peek(recall, 0, |recall| recall.hits.len())
}

/// Probability that one of the hits succeeds here, in 0 to 1: that of the likeliest one, and so a lower
/// bound where several could. Low means that nothing fits; 0 without hits and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_recall_fit(recall: *const wisen_recall) -> f64 {
    from_c!(recall);
    peek(recall, 0.0, |recall| recall.fit)
}

/// Whether the hits were withheld at random (wisen_query.hold_out): there are none then, and the report
/// on this recall can name none. false for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_recall_withheld(recall: *const wisen_recall) -> bool {
    from_c!(recall);
    peek(recall, false, |recall| recall.withheld)
}

/// How many bytes of codes, graph rows, vectors, samples and contents were read for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_recall_bytes_touched(recall: *const wisen_recall) -> u64 {
    from_c!(recall);
    peek(recall, 0, |recall| recall.bytes_touched)
}

/// Copies the receipt that names this recall in a report; false if it has none, and then
/// `*receipt` is all zero. It stays good after wisen_recall_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_recall_receipt(
    recall: *const wisen_recall,
    receipt: *mut wisen_receipt,
) -> bool {
    from_c!(recall, receipt);
    let issued = peek(recall, None, |recall| recall.receipt);
    receipt.write_if_wanted(issued.unwrap_or(wisen_receipt { bytes: [0; 16] }));
    issued.is_some()
}

/// Frees the recall, and with it every text of its hits and warnings, and sets the variable to NULL. A NULL
/// variable, or NULL in it, is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_recall_free(recall: *mut *mut wisen_recall) {
    from_c!(recall);
    free(recall);
}
