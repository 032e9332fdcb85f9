//! Chance, repeatable: every random decision of a recall comes from one seed, each from a stream of its
//! own, so that switching one on moves no other.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

/// What a stream of random numbers is for.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub(super) enum Purpose {
    /// Which memories are explored.
    Explore = 0x6578_706c_6f72_6531,
    /// How likely that was.
    Propensity = 0x7072_6f70_656e_7332,
    /// Whether memory is withheld.
    HoldOut = 0x686f_6c64_6f75_7433,
    /// Whether a quarantined memory is tried again.
    Probation = 0x7072_6f62_6174_6e34,
}

/// The stream of this seed for this purpose (xoshiro256++, Blackman and Vigna 2021; seeded by
/// `SplitMix64`): the same on every platform and in every version.
pub(super) fn stream(seed: u64, purpose: Purpose) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed ^ purpose as u64)
}
