//! Points with the same vector become one node with several owners.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use crate::graph::Owners;

/// Ids and nodes of a space; the lists are those of the ids section.
#[derive(Debug)]
pub(super) struct Collapsed {
    pub ids: Vec<u64>,
    pub node_of: Vec<u32>,
    pub starts: Vec<u32>,
    pub at: Vec<u32>,
    /// For each node, a row of the input that has its vector.
    pub rows: Vec<u32>,
}

/// Groups rows of `dim` numbers by their bits. `ids` belong to the rows; nodes are numbered in the order of
/// their lowest id, until [`Collapsed::renumber`]. Fewer than 2^31 rows.
pub(super) fn collapse(ids: &[u64], vectors: &[f32], dim: usize) -> Collapsed {
    let mut by_id: Vec<u32> = (0..ids.len() as u32).collect();
    by_id.sort_unstable_by_key(|&r| ids[r as usize]);
    let bytes = |row: u32| bytemuck::cast_slice::<f32, u8>(&vectors[row as usize * dim..][..dim]);
    let mut first: HashMap<u64, u32> = HashMap::with_capacity(ids.len());
    let mut rows: Vec<u32> = Vec::with_capacity(ids.len());
    let mut node_of = Vec::with_capacity(ids.len());
    for &row in &by_id {
        let node = *first.entry(xxh3_64(bytes(row))).or_insert(rows.len() as u32);
        if rows.get(node as usize).is_some_and(|&r| bytes(r) == bytes(row)) {
            node_of.push(node);
        } else {
            // New, or another vector of the same hash, which then is a node without being found again.
            node_of.push(rows.len() as u32);
            rows.push(row);
        }
    }
    let mut starts = vec![0u32; rows.len() + 1];
    for &n in &node_of {
        starts[n as usize + 1] += 1;
    }
    for n in 0..rows.len() {
        starts[n + 1] += starts[n];
    }
    let mut next = starts.clone();
    let mut at = vec![0; ids.len()];
    for (i, &n) in node_of.iter().enumerate() {
        at[next[n as usize] as usize] = i as u32;
        next[n as usize] += 1;
    }
    Collapsed { ids: by_id.iter().map(|&r| ids[r as usize]).collect(), node_of, starts, at, rows }
}

impl Collapsed {
    /// The node of an id.
    pub(super) fn node(&self, id: u64) -> Option<u32> {
        self.ids.binary_search(&id).ok().map(|at| self.node_of[at])
    }

    /// Numbers the nodes anew: `order` has the present number of each new one.
    pub(super) fn renumber(&mut self, order: &[u32]) {
        let mut new_of = vec![0u32; order.len()];
        let (mut starts, mut at) = (vec![0u32], Vec::with_capacity(self.at.len()));
        for (new, &old) in order.iter().enumerate() {
            new_of[old as usize] = new as u32;
            let range = self.starts[old as usize] as usize..self.starts[old as usize + 1] as usize;
            at.extend_from_slice(&self.at[range]);
            starts.push(at.len() as u32);
        }
        for node in &mut self.node_of {
            *node = new_of[*node as usize];
        }
        self.rows = order.iter().map(|&old| self.rows[old as usize]).collect();
        (self.starts, self.at) = (starts, at);
    }
}

/// Whether the lists of an ids part belong together; says what is wrong.
pub(super) fn check_owners(o: &Owners<'_>, nodes: u32) -> Result<(), &'static str> {
    if o.ids.windows(2).any(|w| w[0] >= w[1]) {
        return Err("ids do not ascend");
    }
    if o.starts.first() != Some(&0) || o.starts.last().copied() != Some(o.at.len() as u32) {
        return Err("starts do not cover the owners");
    }
    if o.starts.windows(2).any(|w| w[0] >= w[1]) {
        return Err("a node has no owner");
    }
    // Every position belongs to the node that names it, and ascends within it: so all differ, and as there
    // are as many as ids, each id has its place.
    for node in 0..nodes {
        let range = o.starts[node as usize] as usize..o.starts[node as usize + 1] as usize;
        let mut before = None;
        for &p in &o.at[range] {
            if o.node_of.get(p as usize) != Some(&node) || before >= Some(p) {
                return Err("positions and nodes disagree");
            }
            before = Some(p);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_vectors_share_a_node_wherever_they_stand() {
        let vectors = [1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 0.0, 2.0, 1.0, 2.0];
        let c = collapse(&[50, 40, 30, 20, 10], &vectors, 2);
        assert_eq!(c.ids, [10, 20, 30, 40, 50]);
        assert_eq!(c.node_of, [0, 1, 0, 2, 0]);
        let owners = Owners { ids: &c.ids, node_of: &c.node_of, starts: &c.starts, at: &c.at };
        assert_eq!(check_owners(&owners, 3), Ok(()));
        assert_eq!(owners.of(0).collect::<Vec<_>>(), [10, 30, 50]);
        assert_eq!((owners.node(40), owners.node(41)), (Some(2), None));
        let mut r = collapse(&[50, 40, 30, 20, 10], &vectors, 2);
        r.renumber(&[2, 0, 1]);
        let owners = Owners { ids: &r.ids, node_of: &r.node_of, starts: &r.starts, at: &r.at };
        assert_eq!(check_owners(&owners, 3), Ok(()));
        assert_eq!((owners.of(1).collect::<Vec<_>>(), owners.node(40)), (vec![10, 30, 50], Some(0)));
        assert_eq!(r.rows, [c.rows[2], c.rows[0], c.rows[1]]);
        let broken = Owners { node_of: &[0, 1, 1, 2, 0], ..owners };
        assert!(check_owners(&broken, 3).is_err());
    }
}
