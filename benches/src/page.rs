//! What a measuring program found: printed at once, and kept as Markdown for a record.

use std::fmt::Write as _;
use std::io::Write as _;

/// Tables and remarks.
#[derive(Debug, Default)]
pub struct Page {
    markdown: String,
    widths: Vec<usize>,
}

impl Page {
    /// An empty page.
    pub fn new() -> Self {
        Self::default()
    }

    /// A heading.
    pub fn section(&mut self, title: &str) {
        self.put(&format!("\n## {title}\n"));
    }

    /// A paragraph.
    pub fn remark(&mut self, text: &str) {
        self.put(&format!("\n{text}\n"));
    }

    /// Begins a table. A column is as wide as its name, padded with blanks, says.
    pub fn columns(&mut self, names: &[&str]) {
        self.widths = names.iter().map(|name| name.len()).collect();
        let cells: Vec<String> = names.iter().map(|name| name.trim_end().to_owned()).collect();
        self.markdown.push('\n');
        println!();
        self.row(&cells);
        let _ = writeln!(self.markdown, "|{}", "---|".repeat(names.len()));
    }

    /// A row of the table.
    pub fn row(&mut self, cells: &[String]) {
        let _ = writeln!(self.markdown, "| {} |", cells.join(" | "));
        let mut line = String::new();
        for (i, cell) in cells.iter().enumerate() {
            let width = self.widths.get(i).copied().unwrap_or(0);
            let _ = write!(line, "{cell:width$}  ");
        }
        println!("{}", line.trim_end());
        // A run takes minutes: whoever waits wants to see every row.
        let _ = std::io::stdout().flush();
    }

    /// Everything so far.
    pub fn markdown(&self) -> &str {
        &self.markdown
    }

    fn put(&mut self, text: &str) {
        self.markdown.push_str(text);
        println!("{}", text.trim_end());
    }
}

/// Four digits behind the point; a dash for what is no number.
pub fn figure(value: f64) -> String {
    if value.is_nan() { "-".to_owned() } else { format!("{value:.4}") }
}

/// A share as per cent with one digit.
pub fn percent(share: f64) -> String {
    if share.is_nan() { "-".to_owned() } else { format!("{:.1} %", share * 100.0) }
}

/// Mean and interval, each with its sign.
pub fn interval(value: &crate::measure::Interval) -> String {
    format!("{:+.4} [{:+.4}, {:+.4}]", value.mean, value.low, value.high)
}
