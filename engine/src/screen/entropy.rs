//! How random a word looks.

/// Shannon entropy of the bytes of a word, in bits for each.
pub(super) fn bits(word: &str) -> f64 {
    let mut counts = [0_u32; 256];
    word.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let length = word.len() as f64;
    let share = |count: &u32| f64::from(*count) / length;
    counts.iter().filter(|count| **count > 0).map(share).map(|share| -share * share.log2()).sum()
}

/// Whether a word has letters and digits, and no letter or digit too often: a password, not a name.
pub(super) fn is_random(word: &str) -> bool {
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    letters > 0 && digits > 0 && bits(word) > 2.8
}

/// Whether a word stands where people write what is no secret: a placeholder, a variable, an example.
pub(super) fn is_placeholder(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let enclosed = |open: char, close: char| word.starts_with(open) && word.ends_with(close);
    enclosed('<', '>')
        || enclosed('{', '}')
        || enclosed('[', ']')
        || enclosed('(', ')')
        || enclosed('%', '%')
        || word.starts_with('$')
        || word.contains("...")
        || word.contains("${")
        || word.contains("{{")
        || word.contains("[redacted")
        || word.bytes().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'-' | b'_' | b'0' | b'#'))
        || ["example", "placeholder", "changeme", "your_", "your-", "yourpass", "redacted", "dummy", "sample"]
            .iter()
            .any(|word| lower.contains(word))
        || [
            "password", "passwd", "pass", "pwd", "secret", "token", "test", "user", "hunter2", "foo", "bar",
            "none",
        ]
        .contains(&lower.as_str())
}

/// Whether a word of at least 32 characters is too random to be anything but a key: it mixes small and capital
/// letters and digits as chance does. Hashes and UUIDs in hexadecimal digits, paths, names in code and long runs of
/// base64 (images, certificates) are no such words.
pub(super) fn is_key_like(word: &str) -> bool {
    if !(32..=120).contains(&word.len()) {
        return false;
    }
    let count = |is: fn(&u8) -> bool| word.bytes().filter(is).count();
    let (small, capital, digits) =
        (count(u8::is_ascii_lowercase), count(u8::is_ascii_uppercase), count(u8::is_ascii_digit));
    let others = word.len() - small - capital - digits;
    // Paths and names: parts between separators that are words.
    let parts = word.split(['/', '_', '-', '.', '+', '=']).filter(|part| !part.is_empty());
    let wordy = parts.filter(|part| part.bytes().all(|b| b.is_ascii_lowercase()) && part.len() > 2).count();
    let case_changes = word
        .as_bytes()
        .windows(2)
        .filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
        .count();
    let digit_runs = word
        .as_bytes()
        .windows(2)
        .filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit())
        .count();
    small >= 4
        && capital >= 4
        && digits >= 3
        && others <= word.len() / 8
        && wordy < 2
        && case_changes >= word.len() / 12
        && digit_runs >= 4
        && bits(word) >= 4.2
}
