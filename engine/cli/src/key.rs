//! The secret key of an authority: from a file or the environment, never from the command line, where others see it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wisen::SecretKey;

/// The variable that holds a secret key.
const VARIABLE: &str = "WISEN_KEY";

#[derive(clap::Args)]
pub struct Key {
    /// File that holds the secret key of an authority [default: the environment variable `WISEN_KEY`]
    #[arg(long = "key", id = "key", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Key {
    /// The key, which has to be there.
    pub fn read(&self) -> Result<SecretKey> {
        self.find()?.context("give the key: --key FILE, or the variable WISEN_KEY")
    }

    /// The key, if one is given.
    pub fn find(&self) -> Result<Option<SecretKey>> {
        let text = match &self.file {
            Some(file) => Some(read(file)?),
            None => std::env::var(VARIABLE).ok(),
        };
        Ok(text.as_deref().map(SecretKey::parse).transpose()?)
    }
}

/// The text of a file, or of standard input for `-`.
pub fn read(file: &Path) -> Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}
