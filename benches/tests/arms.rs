//! The arms are what their names say: on the first 1,500 events each picks as often rightly as the
//! NumPy programs did that the published figures come from.

use wisen::Options;
use wisen_benches::arms::{Kind, Verdicts, walk};
use wisen_benches::cosines::Cosines;
use wisen_benches::data::{self, Stream};
use wisen_benches::measure::{Trace, bootstrap, difference};

const EVENTS: usize = 1500;

fn replay(kind: Kind, stream: &Stream, cosines: &Cosines) -> Trace {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = Options::new(stream.dimension());
    let mut arm = kind.start(stream, cosines, &folder.path().join("store"), &options).expect("start");
    let (trace, picks) = walk(arm.as_mut(), stream, EVENTS, &Verdicts::true_ones(EVENTS)).expect("walk");
    arm.finish().expect("finish");
    assert_eq!(picks.len(), EVENTS);
    trace
}

#[test]
fn every_rule_picks_as_the_reference_does() {
    // Right picks, and Brier score of all events (0: the rule promises nothing).
    let expected = [
        ("similarity", [(1056, 0.171_93), (959, 0.217_21)]),
        ("sim-x-posterior", [(1117, 0.192_62), (882, 0.259_48)]),
        ("sim+logit", [(1104, 0.176_60), (938, 0.238_98)]),
        ("tempera", [(912, 0.291_25), (510, 0.275_30)]),
        ("memrl", [(1095, 0.200_03), (829, 0.307_29)]),
        ("velesdb", [(981, 0.285_34), (647, 0.372_66)]),
        ("agentdb", [(1074, 0.199_67), (489, 0.241_96)]),
        ("hindsight", [(1079, 0.174_53), (958, 0.223_25)]),
        ("contextual", [(1160, 0.163_51), (967, 0.220_59)]),
        ("grow", [(1116, 0.0), (926, 0.0)]),
        ("absolute", [(1165, 0.163_89), (922, 0.421_58)]),
        ("experience", [(1150, 0.173_80), (969, 0.198_25)]),
    ];
    for (i, name) in ["banking77-bad", "metatool"].into_iter().enumerate() {
        let stream = Stream::load(&data::shipped(), name).expect(name);
        let cosines = Cosines::of(&stream, EVENTS);
        for (arm, figures) in &expected {
            let trace = replay(Kind::parse(arm).expect(arm), &stream, &cosines);
            let (right, brier) = figures[i];
            let found = trace.hits.iter().filter(|hit| **hit).count();
            // One order of equals, or of additions, is as good as another.
            assert!(found.abs_diff(right) <= 2, "{name}, {arm}: {found} right, not {right}");
            let promised = trace.brier(0..EVENTS);
            assert!(promised.is_nan() || (promised - brier).abs() < 1e-3, "{name}, {arm}: Brier {promised}");
            assert_eq!(promised.is_nan(), *arm == "grow");
        }
    }
}

#[test]
fn wisen_is_no_worse_than_the_exact_reference() {
    for name in ["banking77-bad", "metatool"] {
        let stream = Stream::load(&data::shipped(), name).expect(name);
        let cosines = Cosines::of(&stream, EVENTS);
        let exact = replay(Kind::Experience, &stream, &cosines);
        let wisen = replay(Kind::Wisen, &stream, &cosines);
        let gain = difference(&wisen, &exact, wisen.last_half());
        println!("{name}: {gain:?}, Brier {}", wisen.brier(wisen.last_half()));
        assert!(gain.mean > -0.015, "{name}: {gain:?}");
        let half = wisen.last_half();
        assert!(wisen.brier(half.clone()) < exact.brier(half) + 0.005, "{name}: the promises got worse");
    }
}

#[test]
fn an_interval_covers_the_truth_about_as_often_as_it_says() {
    let mut rng = fastrand::Rng::with_seed(21);
    let mut covered = 0;
    for _ in 0..200 {
        let values: Vec<f64> = (0..150).map(|_| f64::from(u8::from(rng.f64() < 0.3))).collect();
        let interval = bootstrap(&values);
        assert!(interval.low <= interval.mean && interval.mean <= interval.high);
        covered += usize::from(interval.low <= 0.3 && 0.3 <= interval.high);
    }
    assert!((180..=198).contains(&covered), "{covered} of 200");
}
