//! Histories: seeded sequences of operations, each of which happens whole or not at all, and what a
//! store looks like after each. An attack runs a history on the store it attacks, and afterwards finds
//! out after which operation the store stands by comparing it with a twin that nothing attacked.
//!
//! A history works in one namespace and does not look at others, so several may be run on one store. Only one that has
//! the store to itself ([`ALONE`]) halts it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::time::Duration;

use wisen::{
    HaltLevel, Memory, MemoryId, Options, Outcome, Query, Report, Result, SecretKey, StandingState, Store,
    Update, Window, parse_rules,
};

/// Numbers per vector of every store under attack.
pub const DIM: usize = 8;
/// A history keeps about so many memories.
const FEW: usize = 60;
/// And so many directives at most.
const RULES: usize = 4;
/// A seed with this bit: the history has the store to itself.
pub const ALONE: u64 = 1 << 50;
/// For how long a fact holds.
const DAY: Duration = Duration::from_hours(24);

/// One operation: one transaction. Memories are named by number.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Remembers one memory.
    Remember(u64),
    /// Remembers some memories at once.
    Batch(u64, u64),
    /// Changes text and vector of a memory.
    Update(u64),
    /// Replaces a memory by a new one.
    Supersede(u64, u64),
    /// Forgets a memory.
    Forget(u64),
    /// Reports on a memory, through a recall where it is shown.
    Report(u64, Outcome),
    /// Reports a failure that quarantines the memory.
    Severe(u64),
    /// Pins a memory.
    Pin(u64),
    /// Takes a memory out of use.
    Retire(u64),
    /// Puts a quarantined or retired memory on probation.
    Release(u64),
    /// Puts a directive in force about the text of a memory.
    Rule(u64),
    /// Lifts it, for as long as the test takes.
    Lift(u64),
    /// Takes it out of force.
    Unrule(u64),
    /// Records a fact.
    Fact(u64),
    /// Halts all writing.
    Halt,
    /// Ends the halt.
    Resume,
}

impl Op {
    /// Whether it is durable once it is acknowledged, whatever the store's durability is.
    pub fn is_durable(&self) -> bool {
        matches!(self, Op::Rule(_) | Op::Lift(_) | Op::Unrule(_) | Op::Halt | Op::Resume)
    }
}

/// A history: what is done in which order follows from its seed alone.
#[derive(Debug, Clone)]
pub struct History {
    seed: u64,
    done: u64,
    next: u64,
    /// How each memory that can be a hit stands; the flag: whether it is pinned.
    active: BTreeMap<u64, bool>,
    barred: Vec<u64>,
    /// Directives in force, by the memory each is about; the flag: whether it is lifted.
    rules: BTreeMap<u64, bool>,
    halted: bool,
}

impl History {
    /// The history of this seed, before its first operation.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            done: 0,
            next: 0,
            active: BTreeMap::new(),
            barred: Vec::new(),
            rules: BTreeMap::new(),
            halted: false,
        }
    }

    /// The namespace it works in.
    pub fn namespace(&self) -> String {
        format!("h{:x}", self.seed)
    }

    /// How many operations are done.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// The history after `done` operations.
    pub fn after(seed: u64, done: u64) -> Self {
        let mut history = Self::new(seed);
        for _ in 0..done {
            history.step();
        }
        history
    }

    /// The next operation; it counts as done from now on.
    pub fn step(&mut self) -> Op {
        let mut rng = fastrand::Rng::with_seed(self.seed.wrapping_mul(0x9e37_79b9).wrapping_add(self.done));
        self.done += 1;
        let any: Vec<u64> = self.active.keys().copied().collect();
        let free: Vec<u64> = self.active.iter().filter(|(_, pinned)| !**pinned).map(|(n, _)| *n).collect();
        let new = self.next;
        if self.halted {
            self.halted = false;
            return Op::Resume;
        }
        if any.len() < 8 {
            return self.add(Op::Batch(new, 4), new..new + 4);
        }
        if any.len() > FEW {
            let gone = any[rng.usize(..any.len() / 2)];
            self.active.remove(&gone);
            return Op::Forget(gone);
        }
        let one = any[rng.usize(..any.len())];
        match rng.u32(..116) {
            0..26 => self.add(Op::Remember(new), new..new + 1),
            26..32 => self.add(Op::Batch(new, 5), new..new + 5),
            32..40 => Op::Update(one),
            40..44 => {
                self.active.remove(&one);
                self.add(Op::Supersede(one, new), new..new + 1)
            }
            44..52 => {
                self.active.remove(&one);
                Op::Forget(one)
            }
            52..88 => {
                let outcomes = [Outcome::Success, Outcome::Success, Outcome::Failure, Outcome::Graded(0.5)];
                Op::Report(one, outcomes[rng.usize(..4)])
            }
            88..91 if !free.is_empty() => self.bar(Op::Severe, free[rng.usize(..free.len())]),
            91..94 if !free.is_empty() => self.bar(Op::Retire, free[rng.usize(..free.len())]),
            94..97 if !self.barred.is_empty() => {
                // On probation it may or may not be a hit: no more is done with it.
                let at = rng.usize(..self.barred.len());
                Op::Release(self.barred.swap_remove(at))
            }
            97..102 => {
                self.active.insert(one, true);
                Op::Pin(one)
            }
            102..105 => Op::Fact(new),
            105..110 if self.seed & ALONE != 0 => {
                self.halted = true;
                Op::Halt
            }
            _ => self.govern(one, &mut rng),
        }
    }

    /// Something about the directive on this memory, or, where there are enough, on another.
    fn govern(&mut self, one: u64, rng: &mut fastrand::Rng) -> Op {
        let ruled = self.rules.keys().copied().nth(rng.usize(..RULES));
        match ruled {
            Some(n) if rng.bool() || self.rules[&n] => {
                self.rules.remove(&n);
                Op::Unrule(n)
            }
            Some(n) => {
                self.rules.insert(n, true);
                Op::Lift(n)
            }
            None if self.rules.contains_key(&one) => Op::Fact(one),
            None => {
                self.rules.insert(one, false);
                Op::Rule(one)
            }
        }
    }

    fn add(&mut self, op: Op, new: std::ops::Range<u64>) -> Op {
        self.next = new.end;
        self.active.extend(new.map(|n| (n, false)));
        op
    }

    fn bar(&mut self, op: fn(u64) -> Op, memory: u64) -> Op {
        self.active.remove(&memory);
        self.barred.push(memory);
        op(memory)
    }

    fn vector(&self, n: u64) -> Vec<f32> {
        crate::vectors(self.seed.wrapping_add(n << 20), 1, DIM).remove(0)
    }

    fn memory(&self, n: u64) -> Memory {
        Memory::new(format!("memory {n} {}", "x".repeat((n * 37 % 300) as usize)), self.vector(n))
            .namespace(self.namespace())
            .key(n.to_string())
    }

    /// The id of the directive about a memory.
    fn rule(&self, n: u64) -> String {
        format!("{}-{n}", self.namespace())
    }

    /// The directive about a memory, as text: every other one bars it, the others have it rank lower.
    fn directive(&self, n: u64) -> String {
        let verb = if n.is_multiple_of(2) { "NEVER" } else { "AVOID" };
        let (id, namespace) = (self.rule(n), self.namespace());
        format!(
            r#"{verb} "{id}" because "attack" in namespace "{namespace}" when text matches /^memory {n} /"#
        )
    }

    /// Questions to the store, whose answers belong to what it holds.
    fn queries(&self) -> impl Iterator<Item = Query> {
        let vectors = crate::vectors(self.seed ^ 0xabcd, 3, DIM).into_iter();
        let namespace = self.namespace();
        vectors.map(move |v| Query::new(v).k(12).receipt(false).seed(1).namespace(namespace.clone()))
    }
}

/// A history being run on a store.
#[derive(Debug)]
pub struct Run {
    /// The history, after the operations done.
    pub history: History,
    ids: HashMap<u64, MemoryId>,
    /// The key of the store's authority.
    pub key: SecretKey,
}

impl Run {
    /// Begins a history on a new store, which gets an authority.
    pub fn begin(store: &Store, seed: u64) -> Result<Self> {
        let key = store.create_authority("owner")?.secret.to_text();
        Self::resume(store, seed, 0, &key)
    }

    /// Goes on with a history on a store that stands after `done` of its operations. `key`: that of the store's
    /// authority, as text.
    pub fn resume(store: &Store, seed: u64, done: u64, key: &str) -> Result<Self> {
        let key = SecretKey::parse(key)?;
        let mut run = Run { history: History::after(seed, done), ids: HashMap::new(), key };
        run.look(store)?;
        Ok(run)
    }

    /// Finds the ids of the memories anew.
    pub fn look(&mut self, store: &Store) -> Result<()> {
        self.ids.clear();
        for record in store.iter(Some(&self.history.namespace())) {
            let record = record?;
            self.ids.extend(record.key.and_then(|key| key.parse().ok()).map(|n: u64| (n, record.id)));
        }
        Ok(())
    }

    /// Does the next operation.
    pub fn step(&mut self, store: &Store) -> Result<()> {
        let op = self.history.step();
        self.perform(store, &op)
    }

    /// Does an operation; the number of the history is taken as its number.
    pub fn perform(&mut self, store: &Store, op: &Op) -> Result<()> {
        let history = &self.history;
        let id = |n: &u64| self.ids.get(n).copied().unwrap_or(MemoryId(0));
        match op {
            Op::Remember(n) => {
                let id = store.remember(history.memory(*n))?;
                self.ids.insert(*n, id);
            }
            Op::Batch(first, count) => {
                let numbers = *first..first + count;
                let ids = store.remember_many(numbers.clone().map(|n| history.memory(n)).collect())?;
                self.ids.extend(numbers.zip(ids));
            }
            Op::Update(n) => {
                let vector = crate::vectors(history.seed ^ (history.done << 30), 1, DIM).remove(0);
                let change = Update::new().content(format!("changed by {}", history.done)).vector(vector);
                store.update(id(n), change)?;
            }
            Op::Supersede(old, new) => {
                let id = store.remember(history.memory(*new).supersedes(id(old)))?;
                self.ids.insert(*new, id);
            }
            Op::Forget(n) => drop(store.forget(id(n))?),
            Op::Report(n, outcome) => self.report(store, id(n), *outcome, false)?,
            Op::Severe(n) => self.report(store, id(n), Outcome::Failure, true)?,
            Op::Pin(n) => store.pin(id(n))?,
            Op::Retire(n) => store.retire(id(n), "attack")?,
            Op::Release(n) => store.release(id(n), "attack")?,
            Op::Rule(n) => drop(store.add_directives(&self.key, &parse_rules(&history.directive(*n))?)?),
            Op::Lift(n) => store.override_directive(&self.key, &history.rule(*n), "attack", i64::MAX)?,
            Op::Unrule(n) => store.remove_directive(&self.key, &history.rule(*n), "attack")?,
            Op::Fact(n) => store.record_fact(&history.rule(n % 3), &(*n).into(), DAY)?,
            Op::Halt => drop(store.halt("attack", HaltLevel::NoWrites)?),
            Op::Resume => drop(store.resume("attack", Some(&self.key))?),
        }
        Ok(())
    }

    fn report(&self, store: &Store, id: MemoryId, outcome: Outcome, severe: bool) -> Result<()> {
        let history = &self.history;
        let situation = history.vector(history.done % 7);
        let query = Query::new(situation.clone()).k(5).seed(history.done).namespace(history.namespace());
        let recall = store.recall(&query)?;
        let report = match recall.receipt.filter(|_| recall.hits.iter().any(|hit| hit.id == id)) {
            Some(receipt) => Report::on(receipt, outcome).used(id),
            None => Report::on_memory(id, outcome).situation(situation),
        };
        let key = format!("{} {}", history.namespace(), history.done);
        store.report(&report.severe(severe).key(key)).map(drop)
    }
}

const ANSWERS: &str = "answers\n";

/// The part of a look that says what is stored, without the answers. Evidence in a namespace with thousands of
/// cells is merged on a grid whose width comes from a sample by id, and ids depend on who else writes.
pub fn stored(words: &str) -> &str {
    words.split_once(ANSWERS).map_or(words, |(stored, _)| stored)
}

/// What a store holds of a history, in words: records, standings, directives, facts, the halt, audit, and answers to the
/// last bit.
/// Equal words, equal state. What is fitted in transactions of its own (calibration) is left out.
pub fn observe(store: &Store, seed: u64) -> Result<String> {
    let history = History::new(seed);
    let namespace = history.namespace();
    let mut words = String::new();
    let mut keys: HashMap<MemoryId, String> = HashMap::new();
    let mut records = Vec::new();
    for record in store.iter(Some(&namespace)) {
        let record = record?;
        keys.insert(record.id, record.key.clone().unwrap_or_default());
        records.push(record);
    }
    let key = |id: MemoryId| keys.get(&id).map_or("?", String::as_str);
    for record in &records {
        let bits: Vec<u32> = record.vector.iter().map(|x| x.to_bits()).collect();
        let successor = record.superseded_by.map(key);
        let _ = writeln!(words, "{} {:?} {:?} {bits:x?}", key(record.id), record.content, successor);
    }
    // Who halted it and why is in the control file only once the row is written.
    if let Some(halt) = store.halted()? {
        let _ = writeln!(words, "halted {}", halt.level.as_str());
    }
    if records.is_empty() {
        return Ok(words);
    }
    let mut directives = store.directives(Some(&namespace))?;
    directives.sort_by(|a, b| a.directive.id.cmp(&b.directive.id));
    for record in directives {
        let _ = writeln!(words, "{} {}", record.directive, record.lifted_until.is_some());
    }
    let own = format!("{namespace}-");
    for fact in store.facts()?.into_iter().filter(|fact| fact.name.starts_with(&own)) {
        let _ = writeln!(words, "{} {}", fact.name, fact.value);
    }
    // Every report of a history is one attempt.
    let attempts = store.figures(Some(&namespace), Window::new(0, i64::MAX))?.attempts;
    let _ = writeln!(words, "{attempts} reports");
    for standing in store.review(Some(&namespace))? {
        let state = match standing.state {
            StandingState::Active => "active",
            StandingState::Quarantined => "quarantined",
            StandingState::Probation => "probation",
            StandingState::Retired => "retired",
        };
        let _ = writeln!(words, "{} {state} {}", key(standing.id), standing.pinned);
    }
    for entry in store.audit_entries(0, 100_000)? {
        if entry.namespace.as_ref() == Some(&namespace) {
            // A forgotten memory has no key any more.
            let _ = writeln!(words, "{} {} {}", entry.actor, entry.op, entry.memory.map_or("", key));
        }
        let name = entry.detail["directive"].as_str().or(entry.detail["name"].as_str());
        if let Some(name) = name.filter(|name| name.starts_with(&own)) {
            let _ = writeln!(words, "{} {} {name}", entry.actor, entry.op);
        }
    }
    words.push_str(ANSWERS);
    for query in history.queries() {
        let recall = store.recall(&query)?;
        for hit in &recall.hits {
            let e = &hit.evidence;
            let (s, f) = (e.successes.to_bits(), e.failures.to_bits());
            let _ =
                writeln!(words, "{} {:x} {s:x} {f:x} {}", key(hit.id), hit.similarity.to_bits(), e.reports);
        }
        words.push('\n');
    }
    Ok(words)
}

/// How many halts were ended, as the audit tells. A resumption under way may be counted before it is done.
pub fn resumptions(store: &Store) -> Result<usize> {
    let entries = store.audit_entries(0, 100_000)?;
    Ok(entries.iter().filter(|entry| entry.op == "resume").count())
}

/// A store in memory that follows a history, and what it looked like after each operation.
#[derive(Debug)]
pub struct Twin {
    store: Store,
    run: Run,
    seen: Vec<String>,
}

impl Twin {
    /// A twin before the first operation.
    pub fn new(seed: u64) -> Result<Self> {
        let store = Store::open(":memory:", Options::new(DIM))?;
        let run = Run::begin(&store, seed)?;
        Ok(Self { store, run, seen: vec![String::new()] })
    }

    /// What a store holds after `done` operations. Only what was not passed over can be asked for.
    pub fn at(&mut self, done: u64) -> Result<&str> {
        while (self.seen.len() as u64) <= done {
            self.run.step(&self.store)?;
            let seen = observe(&self.store, self.run.history.seed)?;
            self.seen.push(seen);
        }
        Ok(&self.seen[done as usize])
    }

    /// Goes on to `done` without looking at what lies between.
    pub fn pass_to(&mut self, done: u64) -> Result<()> {
        while (self.seen.len() as u64) < done {
            self.run.step(&self.store)?;
            self.seen.push(String::new());
        }
        self.at(done).map(drop)
    }

    /// After how many operations, within `from..=to`, a store looks like this.
    pub fn find(&mut self, words: &str, from: u64, to: u64) -> Result<Option<u64>> {
        for done in from..=to {
            if self.at(done)? == words {
                return Ok(Some(done));
            }
        }
        Ok(None)
    }
}

/// The first line in which two looks differ.
pub fn difference(expected: &str, found: &str) -> String {
    if std::env::var("WISEN_LOOKS").is_ok() {
        println!("EXPECTED\n{expected}\nFOUND\n{found}");
    }
    let mut lines = expected.lines().zip(found.lines()).enumerate();
    match lines.find(|(_, (a, b))| a != b) {
        Some((n, (a, b))) => format!("line {n}: expected {a:?}, found {b:?}"),
        None => format!("{} lines expected, {} found", expected.lines().count(), found.lines().count()),
    }
}

/// How large an attack is: by the environment variable `WISEN_ATTACK`, a tenth of the figure for `ci`,
/// the figure itself under `ci`, or as many as it says (`WISEN_ATTACK=20000`).
pub fn size(ci: u64) -> u64 {
    match std::env::var("WISEN_ATTACK").as_deref() {
        Ok("ci") => ci,
        Ok(number) => number.parse().unwrap_or_else(|_| panic!("WISEN_ATTACK is no number: {number}")),
        Err(_) => ci.div_ceil(10),
    }
}

/// The seed of an attack: that in the environment variable `WISEN_SEED`, or another one each time. It is
/// printed, so that what was found can be done again.
pub fn seed(attack: &str) -> u64 {
    let seed = std::env::var("WISEN_SEED")
        .map_or_else(|_| fastrand::u64(..1 << 40), |seed| seed.parse().expect("WISEN_SEED is a number"));
    println!("{attack}: WISEN_SEED={seed}");
    seed
}
