//! The data that comes with the repository is what its README says.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use wisen::Metric;
use wisen_benches::ann::Problem;
use wisen_benches::data::{self, Stream};
use wisen_benches::rounds::Rounds;

/// What git carries for every user, kept small.
const MOST_BYTES: u64 = 19_500_000;

#[test]
fn every_file_has_its_checksum() {
    let folder = data::shipped();
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).expect("SHA256SUMS");
    let mut listed = BTreeSet::new();
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").expect("a sum, two blanks, a name");
        let bytes = fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = Sha256::digest(&bytes).iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes all");
            text
        });
        assert_eq!(found, sum, "{name} is not the file that was checked in");
        listed.insert(name.to_owned());
    }
    let (mut there, mut bytes) = (BTreeSet::new(), 0);
    for stream in ["ann", "banking77", "metatool", "swebench_lite", "alfworld_reflexion", "tau_airline"] {
        for entry in fs::read_dir(folder.join(stream)).expect(stream) {
            let entry = entry.expect(stream);
            there.insert(format!("{stream}/{}", entry.file_name().to_string_lossy()));
            bytes += entry.metadata().expect(stream).len();
        }
    }
    assert_eq!(there, listed, "files without a checksum, or checksums without a file");
    assert!(bytes < MOST_BYTES, "datasets/ has grown to {bytes} bytes");
}

#[test]
fn the_streams_have_their_shapes() {
    for (name, memories, events, wrong) in
        [("banking77", 770, 9229, 0), ("banking77-bad", 770, 9229, 115), ("metatool", 199, 5352, 0)]
    {
        let stream = Stream::load(&data::shipped(), name).expect(name);
        let good = Stream::load(&data::shipped(), name.trim_end_matches("-bad")).expect(name);
        assert_eq!((stream.memories.len(), stream.events.len()), (memories, events), "{name}");
        assert_eq!((stream.memory_vectors.len(), stream.event_vectors.len()), (memories, events), "{name}");
        assert_eq!(stream.dimension(), 384, "{name}");
        let differ = stream.memories.iter().zip(&good.memories).filter(|(a, b)| a.action != b.action).count();
        assert_eq!(differ, wrong, "{name}");
        let known: BTreeSet<&str> = good.memories.iter().map(|m| m.action.as_str()).collect();
        assert!(
            stream.events.iter().all(|e| known.contains(e.action.as_str())),
            "{name}: an event nobody can get right"
        );
    }
}

#[test]
fn the_streams_in_rounds_have_their_shapes() {
    for (name, memories, rounds, attempts) in [
        ("swebench_lite", 124, 61, 61 * 124),
        ("alfworld_reflexion", 160, 15, 403),
        ("tau_airline", 30, 4, 4 * 30),
    ] {
        assert!(Rounds::is_one(&data::shipped(), name));
        let stream = Rounds::load(&data::shipped(), name).expect(name);
        assert_eq!((stream.memories.len(), stream.rounds.len()), (memories, rounds), "{name}");
        assert_eq!(stream.rounds.iter().map(|r| r.attempts.len()).sum::<usize>(), attempts, "{name}");
    }
    assert!(!Rounds::is_one(&data::shipped(), "banking77"));
}

#[test]
fn a_stream_that_is_not_there_is_named() {
    let error = Stream::load(Path::new("no/such/folder"), "banking77").expect_err("there is none");
    assert!(format!("{error:#}").contains("no/such/folder"), "{error:#}");
    let error = Stream::load(&data::shipped(), "metatool-bad").expect_err("it has no wrong actions");
    assert!(format!("{error:#}").contains("poisoned_action"), "{error:#}");
}

#[test]
fn the_slice_for_the_index_has_ten_neighbours_for_every_query() {
    for queries in ["query_id", "query_ood"] {
        let problem =
            Problem::load(&data::shipped().join("ann"), queries, 384, Metric::Cosine).expect(queries);
        assert_eq!((problem.base.len(), problem.queries.len()), (5000, 200));
        for (i, truth) in problem.truth.iter().enumerate() {
            assert_eq!(truth.len(), 10);
            assert!((problem.recall_at_10(i, truth) - 1.0).abs() < 1e-12);
            assert!((problem.recall_at_10(i, &truth[..5]) - 0.5).abs() < 1e-12);
        }
    }
}
