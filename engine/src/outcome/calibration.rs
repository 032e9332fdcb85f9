//! Calibration: from what the ranking knows of a hit to a probability that comes true as often as
//! it says.
//!
//! A logistic regression (Platt 1999, extended from the score to a few more features) on the hits
//! that were reported on: what they were promised from, and how it went. Its prior is the identity,
//! the posterior mean of `posterior.rs`, and a Gaussian around it, so that few reports move little;
//! fitted by Newton's method (Bishop 2006, section 4.3.3). Nothing in it has a scale of its own: every
//! feature is a weight relative to the best point or a place in spreads of the background.

/// Reports below which the identity is used.
pub(crate) const MIN_EXAMPLES: u64 = 50;
/// Newest examples by the owner that a fit looks at, and by all others: this bounds its cost.
pub(crate) const MOST_EXAMPLES: usize = 4096;
/// Precision of the prior on each weight.
const RIDGE: f64 = 1.0;
const STEPS: usize = 30;
/// Promises stay this far from certainty, in log-odds: 1 in 2,981.
const MOST_LOGIT: f64 = 8.0;

/// What a promise is made of, in this order:
///
/// 0. log-odds of the posterior mean before calibration;
/// 1. `ln alpha` and
/// 2. `ln beta` of the ranking;
/// 3. the place of the best point, in spreads above the median;
/// 4. how far that is below the place of an identical situation;
/// 5. the logarithm of this memory's share of the `alpha` of all candidates.
pub(crate) type Features = [f32; 6];

const WEIGHTS: usize = 7;
type Weights = [f64; WEIGHTS];

/// Turns features into probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Calibrator {
    /// Intercept, then one weight for each feature.
    weights: Weights,
    /// Examples it was fitted to; 0 is the identity.
    pub examples: u64,
}

/// A hit that was reported on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Example {
    pub features: Features,
    /// In `0..=1`.
    pub outcome: f64,
    /// In `0..=1`.
    pub weight: f64,
}

impl Example {
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let features = self.features.iter().zip(&other.features).map(|(a, b)| a.total_cmp(b));
        features
            .fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
            .then(self.outcome.total_cmp(&other.outcome))
            .then(self.weight.total_cmp(&other.weight))
    }
}

impl Calibrator {
    /// Promises the posterior mean as it is.
    pub(crate) const IDENTITY: Calibrator =
        Calibrator { weights: [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0], examples: 0 };

    /// The one that explains these examples best; the identity if they are too few. Their order does
    /// not matter, to the last bit.
    pub(crate) fn fit(examples: &[Example]) -> Self {
        let mut fitted = Self::IDENTITY;
        if (examples.len() as u64) < MIN_EXAMPLES {
            return fitted;
        }
        let mut examples = examples.to_vec();
        examples.sort_unstable_by(Example::order);
        let examples = &examples[..];
        let mut loss = fitted.loss(examples);
        for _ in 0..STEPS {
            let Some(step) = fitted.newton(examples) else {
                break;
            };
            // Halve the step until it helps: far from the optimum a whole one may overshoot.
            let mut share = 1.0;
            let better = loop {
                let mut next = fitted;
                for (weight, step) in next.weights.iter_mut().zip(step) {
                    *weight -= share * step;
                }
                let reached = next.loss(examples);
                if reached < loss {
                    loss = reached;
                    break Some(next);
                }
                share /= 2.0;
                if share < 1e-3 {
                    break None;
                }
            };
            let Some(next) = better else {
                break;
            };
            fitted = next;
            if step.iter().all(|x| (x * share).abs() < 1e-6) {
                break;
            }
        }
        fitted.examples = examples.len() as u64;
        fitted
    }

    /// The probability promised for these features, strictly inside `0..1`.
    pub(crate) fn probability(&self, features: &Features) -> f64 {
        sigmoid(self.logit(features).clamp(-MOST_LOGIT, MOST_LOGIT))
    }

    /// Weights and number of examples as bytes (f64 and u64, little-endian).
    pub(crate) fn encode(&self) -> Vec<u8> {
        let weights = self.weights.iter().flat_map(|weight| weight.to_le_bytes());
        weights.chain(self.examples.to_le_bytes()).collect()
    }

    /// The inverse of [`Calibrator::encode`]; `None` for anything else.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (weights, examples) = bytes.split_at_checked(8 * WEIGHTS)?;
        let weights: Vec<f64> = bytemuck::pod_collect_to_vec(weights);
        let weights = Weights::try_from(weights).ok()?;
        let examples = u64::from_le_bytes(examples.try_into().ok()?);
        weights.iter().all(|weight| weight.is_finite()).then_some(Self { weights, examples })
    }

    fn logit(&self, features: &Features) -> f64 {
        let inputs = inputs(features);
        self.weights.iter().zip(inputs).map(|(weight, x)| weight * x).sum()
    }

    fn loss(&self, examples: &[Example]) -> f64 {
        let misfit: f64 = examples
            .iter()
            .map(|e| {
                let z = self.logit(&e.features);
                e.weight * (ln_one_plus_exp(z) - e.outcome * z)
            })
            .sum();
        let away = self.weights.iter().zip(Self::IDENTITY.weights).map(|(w, prior)| (w - prior).powi(2));
        misfit + 0.5 * RIDGE * away.sum::<f64>()
    }

    /// The step of Newton's method; `None` if rounding spoilt it.
    fn newton(&self, examples: &[Example]) -> Option<Weights> {
        let mut gradient = [0.0; WEIGHTS];
        let mut curvature = [[0.0; WEIGHTS]; WEIGHTS];
        for (i, (weight, prior)) in self.weights.iter().zip(Self::IDENTITY.weights).enumerate() {
            gradient[i] = RIDGE * (weight - prior);
            curvature[i][i] = RIDGE;
        }
        for e in examples {
            let x = inputs(&e.features);
            let p = sigmoid(self.logit(&e.features));
            let (slope, bend) = (e.weight * (p - e.outcome), e.weight * p * (1.0 - p));
            for i in 0..WEIGHTS {
                gradient[i] += slope * x[i];
                for j in 0..=i {
                    curvature[i][j] += bend * x[i] * x[j];
                }
            }
        }
        solve(curvature, gradient)
    }
}

/// The intercept and the features, held to a range in which squares and exponents behave.
fn inputs(features: &Features) -> Weights {
    let mut inputs = [1.0; WEIGHTS];
    for (input, &feature) in inputs[1..].iter_mut().zip(features) {
        *input = if feature.is_nan() { 0.0 } else { f64::from(feature).clamp(-20.0, 20.0) };
    }
    inputs
}

/// Solves `matrix * x = right` for a symmetric positive definite matrix, of which the lower half is
/// read, by Cholesky's decomposition.
fn solve(mut matrix: [[f64; WEIGHTS]; WEIGHTS], mut right: Weights) -> Option<Weights> {
    for i in 0..WEIGHTS {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| matrix[i][k] * matrix[j][k]).sum();
            let rest = matrix[i][j] - dot;
            if i == j {
                if !rest.is_finite() || rest <= 0.0 {
                    return None;
                }
                matrix[i][i] = rest.sqrt();
            } else {
                matrix[i][j] = rest / matrix[j][j];
            }
        }
    }
    for i in 0..WEIGHTS {
        let dot: f64 = (0..i).map(|k| matrix[i][k] * right[k]).sum();
        right[i] = (right[i] - dot) / matrix[i][i];
    }
    for i in (0..WEIGHTS).rev() {
        let dot: f64 = (i + 1..WEIGHTS).map(|k| matrix[k][i] * right[k]).sum();
        right[i] = (right[i] - dot) / matrix[i][i];
    }
    Some(right)
}

/// Log-odds of a probability, held off certainty.
pub(crate) fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-9, 1.0 - 1e-9);
    (p / (1.0 - p)).ln()
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

fn ln_one_plus_exp(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Examples whose success depends on two features in a known way.
    fn examples(n: u32) -> Vec<Example> {
        let mut state = 7_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1_u64 << 24) as f32
        };
        (0..n)
            .map(|_| {
                let (a, b) = (4.0 * random() - 2.0, 3.0 * random());
                let features = [a, 0.0, 0.0, 0.0, 0.0, -b];
                let p = sigmoid(f64::from(a) - 1.5 * f64::from(b) + 1.0);
                Example { features, outcome: f64::from(f64::from(random()) < p), weight: 1.0 }
            })
            .collect()
    }

    #[test]
    fn few_examples_leave_the_posterior_mean_as_it_is() {
        let few = Calibrator::fit(&examples(49));
        assert_eq!(few, Calibrator::IDENTITY);
        for p in [0.1, 0.5, 0.9] {
            let features = [logit(p) as f32, 3.0, -1.0, 4.0, -2.0, -0.5];
            assert!((few.probability(&features) - p).abs() < 1e-6);
        }
    }

    #[test]
    fn a_fit_finds_what_the_examples_were_drawn_from() {
        let fitted = Calibrator::fit(&examples(4000));
        for (a, b) in [(0.0_f32, 0.5_f32), (1.0, 2.0), (-1.0, 0.1)] {
            let p = sigmoid(f64::from(a) - 1.5 * f64::from(b) + 1.0);
            assert!((fitted.probability(&[a, 0.0, 0.0, 0.0, 0.0, -b]) - p).abs() < 0.05);
        }
    }

    #[test]
    fn the_order_of_examples_does_not_matter() {
        let mut all = examples(500);
        let forward = Calibrator::fit(&all);
        all.reverse();
        let backward = Calibrator::fit(&all);
        assert_eq!(forward, backward);
    }

    #[test]
    fn extreme_and_broken_features_give_a_probability() {
        let fitted = Calibrator::fit(&examples(500));
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
            let p = fitted.probability(&[x; 6]);
            assert!(p > 0.0 && p < 1.0);
        }
        let all_alike = [Example { features: [f32::INFINITY; 6], outcome: 1.0, weight: 1.0 }; 60];
        assert!(Calibrator::fit(&all_alike).probability(&[f32::INFINITY; 6]) > 0.9);
    }

    #[test]
    fn bytes_give_it_back() {
        let fitted = Calibrator::fit(&examples(100));
        assert_eq!(Calibrator::decode(&fitted.encode()), Some(fitted));
        assert_eq!(Calibrator::decode(&fitted.encode()[1..]), None);
    }
}
