//! Reports: how it went.

use wisen::{MemoryId, Outcome, ReceiptId, Report, ReportId, ReportReply, ReportStatus};

use crate::call::call_on;
use crate::error::{Fault, invalid, wisen_error};
use crate::raw::{In, Out, from_c};
use crate::receipt::wisen_receipt;
use crate::sized::Given;
use crate::status::wisen_status;
use crate::store::wisen_store;
use crate::text::wisen_text;

/// How an attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum wisen_outcome {
    /// Nobody knows. Logged; moves nothing.
    WISEN_UNKNOWN = 0,
    /// It worked.
    WISEN_SUCCESS = 1,
    /// It did not.
    WISEN_FAILURE = 2,
    /// It worked in part: wisen_report.grade tells how well.
    WISEN_GRADED = 3,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum wisen_report_status {
    /// It counts from now on.
    WISEN_CREDITED = 1,
    /// It is kept, and moves nothing: the outcome is unknown, the hits were withheld, or several were
    /// shown and none was named as used.
    WISEN_NOT_CREDITED = 2,
    /// Its receipt has not arrived yet: it is kept and counts as soon as it does.
    WISEN_PENDING = 3,
    /// The same report was here before, under the same key: nothing changed.
    WISEN_DUPLICATE = 4,
}

/// How a recall, or a memory used without one, turned out. Make it with wisen_report_init(), then
/// set the outcome and either receipt or memory. Zero in every other field is its default.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_report {
    /// Size of this structure, for growth: set by wisen_report_init().
    pub struct_size: u32,
    /// A wisen_outcome.
    pub outcome: i32,
    /// With WISEN_GRADED: how well it worked, in 0 to 1. Otherwise 0.
    pub grade: f64,
    /// The recall it is about. NULL: it is about `memory`.
    pub receipt: *const wisen_receipt,
    /// The memories that were used, all of them shown by the recall.
    pub used: *const u64,
    /// How many `used` there are. 0: a recall that showed one hit credits that one, and a recall
    /// that showed several credits nothing.
    pub used_count: usize,
    /// Without receipt: the memory it is about. It counts as evidence, but never nominates the
    /// memory where its own words do not fit.
    pub memory: u64,
    /// Without receipt: embedding of the situation in which the memory was used. NULL: the
    /// memory's own vector.
    pub situation: *const f32,
    /// How many numbers `situation` has.
    pub situation_dimension: usize,
    /// Tokens spent on the attempt. NULL: not told.
    pub tokens: *const u64,
    /// Money spent on the attempt, in millionths of the owner's currency. NULL: not told.
    pub cost_micros: *const i64,
    /// Who reports. NULL: the owner of the store, whose word counts whole. What others say counts as
    /// far as it has agreed with the owner's on the same receipts, and within a cap per memory and day.
    /// A name that is not registered (wisen_register()) shares the standing of all such names, and
    /// counts for nothing without a receipt.
    pub reporter: wisen_text,
    /// The caller's own name for the report: the same report under the same key counts once.
    /// NULL: none.
    pub key: wisen_text,
    /// A remark kept with the report. NULL: none.
    pub note: wisen_text,
    /// How much the verdict is worth, in 0 to 1: multiplies its credit. With 0 the report is kept and
    /// moves nothing. NULL: 1.
    pub weight: *const f64,
    /// The token of the reporter, if its name is registered: wisen_register() wrote it. NULL: none.
    pub token: wisen_text,
    /// Not 0: the failure (an outcome below 0.5) was so bad that what caused it should not be tried
    /// again before somebody has looked at it.
    pub severe: u32,
    /// Must be 0.
    pub reserved: u32,
}

/// A memory that a report counts for.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_credit {
    /// The memory.
    pub memory: u64,
    /// Its share of the one unit of credit.
    pub share: f64,
}

/// The reply to a report. Make it with wisen_report_reply_init(); wisen_report() fills it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_report_reply {
    /// Size of this structure, for growth: set by wisen_report_reply_init().
    pub struct_size: u32,
    /// A wisen_report_status.
    pub status: i32,
    /// Names the report.
    pub id: u64,
    /// Set by the caller: where to write the memories it counts for. NULL: not wanted.
    pub credited: *mut wisen_credit,
    /// Set by the caller: how many of them there is room for at `credited`; as many as the report
    /// names, and at least one, is always enough.
    pub credited_capacity: usize,
    /// How many memories it counts for, which may be more than there was room for.
    pub credited_count: usize,
}

impl Given<'_, wisen_report> {
    fn outcome(&self) -> Result<Outcome, Fault> {
        let graded = wisen_outcome::WISEN_GRADED as i32;
        if self.outcome != graded && self.grade != 0.0 {
            return Err(invalid("grade", "it goes with the outcome WISEN_GRADED only"));
        }
        Ok(match self.outcome {
            n if n == graded => Outcome::Graded(self.grade),
            n if n == wisen_outcome::WISEN_UNKNOWN as i32 => Outcome::Unknown,
            n if n == wisen_outcome::WISEN_SUCCESS as i32 => Outcome::Success,
            n if n == wisen_outcome::WISEN_FAILURE as i32 => Outcome::Failure,
            n => return Err(invalid("outcome", format!("{n} is no wisen_outcome"))),
        })
    }

    fn report(&self) -> Result<Report, Fault> {
        if self.reserved != 0 {
            return Err(invalid("reserved", "it must be 0"));
        }
        let outcome = self.outcome()?;
        let situation = self.slice("situation", |r| (r.situation, r.situation_dimension))?;
        let mut report = match (self.value("receipt", |r| r.receipt)?, self.memory) {
            (None, 0) => return Err(invalid("receipt", "neither a receipt nor a memory is given")),
            (Some(_), memory) if memory != 0 => {
                return Err(invalid("memory", "a receipt is given as well: name it in used"));
            }
            (Some(_), _) if !self.situation.is_null() => {
                return Err(invalid("situation", "it goes without a receipt only: a recall has its own"));
            }
            (Some(receipt), _) => Report::on(ReceiptId::from_bytes(receipt.bytes), outcome),
            (None, memory) if self.situation.is_null() => Report::on_memory(MemoryId(memory), outcome),
            (None, memory) => Report::on_memory(MemoryId(memory), outcome).situation(situation),
        };
        for id in self.slice("used", |r| (r.used, r.used_count))? {
            report = report.used(MemoryId(*id));
        }
        if let Some(tokens) = self.value("tokens", |r| r.tokens)? {
            report = report.tokens(tokens);
        }
        if let Some(micros) = self.value("cost_micros", |r| r.cost_micros)? {
            report = report.cost_micros(micros);
        }
        if let Some(reporter) = self.text("reporter", |r| r.reporter)? {
            report = report.reporter(reporter);
        }
        if let Some(key) = self.text("key", |r| r.key)? {
            report = report.key(key);
        }
        if let Some(note) = self.text("note", |r| r.note)? {
            report = report.note(note);
        }
        if let Some(weight) = self.value("weight", |r| r.weight)? {
            report = report.weight(weight);
        }
        if let Some(token) = self.text("token", |r| r.token)? {
            report = report.token(token);
        }
        Ok(report.severe(self.severe != 0))
    }
}

/// A caller's place for a reply, and for the credits that belong to it.
struct Wanted<'a> {
    asked: Given<'a, wisen_report_reply>,
    place: Out<wisen_report_reply>,
    credits: (Out<wisen_credit>, usize),
}

/// The `count` places for replies at `replies`; none if the caller wants none.
fn wanted<'a>(replies: Out<wisen_report_reply>, count: usize) -> Result<Vec<Wanted<'a>>, Fault> {
    let asked = In::from(replies).read_many(count)?;
    let places = replies.rows(&asked);
    let each = asked.into_iter().zip(places).map(|(asked, place)| {
        let credits = asked.room("credited", |r| (r.credited, r.credited_capacity))?;
        Ok(Wanted { asked, place, credits })
    });
    each.collect()
}

impl Wanted<'_> {
    fn fill(&self, reply: &ReportReply) -> Result<(), Fault> {
        let (place, capacity) = self.credits;
        let credits = reply.credited.iter();
        place.write_many(credits.map(|&(memory, share)| wisen_credit { memory: memory.0, share }), capacity);
        self.place.fill(&wisen_report_reply {
            status: status(reply.status) as i32,
            id: reply.id.0,
            credited_count: reply.credited.len(),
            ..*self.asked
        })
    }
}

/// Tells how it went. The next recall of any process takes it into account. `reply` may be NULL;
/// otherwise `reply->struct_size` must be set, as wisen_report_reply_init() does. WISEN_NOT_SHOWN if a
/// memory named as used was not among the hits, WISEN_BAD_TOKEN if a registered reporter does not
/// prove its name, WISEN_INVALID_ARGUMENT if a severe report tells no failure. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_report(
    store: *mut wisen_store,
    report: *const wisen_report,
    reply: *mut wisen_report_reply,
    error: *mut *mut wisen_error,
) -> wisen_status {
    let count = usize::from(!reply.is_null());
    from_c!(store, report, reply, error);
    call_on(store, error, |store| {
        let wanted = wanted(reply, count)?;
        let answer = store.store.report(&report.read()?.report()?)?;
        wanted.iter().try_for_each(|wanted| wanted.fill(&answer))
    })
}

/// Tells how several attempts went: `count` reports that lie side by side, in one transaction: all of
/// them are kept, or none and an error that names the row (wisen_error_row()). They may share receipts.
/// `replies` has room for `count` replies side by side, each with its `struct_size` set, or is NULL.
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_report_many(
    store: *mut wisen_store,
    reports: *const wisen_report,
    count: usize,
    replies: *mut wisen_report_reply,
    error: *mut *mut wisen_error,
) -> wisen_status {
    let places = if replies.is_null() { 0 } else { count };
    from_c!(store, reports, replies, error);
    call_on(store, error, |store| {
        let wanted = wanted(replies, places)?;
        let given = reports.read_many(count)?;
        let rows = given.iter().enumerate();
        let reports = rows.map(|(row, report)| report.report().map_err(|fault| fault.in_row(row)));
        let answers = store.store.report_many(&reports.collect::<Result<Vec<_>, _>>()?)?;
        wanted.iter().zip(&answers).try_for_each(|(wanted, answer)| wanted.fill(answer))
    })
}

/// Takes a report back: it stays as a record and counts no more; what its receipt had to give goes to
/// the reports left on it. Its key stays taken. `*retracted` (may be NULL) becomes false if it was
/// retracted before. WISEN_UNKNOWN_REPORT if there is none with this id. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_retract(
    store: *mut wisen_store,
    report: u64,
    retracted: *mut bool,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, retracted, error);
    call_on(store, error, |store| {
        retracted.write_if_wanted(store.store.retract(ReportId(report))?);
        Ok(())
    })
}

fn status(status: ReportStatus) -> wisen_report_status {
    match status {
        ReportStatus::Credited => wisen_report_status::WISEN_CREDITED,
        ReportStatus::Pending => wisen_report_status::WISEN_PENDING,
        ReportStatus::Duplicate => wisen_report_status::WISEN_DUPLICATE,
        _ => wisen_report_status::WISEN_NOT_CREDITED,
    }
}
