//! Approximate similarities of a query with a fixed set of vectors, of which only codes are kept.

use crate::vector::{CodeKind, CodeMeta, Kernel, Probe, Task, dispatch, encode};

use super::query::{Effort, Scratch};

/// The code of one prepared vector.
#[derive(Debug, Clone)]
pub(crate) struct Coded {
    code: Box<[u8]>,
    meta: CodeMeta,
}

impl Coded {
    pub(crate) fn new(vector: &[f32]) -> Coded {
        let kind = CodeKind::for_dim(vector.len());
        let mut code = vec![0; kind.padded_len(vector.len())];
        let meta = encode(kind, vector, &mut code);
        if code.is_empty() {
            code = bytemuck::cast_slice(vector).to_vec();
        }
        Coded { code: code.into(), meta }
    }
}

/// Codes of several vectors of one dimension, side by side.
#[derive(Debug, Default)]
pub(crate) struct CodeBlock {
    stride: usize,
    codes: Vec<u8>,
    metas: Vec<CodeMeta>,
}

impl CodeBlock {
    pub(crate) fn of<'c>(coded: impl Iterator<Item = &'c Coded>) -> CodeBlock {
        let mut block = CodeBlock::default();
        for Coded { code, meta } in coded {
            block.stride = code.len();
            block.codes.extend_from_slice(code);
            block.metas.push(*meta);
        }
        block
    }

    /// Appends the similarity of the query with each vector; with `unit`, of the vectors brought to
    /// length one, and none for a zero vector.
    pub(crate) fn similarities(
        &self,
        probe: &Probe,
        unit: bool,
        scratch: &mut Scratch,
        effort: &mut Effort,
        out: &mut Vec<f32>,
    ) {
        if self.metas.is_empty() {
            return;
        }
        effort.bytes += (self.codes.len() + size_of_val(&*self.metas)) as u64;
        effort.distances += self.metas.len() as u64;
        let scorer = probe.scorer(&[], false, &mut scratch.centre);
        dispatch(Pass { block: self, scorer, unit, out });
    }
}

struct Pass<'a> {
    block: &'a CodeBlock,
    scorer: crate::vector::Scorer<'a>,
    unit: bool,
    out: &'a mut Vec<f32>,
}

impl Task for Pass<'_> {
    type Out = ();

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) {
        for (code, meta) in self.block.codes.chunks_exact(self.block.stride).zip(&self.block.metas) {
            let similarity = self.scorer.score(kernel, code, meta);
            if !self.unit {
                self.out.push(similarity);
            } else if meta.norm2 > 0.0 {
                self.out.push(similarity / meta.norm2.sqrt());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::Metric;

    #[test]
    fn they_are_near_the_exact_ones() {
        for dim in [3, 16, 40] {
            for metric in [Metric::Cosine, Metric::Dot, Metric::L2] {
                let vector = |s: usize| -> Vec<f32> {
                    let raw: Vec<f32> =
                        (0..dim).map(|i| ((i * 31 + s * 17) % 23) as f32 / 11.0 - 1.0).collect();
                    metric.prepare(&raw).expect("a good vector")
                };
                let rows: Vec<Vec<f32>> = (1..20).map(vector).collect();
                let coded: Vec<Coded> = rows.iter().map(|row| Coded::new(row)).collect();
                let probe = Probe::new(metric, &vector(77));
                let mut near = Vec::new();
                CodeBlock::of(coded.iter()).similarities(
                    &probe,
                    false,
                    &mut Scratch::default(),
                    &mut Effort::default(),
                    &mut near,
                );
                assert_eq!(near.len(), rows.len());
                for (row, near) in rows.iter().zip(near) {
                    let exact = probe.exact(row);
                    assert!(
                        (near - exact).abs() < 0.02 * (1.0 + exact.abs()),
                        "{metric:?} {dim}: {near} {exact}"
                    );
                }
            }
        }
    }
}
