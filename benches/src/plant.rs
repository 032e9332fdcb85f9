//! A seeded corpus for the detectors of secrets: notes with a secret planted in them, made as the issuers of keys
//! make them, and harmless notes with what is most like one: hashes, UUIDs, images in base64, paths, code.

use fastrand::Rng;

/// A text, and the secret in it.
#[derive(Debug, Clone)]
pub struct Planted {
    /// Which form was planted, in words of this file.
    pub form: &'static str,
    /// The note.
    pub text: String,
    /// What must not be left over.
    pub secret: String,
}

const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const DIGITS: &[u8] = b"0123456789";

fn of(rng: &mut Rng, length: usize, alphabets: &[&[u8]]) -> String {
    let all: Vec<u8> = alphabets.concat();
    (0..length).map(|_| char::from(all[rng.usize(..all.len())])).collect()
}

fn alnum(rng: &mut Rng, length: usize) -> String {
    of(rng, length, &[UPPER, LOWER, DIGITS])
}

fn hex(rng: &mut Rng, length: usize) -> String {
    of(rng, length, &[DIGITS, b"abcdef"])
}

fn url64(rng: &mut Rng, length: usize) -> String {
    of(rng, length, &[UPPER, LOWER, DIGITS, b"-_"])
}

fn base64(rng: &mut Rng, length: usize) -> String {
    of(rng, length, &[UPPER, LOWER, DIGITS, b"+/"])
}

const WORDS: [&str; 48] = [
    "the",
    "queue",
    "worker",
    "restart",
    "deploy",
    "database",
    "timeout",
    "token",
    "password",
    "secret",
    "rotate",
    "key",
    "service",
    "build",
    "fails",
    "when",
    "disk",
    "full",
    "cache",
    "clear",
    "user",
    "asked",
    "for",
    "refund",
    "order",
    "shipped",
    "agent",
    "tool",
    "call",
    "returned",
    "error",
    "retry",
    "after",
    "minutes",
    "log",
    "shows",
    "connection",
    "reset",
    "config",
    "in",
    "folder",
    "please",
    "remember",
    "this",
    "customer",
    "prefers",
    "email",
    "invoice",
];

fn sentence(rng: &mut Rng) -> String {
    let n = rng.usize(4..14);
    (0..n).map(|_| WORDS[rng.usize(..WORDS.len())]).collect::<Vec<_>>().join(" ")
}

fn armour(rng: &mut Rng, name: &str, newline: &str) -> String {
    let lines = rng.usize(3..20);
    let body: Vec<String> = (0..lines).map(|_| base64(rng, 64)).collect();
    let last = base64(rng, 42);
    format!(
        "-----BEGIN {name}-----{newline}{}{newline}{last}=={newline}-----END {name}-----",
        body.join(newline)
    )
}

/// A password as people and generators make them.
fn password(rng: &mut Rng) -> String {
    match rng.usize(..3) {
        0 => alnum(rng, 16),
        1 => format!("{}-{}{}!", of(rng, 6, &[LOWER]), of(rng, 4, &[UPPER, LOWER]), of(rng, 3, &[DIGITS])),
        _ => of(rng, 20, &[UPPER, LOWER, DIGITS, b"!$^*_-."]),
    }
}

/// `n` notes with a secret each.
pub fn planted(seed: u64, n: usize) -> Vec<Planted> {
    let mut rng = Rng::with_seed(seed);
    (0..n).map(|i| plant(&mut rng, i)).collect()
}

fn plant(rng: &mut Rng, i: usize) -> Planted {
    let (form, secret, line): (_, String, fn(&str) -> String) = match i % 24 {
        0 => ("PEM key", armour(rng, "RSA PRIVATE KEY", "\n"), |s| s.to_owned()),
        1 => ("PEM key in JSON", armour(rng, "PRIVATE KEY", "\\n"), |s| format!("\"private_key\": \"{s}\"")),
        2 => ("OpenSSH key", armour(rng, "OPENSSH PRIVATE KEY", "\r\n"), |s| s.to_owned()),
        3 => ("AWS key id", format!("AKIA{}", of(rng, 16, &[UPPER, b"234567"])), |s| format!("id {s}")),
        4 => ("AWS secret", base64(rng, 40), |s| format!("aws_secret_access_key = {s}")),
        5 => ("GitHub token", format!("ghp_{}", alnum(rng, 36)), |s| format!("git clone with {s}")),
        6 => {
            let token = format!("github_pat_{}_{}", alnum(rng, 22), alnum(rng, 59));
            ("GitHub fine-grained token", token, |s| format!("use {s}."))
        }
        7 => {
            let (a, b) = (of(rng, 12, &[DIGITS]), of(rng, 12, &[DIGITS]));
            ("Slack bot token", format!("xoxb-{a}-{b}-{}", alnum(rng, 24)), |s| format!("({s})"))
        }
        8 => {
            let hook = format!(
                "T{}/B{}/{}",
                of(rng, 8, &[UPPER, DIGITS]),
                of(rng, 8, &[UPPER, DIGITS]),
                alnum(rng, 24)
            );
            ("Slack webhook", hook, |s| format!("post to https://hooks.slack.com/services/{s}"))
        }
        9 => {
            let token = format!("eyJ{}.eyJ{}.{}", url64(rng, 33), url64(rng, 80), url64(rng, 43));
            ("JWT", token, |s| format!("cookie session={s}; path=/"))
        }
        10 => ("Google key", format!("AIza{}", url64(rng, 35)), |s| format!("maps?key={s}&v=3")),
        11 => ("Stripe key", format!("sk_live_{}", alnum(rng, 24)), |s| format!("stripe.api_key = '{s}'")),
        12 => ("Stripe restricted key", format!("rk_live_{}", alnum(rng, 99)), |s| s.to_owned()),
        13 => ("bearer token", url64(rng, 40), |s| {
            format!("curl -H 'Authorization: Bearer {s}' https://x.test")
        }),
        14 => ("bearer token in hex", hex(rng, 40), |s| format!("authorization: bearer {s}")),
        15 => ("Postgres DSN", alnum(rng, 14), |s| format!("postgres://app:{s}@db.internal:5432/app")),
        16 => ("Redis DSN", hex(rng, 32), |s| format!("redis://:{s}@cache:6379/0")),
        17 => ("MongoDB DSN", of(rng, 12, &[LOWER, DIGITS]), |s| {
            format!("mongodb+srv://svc:{s}@c0.ab1cd.mongodb.net")
        }),
        18 => ("OpenAI key", format!("sk-proj-{}", url64(rng, 64)), |s| format!("OPENAI_API_KEY={s}")),
        19 => ("Hugging Face token", format!("hf_{}", of(rng, 34, &[UPPER, LOWER])), |s| {
            format!("login with {s}")
        }),
        20 => ("assigned password", password(rng), |s| format!("DB_PASSWORD={s}")),
        21 => ("assigned key", hex(rng, 32), |s| format!("api_key: \"{s}\"")),
        22 => ("password in a sentence", password(rng), |s| format!("the password is {s} for now")),
        _ => ("token of no known form", alnum(rng, 48), |s| format!("use {s} with the internal gateway")),
    };
    let text = format!("{} {}\n{}", sentence(rng), line(&secret), sentence(rng));
    Planted { form, text, secret }
}

/// `n` harmless notes.
pub fn harmless(seed: u64, n: usize) -> Vec<String> {
    let mut rng = Rng::with_seed(seed);
    (0..n)
        .map(|i| {
            let body = plain(&mut rng, i);
            format!("{} {body} {}", sentence(&mut rng), sentence(&mut rng))
        })
        .collect()
}

fn plain(rng: &mut Rng, i: usize) -> String {
    let (a, b) = (WORDS[rng.usize(..WORDS.len())], WORDS[rng.usize(..WORDS.len())]);
    let n = rng.usize(1..10_000);
    match i % 30 {
        0 => format!("sha256:{}", hex(rng, 64)),
        1 => format!("commit {}", hex(rng, 40)),
        2 => format!("md5 {}", hex(rng, 32)),
        3 => {
            let parts = [8, 4, 4, 4, 12].map(|length| hex(rng, length));
            format!("request {}", parts.join("-"))
        }
        4 => {
            let length = rng.usize(40..2000);
            format!("![logo](data:image/png;base64,{}==)", base64(rng, length))
        }
        5 => format!("/var/lib/{a}/{b}/2024-11-0{}/{}.log", n % 9 + 1, hex(rng, 12)),
        6 => format!("src/{a}/{b}_controller.rs:{n}"),
        7 => format!("let {a}_{b} = config.get(\"{a}.{b}\").unwrap_or({n});"),
        8 => format!("password = os.environ[\"{}_PASSWORD\"]", a.to_uppercase()),
        9 => format!("token: see {a} {b}"),
        10 => format!("postgres://user:password@localhost:5432/{a}"),
        11 => format!("export API_KEY=<your-{a}-key>"),
        12 => format!("https://example.com/{a}/{b}?page={n}&sort=desc#section-{n}"),
        13 => format!("ssh-rsa AAAAB3NzaC1yc2E{} {a}@{b}", base64(rng, 340)),
        14 => format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----", base64(rng, 64)),
        15 => format!("arn:aws:iam::{}:role/{a}-{b}", of(rng, 12, &[DIGITS])),
        16 => format!("sha512-{}==", base64(rng, 86)),
        17 => format!("class {}{}FactoryBeanImplementationProvider2Test", a.to_uppercase(), b),
        18 => format!("the bearer of this {a} may {b}"),
        19 => format!("order {} of {}", of(rng, 10, &[UPPER, DIGITS]), of(rng, 16, &[DIGITS])),
        20 => format!("docker pull registry.test/{a}/{b}@sha256:{}", hex(rng, 64)),
        21 => format!("traceparent: 00-{}-{}-01", hex(rng, 32), hex(rng, 16)),
        22 => format!("my password is the name of {a}, said the customer"),
        23 => format!("secret: ${{{{ secrets.{}_{} }}}}", a.to_uppercase(), b.to_uppercase()),
        24 => format!("key = {a}_{b}; token = next_token(); secret = None"),
        25 => format!("AKIAIOSFODNN7EXAMPLE is what the manual of {a} shows"),
        26 => format!("jdbc:postgresql://{a}.internal:5432/{b}?ssl=true"),
        27 => format!("pip install {a}-{b}=={}.{}.{}", n % 7, n % 13, n % 31),
        28 => format!("{}T{:02}:{:02}:07.123456Z {a}", "2026-01-17", n % 24, n % 60),
        _ => format!("the {a} of {b} is {n}; see ticket {}-{n}", of(rng, 4, &[UPPER])),
    }
}
