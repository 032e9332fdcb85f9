//! Reading the graph out of an index built with the crate `hnsw_rs`.
//!
//! Only what cannot panic or end the process is called there: neither searches, distances (both panic on
//! vectors they do not like), dumps and reloads (which exit), nor the iterator over all points (which
//! panics on an empty index).

use std::collections::HashMap;
use std::sync::Arc;

use hnsw_rs::anndists::dist::distances::Distance;
use hnsw_rs::hnsw::{Hnsw, Point, PointId};

use super::adopt::{Given, GivenPoint};

/// An index as it was read; all lists are in the order of `data_ids`, which ascend.
pub(crate) struct Export<'b> {
    /// The number each point was inserted with.
    pub data_ids: Vec<usize>,
    points: Vec<Arc<Point<'b, f32>>>,
    /// The owner of each point is still to be filled in.
    pub given: Given,
}

impl Export<'_> {
    /// The vector of each point.
    pub(crate) fn vectors(&self) -> impl Iterator<Item = &[f32]> {
        self.points.iter().map(|point| point.get_v())
    }
}

/// Reads an index. Links to points that are inserted meanwhile are passed over.
pub(crate) fn export<'b, D: Distance<f32> + Send + Sync>(index: &Hnsw<'b, f32, D>) -> Export<'b> {
    let layers = index.get_point_indexation();
    let mut points: Vec<Arc<Point<'b, f32>>> = Vec::with_capacity(index.get_nb_point());
    // A layer is a list of the points that have it as their highest; the iterator panics beyond the last.
    for layer in 0..=usize::from(u8::MAX) {
        if layers.get_layer_nb_point(layer) > 0 {
            points.extend(layers.get_layer_iterator(layer));
        }
    }
    let by_layer = |point: &Point<'b, f32>| (point.get_point_id().0, point.get_point_id().1);
    points.sort_unstable_by_key(|point| (point.get_origin_id(), by_layer(point)));
    let places: HashMap<PointId, u32> =
        points.iter().enumerate().map(|(place, point)| (point.get_point_id(), place as u32)).collect();
    let place = |id: PointId| places.get(&id).copied();
    // The entry point is not public: it is the first that came to the highest layer.
    let entry = place(PointId(index.get_max_level_observed(), 0)).unwrap_or(0);
    let given = points.iter().map(|point| {
        let mut links: Vec<Vec<u32>> = point
            .get_neighborhood_id()
            .into_iter()
            .map(|layer| layer.into_iter().filter_map(|n| place(n.p_id)).collect())
            .collect();
        while links.last().is_some_and(Vec::is_empty) {
            links.pop();
        }
        GivenPoint { id: 0, level: point.get_point_id().0, links }
    });
    // Given as a u8, in which the largest possible, 256, is 0.
    let m = match index.get_max_nb_connection() {
        0 => 256,
        m => usize::from(m),
    };
    let given = Given { m: m.clamp(2, 128), entry, points: given.collect() };
    Export { data_ids: points.iter().map(|point| point.get_origin_id()).collect(), points, given }
}
