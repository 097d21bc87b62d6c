//! The terminal's edge: log text is made harmless, cut to width and coloured here, and nowhere else.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::IsTerminal as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// How to draw.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// With colour.
    pub colour: bool,
    /// Columns, 80 to 200.
    pub width: usize,
}

/// What a piece of text is, for colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// A heading.
    Heading,
    /// Trouble.
    Bad,
    /// What may become trouble.
    Warn,
    /// What is well.
    Good,
    /// What matters less.
    Dim,
    /// Everything else.
    Plain,
}

impl Screen {
    /// What standard output is; `colour` is `None` where that is left to it.
    #[must_use]
    pub fn of_stdout(colour: Option<bool>) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let columns = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        let columns = columns.or_else(|| std::env::var("COLUMNS").ok()?.parse().ok());
        Self { colour: colour.unwrap_or(terminal && !no_color), width: columns.unwrap_or(100).clamp(80, 200) }
    }

    /// Text in its colour.
    pub fn ink(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Heading => "1",
            Ink::Bad => "1;31",
            Ink::Warn => "33",
            Ink::Good => "32",
            Ink::Dim => "2",
            Ink::Plain => "",
        };
        if self.colour && !code.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Makes text of strangers harmless: control bytes, direction marks and invisible characters are shown, not obeyed.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if !is_harmful(c) {
            out.push(c);
        } else if (c as u32) < 0x100 {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\x{:02x}", c as u32);
        } else {
            let _ = write!(out, "\\u{{{:x}}}", c as u32);
        }
    }
    Cow::Owned(out)
}

/// Control characters, bidirectional marks, zero-width and line-separating characters, tags.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}' | '\u{ad}' | '\u{e0000}'..='\u{e007f}')
}

/// Escaped bytes of the log's.
pub fn shown(bytes: &[u8]) -> String {
    escape(&String::from_utf8_lossy(bytes)).into_owned()
}

/// Cuts to so many columns, with a mark where it was cut.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let columns = c.width().unwrap_or(0);
        if used + columns + 1 > width {
            break;
        }
        out.push(c);
        used += columns;
    }
    out.push('…');
    out
}

/// Cut and filled up to exactly so many columns.
pub fn left(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let fill = width.saturating_sub(text.width());
    text + &" ".repeat(fill)
}

/// The same, to the right.
pub fn right(text: &str, width: usize) -> String {
    let text = cut(text, width);
    " ".repeat(width.saturating_sub(text.width())) + &text
}

/// Breaks text at blanks into lines of at most so many columns.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        let Some(last) = lines.last_mut() else { continue };
        if !last.is_empty() && last.width() + 1 + word.width() > width {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

/// `1,234,567`.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 client`, `3 clients`.
pub fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// A bar for a share of the largest value.
pub fn bar(value: u64, largest: u64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = usize::try_from(u128::from(value) * width as u128 * 8 / u128::from(largest.max(1)))
        .unwrap_or_default()
        .max(usize::from(value > 0));
    "█".repeat(eighths / 8) + EIGHTHS.get(eighths % 8).copied().unwrap_or_default()
}

/// One character per column, higher for more.
pub fn sparkline(values: &[u64]) -> String {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let largest = values.iter().copied().max().unwrap_or_default().max(1);
    let step = |value: &u64| match value {
        0 => '·',
        value => STEPS
            .get(usize::try_from(u128::from(value - 1) * 8 / u128::from(largest)).unwrap_or_default())
            .copied()
            .unwrap_or('█'),
    };
    values.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_shown_and_not_obeyed() {
        assert_eq!(escape("a\x1b[31mb\u{202e}c\u{200b}\r\n\u{9b}"), "a\\x1b[31mb\\u{202e}c\\u{200b}\\x0d\\x0a\\x9b");
        assert!(matches!(escape("grün@example.org"), Cow::Borrowed(_)));
    }

    #[test]
    fn widths() {
        assert_eq!(
            (left("abc", 5), right("abc", 5), cut("abcdef", 4)),
            ("abc  ".into(), "  abc".into(), "abc…".into())
        );
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(wrap("a bb ccc", 4), ["a bb", "ccc"]);
    }

    #[test]
    fn numbers_and_pictures() {
        assert_eq!((number(0), number(999), number(1_234_567)), ("0".into(), "999".into(), "1,234,567".into()));
        assert_eq!(
            (bar(10, 10, 4), bar(5, 10, 4), bar(1, 1_000, 4), bar(0, 10, 4)),
            ("████".into(), "██".into(), "▏".into(), String::new())
        );
        assert_eq!(sparkline(&[0, 1, 8]), "·▁█");
    }
}
