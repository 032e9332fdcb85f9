//! The face of the engine: the only floor that sees all others.

#[cfg(feature = "hnsw_rs")]
mod adopt;
mod audit;
mod authority;
mod backup;
mod barred;
mod calibrate;
mod chance;
mod compact;
mod core;
mod directives;
mod distil;
mod doubles;
mod erase;
mod fields;
mod figures;
mod files;
mod filtered;
mod gate;
mod govern;
mod half_life;
mod halt;
mod holdings;
mod input;
mod inspect;
mod keeper;
mod open;
mod options;
mod origin;
mod output;
mod partition;
mod place;
mod points;
mod policy;
mod principals;
mod recall;
mod remember;
mod report;
mod rulebook;
mod ruled;
mod sample;
mod seal;
mod snapshot;
mod standing;
mod state;
mod store;
mod transfer;
mod trial;
mod triggers;
mod uplift;
mod view;
mod witness;

#[cfg(feature = "hnsw_rs")]
pub use adopt::Adopted;
pub use audit::{AuditFault, AuditLevel, AuditVerification};
pub use authority::{Authority, AuthorityKeys};
pub use compact::Compaction;
pub use directives::{DirectiveRecord, Fact};
pub use distil::Merge;
pub use figures::Window;
pub use gate::{Hook, Incoming, Ruling, SecretAction};
pub use half_life::{HalfLifeFit, HalfLifeStatus};
pub use halt::{Halt, HaltLevel};
pub use input::{DEFAULT_KIND, DEFAULT_NAMESPACE, Memory, Outcome, Query, Report, Update};
pub use options::{Durability, Options};
pub use origin::{Flag, Provenance, Source};
pub use output::{
    AuditEntry, Hit, Namespace, Recall, Record, ReportReply, ReportStatus, Stats, Verification, Warning,
};
pub use policy::Policy;
pub use principals::Principal;
pub use ruled::RuleNote;
pub use standing::Standing;
pub use store::Store;
pub use triggers::Triggers;
pub use uplift::Scope;
