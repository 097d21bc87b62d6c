//! How the envelope of a line looks: what a person calls the format of a log.
//!
//! For looking at a log once; [`crate::record`] reads every shape without asking which it is.

use crate::envelope::record;
use crate::stamp::Stamp;
use crate::unwrap::unwrap;

macro_rules! shapes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $told:literal;)*) => {
        /// How the envelope of a line looks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Shape { $($(#[$doc])* $variant,)* }

        impl Shape {
            /// Its name in JSON.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it is, in a few words.
            #[must_use]
            pub fn told(self) -> &'static str {
                match self { $(Self::$variant => $told,)* }
            }
        }
    };
}

shapes! {
    /// `Jun 17 10:25:14 mail …`
    Traditional = "traditional", "times without a year and a zone (Jun 17 10:25:14)";
    /// `2026 Jun 17 10:25:14 mail …`, `2026-06-17 10:25:14 …`
    Local = "local", "times without a zone";
    /// `2026-06-17T10:25:14.123456+02:00 mail …`
    Instant = "instant", "whole times (RFC 3339)";
    /// `<22>1 2026-06-17T10:25:14Z mail …`
    Rfc5424 = "rfc5424", "RFC 5424";
    /// A line within another one: the journal's or Docker's JSON, a compose prefix.
    Wrapped = "wrapped", "lines within lines (JSON, containers)";
}

/// The shape of a line's envelope; `None`: no time can be read in it.
#[must_use]
pub fn shape(line: &[u8]) -> Option<Shape> {
    let Some(record) = record(line) else {
        return unwrap(line).filter(|inner| crate::record(inner).is_some()).map(|_| Shape::Wrapped);
    };
    let is_rfc5424 = || {
        let behind = line.strip_prefix(b"<").and_then(|rest| rest.get(memchr::memchr(b'>', rest)? + 1..));
        behind.is_some_and(|behind| behind.starts_with(b"1 "))
    };
    Some(match record.stamp {
        _ if is_rfc5424() => Shape::Rfc5424,
        Stamp::Instant(_) => Shape::Instant,
        Stamp::Wall(wall) if wall.year.is_some() => Shape::Local,
        Stamp::Wall(_) => Shape::Traditional,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_told_apart() {
        for (line, expected) in [
            ("Jun 17 10:25:14 mail postfix/smtpd[1]: x", Some(Shape::Traditional)),
            ("<22>Jun 17 10:25:14 mail postfix/smtpd[1]: x", Some(Shape::Traditional)),
            ("2026-06-17T10:25:14.123456+02:00 mail postfix/smtpd[1]: x", Some(Shape::Instant)),
            ("2026-06-17 10:25:14 mail postfix/smtpd[1]: x", Some(Shape::Local)),
            ("<22>1 2026-06-17T10:25:14Z mail postfix/smtpd 1 - - x", Some(Shape::Rfc5424)),
            ("postfix-1  | Jun 17 10:25:14 mail postfix/smtpd[1]: x", Some(Shape::Wrapped)),
            (r#"{"log":"Jun 17 10:25:14 mail postfix/smtpd[1]: x\n"}"#, Some(Shape::Wrapped)),
            ("postfix/smtpd[1]: x", None),
            (r#"{"a": 1}"#, None),
            ("", None),
        ] {
            assert_eq!(shape(line.as_bytes()), expected, "{line}");
        }
    }
}
