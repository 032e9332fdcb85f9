//! Single questions to Wisen, each with a small experiment of its own on real data.

pub mod no_fit;
pub mod poison;
pub mod quarantine;
pub mod routing;

/// Area under the ROC curve: the chance that a case scores higher than a control, equals counting
/// half. NaN without either.
pub fn auroc(cases: &[f64], controls: &[f64]) -> f64 {
    let all = cases.iter().map(|v| (*v, true)).chain(controls.iter().map(|v| (*v, false)));
    let mut all: Vec<(f64, bool)> = all.collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut won) = (0.0, 0.0);
    for equal in all.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let of_cases = equal.iter().filter(|(_, is_case)| *is_case).count() as f64;
        let of_controls = equal.len() as f64 - of_cases;
        won += of_cases * (below + of_controls / 2.0);
        below += of_controls;
    }
    won / (cases.len() as f64 * controls.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auroc_of_known_scores() {
        assert!((auroc(&[3.0, 4.0], &[1.0, 2.0]) - 1.0).abs() < 1e-12);
        assert!((auroc(&[1.0, 4.0], &[2.0, 3.0]) - 0.5).abs() < 1e-12);
        assert!((auroc(&[1.0, 1.0], &[1.0]) - 0.5).abs() < 1e-12);
        assert!((auroc(&[2.0, 1.0], &[1.0]) - 0.75).abs() < 1e-12);
        assert!(auroc(&[], &[1.0]).is_nan());
    }
}
