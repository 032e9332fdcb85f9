//! Slips: what a recall was asked, what it showed, and how it came to that.

use crate::error::{Error, Result};
use crate::id::ReceiptId;
use crate::outcome::Features;

/// What a recall was asked and what it showed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Slip {
    pub id: ReceiptId,
    /// The query, as it was given.
    pub vector: Vec<f32>,
    pub text: Option<String>,
    /// The hits, best first.
    pub shown: Vec<u64>,
    pub facts: Facts,
}

/// How a recall came to its hits, for whoever learns from the reports on it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Facts {
    /// Whether the hits were kept from the caller, to learn how things go without memory.
    /// `shown` then holds what would have been shown.
    pub withheld: bool,
    /// The share of recalls on which memory was being withheld at random; 0 if on none.
    pub hold_out: f64,
    /// The one hit that was kept from the caller, to learn how things go without it; it is not in `shown`.
    pub left_out: Option<u64>,
    /// Whether nobody knows any more what the query was: the store has vectors of another model since. Its
    /// situation means nothing, and what it teaches lies at the memories themselves.
    pub unplaced: bool,
    /// The namespaces that were searched.
    pub namespaces: Vec<i64>,
    /// One entry for each memory shown, in that order; empty in receipts of older versions.
    pub hits: Vec<HitFacts>,
}

/// How one hit was judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct HitFacts {
    /// Namespace of the memory.
    pub namespace: i64,
    /// Probability with which the memory was put in its place, or, if it was explored, in any of the
    /// explored places; 1 unless chance had a part in it.
    pub propensity: f32,
    /// The probability of success that was promised.
    pub probability: f32,
    /// What the promise was made of, before calibration (`outcome/calibration.rs`).
    pub features: Features,
}

/// Flags of [`Facts::encode`].
const WITHHELD: u32 = 1;
const ON_TRIAL: u32 = 2;
const UNPLACED: u32 = 4;

impl Facts {
    /// The namespaces of the hits, each once, by number.
    pub(crate) fn namespaces_hit(&self) -> Vec<i64> {
        let mut all: Vec<i64> = self.hits.iter().map(|hit| hit.namespace).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Those of them that are not the first one searched, under which the receipt is found anyway.
    pub(crate) fn further(&self) -> Vec<i64> {
        let mut further = self.namespaces_hit();
        further.retain(|namespace| Some(namespace) != self.namespaces.first());
        further
    }

    /// Flags and number of namespaces (u32 each), namespaces (i64); if something was being held out, the
    /// share (f64) and the hit left out (u64, 0 for none); then the hits; little-endian.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let on_trial = self.hold_out > 0.0 || self.left_out.is_some();
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        let flags = flag(self.withheld, WITHHELD) | flag(on_trial, ON_TRIAL) | flag(self.unplaced, UNPLACED);
        bytes.extend(flags.to_le_bytes());
        bytes.extend((self.namespaces.len() as u32).to_le_bytes());
        bytes.extend(self.namespaces.iter().flat_map(|id| id.to_le_bytes()));
        if on_trial {
            bytes.extend(self.hold_out.to_le_bytes());
            bytes.extend(self.left_out.unwrap_or(0).to_le_bytes());
        }
        bytes.extend_from_slice(bytemuck::cast_slice(&self.hits));
        bytes
    }

    /// The inverse of [`Facts::encode`].
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let broken = || Error::corrupt("the facts of a receipt are cut short");
        let (head, rest) = bytes.split_at_checked(8).ok_or_else(broken)?;
        let head: Vec<u32> = bytemuck::pod_collect_to_vec(head);
        let [flags, count] = head[..] else {
            return Err(broken());
        };
        let (namespaces, rest) = rest.split_at_checked(8 * count as usize).ok_or_else(broken)?;
        let (trial, hits) =
            rest.split_at_checked(if flags & ON_TRIAL == 0 { 0 } else { 16 }).ok_or_else(broken)?;
        let trial: Vec<u64> = bytemuck::pod_collect_to_vec(trial);
        let hold_out = trial.first().map_or(0.0, |bits| f64::from_bits(*bits));
        if !hits.len().is_multiple_of(size_of::<HitFacts>()) {
            return Err(broken());
        }
        Ok(Self {
            withheld: flags & WITHHELD != 0,
            unplaced: flags & UNPLACED != 0,
            hold_out,
            left_out: trial.get(1).copied().filter(|id| *id != 0),
            namespaces: bytemuck::pod_collect_to_vec(namespaces),
            hits: bytemuck::pod_collect_to_vec(hits),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_survive_and_damage_is_an_error() {
        let hit = HitFacts {
            namespace: 3,
            propensity: 0.5,
            probability: 0.7,
            features: [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        };
        let plain = Facts { namespaces: vec![3, 9], hits: vec![hit; 2], ..Facts::default() };
        let withheld = Facts { withheld: true, hold_out: 0.25, ..plain.clone() };
        let left_out = Facts { hold_out: 0.25, left_out: Some(17), ..plain.clone() };
        let unplaced = Facts { unplaced: true, ..plain.clone() };
        for facts in [plain, withheld, left_out, unplaced] {
            let bytes = facts.encode();
            assert_eq!(Facts::decode(&bytes).expect("sound"), facts);
            for cut in [0, 7, 12, 25, bytes.len() - 1] {
                assert!(Facts::decode(&bytes[..cut]).is_err());
            }
            let mut absurd = bytes.clone();
            absurd[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
            assert!(Facts::decode(&absurd).is_err());
        }
    }
}
