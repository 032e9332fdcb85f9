//! The face of the engine: the only floor that sees all others.

mod calibrate;
mod chance;
mod core;
mod figures;
mod files;
mod half_life;
mod holdings;
mod input;
mod inspect;
mod keeper;
mod open;
mod options;
mod output;
mod partition;
mod points;
mod principals;
mod recall;
mod remember;
mod report;
mod sample;
mod seal;
mod store;
mod uplift;
mod view;

pub use figures::Window;
pub use half_life::{HalfLifeFit, HalfLifeStatus};
pub use input::{DEFAULT_KIND, DEFAULT_NAMESPACE, Memory, Outcome, Query, Report, Update};
pub use options::{Durability, Options};
pub use output::{Hit, Namespace, Recall, Record, ReportReply, ReportStatus, Stats, Verification};
pub use principals::Principal;
pub use store::Store;
pub use uplift::Scope;
