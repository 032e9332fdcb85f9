//! What the filters in use let through, kept in step with the memories of a namespace.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use roaring::RoaringTreemap;
use rusqlite::Connection;

use crate::error::Result;
use crate::store::Condition;

/// Filters kept in a namespace; the one not used for longest goes first.
const MOST_KEPT: usize = 32;
/// From so many changes at once on it is cheaper to ask again than to look at each.
const MOST_FOLLOWED: usize = 256;

/// Memories that a filter lets through, and their cells.
pub(crate) type Passed = (Arc<RoaringTreemap>, Arc<RoaringTreemap>);

struct Kept {
    condition: Condition,
    memories: Arc<RoaringTreemap>,
    /// `None`: to be gathered when they are next asked for.
    cells: Option<Arc<RoaringTreemap>>,
    used: AtomicU64,
}

/// The filters in use in one namespace.
#[derive(Default)]
pub(super) struct Filtered {
    kept: HashMap<String, Kept>,
    clock: AtomicU64,
}

impl Filtered {
    /// What a filter lets through, if that is known.
    pub(super) fn get(&self, key: &str) -> Option<Passed> {
        let kept = self.kept.get(key)?;
        kept.used.store(self.clock.fetch_add(1, Relaxed), Relaxed);
        Some((kept.memories.clone(), kept.cells.clone()?))
    }

    /// Finds out what a filter lets through. `cells` are all cells with the memories they count for.
    pub(super) fn find(
        &mut self,
        conn: &Connection,
        namespace: i64,
        (key, condition): (&str, &Condition),
        cells: impl Iterator<Item = (u64, u64)>,
    ) -> Result<Passed> {
        if !self.kept.contains_key(key) {
            let memories = Arc::new(condition.select(conn, namespace)?.into_iter().collect());
            self.make_room();
            let kept =
                Kept { condition: condition.clone(), memories, cells: None, used: AtomicU64::default() };
            self.kept.insert(key.to_owned(), kept);
        }
        if let Some(kept) = self.kept.get_mut(key)
            && kept.cells.is_none()
        {
            let owned = cells.filter(|(_, memory)| kept.memories.contains(*memory));
            kept.cells = Some(Arc::new(owned.map(|(id, _)| id).collect()));
        }
        Ok(self.get(key).unwrap_or_default())
    }

    fn make_room(&mut self) {
        if self.kept.len() >= MOST_KEPT {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used.load(Relaxed));
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.kept.remove(&oldest);
            }
        }
    }

    /// Many changes are about to be applied, or what fields there are has changed.
    pub(super) fn begin(&mut self, changes: usize) {
        if changes > MOST_FOLLOWED {
            self.kept.clear();
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }

    /// A live memory came or was changed.
    pub(super) fn note(&mut self, conn: &Connection, memory: u64) -> Result<()> {
        if crate::sabotage::on("filters_stand_still") {
            return Ok(());
        }
        for kept in self.kept.values_mut() {
            let passes = kept.condition.admits(conn, memory.cast_signed())?;
            if kept.memories.contains(memory) != passes {
                let memories = Arc::make_mut(&mut kept.memories);
                if passes {
                    memories.insert(memory)
                } else {
                    memories.remove(memory)
                };
                // Its cells change sides with it.
                kept.cells = None;
            }
        }
        Ok(())
    }

    /// A memory is no hit any more.
    pub(super) fn remove(&mut self, memory: u64) {
        for kept in self.kept.values_mut().filter(|kept| kept.memories.contains(memory)) {
            Arc::make_mut(&mut kept.memories).remove(memory);
        }
    }

    /// A cell came; it counts for this memory.
    pub(super) fn add_cell(&mut self, cell: u64, memory: u64) {
        for kept in self.kept.values_mut().filter(|kept| kept.memories.contains(memory)) {
            if let Some(cells) = &mut kept.cells {
                Arc::make_mut(cells).insert(cell);
            }
        }
    }

    /// A cell is gone.
    pub(super) fn remove_cell(&mut self, cell: u64) {
        for cells in self.kept.values_mut().filter_map(|kept| kept.cells.as_mut()) {
            if cells.contains(cell) {
                Arc::make_mut(cells).remove(cell);
            }
        }
    }

    /// Cells count for other memories than before.
    pub(super) fn forget_cells(&mut self) {
        self.kept.values_mut().for_each(|kept| kept.cells = None);
    }
}
