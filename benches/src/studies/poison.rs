//! Memory poisoning: what fake reports buy. After the attack named `MemoryGraft`, which plants fake
//! successes so that a later recall brings them up.
//!
//! A planted memory has the text of another action and lies half way between that action's words and
//! the requests of its target intent. Whoever planted it reports successes for requests of the
//! target. Asked are later requests of the target; nothing is reported on them.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use wisen::{Memory, MemoryId, Options, Outcome, Query, Report, Store};

use crate::data::Stream;
use crate::npy::Matrix;

/// Who makes the fake reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The owner of the store: no defence.
    Owner,
    /// One name that is not registered.
    One,
    /// One principal that the owner has registered, gone bad.
    Registered,
    /// So many names, by turns.
    Several(usize),
}

impl By {
    /// In words.
    pub fn name(self) -> String {
        match self {
            By::Owner => "owner (no defence)".to_owned(),
            By::One => "one identity".to_owned(),
            By::Registered => "one registered".to_owned(),
            By::Several(n) => format!("{n} identities"),
        }
    }

    fn sign(self, report: Report, target: usize, i: usize, token: &str) -> Report {
        match self {
            By::Owner => report,
            By::Registered => report.reporter(format!("agent {target}")).token(token),
            By::One => report.reporter(format!("intruder {target}")),
            By::Several(n) => report.reporter(format!("intruder {target}.{}", i % n)),
        }
    }
}

/// An attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attack {
    /// Fake reports for each target.
    pub fakes: usize,
    /// Who makes them.
    pub by: By,
    /// On receipts of recalls, instead of on the memory.
    pub on_receipts: bool,
}

/// What it achieved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loot {
    /// Targets attacked.
    pub targets: usize,
    /// Requests asked.
    pub asked: usize,
    /// Share of the requests at which the planted memory, or the one slandered, is the first hit.
    pub share: f64,
    /// Share of the fake reports that could be made: on a receipt, the memory must have been shown.
    pub made: f64,
}

/// A store before the attack, and the targets.
pub struct Scene<'a> {
    stream: &'a Stream,
    folder: &'a Path,
    targets: Vec<Target>,
}

#[derive(Debug, Clone)]
struct Target {
    action: String,
    /// Text of another action, and its vector drawn half way towards the target.
    plant: (String, Vec<f32>),
    /// Requests the intruder knows: those of the past.
    known: Vec<usize>,
    /// Requests that come later.
    asked: Vec<usize>,
}

/// Requests that are asked of a target, at most.
const ASKED: usize = 40;
/// Requests an intruder draws the vector of its plant from.
const SEEN: usize = 5;

impl<'a> Scene<'a> {
    /// Remembers the stream in a store in the empty folder `folder`, lives honestly through the first
    /// `honest` events as the owner, and draws `targets` targets.
    pub fn prepare(folder: &'a Path, stream: &'a Stream, honest: usize, targets: usize) -> Result<Self> {
        let store = Store::open(folder.join("honest"), Options::new(stream.dimension()))?;
        let memories = stream.memories.iter().zip(stream.memory_vectors.rows());
        let ids = store.remember_many(memories.map(|(m, v)| Memory::new(&m.text, v)).collect())?;
        let rows: HashMap<MemoryId, usize> = ids.into_iter().enumerate().map(|(row, id)| (id, row)).collect();
        for event in 0..honest {
            let recall = store.recall(&Query::new(stream.event_vectors.row(event)).k(1))?;
            let hit = recall.hits.first().context("a store with memories recalled none")?;
            let right = stream.is_right(rows[&hit.id], event);
            let outcome = if right { Outcome::Success } else { Outcome::Failure };
            store.report(&Report::on(recall.receipt.context("no receipt")?, outcome))?;
        }
        store.close()?;
        Ok(Self { stream, folder, targets: draw(stream, targets)? })
    }

    /// Plants a memory for each target, makes the fake successes, and asks.
    pub fn plant(&self, attack: Attack) -> Result<Loot> {
        let store = self.copy()?;
        let mut plants = Vec::new();
        let mut made = 0;
        for (i, target) in self.targets.iter().enumerate() {
            let id = store.remember(Memory::new(&target.plant.0, target.plant.1.as_slice()))?;
            plants.push(id);
            made += self.fake(&store, id, (i, target), attack, Outcome::Success)?;
        }
        let (mut taken, mut asked) = (0, 0);
        for (target, plant) in self.targets.iter().zip(&plants) {
            taken += self.first_hits(&store, target)?.iter().filter(|hit| *hit == plant).count();
            asked += target.asked.len();
        }
        self.done(&store, (taken, asked), made, attack)
    }

    /// Slanders the memory that is most often the first hit of each target, and asks where it was.
    pub fn slander(&self, attack: Attack) -> Result<Loot> {
        let store = self.copy()?;
        let (mut kept, mut asked, mut made) = (0, 0, 0);
        for (i, target) in self.targets.iter().enumerate() {
            let before = self.first_hits(&store, target)?;
            let mut often: BTreeMap<MemoryId, usize> = BTreeMap::new();
            for id in &before {
                *often.entry(*id).or_default() += 1;
            }
            let (victim, _) = often.into_iter().max_by_key(|(_, n)| *n).context("nothing was asked")?;
            made += self.fake(&store, victim, (i, target), attack, Outcome::Failure)?;
            let after = self.first_hits(&store, target)?;
            let pairs = before.iter().zip(&after).filter(|(id, _)| **id == victim);
            for (_, now) in pairs {
                asked += 1;
                kept += usize::from(*now == victim);
            }
        }
        self.done(&store, (kept, asked), made, attack)
    }

    /// Makes the fake reports for one target; returns how many could be made.
    fn fake(
        &self,
        store: &Store,
        memory: MemoryId,
        (number, target): (usize, &Target),
        attack: Attack,
        outcome: Outcome,
    ) -> Result<usize> {
        let token = match attack.by {
            By::Registered => store.register(&format!("agent {number}"), None)?,
            _ => String::new(),
        };
        let mut made = 0;
        for i in 0..attack.fakes {
            let vector = self.stream.event_vectors.row(target.known[i % target.known.len()]);
            let report = if attack.on_receipts {
                let recall = store.recall(&Query::new(vector).k(10))?;
                if recall.hits.iter().all(|hit| hit.id != memory) {
                    continue;
                }
                Report::on(recall.receipt.context("no receipt")?, outcome).used(memory)
            } else {
                Report::on_memory(memory, outcome).situation(vector)
            };
            store.report(&attack.by.sign(report, number, i, &token))?;
            made += 1;
        }
        Ok(made)
    }

    fn first_hits(&self, store: &Store, target: &Target) -> Result<Vec<MemoryId>> {
        let ask = |event: &usize| {
            let query = Query::new(self.stream.event_vectors.row(*event)).k(1).receipt(false);
            Ok(store.recall(&query)?.hits.first().context("a store with memories recalled none")?.id)
        };
        target.asked.iter().map(ask).collect()
    }

    fn copy(&self) -> Result<Store> {
        let path = self.folder.join("attacked");
        copy_all(&self.folder.join("honest"), &path)?;
        Ok(Store::open(&path, Options::existing())?)
    }

    fn done(
        &self,
        store: &Store,
        (slots, asked): (usize, usize),
        made: usize,
        attack: Attack,
    ) -> Result<Loot> {
        store.close()?;
        fs::remove_dir_all(self.folder.join("attacked"))?;
        let tried = (attack.fakes * self.targets.len()) as f64;
        Ok(Loot {
            targets: self.targets.len(),
            asked,
            share: slots as f64 / asked as f64,
            made: made as f64 / tried,
        })
    }
}

/// Targets at random, each with its plant. The first half of the events is what intruders know.
fn draw(stream: &Stream, wanted: usize) -> Result<Vec<Target>> {
    let mut rng = fastrand::Rng::with_seed(5);
    let mut actions: Vec<&str> = stream.memories.iter().map(|item| item.action.as_str()).collect();
    actions.sort_unstable();
    actions.dedup();
    rng.shuffle(&mut actions);
    ensure!(actions.len() > wanted, "{} has only {} actions", stream.name, actions.len());
    let half = stream.events.len() / 2;
    let target = |action: &str| {
        let of_action = |range: std::ops::Range<usize>| range.filter(|e| stream.events[*e].action == action);
        let known: Vec<usize> = of_action(0..half).collect();
        let asked: Vec<usize> = of_action(half..stream.events.len()).take(ASKED).collect();
        if known.len() < SEEN || asked.is_empty() {
            return None;
        }
        let other = loop {
            let row = rng.usize(0..stream.memories.len());
            if stream.memories[row].action != action {
                break row;
            }
        };
        let sum =
            |column: usize| known[..SEEN].iter().map(|e| stream.event_vectors.row(*e)[column]).sum::<f32>();
        let middle = Matrix::new(stream.dimension(), (0..stream.dimension()).map(sum).collect()).unit();
        let own = stream.memory_vectors.row(other).iter();
        let between = own.zip(middle.row(0)).map(|(a, b)| f32::midpoint(*a, *b)).collect();
        let vector = Matrix::new(stream.dimension(), between).unit().row(0).to_vec();
        let plant = (stream.memories[other].text.clone(), vector);
        Some(Target { action: action.to_owned(), plant, known, asked })
    };
    let targets: Vec<Target> = actions.into_iter().filter_map(target).take(wanted).collect();
    ensure!(targets.len() == wanted, "{} has too few events for {wanted} targets", stream.name);
    Ok(targets)
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let path = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &path)?;
        } else {
            fs::copy(entry.path(), path)?;
        }
    }
    Ok(())
}

impl std::fmt::Debug for Scene<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let targets: Vec<&str> = self.targets.iter().map(|target| target.action.as_str()).collect();
        f.debug_struct("Scene").field("targets", &targets).finish_non_exhaustive()
    }
}
