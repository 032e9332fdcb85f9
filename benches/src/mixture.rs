//! As many vectors as wanted out of some real ones, each between real neighbours.

use anyhow::{Context, Result};
use wisen::{Query, Store};

use crate::crowd::near;
use crate::npy::Matrix;

/// How many neighbours of a row others are mixed with.
const NEIGHBOURS: usize = 10;

/// Vectors mixed of real ones, the same for the same number: the first are the rows of the base as they are.
/// Each later one lies between a row (weight 0.5 to 1) and one of its ten nearest others (the rest), moved by a
/// Gaussian vector of length about `noise`, and is stretched to length 1. So the density of the space is that of
/// the real data, ten neighbours are never copies of each other, and no direction is made up but for the noise.
#[derive(Debug)]
pub struct Mixture<'a> {
    base: &'a Matrix,
    neighbours: Vec<[u32; NEIGHBOURS]>,
    noise: f64,
}

impl<'a> Mixture<'a> {
    /// Mixes the rows of `base`, which are remembered in `store` one after the other, the first as `first`.
    pub fn of(base: &'a Matrix, store: &Store, first: u64, noise: f64) -> Result<Self> {
        let mut neighbours = Vec::with_capacity(base.len());
        let rows: Vec<&[f32]> = base.rows().collect();
        for (at, part) in rows.chunks(4096).enumerate() {
            let queries: Vec<Query> =
                part.iter().map(|row| Query::new(*row).k(NEIGHBOURS + 1).receipt(false)).collect();
            for (i, answer) in store.recall_many(&queries, 0)?.into_iter().enumerate() {
                let own = (at * 4096 + i) as u64;
                let mut others = answer.hits.iter().map(|hit| hit.id.0 - first).filter(|row| *row != own);
                let mut found = [0; NEIGHBOURS];
                for place in &mut found {
                    *place = others.next().context("there are too few vectors to mix")? as u32;
                }
                neighbours.push(found);
            }
        }
        Ok(Self { base, neighbours, noise })
    }

    /// Vector `i`.
    pub fn vector(&self, i: u64) -> Vec<f32> {
        let row = (i % self.base.len() as u64) as usize;
        if i < self.base.len() as u64 {
            return self.base.row(row).to_vec();
        }
        let mut rng = fastrand::Rng::with_seed(i ^ 0x6d69_7800);
        let other = self.neighbours[row][rng.usize(..NEIGHBOURS)];
        let share = 0.5 * rng.f32();
        let pairs = self.base.row(row).iter().zip(self.base.row(other as usize));
        let mixed: Vec<f32> = pairs.map(|(a, b)| (1.0 - share) * a + share * b).collect();
        near(&mixed, self.noise, rng.u64(..))
    }
}
