//! What a hostile writer would do, for tests and the fuzzer.

use xxhash_rust::xxh3::xxh3_64;

use super::format::{HEADER_LEN, HEADER_SUMMED, Header, Section};

/// Makes the checksums of header and sections right again.
pub(crate) fn reseal(bytes: &mut [u8]) {
    if bytes.len() < HEADER_LEN {
        return;
    }
    let mut header: Header = bytemuck::pod_read_unaligned(&bytes[..HEADER_LEN]);
    for s in Section::ALL {
        let e = &mut header.sections[s as usize];
        let end = e.offset.saturating_add(e.length);
        if let (true, Some(part)) = (s != Section::Vectors, bytes.get(e.offset as usize..end as usize)) {
            e.checksum = xxh3_64(part);
        }
    }
    header.checksum = xxh3_64(&bytemuck::bytes_of(&header)[..HEADER_SUMMED]);
    bytes[..HEADER_LEN].copy_from_slice(bytemuck::bytes_of(&header));
}
