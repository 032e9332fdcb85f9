//! Measures `check`: how long it takes to ask many directives about an action.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use serde_json::json;
use wisen::{Action, Answer, Memory, Options, Store, parse_rules};

/// Puts directives in force, asks them about actions, and prints the times of a check.
#[derive(Parser)]
struct Args {
    /// Directives
    #[arg(long, default_value_t = 1000)]
    rules: usize,
    /// Actions asked about, in each arrangement
    #[arg(long, default_value_t = 200_000)]
    actions: usize,
}

const WORDS: [&str; 24] = [
    "deploy", "delete", "push", "merge", "table", "customer", "invoice", "refund", "branch", "cluster",
    "secret", "token", "backup", "restore", "email", "payment", "account", "password", "index", "queue",
    "worker", "restart", "report", "archive",
];

fn main() -> Result<()> {
    let args = Args::parse();
    for (name, tools) in [("60 tools", 60), ("all of one tool", 1)] {
        let folder = tempfile::tempdir()?;
        let store = Store::open(folder.path().join("store"), Options::new(4))?;
        let key = store.create_authority("bench")?.secret;
        let mut rng = fastrand::Rng::with_seed(1);
        let rules = parse_rules(&rules(args.rules, tools, &mut rng))?;
        let begun = Instant::now();
        // Random rules hide each other now and then.
        store.force_directives(&key, &rules, "random rules")?;
        println!("{name}: {} directives added in {:.1} s", args.rules, begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        store.check(&Action::new("first"))?;
        println!(
            "  the first check, which reads and compiles them: {:.1} ms",
            begun.elapsed().as_secs_f64() * 1e3
        );
        let actions: Vec<Action> = (0..10_000).map(|_| action(tools, &mut rng)).collect();
        measure("nothing else happens", &args, &store, &actions, 0)?;
        measure("a memory is stored before every 10th check", &args, &store, &actions, 10)?;
    }
    Ok(())
}

/// Rules as owners write them: of tools, of their arguments (exact, glob, regular expression, numbers), of
/// texts, of tags.
fn rules(n: usize, tools: usize, rng: &mut fastrand::Rng) -> String {
    let mut text = String::new();
    for i in 0..n {
        let mut word = || WORDS[rng.usize(..WORDS.len())];
        let (a, b) = (word(), word());
        let force = ["NEVER", "NEVER", "AVOID", "PREFER"][i % 4];
        let tool = format!("tool is \"tool{}\" and ", i % tools);
        let test = match i % 10 {
            0..=2 => format!("{tool}args.command matches /(?i){a}\\s+--{b}-{i}\\b/"),
            3 | 4 => format!("{tool}args.path like \"/srv/{a}/{b}{i}/*\""),
            5 => format!("{tool}args.target is \"{a}-{b}-{i}\""),
            6 => format!("{tool}args.amount > {}", 10_000 + i),
            7 => format!("text matches /(?i){a} .*{b} {i}\\b/"),
            8 => format!("tag is \"{a}-{i}\""),
            _ => format!("{tool}(args.command matches /^{a} {i}/ or args.branch like \"{b}-{i}-*\")"),
        };
        writeln!(text, "{force} \"r{i}\" because \"a reason\" when {test}").expect("text");
    }
    text
}

fn action(tools: usize, rng: &mut fastrand::Rng) -> Action {
    let mut words = |n: usize| (0..n).map(|_| WORDS[rng.usize(..WORDS.len())]).collect::<Vec<_>>().join(" ");
    let (command, text, place, tag) = (words(6), words(25), words(1), words(1));
    let n = rng.usize(..1000);
    let amount = if rng.u8(..20) == 0 { 10_300 } else { 50 };
    Action::new(format!("tool{}", n % tools)).text(text).tag(format!("{tag}-{n}")).args(json!({
        "command": format!("{command} --{place}-{n}"),
        "path": format!("/srv/{place}/{tag}{n}/file.txt"),
        "target": format!("{tag}-{place}-{n}"),
        "amount": amount,
        "branch": format!("{place}-{n}-fix"),
    }))
}

fn measure(what: &str, args: &Args, store: &Store, actions: &[Action], every: usize) -> Result<()> {
    let (mut times, mut matched, mut denied, mut asked) = (Vec::with_capacity(args.actions), 0, 0, 0);
    for i in 0..args.actions / if every > 0 { 10 } else { 1 } {
        if every > 0 && i % every == 0 {
            store.remember(Memory::new("a memory", [1.0, i as f32, 0.0, 1.0]))?;
        }
        let action = &actions[i % actions.len()];
        let begun = Instant::now();
        let decision = store.check(action)?;
        times.push(begun.elapsed().as_nanos());
        matched += decision.matched.len();
        denied += usize::from(decision.answer == Answer::Deny);
        asked += usize::from(decision.answer == Answer::Ask);
    }
    let n = times.len();
    times.sort_unstable();
    let at = |share: f64| times[((n - 1) as f64 * share) as usize] as f64 / 1e3;
    println!(
        "  {what}: {n} checks, p50 {:.1} us, p99 {:.1} us, p99.9 {:.1} us; {:.2} rules matched each, {:.1} % denied, {:.1} % to ask",
        at(0.5),
        at(0.99),
        at(0.999),
        matched as f64 / n as f64,
        100.0 * denied as f64 / n as f64,
        100.0 * asked as f64 / n as f64
    );
    Ok(())
}
