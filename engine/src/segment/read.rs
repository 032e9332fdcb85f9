//! Opening a segment: everything a search relies on is checked here, once, so that no search on any bytes
//! can panic, hang or read elsewhere. Full vectors are checked one by one when they are first read.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytemuck::Pod;
use xxhash_rust::xxh3::xxh3_64;

use crate::graph::{Layout, NO_LINK, Owners, Upper};
use crate::vector::{CodeKind, CodeMeta, MAX_DIM, Metric};

use super::collapse::check_owners;
use super::fault::SegmentFault;
use super::format::{
    ALIGN, DirectoryEntry, HALVED, HAS_GRAPH, HAS_HALVES, HAS_MEAN, HEADER_LEN, HEADER_SUMMED, Header, MAGIC,
    MAX_NODES, Section, SpaceKind, VERSION,
};
use super::map::Bytes;
use super::space::Space;

/// What the database says the segment has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expect {
    pub store_id: [u8; 16],
    pub dim: usize,
    pub seq_lo: u64,
    pub seq_hi: u64,
    pub rows_hash: u64,
}

/// An open, validated segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(super) bytes: Bytes,
    header: Header,
    pub(super) parts: Vec<Parts>,
    /// One bit per vector of the file: its checksum was found to match.
    checked: Box<[AtomicU64]>,
}

/// Where a space's parts lie, as offsets from the start of the file; all validated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    pub entry: DirectoryEntry,
    pub kind: SpaceKind,
    pub metric: Metric,
    pub layout: Layout,
    pub ids: usize,
    pub blocks: usize,
    /// The fine halves of codes.
    pub fine: usize,
    pub upper: usize,
    pub upper_links: usize,
    pub mean: usize,
    pub vectors: usize,
    pub sums: usize,
    /// Number of its first vector among all of the file.
    pub first_vector: usize,
}

impl Segment {
    /// Checks everything and opens the segment.
    pub(crate) fn open(bytes: Bytes, expect: &Expect) -> Result<Segment, SegmentFault> {
        let header = read_header(&bytes, expect)?;
        check_places(&bytes, &header)?;
        check_sums(
            &bytes,
            &header,
            &Section::ALL.map(|s| (s, s != Section::Vectors && s != Section::Blocks)),
        )?;
        let parts = lay_out(&bytes, &header)?;
        let sums = || check_sums(&bytes, &header, &[(Section::Blocks, true)]);
        let contents = || parts.iter().try_for_each(|p| check_space(&bytes, p, header.dim as usize));
        both(header.sections[Section::Blocks as usize].length >= LARGE, sums, contents)?;
        bytes.are_searched();
        let vectors: usize = parts.iter().map(|p| p.entry.nodes as usize).sum();
        let checked = (0..vectors.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Ok(Segment { bytes, header, parts, checked })
    }

    /// The space of a namespace and kind, if it has points here.
    pub(crate) fn space(&self, namespace: u64, kind: SpaceKind) -> Option<Space<'_>> {
        let at = self.parts.binary_search_by_key(&(namespace, kind), |p| (p.entry.namespace, p.kind)).ok()?;
        Some(Space::new(self, &self.parts[at]))
    }

    /// All spaces: namespace, kind, number of owners; ascending.
    pub(crate) fn spaces(&self) -> impl Iterator<Item = (u64, SpaceKind, usize)> + '_ {
        self.parts.iter().map(|p| (p.entry.namespace, p.kind, p.entry.owners as usize))
    }

    /// Bytes of the file.
    pub(crate) fn file_len(&self) -> u64 {
        self.header.length
    }

    /// The segment covers the changes after this one...
    #[cfg(test)]
    pub(crate) fn seq_lo(&self) -> u64 {
        self.header.seq_lo
    }

    /// ...up to and including this one.
    #[cfg(test)]
    pub(crate) fn seq_hi(&self) -> u64 {
        self.header.seq_hi
    }

    /// Numbers per vector.
    pub(crate) fn dim(&self) -> usize {
        self.header.dim as usize
    }

    /// `count` values at a validated offset.
    pub(super) fn slice<T: Pod>(&self, at: usize, count: usize) -> &[T] {
        view(&self.bytes, at, count)
    }

    /// Whether the vector with this number in the file was found whole, now or before. Its checksum is read
    /// only if it was not before.
    pub(super) fn vector_is_whole(&self, number: usize, vector: &[u8], sum: impl Fn() -> u64) -> bool {
        let (word, bit) = (&self.checked[number / 64], 1u64 << (number % 64));
        if word.load(Relaxed) & bit != 0 {
            return true;
        }
        let whole = xxh3_64(vector) == sum() || crate::sabotage::on("vectors_unchecked");
        if whole {
            word.fetch_or(bit, Relaxed);
        }
        whole
    }
}

fn view<T: Pod>(bytes: &[u8], at: usize, count: usize) -> &[T] {
    bytemuck::cast_slice(&bytes[at..at + count * size_of::<T>()])
}

fn read_header(bytes: &[u8], expect: &Expect) -> Result<Header, SegmentFault> {
    let got = bytes.len() as u64;
    if bytes.len() < HEADER_LEN {
        return Err(SegmentFault::Length { expected: HEADER_LEN as u64, got });
    }
    let header: Header = bytemuck::pod_read_unaligned(&bytes[..HEADER_LEN]);
    if header.magic != MAGIC {
        return Err(SegmentFault::Magic);
    }
    if header.version != VERSION {
        return Err(SegmentFault::Version(header.version));
    }
    if header.checksum != xxh3_64(&bytes[..HEADER_SUMMED]) {
        return Err(SegmentFault::Checksum("header"));
    }
    if header.length != got {
        return Err(SegmentFault::Length { expected: header.length, got });
    }
    let dim = u64::from(header.dim);
    for (what, got, expected) in [
        ("dimension", dim, expect.dim as u64),
        ("seq_lo", header.seq_lo, expect.seq_lo),
        ("seq_hi", header.seq_hi, expect.seq_hi),
        ("rows hash", header.rows_hash, expect.rows_hash),
    ] {
        if got != expected && !crate::sabotage::on("foreign_segments") {
            return Err(SegmentFault::Unexpected {
                what,
                expected: expected.to_string(),
                got: got.to_string(),
            });
        }
    }
    if header.store != expect.store_id && !crate::sabotage::on("foreign_segments") {
        let hex = |id: [u8; 16]| format!("{:032x}", u128::from_be_bytes(id));
        let (expected, got) = (hex(expect.store_id), hex(header.store));
        return Err(SegmentFault::Unexpected { what: "store id", expected, got });
    }
    if header.dim == 0 || header.dim as usize > MAX_DIM {
        return Err(SegmentFault::inconsistent("header", format!("dimension {}", header.dim)));
    }
    Ok(header)
}

fn check_places(bytes: &[u8], header: &Header) -> Result<(), SegmentFault> {
    for s in Section::ALL {
        let e = &header.sections[s as usize];
        let fits = e.offset.checked_add(e.length).is_some_and(|end| end <= bytes.len() as u64);
        if e.kind != s as u32 + 1 || !e.offset.is_multiple_of(ALIGN) || e.offset < HEADER_LEN as u64 || !fits
        {
            return Err(SegmentFault::inconsistent("header", format!("the place of the {}", s.name())));
        }
    }
    Ok(())
}

/// Checks the checksums of those sections that are wanted.
fn check_sums(bytes: &[u8], header: &Header, wanted: &[(Section, bool)]) -> Result<(), SegmentFault> {
    for (s, _) in wanted.iter().filter(|(_, wanted)| *wanted) {
        let e = &header.sections[*s as usize];
        if !crate::sabotage::on("segments_unchecked")
            && xxh3_64(view(bytes, e.offset as usize, e.length as usize)) != e.checksum
        {
            return Err(SegmentFault::Checksum(s.name()));
        }
    }
    Ok(())
}

/// From so many bytes of codes and links on, two threads check them: 10^5 vectors or so.
const LARGE: u64 = 16 << 20;

/// Does both, at once where that is worth a thread and one can be had. The first is asked first what is wrong.
fn both<E: Send>(
    large: bool,
    first: impl FnOnce() -> Result<(), E>,
    second: impl Fn() -> Result<(), E> + Sync,
) -> Result<(), E> {
    if !large {
        first()?;
        return second();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("wisen-open".to_owned()).spawn_scoped(scope, &second);
        first()?;
        // A panic is none of the file: it goes on here.
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(checked)) => checked,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => second(),
        }
    })
}

/// Gives out the parts of a section one after another, never more than the section has.
struct Cursor {
    section: Section,
    at: u64,
    end: u64,
}

impl Cursor {
    fn new(header: &Header, section: Section) -> Cursor {
        let e = &header.sections[section as usize];
        Cursor { section, at: e.offset, end: e.offset + e.length }
    }

    /// The offset of the next `count` things of `size` bytes.
    fn take(&mut self, count: u64, size: u64) -> Result<usize, SegmentFault> {
        let at = self.at;
        let end = count.checked_mul(size).and_then(|len| at.checked_add(len)).filter(|&end| end <= self.end);
        self.at = end.ok_or_else(|| SegmentFault::inconsistent(self.section.name(), "it is too short"))?;
        Ok(at as usize)
    }

    fn finish(&self) -> Result<(), SegmentFault> {
        if self.at == self.end {
            return Ok(());
        }
        Err(SegmentFault::inconsistent(self.section.name(), "it is too long"))
    }
}

/// Finds each space's parts from the directory.
fn lay_out(bytes: &[u8], header: &Header) -> Result<Vec<Parts>, SegmentFault> {
    let e = &header.sections[Section::Directory as usize];
    if !e.length.is_multiple_of(size_of::<DirectoryEntry>() as u64) {
        return Err(SegmentFault::inconsistent("directory", "its length is no multiple of an entry's"));
    }
    let count = e.length as usize / size_of::<DirectoryEntry>();
    let entries: &[DirectoryEntry] = view(bytes, e.offset as usize, count);
    let dim = u64::from(header.dim);
    let cursor = |s| Cursor::new(header, s);
    let (mut ids, mut blocks, mut upper) =
        (cursor(Section::Ids), cursor(Section::Blocks), cursor(Section::Upper));
    let (mut means, mut vectors, mut sums) =
        (cursor(Section::Means), cursor(Section::Vectors), cursor(Section::Sums));
    let mut first_vector = 0;
    let mut parts: Vec<Parts> = Vec::with_capacity(count);
    for &entry in entries {
        let (kind, metric, layout) = read_entry(&entry, dim as usize)?;
        if parts.last().is_some_and(|p| (p.entry.namespace, p.kind) >= (entry.namespace, kind)) {
            return Err(SegmentFault::inconsistent("directory", "its entries do not ascend"));
        }
        let (nodes, owners) = (u64::from(entry.nodes), u64::from(entry.owners));
        let ids_len = (owners * 16 + (nodes + 1) * 4).next_multiple_of(8);
        let vectors_len = if entry.flags & HAS_HALVES == 0 {
            nodes * dim * 4
        } else {
            (nodes * dim * 2).next_multiple_of(4)
        };
        let upper_at = upper.take(u64::from(entry.levels) + u64::from(entry.records), 4)?;
        let counts: &[u32] = view(bytes, upper_at, entry.levels as usize);
        let upper_rows: u64 = counts.iter().map(|&c| u64::from(c)).sum();
        parts.push(Parts {
            entry,
            kind,
            metric,
            layout,
            ids: ids.take(ids_len, 1)?,
            blocks: blocks.take(nodes, layout.stride as u64)?,
            fine: blocks.take(nodes, layout.fine as u64)?,
            upper: upper_at,
            upper_links: upper.take(upper_rows, 4 * u64::from(entry.m))?,
            mean: means.take(if entry.flags & HAS_MEAN == 0 { 0 } else { dim }, 4)?,
            vectors: vectors.take(vectors_len, 1)?,
            sums: sums.take(nodes, 8)?,
            first_vector,
        });
        first_vector += entry.nodes as usize;
    }
    for c in [ids, blocks, upper, means, vectors, sums] {
        c.finish()?;
    }
    Ok(parts)
}

fn read_entry(e: &DirectoryEntry, dim: usize) -> Result<(SpaceKind, Metric, Layout), SegmentFault> {
    let bad =
        |what: &str| SegmentFault::inconsistent("directory", format!("{what} of namespace {}", e.namespace));
    let kind = SpaceKind::from_u8(e.kind).ok_or_else(|| bad("the kind"))?;
    let metric = Metric::from_u8(e.metric).ok_or_else(|| bad("the metric"))?;
    let code = CodeKind::for_dim(dim);
    let graph = e.flags & HAS_GRAPH != 0;
    let halved = e.code == HALVED && code == CodeKind::I8 && graph;
    if e.code != code as u8 && !halved {
        return Err(bad("the code kind"));
    }
    if e.flags & !(HAS_GRAPH | HAS_MEAN | HAS_HALVES) != 0
        || graph != (2..=128).contains(&e.m)
        || (!graph && e.m != 0)
    {
        return Err(bad("the flags or m"));
    }
    if e.nodes == 0 || e.nodes > MAX_NODES || e.owners < e.nodes || e.entry >= e.nodes {
        return Err(bad("a count"));
    }
    let upper_fits = e.levels <= 255 && e.records <= e.nodes && (e.levels == 0) == (e.records == 0);
    if !upper_fits || (!graph && e.levels != 0) {
        return Err(bad("the layers"));
    }
    let m = e.m as usize;
    let layout = if halved { Layout::halved(dim, m) } else { Layout::new(code, dim, m) };
    if e.stride as usize != layout.stride {
        return Err(bad("the stride"));
    }
    Ok((kind, metric, layout))
}

impl Parts {
    /// Whether vectors are in f16.
    pub(super) fn is_half(&self) -> bool {
        self.entry.flags & HAS_HALVES != 0
    }

    /// Bytes of a vector.
    pub(super) fn row_len(&self, dim: usize) -> usize {
        dim * if self.is_half() { 2 } else { 4 }
    }

    pub(super) fn owners<'a>(&self, bytes: &'a [u8]) -> Owners<'a> {
        let (nodes, owners) = (self.entry.nodes as usize, self.entry.owners as usize);
        let node_of = self.ids + owners * 8;
        let starts = node_of + owners * 4;
        Owners {
            ids: view(bytes, self.ids, owners),
            node_of: view(bytes, node_of, owners),
            starts: view(bytes, starts, nodes + 1),
            at: view(bytes, starts + (nodes + 1) * 4, owners),
        }
    }

    pub(super) fn upper<'a>(&self, bytes: &'a [u8]) -> Upper<'a> {
        let counts: &[u32] = view(bytes, self.upper, self.entry.levels as usize);
        let rows: usize = counts.iter().map(|&c| c as usize).sum();
        Upper {
            counts,
            nodes: view(bytes, self.upper + counts.len() * 4, self.entry.records as usize),
            links: view(bytes, self.upper_links, rows * self.entry.m as usize),
        }
    }

    pub(super) fn mean<'a>(&self, bytes: &'a [u8], dim: usize) -> &'a [f32] {
        view(bytes, self.mean, if self.entry.flags & HAS_MEAN == 0 { 0 } else { dim })
    }
}

/// Checks the contents of a space's parts.
fn check_space(bytes: &[u8], p: &Parts, dim: usize) -> Result<(), SegmentFault> {
    let bad = |section: Section, what: &str| {
        Err(SegmentFault::inconsistent(section.name(), format!("{what} (namespace {})", p.entry.namespace)))
    };
    let nodes = p.entry.nodes;
    if let Err(what) = check_owners(&p.owners(bytes), nodes) {
        return bad(Section::Ids, what);
    }
    let layout = p.layout;
    let blocks = &bytes[p.blocks..p.blocks + nodes as usize * layout.stride];
    for block in blocks.chunks_exact(layout.stride) {
        if !row_is_sound(view(block, 0, layout.slots), nodes) {
            return bad(Section::Blocks, "a link leads nowhere");
        }
        if !view::<CodeMeta>(block, layout.meta_at, 1)[0].is_sound() {
            return bad(Section::Blocks, "a code's metadata is no number");
        }
    }
    let upper = p.upper(bytes);
    if upper.counts.windows(2).any(|w| w[0] < w[1])
        || upper.counts.first().is_some_and(|&c| c != p.entry.records)
        || upper.counts.contains(&0)
    {
        return bad(Section::Upper, "the counts of its layers");
    }
    if upper.nodes.iter().any(|&n| n >= nodes) || upper.nodes.first().is_some_and(|&n| n != p.entry.entry) {
        return bad(Section::Upper, "its nodes");
    }
    let m = p.entry.m as usize;
    let mut at = 0;
    for &count in upper.counts {
        let rows = &upper.links[at..at + count as usize * m];
        if rows.chunks_exact(m).any(|row| !row_is_sound(row, count)) {
            return bad(Section::Upper, "a link leads nowhere");
        }
        at += rows.len();
    }
    if p.mean(bytes, dim).iter().any(|x| !x.is_finite()) {
        return bad(Section::Means, "it is no number");
    }
    Ok(())
}

/// Links below `nodes`, then nothing but [`NO_LINK`]. Without branches, so that many links are looked at together.
fn row_is_sound(row: &[u32], nodes: u32) -> bool {
    let strays: u32 = row.iter().map(|&n| u32::from(n >= nodes && n != NO_LINK)).sum();
    let gaps: u32 = row.windows(2).map(|w| u32::from(w[0] == NO_LINK && w[1] != NO_LINK)).sum();
    strays + gaps == 0
}
