//! What can be wrong with a segment.

use crate::error::Error;

/// Why a segment cannot be used. The caller sets the file aside and answers from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SegmentFault {
    /// The file is shorter or longer than it says, or too short for a header.
    #[error("its length is {got} bytes, not {expected}")]
    Length { expected: u64, got: u64 },
    /// Not a segment.
    #[error("it does not begin with a segment's magic number")]
    Magic,
    /// Written by another version.
    #[error("its format version is {0}, this library reads {version}", version = super::format::VERSION)]
    Version(u32),
    /// A checksum does not match: of the header, or of a section.
    #[error("the checksum of its {0} does not match")]
    Checksum(&'static str),
    /// A whole segment, but another than the one expected here.
    #[error("its {what} is {got}, {expected} was expected")]
    Unexpected { what: &'static str, expected: String, got: String },
    /// Contents that contradict one another, though their checksums match.
    #[error("its {section} is inconsistent: {what}")]
    Inconsistent { section: &'static str, what: String },
    /// A full vector is damaged.
    #[error("vector {node} of namespace {namespace} is damaged")]
    Vector { namespace: u64, node: u32 },
    /// A query that does not fit the space (a defect of the caller).
    #[error("the query is {query}, the space holds {space}")]
    Query { query: String, space: String },
}

impl SegmentFault {
    pub(super) fn inconsistent(section: &'static str, what: impl Into<String>) -> Self {
        SegmentFault::Inconsistent { section, what: what.into() }
    }
}

impl From<SegmentFault> for Error {
    fn from(fault: SegmentFault) -> Self {
        Error::corrupt(format!("a segment cannot be used: {fault}"))
    }
}
