//! The face of the engine: the only floor that sees all others.

mod audit;
mod authority;
mod barred;
mod calibrate;
mod chance;
mod core;
mod distil;
mod doubles;
mod figures;
mod files;
mod govern;
mod half_life;
mod halt;
mod holdings;
mod input;
mod inspect;
mod keeper;
mod open;
mod options;
mod output;
mod partition;
mod points;
mod policy;
mod principals;
mod recall;
mod remember;
mod report;
mod sample;
mod seal;
mod standing;
mod store;
mod trial;
mod triggers;
mod uplift;
mod view;
mod witness;

pub use audit::{AuditFault, AuditLevel, AuditVerification};
pub use authority::{Authority, AuthorityKeys};
pub use distil::Merge;
pub use figures::Window;
pub use halt::{Halt, HaltLevel};
pub use half_life::{HalfLifeFit, HalfLifeStatus};
pub use input::{DEFAULT_KIND, DEFAULT_NAMESPACE, Memory, Outcome, Query, Report, Update};
pub use options::{Durability, Options};
pub use output::{
    AuditEntry, Hit, Namespace, Recall, Record, ReportReply, ReportStatus, Stats, Verification, Warning,
};
pub use policy::Policy;
pub use principals::Principal;
pub use standing::Standing;
pub use store::Store;
pub use triggers::Triggers;
pub use uplift::Scope;
