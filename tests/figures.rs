//! What the figures say of memory, and whether it is true.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use wisen::{
    ErrorCode, Figures, ManualClock, Memory, MemoryId, Options, Outcome, Query, Recall, Report, Scope, Store,
    Uplift, Verdict, Window,
};
use wisen_tests::{Place, assert_sound};

const START: i64 = 1_700_000_000_000_000;
const DAY: i64 = 86_400_000_000;

/// A vector that points along one axis.
fn axis(i: usize) -> Vec<f32> {
    (0..4).map(|j| f32::from(u8::from(i == j))).collect()
}

fn close(a: Option<f64>, b: f64) -> bool {
    a.is_some_and(|a| (a - b).abs() < 1e-12)
}

/// The numbers that are counted, so that two figures can be compared at a glance.
fn counts(f: &Figures) -> [u64; 10] {
    [
        f.attempts,
        f.successes,
        f.failures,
        f.unknown,
        f.durable_successes,
        f.tokens,
        f.told_tokens,
        f.told_cost,
        f.recalls,
        f.hits,
    ]
}

/// Every definition on a case small enough to compute by hand.
#[test]
fn figures_are_what_their_definitions_say() {
    let clock = Arc::new(ManualClock::at(START));
    let place = Place::new();
    let store = place.open(Options::new(4).clock(clock.clone()));
    let at_day = |day: f64| {
        let wanted = (day * DAY as f64) as i64 + START;
        let now = wisen::Clock::now(&*clock);
        clock.advance(Duration::from_micros((wanted - now).try_into().unwrap()));
    };
    let remember = |name: &str, i| store.remember(Memory::new("x", axis(i)).namespace(name)).unwrap();
    let (a1, a2, b1) = (remember("a", 0), remember("a", 1), remember("b", 2));
    let recall = |names: &[&str]| {
        let query = Query::new(axis(0));
        store.recall(&names.iter().fold(query, |query, name| query.namespace(*name))).unwrap()
    };
    let on = |recall: &Recall, outcome| Report::on(recall.receipt.unwrap(), outcome);
    let tell = |report: Report| store.report(&report).unwrap();

    let first = recall(&["a"]);
    tell(on(&first, Outcome::Success).used(a1).tokens(100).cost_micros(1000));
    tell(on(&recall(&["a"]), Outcome::Graded(0.5)).tokens(50));
    recall(&["a"]);
    at_day(1.0);
    tell(on(&recall(&["a"]), Outcome::Failure).used(a1).tokens(30).cost_micros(500));
    tell(on(&recall(&["a", "b"]), Outcome::Success).used(b1));
    tell(on(&recall(&["a"]), Outcome::Unknown).used(a1).tokens(20));
    at_day(2.0);
    tell(Report::on_memory(b1, Outcome::Success).tokens(10));
    // The owner has the last word on what others praise.
    let overruled = recall(&["a"]);
    tell(on(&overruled, Outcome::Success).used(a1).tokens(11).reporter("somebody"));
    at_day(3.0);
    tell(on(&overruled, Outcome::Failure).used(a1));
    let query = Query::new(axis(0)).namespace("a").hold_out(0.5);
    let withheld = (0..1000)
        .map(|seed| store.recall(&query.clone().seed(seed)).unwrap())
        .find(|recall| recall.withheld)
        .unwrap();
    tell(on(&withheld, Outcome::Success).tokens(7));
    at_day(4.0);
    tell(on(&recall(&["a"]), Outcome::Success).used(a2));
    let old = recall(&["a"]);
    tell(on(&old, Outcome::Success).used(a1));

    at_day(4.5);
    let all_time = Window::new(START, START + 100 * DAY);
    let early = store.figures(Some("a"), all_time).unwrap();
    assert_eq!((early.successes, early.durable_successes, early.maturing), (6, 6, 6), "so far");
    at_day(5.0);
    // Contradicted in time, forgotten in time, contradicted too late.
    tell(on(&first, Outcome::Failure).used(a1).tokens(5));
    at_day(6.0);
    store.forget(a2).unwrap();
    at_day(20.0);
    tell(on(&old, Outcome::Failure).used(a1));
    at_day(30.0);

    let a = store.figures(Some("a"), all_time).unwrap();
    assert_eq!(counts(&a), [8, 6, 2, 1, 4, 223, 6, 2, 7, 4]);
    assert_eq!((a.cost_micros, a.maturing), (1500, 0));
    assert!(close(a.success_rate, 0.75) && close(a.hit_rate, 4.0 / 7.0));
    assert!(close(a.tokens_per_durable_success, 55.75) && close(a.micros_per_durable_success, 375.0));
    let rates = |f: &Figures| [f.with_memory, f.without_memory].map(|r| (r.outcomes, r.successes));
    assert_eq!(rates(&a), [(6.0, 4.0), (2.0, 2.0)]);
    assert!(a.over_time.is_empty() && (a.from, a.to) == (all_time.from, all_time.to));

    let b = store.figures(Some("b"), all_time).unwrap();
    assert_eq!(counts(&b), [2, 2, 0, 0, 2, 10, 1, 0, 1, 1]);
    assert_eq!((b.micros_per_durable_success, rates(&b)), (None, [(2.0, 2.0), (0.0, 0.0)]));
    let both = store.figures(None, all_time).unwrap();
    assert_eq!(counts(&both), [9, 7, 2, 1, 5, 233, 7, 2, 7, 4], "what searched both counts once");

    // A shorter time to last: what came on day 5 is too late, what came after exactly two days is not.
    let strict = store.figures(Some("a"), all_time.durable_days(2.0)).unwrap();
    assert_eq!((strict.successes, strict.durable_successes), (6, 5));

    // Slices share out what the whole counts; the end does not belong to a window.
    let sliced = store.figures(Some("a"), Window::new(START, START + 8 * DAY).slices(2)).unwrap();
    assert_eq!(counts(&sliced), counts(&a));
    let [left, right] = &sliced.over_time[..] else { panic!("two slices") };
    assert_eq!((left.from, left.to, right.to), (START, START + 4 * DAY, START + 8 * DAY));
    assert_eq!(counts(left), [6, 4, 2, 1, 3, 223, 6, 2, 5, 2]);
    assert_eq!(counts(right), [2, 2, 0, 0, 1, 0, 0, 0, 2, 2]);
    assert_eq!((close(left.success_rate, 4.0 / 6.0), right.tokens_per_durable_success), (true, None));
    let only = store.figures(Some("a"), Window::new(START + DAY, START + 3 * DAY)).unwrap();
    assert_eq!(counts(&only)[..4], [2, 1, 1, 1]);

    let nothing = store.figures(Some("nowhere"), all_time).unwrap();
    assert_eq!((nothing.attempts, nothing.success_rate), (0, None));
    let inside_out = Window::new(START, START);
    let wrong =
        [inside_out, all_time.durable_days(-1.0), all_time.durable_days(f64::NAN), all_time.slices(0)];
    for window in wrong {
        assert_eq!(store.figures(None, window).unwrap_err().code(), ErrorCode::InvalidArgument);
    }

    // Another handle, and the store reopened, say the same.
    let again = || place.open(Options::existing().clock(clock.clone())).figures(Some("a"), all_time).unwrap();
    assert_eq!(again(), a);
    store.close().unwrap();
    assert_eq!(again(), a);
}

/// Neither the end of a memory's time nor the end of its namespace says anything against it.
#[test]
fn expiring_and_dropping_contradict_nothing() {
    let clock = Arc::new(ManualClock::at(START));
    let store = Store::open(":memory:", Options::new(4).clock(clock.clone())).unwrap();
    let brief = Memory::new("x", axis(0)).time_to_live(Duration::from_hours(24));
    let brief = store.remember(brief).unwrap();
    let dropped = store.remember(Memory::new("x", axis(1)).namespace("gone")).unwrap();
    let forgotten = store.remember(Memory::new("x", axis(2))).unwrap();
    for id in [brief, dropped, forgotten] {
        store.report(&Report::on_memory(id, Outcome::Success)).unwrap();
    }
    clock.advance(Duration::from_hours(48));
    store.seal().unwrap();
    assert!(store.get(brief).unwrap().is_none(), "its time was over, and it was swept");
    let window = Window::new(START, START + DAY);
    assert_eq!(store.figures(None, window).unwrap().durable_successes, 3);
    store.drop_namespace("gone").unwrap();
    assert_eq!(store.figures(None, window).unwrap().durable_successes, 3);
    store.forget(forgotten).unwrap();
    assert_eq!(store.figures(None, window).unwrap().durable_successes, 2);
}

/// A world of easy and hard requests. `bad` fits the easy ones, and spoils some of them; `good` fits the
/// hard ones, and saves some of them.
struct World {
    store: Store,
    bad: MemoryId,
    good: MemoryId,
    rng: fastrand::Rng,
}

impl World {
    fn new(store: Store) -> Self {
        let remember = |i| store.remember(Memory::new("x", axis(i)).namespace("world")).unwrap();
        let (bad, good) = (remember(0), remember(1));
        Self { store, bad, good, rng: fastrand::Rng::with_seed(1) }
    }

    /// Lives through `n` requests, 8 of 10 of them easy.
    fn live(&mut self, n: usize, hold_out: f64, reporter: Option<&str>) {
        for _ in 0..n {
            let easy = self.rng.f64() < 0.8;
            let query = Query::new(axis(usize::from(!easy))).namespace("world").k(1);
            let recall = self.store.recall(&query.hold_out(hold_out).seed(self.rng.u64(..))).unwrap();
            let chance = match (easy, recall.hits.first().map(|hit| hit.id)) {
                (true, Some(id)) if id == self.bad => 0.8,
                (true, _) => 0.95,
                (false, Some(id)) if id == self.good => 0.5,
                (false, _) => 0.2,
            };
            let outcome = if self.rng.f64() < chance { Outcome::Success } else { Outcome::Failure };
            let mut report = Report::on(recall.receipt.unwrap(), outcome);
            if let Some(name) = reporter {
                report = report.reporter(name);
            }
            self.store.report(&report).unwrap();
        }
    }
}

/// By what was observed the harmful memory looks best of all, because it is shown on easy requests; by
/// what happens without it, it harms.
#[test]
fn uplift_finds_harm_that_success_rates_hide() {
    let mut world = World::new(Store::open(":memory:", Options::new(4)).unwrap());
    world.live(1500, 0.3, None);
    let everything = Window::new(0, i64::MAX);
    let figures = world.store.figures(Some("world"), everything).unwrap();
    let [with, without] = [figures.with_memory.mean, figures.without_memory.mean];
    let seen = world.store.recall(&Query::new(axis(0)).namespace("world").k(2)).unwrap();
    let observed = seen.hits.iter().find(|hit| hit.id == world.bad).unwrap().probability();
    assert!(observed > 0.75, "{observed}");

    let bad = world.store.uplift(Scope::Memory(world.bad)).unwrap();
    assert_eq!(bad.verdict, Verdict::Harms, "{bad:?}");
    assert!((-0.25..-0.07).contains(&bad.difference) && bad.interval.1 < 0.0, "{bad:?}");
    assert!(bad.with.mean > 0.75 && bad.with.mean > with, "{bad:?} against {with} and {without}");
    let good = world.store.uplift(world.good).unwrap();
    assert_eq!(good.verdict, Verdict::Helps, "{good:?}");
    assert!(good.interval.0 < 0.3 && good.interval.1 > 0.3, "{good:?}");
    // 0.8 * -0.15 + 0.2 * 0.3 = -0.06 for the two together.
    let both = world.store.uplift(Scope::namespace("world")).unwrap();
    assert!(both.interval.0 < -0.06 && both.interval.1 > -0.06, "{both:?}");
    let outcomes = |uplift: &Uplift| uplift.with.outcomes + uplift.without.outcomes;
    assert!(outcomes(&both) > 900.0 && outcomes(&bad) > 700.0 && outcomes(&bad) < 1000.0);
    assert_sound(&world.store);
}

/// Recalls without hold-out count on neither side, nor does what others report; too few say so.
#[test]
fn uplift_counts_only_what_chance_decided() {
    let place = Place::new();
    let mut world = World::new(place.open(Options::new(4)));
    let (bad, here) = (world.bad, Scope::namespace("world"));
    let empty = |uplift: Uplift| {
        assert_eq!(uplift.verdict, Verdict::InsufficientData);
        assert!(uplift.with.outcomes + uplift.without.outcomes == 0.0, "{uplift:?}");
    };
    world.live(100, 0.0, None);
    world.live(200, 0.4, Some("somebody"));
    empty(world.store.uplift(bad).unwrap());
    empty(world.store.uplift(here.clone()).unwrap());
    empty(world.store.uplift(Scope::namespace("nowhere")).unwrap());
    let nobody = world.store.uplift(MemoryId(999)).unwrap_err();
    assert_eq!(nobody.code(), ErrorCode::UnknownMemory);

    world.live(40, 0.1, None);
    let few = world.store.uplift(here.clone()).unwrap();
    assert_eq!(few.verdict, Verdict::InsufficientData, "{few:?}");
    assert!(few.with.outcomes > 20.0, "the numbers are given all the same: {few:?}");
    world.live(200, 0.4, None);
    let more = world.store.uplift(here.clone()).unwrap();
    assert_ne!(more.verdict, Verdict::InsufficientData, "{more:?}");

    // Further reports of the owner on a recall change its one outcome, and add none.
    let query = Query::new(axis(0)).namespace("world").k(1).hold_out(0.4);
    let whole = (0..1000)
        .map(|seed| world.store.recall(&query.clone().seed(seed)).unwrap())
        .find(|recall| !recall.hits.is_empty())
        .unwrap();
    let after = |outcome| {
        world.store.report(&Report::on(whole.receipt.unwrap(), outcome)).unwrap();
        world.store.uplift(here.clone()).unwrap().with
    };
    let (one, two) = (after(Outcome::Success), after(Outcome::Failure));
    assert!(one.outcomes > more.with.outcomes);
    assert!((one.outcomes - two.outcomes).abs() < 1e-9 && two.mean < one.mean, "{one:?} {two:?}");
    assert_eq!(after(Outcome::Unknown), two);
    world.store.forget(bad).unwrap();
    let (of_bad, of_all) = (world.store.uplift(bad).unwrap(), world.store.uplift(here.clone()).unwrap());
    assert!(of_bad.with.outcomes > 20.0, "a forgotten memory can be asked about");
    let other = place.open(Options::existing());
    assert_eq!(other.uplift(bad).unwrap(), of_bad);
    world.store.close().unwrap();
    drop(world);
    assert_eq!(place.open(Options::existing()).uplift(here).unwrap(), of_all);
}
