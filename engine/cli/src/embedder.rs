//! A program of the user's that embeds texts: started once, asked and answering in JSON lines.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use wisen::TextKind;

/// How long a program may take to end once it is asked nothing more.
const PARTING: Duration = Duration::from_secs(5);

/// The program while it runs.
pub struct Embedder {
    child: Child,
    /// Questions on their way to it. Written by a thread of their own: a program that answers while it is asked must
    /// not wait for one who does not listen.
    questions: Option<Sender<String>>,
    answers: Receiver<std::io::Result<String>>,
    dimension: usize,
    patience: Duration,
    /// Texts asked about so far.
    asked: u64,
}

impl Embedder {
    /// Starts a command in the shell. `patience`: how long it may be silent when it is asked something.
    pub fn start(command: &str, dimension: usize, patience: Duration) -> Result<Self> {
        let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
        let mut child = Command::new(shell)
            .args([flag, command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {shell} for the command"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (stdin, stdout) = (stdin.context("no way to ask it")?, stdout.context("no way to hear it")?);
        let (questions, to_ask) = channel();
        let (heard, answers) = channel();
        std::thread::spawn(move || ask(stdin, &to_ask));
        std::thread::spawn(move || {
            // Ends with the program, or when nobody wants to hear any more.
            for line in BufReader::new(stdout).lines() {
                if heard.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, questions: Some(questions), answers, dimension, patience, asked: 0 })
    }

    /// The vectors of texts; an empty one for a text that it cannot embed.
    pub fn embed(&mut self, kind: TextKind, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        if let Ok(line) = self.answers.try_recv() {
            return Err(self.too_much(line));
        }
        let first = self.asked;
        for (i, text) in texts.iter().enumerate() {
            let left = texts.len() - 1 - i;
            let line = json!({ "id": self.asked, "kind": kind.as_str(), "text": text, "left": left });
            self.asked += 1;
            // If it has gone, there is no answer either, and that says more.
            let _ = self.questions.as_ref().map(|questions| questions.send(format!("{line}\n")));
        }
        (first..self.asked).map(|id| self.answer(id)).collect()
    }

    fn answer(&mut self, id: u64) -> Result<Vec<f32>> {
        let line = match self.answers.recv_timeout(self.patience) {
            Ok(line) => line.context("cannot read what the command answers")?,
            Err(RecvTimeoutError::Timeout) => bail!(
                "the command has not answered text {id} for {} seconds (does it write out each line at once? --timeout has it waited for longer)",
                self.patience.as_secs()
            ),
            Err(RecvTimeoutError::Disconnected) => {
                let how = match self.part() {
                    Some(status) => format!("the command ended ({status})"),
                    None => "the command closed its output".to_owned(),
                };
                bail!("{how} before it answered text {id}")
            }
        };
        vector(id, &line, self.dimension)
    }

    fn too_much(&self, line: std::io::Result<String>) -> anyhow::Error {
        let said = crate::text::shortened(&line.unwrap_or_default(), 60);
        anyhow::anyhow!("the command answers more than the {} texts it was asked: {said}", self.asked)
    }

    /// Asks nothing more, and waits for it to end. Fails if it has more to say: then its answers may have been to
    /// other texts. How it ended is for the user to judge; `None`: it did not, and was ended.
    pub fn finish(mut self) -> Result<Option<ExitStatus>> {
        let status = self.part();
        // Its last words may still be on their way.
        let last = self.answers.recv_timeout(if status.is_some() { PARTING } else { Duration::ZERO });
        last.map_or(Ok(status), |line| Err(self.too_much(line)))
    }

    /// Lets it end by itself, for a while. `None`: it goes on, and is ended.
    fn part(&mut self) -> Option<ExitStatus> {
        self.questions = None;
        let begun = Instant::now();
        while begun.elapsed() < PARTING {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Err(_) => break,
            }
        }
        // It may end just now: then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
        None
    }
}

impl Drop for Embedder {
    fn drop(&mut self) {
        // Whoever gives up waits for nothing.
        self.questions = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Hands questions on until there are no more, or nobody takes them.
fn ask(mut stdin: ChildStdin, questions: &Receiver<String>) {
    while let Ok(line) = questions.recv() {
        if stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()).is_err() {
            return;
        }
    }
}

/// The vector in an answer: an array of numbers, or an object with one as `vector`, and perhaps the `id` of the text.
/// `null` or an empty array: it cannot be embedded.
fn vector(id: u64, line: &str, dimension: usize) -> Result<Vec<f32>> {
    let said = || crate::text::shortened(line, 60);
    let answer: Value = serde_json::from_str(line)
        .map_err(|error| anyhow::anyhow!("the answer to text {id} is no JSON ({error}): {}", said()))?;
    let (number, vector) = match &answer {
        Value::Object(fields) => {
            if let Some(error) = fields.get("error") {
                bail!("the command says of text {id}: {}", crate::text::shortened(&error.to_string(), 200));
            }
            (fields.get("id"), fields.get("vector"))
        }
        other => (None, Some(other)),
    };
    if let Some(number) = number {
        ensure!(
            *number == json!(id),
            "the answer to text {id} is about text {number}: answers come in order"
        );
    }
    let numbers = match vector {
        Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(numbers)) => numbers,
        _ => bail!("the answer to text {id} has no vector: {}", said()),
    };
    ensure!(
        numbers.is_empty() || numbers.len() == dimension,
        "the vector of text {id} has {} numbers, and --dimension says {dimension}",
        numbers.len()
    );
    let number = |x: &Value| x.as_f64().map(|x| x as f32).filter(|x| x.is_finite());
    let numbers: Option<Vec<f32>> = numbers.iter().map(number).collect();
    numbers.with_context(|| {
        format!("the vector of text {id} holds what is no number, or too large for one of 32 bits")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_or_named() {
        for (line, is) in [
            ("[1, -2.5]", vec![1.0, -2.5]),
            (r#"{"vector": [0, 1e-3], "id": 7}"#, vec![0.0, 0.001]),
            (r#"{"vector": null}"#, vec![]),
            ("null", vec![]),
            ("[]", vec![]),
        ] {
            assert_eq!(vector(7, line, 2).expect("an answer"), is, "{line}");
        }
        for (line, says) in [
            ("[1]", "has 1 numbers"),
            ("[1, 2, 3]", "has 3 numbers"),
            ("[1, NaN]", "no JSON"),
            ("[1, 1e999]", "no JSON"),
            ("[1, 1e39]", "too large"),
            ("[1, null]", "no number"),
            (r#"[1, "2"]"#, "no number"),
            ("{}", "no vector"),
            (r#"{"vector": 1}"#, "no vector"),
            (r#"{"vector": [1, 2], "id": 8}"#, "about text 8"),
            (r#"{"error": "out of memory"}"#, "out of memory"),
            ("", "no JSON"),
            ("loading model", "loading model"),
        ] {
            let error = vector(7, line, 2).expect_err(line).to_string();
            assert!(error.contains("text 7") && error.contains(says), "{line}: {error}");
        }
    }
}
