//! Figures as people read them.

use std::time::{Duration, UNIX_EPOCH};

/// `1234567` as `1,234,567`.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `"1 memory"`, `"1,200 memories"`.
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// Bytes with a unit: `"512 B"`, `"1.5 MiB"`.
pub fn bytes(n: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = n as f64;
    let mut unit = "B";
    for larger in units {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{n} B") } else { format!("{value:.1} {unit}") }
}

/// Microseconds since 1970 as a date and time in UTC, `"2026-01-31 23:59:59 UTC"`; of the years 1970 to 9999 the
/// nearest.
pub fn time(micros: i64) -> String {
    const LAST: u64 = 253_402_300_799;
    let seconds = u64::try_from(micros.div_euclid(1_000_000)).unwrap_or(0).min(LAST);
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(time).to_string().replace('T', " ").replace('Z', " UTC")
}

/// A text of at most `most` characters; what is longer ends in "...".
pub fn shortened(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let kept: String = line.chars().take(most.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(count(1, "memory", "memories"), "1 memory");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1_572_864), "1.5 MiB");
        assert_eq!(shortened("a  line\nof words", 9), "a line...");
    }

    #[test]
    fn times_are_right_across_leap_days() {
        assert_eq!(time(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(time(951_782_400_000_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(time(1_709_251_199_000_000), "2024-02-29 23:59:59 UTC");
        assert_eq!(time(1_772_323_200_000_000), "2026-03-01 00:00:00 UTC");
    }
}
