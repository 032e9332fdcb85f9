//! The diversity rule that chooses links (Algorithm 4, `SELECT-NEIGHBORS-HEURISTIC`).

/// Keeps, best first, every candidate that is nearer to the base than to any candidate kept before it, up
/// to `cap`. `candidates` are (distance to the base, node), sorted ascending. A candidate as far from a
/// kept one as from the base is kept, so that equal points do not cut one another off.
#[inline(always)]
pub(super) fn select_diverse(
    candidates: &[(f32, u32)],
    cap: usize,
    distance: impl Fn(u32, u32) -> f32,
    kept: &mut Vec<(f32, u32)>,
) {
    kept.clear();
    for &(d, node) in candidates {
        if kept.len() >= cap {
            break;
        }
        // A loop, as the closure of an iterator would not be compiled for the kernel.
        let mut diverse = true;
        for &(_, k) in &*kept {
            if distance(node, k) < d {
                diverse = false;
                break;
            }
        }
        if diverse {
            kept.push((d, node));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_behind_a_kept_one_is_dropped_and_another_direction_is_kept() {
        // Base at 0; points on a line at 1, 2 (behind 1) and -3 (another direction).
        let at = [1.0f32, 2.0, -3.0];
        let mut kept = Vec::new();
        let distance = |a: u32, b: u32| (at[a as usize] - at[b as usize]).abs();
        select_diverse(&[(1.0, 0), (2.0, 1), (3.0, 2)], 4, distance, &mut kept);
        assert_eq!(kept, [(1.0, 0), (3.0, 2)]);
        select_diverse(&[(1.0, 0), (2.0, 1), (3.0, 2)], 1, distance, &mut kept);
        assert_eq!(kept, [(1.0, 0)]);
    }
}
