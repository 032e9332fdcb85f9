//! Characters that change how a text is read and that nobody sees: text that a model reads and a person does
//! not.

use unicode_properties::{GeneralCategory, UnicodeEmoji, UnicodeGeneralCategory};

/// What is hidden in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Hidden {
    /// Characters without a shape.
    pub invisible: bool,
    /// Marks that turn the direction of what follows.
    pub bidirectional: bool,
}

/// Looks for them. Those that scripts and emoji need in their place are not hidden: joiners and variation
/// selectors after a character that is not ASCII, and the tags of the flags of regions.
pub(crate) fn hidden(text: &str) -> Hidden {
    let mut found = Hidden::default();
    if text.is_ascii() {
        return found;
    }
    let (mut before, mut flag) = ('\0', false);
    for c in text.chars() {
        match c {
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                found.bidirectional = true;
            }
            '\u{200c}' | '\u{200d}' => found.invisible |= before.is_ascii() || is_shapeless(before),
            '\u{fe00}'..='\u{fe0f}' => found.invisible |= !before.is_emoji_char() && before.is_ascii(),
            '\u{e0020}'..='\u{e007f}' => found.invisible |= !flag,
            _ => found.invisible |= is_shapeless(c),
        }
        // A black flag, and the tags that follow it.
        flag = c == '\u{1f3f4}' || (flag && ('\u{e0020}'..='\u{e007e}').contains(&c));
        before = c;
    }
    found
}

/// Without a shape of its own: format characters, fillers, selectors. The soft hyphen shows at the end of a line.
fn is_shapeless(c: char) -> bool {
    let format = c.general_category() == GeneralCategory::Format
        && !matches!(c, '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}');
    format
        || matches!(
            c,
            '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}'
        )
        || matches!(c, '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_told_and_scripts_and_emoji_are_left_alone() {
        let of = |text: &str| {
            let found = hidden(text);
            (found.invisible, found.bidirectional)
        };
        for harmless in [
            "plain",
            "na\u{ef}ve caf\u{e9}",
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} family",
            "\u{2764}\u{fe0f}",
            "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}",
            "\u{915}\u{94d}\u{200d}\u{937}",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
        ] {
            assert_eq!(of(harmless), (false, false), "{}", harmless.escape_unicode());
        }
        for (text, expected) in [
            ("pass\u{200b}word", (true, false)),
            ("a\u{200d}b", (true, false)),
            ("ignore\u{e0041}\u{e0042}", (true, false)),
            ("\u{feff}begin", (true, false)),
            ("soft\u{ad}hyphen", (true, false)),
            ("user\u{202e}txt.exe", (false, true)),
            ("\u{2066}x\u{2069}", (false, true)),
            ("a\u{fe0f}\u{fe0e}", (true, false)),
        ] {
            assert_eq!(of(text), expected, "{}", text.escape_unicode());
        }
    }
}
