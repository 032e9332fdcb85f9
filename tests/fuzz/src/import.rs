//! Any bytes as an export: imported or refused; what is imported is a sound store, whose export can be imported again. The
//! last line, with the count and the checksum, is put right first if the first byte is odd: no fuzzer guesses it.
//! `WISEN_FUZZ_SEED` names a file to put a sound one into, for the fuzzer to begin with.
#![no_main]

use std::path::{Path, PathBuf};

use wisen::{ErrorCode, Memory, Options, Outcome, Query, Report, Store};

/// A folder of this process, in memory where there is such a place.
fn folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = base.join(format!("wisen-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

fn seed() -> Vec<u8> {
    let folder = folder();
    let store = Store::open(":memory:", Options::new(2)).expect("opens");
    for i in 0..3 {
        let memory = Memory::new(format!("m{i}"), [1.0, i as f32]).key(i.to_string()).author("ann");
        let id = store.remember(memory).expect("is stored");
        let receipt = store.recall(&Query::new([1.0, 0.5])).expect("answers").receipt.expect("a receipt");
        store.report(&Report::on(receipt, Outcome::Success).used(id).note("n")).expect("is stored");
        if i == 1 {
            store.pin(id).expect("is pinned");
        }
    }
    store.export(folder.join("seed"), true).expect("exports");
    let text = std::fs::read(folder.join("seed")).expect("is there");
    let end = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("lines");
    [b"1", &text[..=end]].concat()
}

libfuzzer_sys::fuzz_target!(
    init: {
        if let Ok(path) = std::env::var("WISEN_FUZZ_SEED") {
            std::fs::write(path, seed()).expect("the seed can be written");
        }
    },
    |bytes: &[u8]| {
        let Some((first, body)) = bytes.split_first() else { return };
        let folder = folder();
        let (file, store) = (folder.join("export"), folder.join("store"));
        let mut text = body.to_vec();
        if first % 2 == 1 {
            let rows = body.iter().filter(|byte| **byte == b'\n').count().saturating_sub(1);
            let sum = xxhash_rust::xxh3::xxh3_128(body);
            text.extend(format!("{{\"checksum\":\"{sum:032x}\",\"rows\":{rows}}}\n").bytes());
        }
        std::fs::write(&file, text).expect("can be written");
        match Store::import(&file, &store) {
            Err(error) => assert!(
                matches!(error.code(), ErrorCode::BadImport | ErrorCode::Corrupt | ErrorCode::NewerSchema),
                "{error}"
            ),
            Ok(()) => {
                let imported = Store::open(&store, Options::existing().threads(1)).expect("what was imported opens");
                let found = imported.verify().expect("can be checked");
                assert!(found.is_ok(), "{found:?}");
                let query = Query::new(vec![1.0; imported.stats().expect("counts").dimension]).receipt(false);
                imported.recall(&query).expect("answers");
                imported.export(&file, true).expect("exports");
                drop(imported);
                std::fs::remove_dir_all(&store).expect("goes");
                Store::import(&file, &store).expect("its export can be imported");
                std::fs::remove_dir_all(&store).expect("goes");
            }
        }
    }
);
