//! Bytes that are not what was written: an error or the same answers, never a panic or a hang.

use std::sync::atomic::AtomicBool;

use crate::error::Error;
use crate::graph::{Accept, BuildParams, Effort, Found, Scratch};
use crate::vector::{Metric, Probe, Storage, to_half};

use super::forge::reseal;
use super::format::{HEADER_LEN, Header, Section};
use super::testing::{HEADER, Random, expect, input, params, pool, write};
use super::{
    Bytes, Expect, Segment, SegmentFault, SegmentHeader, SpaceInput, SpaceKind, verify, write_segment,
};

const DIM: usize = 16;

/// Two spaces, one of them with a graph of several layers; its codes in halves, and whole, and vectors in f16.
fn all_kinds() -> [Vec<u8>; 3] {
    let kinds = [(DIM, Storage::F32), (DIM + 1, Storage::F32), (DIM, Storage::F16)];
    let made = kinds.map(|(halves_from, storage)| small(halves_from, storage));
    assert_eq!(made[0].len() - made[2].len(), (160 + 4) * DIM * 2, "f16 takes half of what vectors take");
    made
}

fn small(halves_from: usize, storage: Storage) -> Vec<u8> {
    let mut random = Random::new(11);
    let mut rows: Vec<Vec<f32>> = (0..160).map(|_| random.vector(DIM)).collect();
    for row in &mut rows {
        storage.keep(Metric::L2, row).expect("fits");
    }
    let few: Vec<Vec<f32>> = (0..7).map(|i| random.near(&rows[i / 2], 0.0)).collect();
    let build = BuildParams { m: 4, graph_from: 20, halves_from, ..params() };
    let mut spaces = vec![input(Metric::L2, 0, &rows), input(Metric::L2, 3, &few)];
    if storage == Storage::F16 {
        for space in &mut spaces {
            space.halves = to_half(&space.vectors);
        }
    }
    write(DIM, spaces, &build, 1)
}

/// Answers to fixed queries, with and without a graph.
fn answers(segment: &Segment) -> Result<Vec<Found>, SegmentFault> {
    let mut random = Random::new(12);
    let (mut scratch, mut effort, mut out) = (Scratch::default(), Effort::default(), Vec::new());
    for _ in 0..3 {
        let probe = Probe::new(Metric::L2, &random.vector(DIM));
        for namespace in [0, 3] {
            if let Some(space) = segment.space(namespace, SpaceKind::Memories) {
                space.search(&probe, 3, 6, Accept::All, &mut scratch, &mut effort, &mut out)?;
                let test = |id: u64| id.is_multiple_of(2);
                space.search(&probe, 2, 6, Accept::Test(&test), &mut scratch, &mut effort, &mut out)?;
            }
        }
    }
    Ok(out)
}

fn try_answers(bytes: Vec<u8>) -> Result<Vec<Found>, SegmentFault> {
    let segment = Segment::open(Bytes::heap(bytes), &expect(DIM))?;
    verify(&segment);
    answers(&segment)
}

#[test]
fn every_truncation_is_refused() {
    for good in all_kinds() {
        assert!(try_answers(good.clone()).is_ok_and(|a| a.len() == 30));
        for len in 0..good.len() {
            assert!(Segment::open(Bytes::heap(good[..len].to_vec()), &expect(DIM)).is_err(), "at {len}");
        }
        let mut longer = good;
        longer.push(0);
        assert!(Segment::open(Bytes::heap(longer), &expect(DIM)).is_err());
    }
}

#[test]
fn every_flipped_byte_is_noticed_or_without_consequence() {
    for good in all_kinds() {
        let truth = try_answers(good.clone()).expect("whole");
        let mut noticed = 0;
        for at in 0..good.len() {
            for flip in [0x01, 0x80] {
                let mut bad = good.clone();
                bad[at] ^= flip;
                match try_answers(bad) {
                    Err(_) => noticed += 1,
                    Ok(answers) => assert_eq!(answers, truth, "flip of byte {at}"),
                }
            }
        }
        assert!(noticed > good.len(), "most flips are noticed: {noticed} of {}", 2 * good.len());
    }
}

#[test]
fn contents_that_lie_under_right_checksums_do_no_harm() {
    for good in all_kinds() {
        lies_do_no_harm(&good);
    }
}

fn lies_do_no_harm(good: &[u8]) {
    let mut random = Random::new(13);
    let mut refused = 0;
    // Every byte but those of full vectors, whose own checksums catch them, and codes, which only mislead.
    for at in 8..good.len() {
        for value in [0x00, 0x01, 0x7F, 0xFF, random.below(256) as u8] {
            let mut bad = good.to_vec();
            if bad[at] == value {
                continue;
            }
            bad[at] = value;
            reseal(&mut bad);
            // No panic, no hang; the answers may be anything that is in order.
            match try_answers(bad) {
                Err(_) => refused += 1,
                Ok(answers) => assert!(answers.len() <= 30),
            }
        }
    }
    assert!(refused > good.len() / 2, "{refused}");
}

#[test]
fn a_damaged_vector_is_noticed_when_it_is_read_and_counted_by_verify() {
    let mut bytes = small(DIM, Storage::F32);
    let header: Header = bytemuck::pod_read_unaligned(&bytes[..HEADER_LEN]);
    let at = header.sections[Section::Vectors as usize].offset as usize + 5 * DIM * 4;
    bytes[at] ^= 1;
    let segment =
        Segment::open(Bytes::heap(bytes), &expect(DIM)).expect("opens: vectors are checked when read");
    assert_eq!(verify(&segment).bad_vectors, 1);
    let space = segment.space(0, SpaceKind::Memories).expect("there");
    let id = |node| space.view.owners.of(node).next().expect("every node has an owner");
    assert_eq!(space.vector(id(5)), Err(SegmentFault::Vector { namespace: 0, node: 5 }));
    assert!(space.vector(id(4)).is_ok_and(|v| v.is_some()));
}

#[test]
fn a_segment_of_another_store_or_other_rows_is_refused() {
    let bytes = small(DIM, Storage::F32);
    let good = expect(DIM);
    let others = [
        Expect { store_id: [8; 16], ..good },
        Expect { dim: DIM + 1, ..good },
        Expect { seq_lo: 11, ..good },
        Expect { seq_hi: 21, ..good },
        Expect { rows_hash: 98, ..good },
    ];
    for other in others {
        let fault = Segment::open(Bytes::heap(bytes.clone()), &other).err();
        assert!(matches!(fault, Some(SegmentFault::Unexpected { .. })), "{other:?}: {fault:?}");
    }
}

#[test]
fn writing_can_be_cancelled_and_refuses_nonsense() {
    let mut random = Random::new(14);
    let rows: Vec<Vec<f32>> = (0..500).map(|_| random.vector(DIM)).collect();
    let one = input(Metric::L2, 0, &rows);
    let header = SegmentHeader { dim: DIM, ..HEADER };
    let try_write = |spaces: Vec<SpaceInput>, cancel: bool| {
        let mut out = std::io::Cursor::new(Vec::new());
        write_segment(&mut out, &header, spaces, &params(), &pool(1), &AtomicBool::new(cancel))
    };
    assert!(
        matches!(try_write(vec![one.clone()], true), Err(Error::Internal { what }) if what == "cancelled")
    );
    assert!(try_write(vec![one.clone(), one.clone()], false).is_err(), "a space twice");
    let twice = SpaceInput { ids: vec![5; 500], ..one.clone() };
    assert!(try_write(vec![twice], false).is_err(), "an id twice");
    let short = SpaceInput { ids: vec![1], ..one.clone() };
    assert!(try_write(vec![short], false).is_err(), "ids and vectors of different number");
    let empty = SpaceInput { ids: vec![], vectors: vec![], ..one };
    assert!(try_write(vec![empty], false).is_ok_and(|r| r.owners == 0), "an empty space is left out");
}
