//! The segment file as tables. All numbers are little-endian; f32 is IEEE 754.
//!
//! # Header, at offset 0
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic: the ASCII letters `WISENSEG` |
//! | 8 | 4 | version: u32, 1 |
//! | 12 | 4 | dim: u32, numbers per vector, 1 to 65,536 |
//! | 16 | 16 | store: the store's id |
//! | 32 | 8 | seq_lo: u64; the segment covers the changes after this one |
//! | 40 | 8 | seq_hi: u64; up to and including this one |
//! | 48 | 8 | rows_hash: u64, of the rows covered, computed by the store |
//! | 56 | 8 | length: u64, of the whole file in bytes |
//! | 64 | 224 | sections: 7 entries of 32 bytes, in the order of the next table but one |
//! | 288 | 8 | checksum: u64, XXH3-64 of bytes 0 to 287 |
//! | 296 | 24 | zero |
//!
//! # Section entry
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | kind: u32, 1 to 7 |
//! | 4 | 4 | zero |
//! | 8 | 8 | offset: u64, a multiple of 64, at or after the end of the header and of the section written before |
//! | 16 | 8 | length: u64, in bytes |
//! | 24 | 8 | checksum: u64, XXH3-64 of the section; 0 for the vectors, whose checksums are section 7 |
//!
//! # Sections
//!
//! Each holds one part per space that has one, in the order of the directory, without gaps. A space is the
//! points of one namespace and kind. Points whose prepared vectors are the same bit for bit are one node
//! with several owners.
//!
//! | kind | section | part of a space |
//! |---|---|---|
//! | 1 | directory | an entry, see below; ascending by (namespace, kind) |
//! | 2 | ids | ids: u64 x owners, ascending; node of each: u32 x owners; starts: u32 x (nodes + 1); positions: u32 x owners, those in ids that own node n are `positions[starts[n]..starts[n + 1]]`, ascending; zeros up to a multiple of 8 |
//! | 3 | blocks | a block per node: links, code, code metadata, see below; then, where codes are in halves, the fine half of each node's |
//! | 4 | upper | with a graph: counts: u32 x levels, records reaching layer 1, 2, ...; nodes: u32 x records; for each layer from 1: links: u32 x M for each record that reaches it |
//! | 5 | means | with a mean: f32 x dim, taken off every vector before coding |
//! | 6 | vectors | f32 x dim per node, prepared (unit length under cosine); or f16 x dim per node, of which preparing makes the prepared vector; zeros up to a multiple of 4 |
//! | 7 | sums | u64 per node, XXH3-64 of its vector's bytes |
//!
//! # Directory entry
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | namespace: u64 |
//! | 8 | 1 | kind: 0 memories, 1 experiences |
//! | 9 | 1 | metric: 0 cosine, 1 dot, 2 l2 |
//! | 10 | 1 | code: 0 f32 (dim below 16), 1 i8, 2 i8 in halves (with a graph only) |
//! | 11 | 1 | flags: bit 0 graph, bit 1 mean, bit 2 vectors in f16 |
//! | 12 | 4 | m: u32, links per record of the upper layers, half as many as per node on layer 0; 0 without a graph |
//! | 16 | 4 | nodes: u32, 1 to 2^31 - 1 |
//! | 20 | 4 | owners: u32, at least nodes |
//! | 24 | 4 | entry: u32, the node where a search begins; record 0 where there are layers above 0 |
//! | 28 | 4 | levels: u32, layers above 0 |
//! | 32 | 4 | records: u32, nodes that reach layer 1 |
//! | 36 | 4 | stride: u32, bytes of a block |
//! | 40 | 24 | zero |
//!
//! # Block
//!
//! Links: u32 x 2M, node numbers, `0xFFFF_FFFF` in unused places at the end; absent without a graph; padded
//! with zeros to a multiple of 64. Code: i8 (or f32) x dim, padded with zeros to a multiple of 16, or the coarse half of
//! it. The halves of a code c: four bits per dimension, of c + 128 the upper ones (coarse) or the lower ones (fine); in
//! byte i the lower four bits are of dimension i, the upper four of dimension i + (dim + 1) / 2; coarse padded with zeros
//! to a multiple of 16, fine to one of 64. Metadata: f32 scale,
//! i32 128 times the sum of the i8 codes, f32 squared length of the vector less the mean, f32 length of what
//! the code misses of it. Zeros up to a multiple of 64. In the upper section links are record numbers; the
//! records are sorted by descending level, so that the records of a layer are the first `counts[layer - 1]`.

#![allow(clippy::doc_markdown, reason = "field names in the tables are read by a test")]

use bytemuck::{Pod, Zeroable};

/// The first eight bytes.
pub(super) const MAGIC: [u8; 8] = *b"WISENSEG";
/// Of the format.
pub(super) const VERSION: u32 = 1;
/// Sections and their parts' alignment.
pub(super) const ALIGN: u64 = 64;
/// Bytes of the header that its checksum covers.
pub(super) const HEADER_SUMMED: usize = 288;
/// Bytes before the first section.
pub(super) const HEADER_LEN: usize = 320;
/// Directory flag: the space has a graph.
pub(super) const HAS_GRAPH: u8 = 1;
/// Directory flag: codes are of vectors less a mean.
pub(super) const HAS_MEAN: u8 = 2;
/// Directory flag: vectors are in f16.
pub(super) const HAS_HALVES: u8 = 4;
/// Directory code: i8 in halves.
pub(super) const HALVED: u8 = 2;
/// Most nodes of a space: a search keeps a node in 31 bits.
pub(super) const MAX_NODES: u32 = (1 << 31) - 1;

/// What the points of a space are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(crate) enum SpaceKind {
    /// Memories; owners are memory ids.
    Memories = 0,
    /// Merged reports; owners are experience ids.
    Experiences = 1,
}

impl SpaceKind {
    pub(super) fn from_u8(number: u8) -> Option<SpaceKind> {
        [SpaceKind::Memories, SpaceKind::Experiences].into_iter().find(|&k| k as u8 == number)
    }
}

/// The seven sections, by index into the header's table; the kind in the file is one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Section {
    Directory,
    Ids,
    Blocks,
    Upper,
    Means,
    Vectors,
    Sums,
}

impl Section {
    pub(super) const ALL: [Section; 7] = [
        Section::Directory,
        Section::Ids,
        Section::Blocks,
        Section::Upper,
        Section::Means,
        Section::Vectors,
        Section::Sums,
    ];

    pub(super) fn name(self) -> &'static str {
        ["directory", "ids", "blocks", "upper", "means", "vectors", "sums"][self as usize]
    }
}

/// See "Section entry".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct SectionEntry {
    pub kind: u32,
    pub zero: u32,
    pub offset: u64,
    pub length: u64,
    pub checksum: u64,
}

/// See "Header".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Header {
    pub magic: [u8; 8],
    pub version: u32,
    pub dim: u32,
    pub store: [u8; 16],
    pub seq_lo: u64,
    pub seq_hi: u64,
    pub rows_hash: u64,
    pub length: u64,
    pub sections: [SectionEntry; 7],
    pub checksum: u64,
    pub zero: [u8; 24],
}

/// See "Directory entry".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct DirectoryEntry {
    pub namespace: u64,
    pub kind: u8,
    pub metric: u8,
    pub code: u8,
    pub flags: u8,
    pub m: u32,
    pub nodes: u32,
    pub owners: u32,
    pub entry: u32,
    pub levels: u32,
    pub records: u32,
    pub stride: u32,
    pub zero: [u8; 24],
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    /// The rows (offset, bytes, name) of the table under a heading of this file's description.
    fn table(heading: &str) -> Vec<(usize, usize, String)> {
        let text = include_str!("format.rs");
        let from = text.find(&format!("//! # {heading}")).expect("the heading is there");
        text[from..]
            .lines()
            .skip_while(|l| !l.starts_with("//! |---"))
            .skip(1)
            .take_while(|l| l.starts_with("//! |"))
            .map(|l| {
                let cells: Vec<&str> = l.split('|').map(str::trim).collect();
                let name = cells[3].split(':').next().expect("a name").trim().to_owned();
                (cells[1].parse().expect("offset"), cells[2].parse().expect("bytes"), name)
            })
            .collect()
    }

    fn check(heading: &str, total: usize, fields: &[(&str, usize)]) {
        let rows = table(heading);
        let mut end = 0;
        for (i, (offset, bytes, name)) in rows.iter().enumerate() {
            assert_eq!(*offset, end, "{heading}: {name} follows the one before");
            end += bytes;
            assert_eq!((fields[i].0, fields[i].1), (name.as_str(), *offset), "{heading}");
        }
        assert_eq!((end, rows.len()), (total, fields.len()), "{heading} is complete");
    }

    macro_rules! fields {
        ($t:ty: $($f:ident),*) => { &[$((stringify!($f), offset_of!($t, $f))),*] };
    }

    #[test]
    fn the_tables_say_what_the_code_does() {
        check(
            "Header",
            HEADER_LEN,
            fields!(Header: magic, version, dim, store, seq_lo, seq_hi, rows_hash, length,
            sections, checksum, zero),
        );
        check(
            "Section entry",
            size_of::<SectionEntry>(),
            fields!(SectionEntry: kind, zero, offset, length, checksum),
        );
        check(
            "Directory entry",
            size_of::<DirectoryEntry>(),
            fields!(DirectoryEntry: namespace, kind, metric,
            code, flags, m, nodes, owners, entry, levels, records, stride, zero),
        );
        assert_eq!((size_of::<Header>(), offset_of!(Header, checksum)), (HEADER_LEN, HEADER_SUMMED));
        let text = include_str!("format.rs");
        for s in Section::ALL {
            assert!(text.contains(&format!("//! | {} | {} |", s as usize + 1, s.name())));
        }
        let layout = crate::graph::Layout::new(crate::vector::CodeKind::I8, 384, 16);
        assert_eq!((layout.code_at, layout.meta_at, layout.stride, layout.fine), (128, 512, 576, 0));
        let halved = crate::graph::Layout::halved(384, 16);
        assert_eq!((halved.code_at, halved.meta_at, halved.stride, halved.fine), (128, 320, 384, 192));
    }
}
