//! All cosines of a stream at once, for arms that search exactly.

use std::thread;

use crate::data::Stream;
use crate::npy::Matrix;

/// Cosines between the events of a stream and its memories, and between each event and all earlier ones.
#[derive(Debug)]
pub struct Cosines {
    to_memories: Vec<Vec<f32>>,
    to_events: Vec<Vec<f32>>,
}

/// Events worked on at a time: their vectors stay in the cache while the others stream by.
const BLOCK: usize = 16;

impl Cosines {
    /// Those of the first `events` events, on all cores.
    pub fn of(stream: &Stream, events: usize) -> Self {
        let of_events = &stream.event_vectors;
        let memories = stream.memory_vectors.len();
        Self {
            to_memories: products(of_events, &stream.memory_vectors, events, |_| memories),
            to_events: products(of_events, of_events, events, |event| event),
        }
    }

    /// Those of event `event` with every memory.
    pub fn to_memories(&self, event: usize) -> &[f32] {
        &self.to_memories[event]
    }

    /// Those of event `event` with the events `0..event`.
    pub fn to_events(&self, event: usize) -> &[f32] {
        &self.to_events[event]
    }

    /// How many events.
    pub fn len(&self) -> usize {
        self.to_memories.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.to_memories.is_empty()
    }
}

/// For each of the first `rows` rows of `a`, its products with the first `until(row)` rows of `b`.
fn products(a: &Matrix, b: &Matrix, rows: usize, until: impl Fn(usize) -> usize + Sync) -> Vec<Vec<f32>> {
    let mut table: Vec<Vec<f32>> = (0..rows).map(|row| vec![0.0; until(row)]).collect();
    let blocks: Vec<(usize, &mut [Vec<f32>])> = table.chunks_mut(BLOCK).enumerate().collect();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    // Dealt out in turn: late rows have more to do.
    let mut shares: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
    for (i, block) in blocks.into_iter().enumerate() {
        shares[i % threads].push(block);
    }
    thread::scope(|scope| {
        for share in shares {
            scope.spawn(|| {
                for (at, block) in share {
                    let most = block.iter().map(Vec::len).max().unwrap_or(0);
                    for other in 0..most {
                        for (i, row) in block.iter_mut().enumerate() {
                            if let Some(cell) = row.get_mut(other) {
                                *cell = dot(a.row(at * BLOCK + i), b.row(other));
                            }
                        }
                    }
                }
            });
        }
    });
    table
}

/// Dot product in float32, in sixteen partial sums.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (mut sums, (a, a_rest), (b, b_rest)) = ([0.0_f32; 16], a.as_chunks::<16>(), b.as_chunks::<16>());
    for (x, y) in a.iter().zip(b) {
        for i in 0..16 {
            sums[i] += x[i] * y[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}
