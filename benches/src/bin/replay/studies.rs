//! Tables of the single questions.

use std::path::Path;

use anyhow::Result;
use wisen_benches::arms::{Kind, Verdicts};
use wisen_benches::cosines::Cosines;
use wisen_benches::data::Stream;
use wisen_benches::page::{Page, figure, percent};
use wisen_benches::studies::no_fit::{self, Told};
use wisen_benches::studies::poison::{Attack, By, Loot, Scene};
use wisen_benches::studies::quarantine::{self, Caught, Five};
use wisen_benches::studies::routing;

use super::Args;
use super::table::{self, Course};

/// Times the events are gone through for the tally of quarantine, at most.
const PASSES: u64 = 4;
/// Share of random verdicts in its second run.
const NOISE: f64 = 0.3;
/// Intents that are attacked.
const TARGETS: usize = 20;
/// Intents whose best memory is slandered.
const VICTIMS: usize = 3;
/// Fake failures for each of them.
const SLANDERS: usize = 10_000;
/// Events lived through honestly before an attack.
const HONEST: usize = 4_600;

/// Wrong memories caught and right ones quarantined; picks that go to wrong ones.
pub fn quarantine(args: &Args, data: &Path, page: &mut Page) -> Result<()> {
    page.section("Quarantine on banking77-bad, with the rule in force");
    let (stream, good) = (Stream::load(data, "banking77-bad")?, Stream::load(data, "banking77")?);
    let wrong = quarantine::wrong(&stream, &good);
    page.remark(&format!(
        "Pick drawn from five hits until each wrong memory was tried 20 times or is quarantined, at most {PASSES} \
         passes over the events. Nearest 5: by similarity. First 5: as ranked; there, what fails is soon not tried \
         any more. Judged: tried 20 times, or quarantined before."
    ));
    page.columns(&[
        "drawn from",
        "verdicts   ",
        "wrong",
        "judged",
        "caught of judged",
        "caught of all",
        "at the end   ",
        "right",
        "ever quarantined",
        "at the end   ",
        "events",
    ]);
    let runs =
        [(Five::Nearest, "true", 0.0), (Five::First, "true", 0.0), (Five::Nearest, "30 % random", NOISE)];
    for (five, name, noise) in runs {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("store");
        let Caught { wrong, right, judged, events } =
            quarantine::drawn(&path, &stream, &wrong, five, PASSES, noise)?;
        let of = |n: usize, all: usize| format!("{n} ({})", percent(n as f64 / all as f64));
        page.row(&[
            five.as_str().to_owned(),
            name.to_owned(),
            wrong.0.to_string(),
            judged.to_string(),
            of(wrong.1, judged),
            of(wrong.1, wrong.0),
            of(wrong.2, wrong.0),
            right.0.to_string(),
            of(right.1, right.0),
            of(right.2, right.0),
            events.to_string(),
        ]);
    }
    page.remark("Live ranking: share of the last quarter's picks that go to wrong memories.");
    page.columns(&["arm            ", "share", "hit rate of the last half"]);
    let course = Course {
        stream: &stream,
        events: stream.events.len(),
        cosines: Cosines::of(&stream, stream.events.len()),
    };
    for name in ["similarity", "grow", "experience", "wisen"] {
        let ran = table::run(args, Kind::parse(name)?, &course, &Verdicts::true_ones(course.events))?;
        page.row(&[
            name.to_owned(),
            percent(quarantine::share_of_wrong(&ran.picks, &wrong)),
            figure(ran.trace.hit_rate(ran.trace.last_half())),
        ]);
    }
    Ok(())
}

/// What fake reports buy.
pub fn poison(data: &Path, page: &mut Page) -> Result<()> {
    page.section("Poisoning on banking77");
    let stream = Stream::load(data, "banking77")?;
    page.remark(&format!(
        "A memory planted for each of {TARGETS} intents, half way between the words of another action and the \
         requests of its target, with fake successes on known requests. Share of later requests of the target \
         at which it is the first hit. Fresh: no report before. Seasoned: {HONEST} honest reports by the owner."
    ));
    page.columns(&[
        "store   ",
        "fakes",
        "by                 ",
        "on         ",
        "slot 1 taken",
        "reports made",
        "requests",
    ]);
    for (name, honest) in [("fresh", 0), ("seasoned", HONEST)] {
        let folder = tempfile::tempdir()?;
        let scene = Scene::prepare(folder.path(), &stream, honest, TARGETS)?;
        for attack in plants() {
            row(name, attack, scene.plant(attack)?, page);
        }
    }
    page.remark(&format!(
        "{SLANDERS} fake failures for the memory that is most often the first hit of an intent, {VICTIMS} intents, \
         seasoned store. Share of slot 1 it keeps of what it had."
    ));
    page.columns(&[
        "store   ",
        "fakes",
        "by                 ",
        "on         ",
        "slot 1 kept ",
        "reports made",
        "requests",
    ]);
    let folder = tempfile::tempdir()?;
    let scene = Scene::prepare(folder.path(), &stream, HONEST, VICTIMS)?;
    for by in [By::Owner, By::Registered, By::One, By::Several(100)] {
        for on_receipts in [false, true] {
            let attack = Attack { fakes: SLANDERS, by, on_receipts };
            row("seasoned", attack, scene.slander(attack)?, page);
        }
    }
    Ok(())
}

fn plants() -> Vec<Attack> {
    let mut attacks = vec![Attack { fakes: 0, by: By::Owner, on_receipts: false }];
    for on_receipts in [false, true] {
        for fakes in [1, 2, 5, 10] {
            let several = (fakes > 1).then_some(By::Several(fakes));
            let all = [By::Owner, By::Registered, By::One].into_iter().chain(several);
            attacks.extend(all.map(|by| Attack { fakes, by, on_receipts }));
        }
    }
    attacks
}

fn row(store: &str, attack: Attack, loot: Loot, page: &mut Page) {
    let nobody = attack.fakes == 0;
    page.row(&[
        store.to_owned(),
        attack.fakes.to_string(),
        if nobody { "nobody".to_owned() } else { attack.by.name() },
        if attack.on_receipts { "receipts" } else { "the memory" }.to_owned(),
        percent(loot.share),
        percent(loot.made),
        loot.asked.to_string(),
    ]);
}

/// How well queries that nothing fits are told from others.
pub fn no_fit(data: &Path, page: &mut Page) -> Result<()> {
    page.section("Nothing fits");
    page.remark(
        "Memories of every fourth action left out of the store; the first half of the events lived through; \
         AUROC on the second half, events of missing actions against the others. Across: requests to tools \
         in the store of the bank.",
    );
    page.columns(&[
        "stream                ",
        "reported      ",
        "out / in scope",
        "AUROC of 1 - fit",
        "of 1 - similarity",
        "mean fit out",
        "in    ",
    ]);
    let banking = Stream::load(data, "banking77")?;
    let metatool = Stream::load(data, "metatool")?;
    for told in [Told::Nothing, Told::InScope, Told::All] {
        let found = |name: &str, found: no_fit::Found, page: &mut Page| {
            page.row(&[
                name.to_owned(),
                told.as_str().to_owned(),
                format!("{} / {}", found.queries.0, found.queries.1),
                figure(found.by_fit),
                figure(found.by_similarity),
                figure(found.mean_fit.0),
                figure(found.mean_fit.1),
            ]);
        };
        for stream in [&banking, &metatool] {
            let folder = tempfile::tempdir()?;
            let of = no_fit::held_out(&folder.path().join("store"), stream, told)?;
            found(&stream.name, of, page);
        }
        if told != Told::All {
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("store");
            let across = no_fit::across(&path, &banking, &metatool.event_vectors, told)?;
            found("metatool in banking77", across, page);
        }
    }
    Ok(())
}

/// Two models, the cheap and the strong one.
pub fn routing(data: &Path, name: &str, page: &mut Page) -> Result<()> {
    let (questions, vectors) = routing::load(data, name)?;
    page.remark(&format!(
        "{name}: the first 100 questions by turns, then the strong model for a share of them; an answer by it \
         costs {:.0}, one by the cheap model 1.",
        routing::PRICE
    ));
    page.columns(&["stream    ", "routed by", "strong", "right ", "cost per success", "Brier ", "questions"]);
    let mut line = |by: &str, routed: routing::Routed| {
        page.row(&[
            name.to_owned(),
            by.to_owned(),
            percent(routed.strong),
            figure(routed.right),
            format!("{:.2}", routed.cost_per_success),
            figure(routed.brier),
            routed.questions.to_string(),
        ]);
    };
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        line("chance", routing::at_random(&questions, share));
        if share > 0.0 && share < 1.0 {
            let folder = tempfile::tempdir()?;
            line("wisen", routing::by_wisen(&folder.path().join("store"), &questions, &vectors, share)?);
        }
    }
    Ok(())
}
