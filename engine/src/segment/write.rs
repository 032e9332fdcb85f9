//! Writing a segment: collapse, code, build, and stream the sections out.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::error::{Error, Result};
use crate::graph::{BuildParams, BuiltGraph, CodeTable, Given, Layout, adopt, build};
use crate::vector::{CodeKind, MAX_DIM, Metric, coarseness, halve, sum_of_squares};

use super::collapse::{Collapsed, collapse};
use super::format::{
    ALIGN, DirectoryEntry, HALVED, HAS_GRAPH, HAS_HALVES, HAS_MEAN, HEADER_LEN, HEADER_SUMMED, Header, MAGIC,
    MAX_NODES, Section, SectionEntry, SpaceKind, VERSION,
};

/// From this many nodes on, codes are of vectors less their mean: below, the mean would cost more bytes
/// than it saves error.
const MEAN_FROM: usize = 256;

/// Squared lengths beyond this are not centred: differences could leave the range of f32.
const CENTRED_MOST: f32 = 1e37;

/// Vectors so many times as long as the median do not count for the mean.
const FAR_LONGER: f32 = 4.0;

/// Codes are kept in halves if the coarse ones miss at most this share of a vector, on average (root of the mean
/// square). Evenly spread numbers lose .06, normally distributed ones .11 (384 dimensions); a few numbers far larger
/// than the others make it more, and walks by what is left would go astray.
const COARSEST: f32 = 0.2;

/// What the header says of the segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentHeader {
    pub store_id: [u8; 16],
    pub seq_lo: u64,
    pub seq_hi: u64,
    pub rows_hash: u64,
    pub dim: usize,
}

/// The points of one space.
#[derive(Debug, Clone)]
pub(crate) struct SpaceInput {
    pub namespace: u64,
    pub kind: SpaceKind,
    pub metric: Metric,
    /// In any order, each once.
    pub ids: Vec<u64>,
    /// Prepared, row-major, `ids.len()` x `dim`.
    pub vectors: Vec<f32>,
    /// Where vectors are to be written in f16: rows of bits, of which preparing makes `vectors` bit for bit. Otherwise
    /// empty.
    pub halves: Vec<u16>,
    /// A graph over these points that is taken over instead of building one.
    pub given: Option<Given>,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BuildReport {
    pub nodes: u64,
    pub owners: u64,
    /// Nodes that no walk reached until they were linked in.
    pub orphans_repaired: u64,
    /// Nodes that a narrow search for their own vector missed until another link led to them.
    pub rescued: u64,
    /// Links that graphs given did not come with.
    pub links_added: u64,
    pub seconds: f64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// A space between the passes.
struct Prepared {
    input: SpaceInput,
    points: Collapsed,
    mean: Vec<f32>,
    graph: Option<BuiltGraph>,
    /// M of the graph; 0 without one.
    m: usize,
    layout: Layout,
}

impl Prepared {
    /// Whether vectors are written in f16.
    fn is_half(&self) -> bool {
        !self.input.halves.is_empty()
    }

    /// The bytes of a vector in the file.
    fn row(&self, node: usize, dim: usize) -> &[u8] {
        if self.is_half() {
            bytemuck::cast_slice(&self.input.halves[self.points.rows[node] as usize * dim..][..dim])
        } else {
            bytemuck::cast_slice(self.vector(node, dim))
        }
    }

    fn vector(&self, node: usize, dim: usize) -> &[f32] {
        &self.input.vectors[self.points.rows[node] as usize * dim..][..dim]
    }
}

/// Writes a segment from offset 0 of `out`, which is empty. `spaces` may come in any order; empty ones are
/// left out. Not synced, not renamed: that is the caller's. When `cancel` is set, ends soon with
/// `Error::Internal` "cancelled".
pub(crate) fn write_segment(
    out: &mut (impl Write + Seek),
    header: &SegmentHeader,
    mut spaces: Vec<SpaceInput>,
    params: &BuildParams,
    pool: &rayon::ThreadPool,
    cancel: &AtomicBool,
) -> Result<BuildReport> {
    let begun = Instant::now();
    check_input(header, &spaces, params)?;
    spaces.retain(|s| !s.ids.is_empty());
    spaces.sort_by_key(|s| (s.namespace, s.kind));
    let dim = header.dim;
    let mut sink = Sink { out, at: 0, hash: Xxh3::new(), sections: [SectionEntry::default(); 7] };
    sink.out.seek(SeekFrom::Start(0)).map_err(io)?;
    sink.put(&[0; HEADER_LEN])?;

    let mut report = BuildReport::default();
    let mut all = Vec::with_capacity(spaces.len());
    let mut start = sink.begin()?;
    for input in spaces {
        if cancel.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(cancelled());
        }
        let (space, table) = prepare(input, dim, params, pool, cancel)?;
        sink.put_blocks(&space, &table, dim)?;
        report.nodes += space.points.rows.len() as u64;
        report.owners += space.points.ids.len() as u64;
        report.orphans_repaired += space.graph.as_ref().map_or(0, |g| g.repaired);
        report.rescued += space.graph.as_ref().map_or(0, |g| g.rescued);
        report.links_added += space.graph.as_ref().map_or(0, |g| g.added);
        all.push(space);
    }
    sink.end(Section::Blocks, start);
    start = sink.begin()?;
    for g in all.iter().filter_map(|s| s.graph.as_ref()) {
        for list in [&g.counts, &g.records, &g.upper_links] {
            sink.put(bytemuck::cast_slice(list))?;
        }
    }
    sink.end(Section::Upper, start);
    start = sink.begin()?;
    for s in &all {
        sink.put(bytemuck::cast_slice(&s.mean))?;
    }
    sink.end(Section::Means, start);
    start = sink.begin()?;
    for s in &all {
        sink.put_ids(&s.points)?;
    }
    sink.end(Section::Ids, start);
    start = sink.begin()?;
    for s in &all {
        for node in 0..s.points.rows.len() {
            sink.put(s.row(node, dim))?;
        }
        sink.put(&[0; 4][..(usize::from(s.is_half()) * s.points.rows.len() * dim * 2) % 4])?;
    }
    sink.end(Section::Vectors, start);
    sink.sections[Section::Vectors as usize].checksum = 0;
    start = sink.begin()?;
    for s in &all {
        for node in 0..s.points.rows.len() {
            sink.put(&xxh3_64(s.row(node, dim)).to_le_bytes())?;
        }
    }
    sink.end(Section::Sums, start);
    start = sink.begin()?;
    for s in &all {
        sink.put(bytemuck::bytes_of(&directory_entry(s, dim)))?;
    }
    sink.end(Section::Directory, start);
    report.bytes = sink.finish(header)?;
    report.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

fn cancelled() -> Error {
    Error::internal("cancelled")
}

fn io(source: std::io::Error) -> Error {
    Error::io("write", Path::new("a segment file"))(source)
}

/// Defects of the caller, found before anything is written.
fn check_input(header: &SegmentHeader, spaces: &[SpaceInput], params: &BuildParams) -> Result<()> {
    if header.dim == 0 || header.dim > MAX_DIM {
        return Err(Error::internal(format!("a segment of dimension {}", header.dim)));
    }
    if !(2..=128).contains(&params.m) {
        return Err(Error::internal(format!("a graph with M = {}", params.m)));
    }
    let mut keys: Vec<_> = spaces.iter().map(|s| (s.namespace, s.kind)).collect();
    keys.sort_unstable();
    if keys.windows(2).any(|w| w[0] == w[1]) {
        return Err(Error::internal("one space given twice to a segment"));
    }
    for s in spaces {
        if s.given.as_ref().is_some_and(|given| !(2..=128).contains(&given.m)) {
            return Err(Error::internal("a graph given with an M that no segment holds"));
        }
        if s.vectors.len() != s.ids.len() * header.dim
            || !s.halves.is_empty() && s.halves.len() != s.vectors.len()
            || s.ids.len() > MAX_NODES as usize
        {
            return Err(Error::internal(format!("{} ids with {} numbers", s.ids.len(), s.vectors.len())));
        }
        if s.vectors.iter().any(|x| !x.is_finite()) {
            return Err(Error::internal("a vector that was not prepared, given to a segment"));
        }
    }
    Ok(())
}

/// Collapses, codes and builds; the table is in the order of the nodes.
fn prepare(
    input: SpaceInput,
    dim: usize,
    params: &BuildParams,
    pool: &rayon::ThreadPool,
    cancel: &AtomicBool,
) -> Result<(Prepared, CodeTable)> {
    let points = collapse(&input.ids, &input.vectors, dim);
    if points.ids.windows(2).any(|w| w[0] == w[1]) {
        return Err(Error::internal("one id given twice to a segment"));
    }
    let kind = CodeKind::for_dim(dim);
    let layout = Layout::new(kind, dim, 0);
    let mut space = Prepared { input, points, mean: Vec::new(), graph: None, m: 0, layout };
    let nodes = space.points.rows.len();
    if kind == CodeKind::I8 && nodes >= MEAN_FROM {
        space.mean = mean(&space, dim);
    }
    let vectors = (0..nodes).map(|n| space.vector(n, dim));
    let mut table = CodeTable::new(space.input.metric, dim, &space.mean, vectors);
    if !(0..nodes as u32).all(|n| table.meta(n).is_sound()) {
        return Err(Error::internal("a vector beyond the range of f32, given to a segment"));
    }
    if nodes >= params.graph_from.max(2) {
        let halved = kind == CodeKind::I8 && dim >= params.halves_from && coarse_enough(&table, dim);
        if halved {
            table.halve();
        }
        let graph = if let Some(given) = space.input.given.take() {
            space.m = given.m;
            let node_of: Vec<Option<u32>> =
                given.points.iter().map(|point| space.points.node(point.id)).collect();
            adopt(&mut table, &given, &node_of, pool, cancel)
        } else {
            space.m = params.m;
            build(&mut table, params, pool, cancel)
        };
        let graph = graph.map_err(|_| cancelled())?;
        space.points.renumber(&graph.order);
        space.graph = Some(graph);
        space.layout = if halved { Layout::halved(dim, space.m) } else { Layout::new(kind, dim, space.m) };
    }
    Ok((space, table))
}

/// Whether the coarse halves of codes say enough to walk by.
fn coarse_enough(table: &CodeTable, dim: usize) -> bool {
    let missed =
        (0..table.len() as u32).map(|n| f64::from(coarseness(table.code(n), dim, table.meta(n)).powi(2)));
    (missed.sum::<f64>() / table.len() as f64).sqrt() <= f64::from(COARSEST)
}

/// The mean of the different vectors, or nothing where centring could overflow. Vectors far longer than most are left
/// out: one of them would draw the mean so far that the codes of all others said only how far it is.
fn mean(space: &Prepared, dim: usize) -> Vec<f32> {
    let nodes = space.points.rows.len();
    let squares: Vec<f32> = (0..nodes).map(|node| sum_of_squares(space.vector(node, dim))).collect();
    if squares.iter().any(|&square| square > CENTRED_MOST) {
        return Vec::new();
    }
    let mut order = squares.clone();
    let (_, &mut median, _) = order.select_nth_unstable_by(nodes / 2, f32::total_cmp);
    let most =
        if crate::sabotage::on("outliers_centre") { CENTRED_MOST } else { median * FAR_LONGER * FAR_LONGER };
    let mut sums = vec![0f64; dim];
    let mut counted = 0_u32;
    for (node, _) in squares.iter().enumerate().filter(|(_, square)| **square <= most) {
        sums.iter_mut().zip(space.vector(node, dim)).for_each(|(s, &x)| *s += f64::from(x));
        counted += 1;
    }
    sums.iter().map(|s| (s / f64::from(counted)) as f32).collect()
}

fn directory_entry(s: &Prepared, dim: usize) -> DirectoryEntry {
    let graph = s.graph.as_ref();
    DirectoryEntry {
        namespace: s.input.namespace,
        kind: s.input.kind as u8,
        metric: s.input.metric as u8,
        code: if s.layout.is_halved() { HALVED } else { CodeKind::for_dim(dim) as u8 },
        flags: if graph.is_some() { HAS_GRAPH } else { 0 }
            | if s.mean.is_empty() { 0 } else { HAS_MEAN }
            | if s.is_half() { HAS_HALVES } else { 0 },
        m: s.m as u32,
        nodes: s.points.rows.len() as u32,
        owners: s.points.ids.len() as u32,
        entry: graph.map_or(0, |g| g.entry),
        levels: graph.map_or(0, |g| g.counts.len() as u32),
        records: graph.map_or(0, |g| g.records.len() as u32),
        stride: s.layout.stride as u32,
        zero: [0; 24],
    }
}

/// Where the bytes go; hashes each section on the way.
struct Sink<'o, W> {
    out: &'o mut W,
    at: u64,
    hash: Xxh3,
    sections: [SectionEntry; 7],
}

impl<W: Write + Seek> Sink<'_, W> {
    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(io)?;
        self.hash.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Pads to where a section may begin.
    fn begin(&mut self) -> Result<u64> {
        let pad = self.at.next_multiple_of(ALIGN) - self.at;
        self.put(&[0; ALIGN as usize][..pad as usize])?;
        self.hash.reset();
        Ok(self.at)
    }

    fn end(&mut self, section: Section, offset: u64) {
        self.sections[section as usize] = SectionEntry {
            kind: section as u32 + 1,
            zero: 0,
            offset,
            length: self.at - offset,
            checksum: self.hash.digest(),
        };
    }

    fn put_blocks(&mut self, s: &Prepared, table: &CodeTable, dim: usize) -> Result<()> {
        let kind = CodeKind::for_dim(dim);
        let layout = s.layout;
        let mut block = vec![0u8; layout.stride];
        let mut fine = vec![0u8; layout.fine];
        for node in 0..table.len() as u32 {
            if let Some(g) = &s.graph {
                let row = &g.links[node as usize * layout.slots..][..layout.slots];
                block[..row.len() * 4].copy_from_slice(bytemuck::cast_slice(row));
            }
            let code = &mut block[layout.code_at..layout.meta_at];
            if layout.is_halved() {
                halve(table.code(node), dim, code, &mut fine);
            } else {
                code.copy_from_slice(&table.code(node)[..kind.code_len(dim)]);
            }
            block[layout.meta_at..layout.meta_at + 16].copy_from_slice(bytemuck::bytes_of(table.meta(node)));
            self.put(&block)?;
        }
        if layout.is_halved() {
            let mut coarse = fine.clone();
            for node in 0..table.len() as u32 {
                halve(table.code(node), dim, &mut coarse, &mut fine);
                self.put(&fine)?;
            }
        }
        Ok(())
    }

    fn put_ids(&mut self, points: &Collapsed) -> Result<()> {
        self.put(bytemuck::cast_slice(&points.ids))?;
        for list in [&points.node_of, &points.starts, &points.at] {
            self.put(bytemuck::cast_slice(list))?;
        }
        let pad = self.at.next_multiple_of(8) - self.at;
        self.put(&[0; 8][..pad as usize])
    }

    /// Writes the header over the place kept for it; returns the length of the file.
    fn finish(self, header: &SegmentHeader) -> Result<u64> {
        let mut h = Header {
            magic: MAGIC,
            version: VERSION,
            dim: header.dim as u32,
            store: header.store_id,
            seq_lo: header.seq_lo,
            seq_hi: header.seq_hi,
            rows_hash: header.rows_hash,
            length: self.at,
            sections: self.sections,
            checksum: 0,
            zero: [0; 24],
        };
        h.checksum = xxh3_64(&bytemuck::bytes_of(&h)[..HEADER_SUMMED]);
        self.out.seek(SeekFrom::Start(0)).map_err(io)?;
        self.out.write_all(bytemuck::bytes_of(&h)).map_err(io)?;
        self.out.seek(SeekFrom::Start(self.at)).map_err(io)?;
        self.out.flush().map_err(io)?;
        Ok(self.at)
    }
}
