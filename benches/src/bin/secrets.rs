//! Measures what the detectors of secrets find on the corpus of `plant.rs`.

use std::collections::BTreeMap;

use clap::Parser;
use wisen::{SecretKind, find_secrets};
use wisen_benches::plant;

/// Plants secrets in notes and looks for them, and looks for them where none are.
#[derive(Parser)]
struct Args {
    /// Notes with a secret
    #[arg(long, default_value_t = 1200)]
    planted: usize,
    /// Notes without
    #[arg(long, default_value_t = 6000)]
    harmless: usize,
    /// Seed of both
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print harmless notes in which something was found, and secrets that were missed
    #[arg(long)]
    show: bool,
}

fn main() {
    let args = Args::parse();
    let mut forms: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for planted in plant::planted(args.seed, args.planted) {
        let at = planted.text.find(&planted.secret).unwrap_or_default();
        let whole = at..at + planted.secret.len();
        // All of it has to be taken, or what is left over still tells.
        let taken = |known: bool| {
            find_secrets(&planted.text).iter().any(|found| {
                (found.kind != SecretKind::HighEntropy) == known
                    && found.range.start <= whole.start
                    && found.range.end + 1 >= whole.end
            })
        };
        let counts = forms.entry(planted.form).or_default();
        counts[0] += 1;
        if taken(true) {
            counts[1] += 1;
        } else if taken(false) {
            counts[2] += 1;
        } else if args.show {
            println!("missed {}: {}", planted.form, planted.text);
        }
    }
    println!("{:28} {:>8} {:>9} {:>8} {:>8}", "planted", "notes", "redacted", "flagged", "recall");
    let mut all = [0; 3];
    for (form, counts) in &forms {
        all.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        println!(
            "{form:28} {:>8} {:>9} {:>8} {:>8.3}",
            counts[0],
            counts[1],
            counts[2],
            share(counts[1] + counts[2], counts[0])
        );
    }
    println!(
        "{:28} {:>8} {:>9} {:>8} {:>8.3}",
        "all",
        all[0],
        all[1],
        all[2],
        share(all[1] + all[2], all[0])
    );
    let (mut redacted, mut flagged) = (0, 0);
    for text in plant::harmless(args.seed + 1, args.harmless) {
        let found = find_secrets(&text);
        let known = found.iter().any(|secret| secret.kind != SecretKind::HighEntropy);
        redacted += usize::from(known);
        flagged += usize::from(!known && !found.is_empty());
        if args.show && !found.is_empty() {
            println!(
                "{:?} in {text}",
                found.iter().map(|s| (s.kind.as_str(), &text[s.range.clone()])).collect::<Vec<_>>()
            );
        }
    }
    println!("harmless: {} notes, {redacted} redacted, {flagged} flagged", args.harmless);
    println!(
        "redacted: precision {:.4}, recall {:.4}; redacted or flagged: precision {:.4}, recall {:.4}",
        share(all[1], all[1] + redacted),
        share(all[1], all[0]),
        share(all[1] + all[2], all[1] + all[2] + redacted + flagged),
        share(all[1] + all[2], all[0]),
    );
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}
