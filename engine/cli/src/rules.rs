//! `wisen rules`: the directives of a store, and who may change them; `wisen check`: whether an action may be
//! taken.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use serde_json::{Value, json};
use wisen::{Action, Answer, Decision, Lint, Options, PublicKey, SecretKey, Store, parse_rules, print_rules};

use crate::key::{Key, read};
use crate::text::time;

/// Read and change the directives of a store. Changing them takes the secret key of an authority.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  wisen rules create-authority STORE owner > owner.keys\n  \
    wisen rules add STORE rules.txt --key owner.key\n  wisen rules list STORE\n  \
    wisen rules export STORE > rules.txt\n  wisen rules remove STORE no-force-push --reason 'we mirror' --key owner.key")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the directives, in the order in which they decide
    List {
        /// Folder of the store
        path: PathBuf,
        /// Print JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Put directives in force that a file holds (- : standard input); all of them or none
    #[command(alias = "import")]
    Add {
        /// Folder of the store
        path: PathBuf,
        /// File with one directive or several
        file: PathBuf,
        #[command(flatten)]
        key: Key,
        /// Why to add them although they conflict with others
        #[arg(long, value_name = "REASON")]
        force: Option<String>,
    },
    /// Take a directive out of force
    Remove {
        /// Folder of the store
        path: PathBuf,
        /// Its id
        id: String,
        #[command(flatten)]
        key: Key,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Lift a directive for some time
    Override {
        /// Folder of the store
        path: PathBuf,
        /// Its id
        id: String,
        #[command(flatten)]
        key: Key,
        /// Why
        #[arg(long)]
        reason: String,
        /// For how long
        #[arg(long)]
        minutes: u64,
    },
    /// Print all directives as text that `add` reads
    Export {
        /// Folder of the store
        path: PathBuf,
    },
    /// Compare directives with each other: those of a store, or of a file; exit status 1 if any conflict
    Lint {
        /// Folder of a store, or a file of directives
        path: PathBuf,
    },
    /// Record a fact that directives may require
    Fact {
        /// Folder of the store
        path: PathBuf,
        /// Its name
        name: String,
        /// Its value, as JSON
        value: String,
        /// How many seconds it holds
        #[arg(long)]
        seconds: u64,
    },
    /// Drop rows that no authority signed, and sign what is left
    Repair {
        /// Folder of the store
        path: PathBuf,
        #[command(flatten)]
        key: Key,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Make the first authority; prints its secret key and the recovery key, this once
    CreateAuthority {
        /// Folder of the store
        path: PathBuf,
        /// Whose key it is
        name: String,
    },
    /// List who may change the rules, and who once might
    Authorities {
        /// Folder of the store
        path: PathBuf,
    },
    /// Make a key pair for somebody who is to become an authority; prints it
    Keygen,
    /// Admit another public key
    AddAuthority {
        /// Folder of the store
        path: PathBuf,
        /// Whose key it is
        name: String,
        /// The key, as `keygen` prints it
        public_key: String,
        #[command(flatten)]
        key: Key,
    },
    /// Put a new key in the place of the one given; prints it, this once
    RotateAuthority {
        /// Folder of the store
        path: PathBuf,
        #[command(flatten)]
        key: Key,
    },
    /// Revoke another authority's key
    RevokeAuthority {
        /// Folder of the store
        path: PathBuf,
        /// The key
        public_key: String,
        #[command(flatten)]
        key: Key,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Revoke all keys and make new ones, with the recovery key; prints them, this once
    RecoverAuthority {
        /// Folder of the store
        path: PathBuf,
        /// Whose key the new one is
        name: String,
        #[command(flatten)]
        key: Key,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// Opens a store that exists, to write.
fn open(path: &Path) -> Result<Store> {
    ensure!(path.is_dir(), "there is no folder {}: name the folder of a store", path.display());
    Ok(Store::open(path, Options::existing())?)
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let mut text = String::new();
    let mut code = ExitCode::SUCCESS;
    match &args.command {
        Command::List { path, json } => {
            let records = crate::info::open(path)?.directives(None)?;
            if *json {
                let list: Vec<Value> = records
                    .iter()
                    .map(|record| {
                        json!({
                            "id": record.directive.id, "force": record.directive.force.as_str(),
                            "priority": record.directive.priority, "text": record.directive.to_string(),
                            "signer": record.signer, "signed_by": record.signed_by.to_string(),
                            "added_at": record.added_at, "lifted_until": record.lifted_until,
                        })
                    })
                    .collect();
                writeln!(text, "{:#}", Value::from(list))?;
            }
            for record in records.iter().filter(|_| !json) {
                let added = time(record.added_at);
                write!(text, "{}  # added {added}, signed by {}", record.directive, record.signer)?;
                if let Some(until) = record.lifted_until {
                    write!(text, ", LIFTED until {}", time(until))?;
                }
                text.push_str("\n\n");
            }
        }
        Command::Export { path } => {
            let records = crate::info::open(path)?.directives(None)?;
            text = print_rules(records.iter().map(|record| &record.directive));
        }
        Command::Add { path, file, key, force } => {
            let rules = parse_rules(&read(file)?)?;
            let (store, key) = (open(path)?, key.read()?);
            let lints = match force {
                None => store.add_directives(&key, &rules)?,
                Some(reason) => store.force_directives(&key, &rules, reason)?,
            };
            store.close()?;
            writeln!(text, "added {}", crate::text::count(rules.len() as u64, "directive", "directives"))?;
            tell(&mut text, &lints)?;
        }
        Command::Remove { path, id, key, reason } => {
            open(path)?.remove_directive(&key.read()?, id, reason)?;
        }
        Command::Override { path, id, key, reason, minutes } => {
            let until =
                now()?.saturating_add(i64::try_from(minutes.saturating_mul(60_000_000)).unwrap_or(i64::MAX));
            open(path)?.override_directive(&key.read()?, id, reason, until)?;
            writeln!(text, "lifted until {}", time(until))?;
        }
        Command::Lint { path } => {
            let lints =
                if path.is_dir() { crate::info::open(path)?.lint_directives()? } else { lint_file(path)? };
            tell(&mut text, &lints)?;
            if !lints.is_empty() {
                code = ExitCode::FAILURE;
            }
        }
        Command::Fact { path, name, value, seconds } => {
            let value: Value =
                serde_json::from_str(value).context("the value is no JSON: quote texts, '\"like this\"'")?;
            open(path)?.record_fact(name, &value, Duration::from_secs(*seconds))?;
        }
        Command::Repair { path, key, reason } => {
            for dropped in open(path)?.repair_rules(&key.read()?, reason)? {
                writeln!(text, "dropped: {dropped}")?;
            }
        }
        authority => authorities(authority, &mut text)?,
    }
    crate::print(&text)?;
    Ok(code)
}

fn authorities(command: &Command, text: &mut String) -> Result<()> {
    match command {
        Command::CreateAuthority { path, name } => {
            let keys = open(path)?.create_authority(name)?;
            writeln!(text, "{}\n{}", keys.secret.to_text(), keys.recovery.to_text())?;
            eprintln!(
                "The first line signs rules, the second recovers; they are shown this once. Keep them apart."
            );
        }
        Command::Authorities { path } => {
            for authority in crate::info::open(path)?.authorities()? {
                let since = time(authority.added_at);
                write!(text, "{}  {}  since {since}", authority.key, authority.name)?;
                if let Some(at) = authority.revoked_at {
                    write!(text, ", revoked {}", time(at))?;
                }
                text.push('\n');
            }
        }
        Command::Keygen => {
            let key = SecretKey::generate()?;
            writeln!(text, "{}\n{}", key.to_text(), key.public())?;
        }
        Command::AddAuthority { path, name, public_key, key } => {
            open(path)?.add_authority(&key.read()?, name, PublicKey::parse(public_key)?)?;
        }
        Command::RotateAuthority { path, key } => {
            writeln!(text, "{}", open(path)?.rotate_authority(&key.read()?)?.to_text())?;
        }
        Command::RevokeAuthority { path, public_key, key, reason } => {
            open(path)?.revoke_authority(&key.read()?, PublicKey::parse(public_key)?, reason)?;
        }
        Command::RecoverAuthority { path, name, key, reason } => {
            let keys = open(path)?.recover_authority(&key.read()?, name, reason)?;
            writeln!(text, "{}\n{}", keys.secret.to_text(), keys.recovery.to_text())?;
        }
        _ => bail!("this command is not about authorities"),
    }
    Ok(())
}

fn now() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?)
}

fn tell(text: &mut String, lints: &[Lint]) -> Result<()> {
    for lint in lints {
        writeln!(text, "{}: {lint}", if lint.refused { "conflict" } else { "note" })?;
    }
    Ok(())
}

/// Puts the directives of a file into a store in memory, by force, and tells what they conflict in.
fn lint_file(file: &Path) -> Result<Vec<Lint>> {
    let rules = parse_rules(&read(file)?)?;
    Ok(wisen::lint_rules(&rules))
}

/// Say whether an action may be taken: by the directives of a store, and whatever a model thinks.
#[derive(clap::Args)]
#[command(
    after_help = "Exit status: 0 allow, 2 deny, 3 ask. Whatever goes wrong ends with 2. The reason is on \
    standard error.\n\nExamples:\n  wisen check STORE --tool git --args '{\"command\": \"push --force\"}'\n  \
    wisen check STORE --stdin < call.json   # {\"tool_name\": \"git\", \"tool_input\": {...}}"
)]
pub struct CheckArgs {
    /// Folder of the store
    path: PathBuf,
    /// The tool that is called
    #[arg(long, required_unless_present = "stdin")]
    tool: Option<String>,
    /// Its arguments, as JSON
    #[arg(long, value_name = "JSON")]
    args: Option<String>,
    /// What is said about it, or the text that it sends
    #[arg(long)]
    text: Option<String>,
    /// A word for it; may be given several times
    #[arg(long)]
    tag: Vec<String>,
    /// The namespace it happens in
    #[arg(long)]
    namespace: Option<String>,
    /// What kind of action it is
    #[arg(long)]
    kind: Option<String>,
    /// Who is about to do it
    #[arg(long)]
    agent: Option<String>,
    /// Read the action as JSON from standard input: `tool` or `tool_name`, `args` or `tool_input`, `text`,
    /// `tags`, `namespace`, `kind`, `agent`; what is given on the command line comes first
    #[arg(long)]
    stdin: bool,
    /// The public key with which the authorities of the store have to begin
    #[arg(long, value_name = "KEY")]
    authority_key: Option<String>,
    /// Print the decision as JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Exit status: 0 allow, 2 deny, 3 ask; 2 whatever goes wrong.
pub fn check(args: &CheckArgs) -> ExitCode {
    match decide(args) {
        Ok(decision) => {
            if args.json {
                // A reader that has gone away changes no answer.
                let _ = crate::print(&format!("{:#}\n", json!(decision)));
            }
            match decision.answer {
                Answer::Allow => ExitCode::SUCCESS,
                Answer::Ask => {
                    eprintln!("wisen: to be asked: {}", decision.reason);
                    ExitCode::from(3)
                }
                Answer::Deny => {
                    eprintln!("wisen: denied: {}", decision.reason);
                    ExitCode::from(2)
                }
            }
        }
        Err(error) => {
            eprintln!("wisen: denied: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn decide(args: &CheckArgs) -> Result<Decision> {
    let given: Value = if args.stdin { serde_json::from_str(&read(Path::new("-"))?)? } else { json!({}) };
    ensure!(given.is_object(), "standard input is no JSON object");
    let word = |own: Option<&String>, names: &[&str]| -> Result<Option<String>> {
        if let Some(own) = own {
            return Ok(Some(own.clone()));
        }
        match names.iter().find_map(|name| given.get(name)).filter(|value| !value.is_null()) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => bail!("{} in the JSON is no text", names.join(" or ")),
        }
    };
    let tool = word(args.tool.as_ref(), &["tool", "tool_name"])?;
    let mut action = Action::new(tool.context("the JSON names no tool")?);
    let arguments = if let Some(text) = &args.args {
        Some(serde_json::from_str(text).context("--args is no JSON")?)
    } else {
        let mut named = ["args", "tool_input"].iter().filter_map(|name| given.get(name));
        let first = named.find(|value| !value.is_null()).cloned();
        ensure!(named.all(Value::is_null), "the JSON has both args and tool_input");
        first
    };
    action = action.args(arguments.unwrap_or_default());
    if let Some(text) = word(args.text.as_ref(), &["text"])? {
        action = action.text(text);
    }
    if let Some(namespace) = word(args.namespace.as_ref(), &["namespace"])? {
        action = action.namespace(namespace);
    }
    if let Some(kind) = word(args.kind.as_ref(), &["kind"])? {
        action = action.kind(kind);
    }
    if let Some(agent) = word(args.agent.as_ref(), &["agent"])? {
        action = action.agent(agent);
    }
    if let Some(vector) = given.get("vector").filter(|value| !value.is_null()) {
        let vector: Vec<f32> =
            serde_json::from_value(vector.clone()).context("vector in the JSON is no list of numbers")?;
        action = action.vector(vector);
    }
    let tags: Option<Vec<String>> = given.get("tags").map_or(Ok(None), |tags| {
        serde_json::from_value(tags.clone()).context("tags in the JSON is no list of texts")
    })?;
    for tag in args.tag.iter().chain(tags.iter().flatten()) {
        action = action.tag(tag);
    }
    let mut options = Options::existing();
    if let Some(key) = &args.authority_key {
        options = options.authority_key(PublicKey::parse(key)?);
    }
    ensure!(args.path.is_dir(), "there is no folder {}: name the folder of a store", args.path.display());
    // Where nothing can be written, denials cannot be written down, and hold all the same.
    let store = Store::open(&args.path, options.clone())
        .or_else(|_| Store::open(&args.path, options.read_only(true)))?;
    let decision = store.check(&action)?;
    store.close()?;
    Ok(decision)
}
