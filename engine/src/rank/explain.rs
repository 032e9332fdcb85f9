//! The words for a hit.

use crate::outcome::{Evidence, Precedent};

/// Why a memory is a hit, in sentences for people.
pub(crate) fn reasons(similarity: f32, evidence: &Evidence) -> Vec<String> {
    let mut reasons = Vec::new();
    if evidence.nominated {
        reasons.push(format!(
            "It was found through similar situations in which it worked; its own words fit less (similarity {similarity:.3})."
        ));
    } else {
        reasons.push(format!("Its own words fit the query (similarity {similarity:.3})."));
    }
    if evidence.reports == 0 {
        reasons.push("Nobody has reported on it in situations like this one.".to_owned());
        return reasons;
    }
    let total = evidence.successes + evidence.failures;
    reasons.push(format!(
        "{} on it in situations like this one: {:.0} % of their weight are successes.",
        count(evidence.reports),
        100.0 * evidence.successes / total.max(f64::MIN_POSITIVE),
    ));
    if let Some(precedent) = &evidence.supporting {
        reasons.push(format!("It worked in {}.", situation(precedent)));
    }
    if let Some(precedent) = &evidence.contradicting {
        reasons.push(format!("It failed in {}.", situation(precedent)));
    }
    reasons
}

/// What to know of a memory that is kept from the hits: how it went in situations like this one (weights, in
/// outcomes).
pub(crate) fn warning(retired: bool, successes: f64, failures: f64) -> String {
    let state = if retired { "Retired" } else { "Quarantined" };
    let tried = (successes + failures).round();
    if tried < 1.0 {
        return format!("{state}; not tried in situations like this one.");
    }
    let failed = (failures * tried / (successes + failures)).round();
    format!("{state}; tried in situations like this one: failed {failed:.0} of {tried:.0}.")
}

fn count(reports: u64) -> String {
    if reports == 1 { "1 report".to_owned() } else { format!("{reports} reports") }
}

fn situation(precedent: &Precedent) -> String {
    format!(
        "a situation of similarity {:.3} ({}, mean outcome {:.2})",
        precedent.similarity,
        count(precedent.reports),
        precedent.outcome
    )
}
