//! Rules that come with a recall.

use wisen::RuleNote;

use crate::call::{call_on, peek};
use crate::error::{invalid, wisen_error};
use crate::raw::from_c;
use crate::recall::wisen_recall;
use crate::status::wisen_status;
use crate::text::{Chars, wisen_text};

/// A directive that comes with a recall, because what is done with the hits has to heed it. Make it with
/// wisen_rule_note_init(); wisen_recall_rule() fills it. Its texts belong to the recall.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_rule_note {
    /// Size of this structure, for growth: set by wisen_rule_note_init().
    pub struct_size: u32,
    /// Its priority.
    pub priority: i32,
    /// Its id.
    pub id: wisen_text,
    /// Why there is this rule.
    pub reason: wisen_text,
    /// The directive as text.
    pub text: wisen_text,
}

/// A rule, and its texts as C sees them.
pub(crate) struct Noted {
    priority: i32,
    id: Chars,
    reason: Chars,
    text: Chars,
}

impl Noted {
    pub(crate) fn new(note: RuleNote) -> Self {
        let RuleNote { id, priority, reason, text, .. } = note;
        Self { priority, id: Chars::new(id), reason: Chars::new(reason), text: Chars::new(text) }
    }
}

/// How many MUST rules come with the recall, those that apply where it searched; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_recall_rule_count(recall: *const wisen_recall) -> usize {
    from_c!(recall);
    peek(recall, 0, |recall| recall.rules.len())
}

/// Fills `*rule` with rule number `index`, in the order in which they decide; `rule->struct_size` must be set,
/// as wisen_rule_note_init() does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_recall_rule(
    recall: *const wisen_recall,
    index: usize,
    rule: *mut wisen_rule_note,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(recall, rule, error);
    call_on(recall, error, |recall| {
        let found = recall.rules.get(index);
        let found = found
            .ok_or_else(|| invalid("index", format!("{index}, there are {} rules", recall.rules.len())))?;
        rule.fill(&wisen_rule_note {
            struct_size: size_of::<wisen_rule_note>() as u32,
            priority: found.priority,
            id: found.id.lend(),
            reason: found.reason.lend(),
            text: found.text.lend(),
        })
    })
}
