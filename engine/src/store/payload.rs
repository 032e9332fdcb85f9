//! Payloads: texts, compressed with zstd where that makes them smaller.
//!
//! First byte 0: the text follows as it is. First byte 1: its length (u32, little-endian), then a
//! zstd frame.

use crate::error::{Error, Result};

const LEVEL: i32 = 3;
/// Below this, a frame's own overhead eats the gain.
const LEAST: usize = 64;
/// No text may be longer: 256 MiB.
pub(crate) const MAX_TEXT: usize = 256 << 20;

/// The stored form of a text.
pub(crate) fn pack(text: &str) -> Vec<u8> {
    let plain = text.as_bytes();
    if plain.len() >= LEAST
        && let Ok(frame) = zstd::bulk::compress(plain, LEVEL)
        && frame.len() + 5 < plain.len()
    {
        let mut packed = Vec::with_capacity(frame.len() + 5);
        packed.push(1);
        packed.extend_from_slice(&(plain.len() as u32).to_le_bytes());
        packed.extend_from_slice(&frame);
        return packed;
    }
    let mut packed = Vec::with_capacity(plain.len() + 1);
    packed.push(0);
    packed.extend_from_slice(plain);
    packed
}

/// The inverse of [`pack`].
pub(crate) fn unpack(packed: &[u8]) -> Result<String> {
    let damaged = || Error::corrupt("a payload cannot be unpacked");
    let plain = match packed {
        [0, plain @ ..] => plain.to_vec(),
        [1, a, b, c, d, frame @ ..] => {
            let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
            if length > MAX_TEXT {
                return Err(damaged());
            }
            let plain = zstd::bulk::decompress(frame, length).map_err(|_| damaged())?;
            if plain.len() != length {
                return Err(damaged());
            }
            plain
        }
        _ => return Err(damaged()),
    };
    String::from_utf8(plain).map_err(|_| damaged())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_and_long_ones_shrink() {
        for text in ["", "short", &"a long text with much repetition ".repeat(50), &"\u{1F600}".repeat(40)] {
            assert_eq!(unpack(&pack(text)).expect("own payload"), text);
        }
        assert!(pack(&"repetition ".repeat(100)).len() < 200);
    }

    #[test]
    fn damaged_payloads_are_errors() {
        let packed = pack(&"some text that is long enough to be compressed ".repeat(4));
        assert_eq!(packed[0], 1);
        for cut in 0..packed.len() {
            assert!(unpack(&packed[..cut]).is_err(), "cut at {cut}");
        }
        assert!(unpack(&[2, 0]).is_err());
        assert!(unpack(&[0, 0xff]).is_err());
    }
}
