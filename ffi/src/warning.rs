//! Warnings: memories that are kept from the hits because they failed.

use wisen::Warning;

use crate::call::{call_on, peek};
use crate::error::{invalid, wisen_error};
use crate::raw::from_c;
use crate::recall::wisen_recall;
use crate::standings::state;
use crate::status::wisen_status;
use crate::text::{Chars, json, wisen_text};

/// A memory that would be near, and is kept from the hits because it failed. Make it with
/// wisen_warning_init(); wisen_recall_warning() fills it. Its texts belong to the recall.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_warning {
    /// Size of this structure, for growth: set by wisen_warning_init().
    pub struct_size: u32,
    /// A wisen_standing_state: quarantined, on probation or retired.
    pub state: i32,
    /// The memory.
    pub id: u64,
    /// Cosine, dot product, or minus the squared Euclidean distance to the query.
    pub similarity: f64,
    /// Weight of its successes in situations like this one, in outcomes.
    pub successes: f64,
    /// Weight of its failures in situations like this one, in outcomes.
    pub failures: f64,
    /// Its namespace.
    pub namespace_name: wisen_text,
    /// That in a sentence, such as "Quarantined; tried in situations like this one: failed 7 of 8."
    pub text: wisen_text,
    /// Its text; NULL unless the query asked for contents.
    pub content: wisen_text,
    /// Its metadata, as JSON; NULL unless the query asked for contents and it has some.
    pub metadata: wisen_text,
}

/// A warning, and its texts as C sees them.
pub(crate) struct Warned {
    warning: Warning,
    namespace: Chars,
    text: Chars,
    content: Option<Chars>,
    metadata: Option<Chars>,
}

impl Warned {
    pub(crate) fn new(mut warning: Warning) -> Self {
        Self {
            namespace: Chars::new(std::mem::take(&mut warning.namespace)),
            text: Chars::new(std::mem::take(&mut warning.text)),
            content: warning.content.take().map(Chars::new),
            metadata: warning.metadata.take().as_ref().and_then(json),
            warning,
        }
    }

    fn lend(&self) -> wisen_warning {
        wisen_warning {
            struct_size: size_of::<wisen_warning>() as u32,
            state: state(self.warning.state) as i32,
            id: self.warning.id.0,
            similarity: self.warning.similarity.into(),
            successes: self.warning.successes,
            failures: self.warning.failures,
            namespace_name: self.namespace.lend(),
            text: self.text.lend(),
            content: Chars::lend_option(self.content.as_ref()),
            metadata: Chars::lend_option(self.metadata.as_ref()),
        }
    }
}

/// How many warnings there are, at most wisen_query.warnings; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_recall_warning_count(recall: *const wisen_recall) -> usize {
    from_c!(recall);
    peek(recall, 0, |recall| recall.warnings.len())
}

/// Fills `*warning` with warning number `index`, the nearest being 0; `warning->struct_size` must be
/// set, as wisen_warning_init() does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_recall_warning(
    recall: *const wisen_recall,
    index: usize,
    warning: *mut wisen_warning,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(recall, warning, error);
    call_on(recall, error, |recall| {
        let found = recall.warnings.get(index);
        let found = found.ok_or_else(|| {
            invalid("index", format!("{index}, there are {} warnings", recall.warnings.len()))
        })?;
        warning.fill(&found.lend())
    })
}
