//! Where the whole lines of a window end.
//!
//! Input: bytes that start at the start of a line. Output: how many of them can be delivered, or why none can.
//!
//! A run of NULs in front of a line is what a writer leaves that kept its place while the file was truncated under it (`copytruncate`),
//! or a crash before the data reached the disk. It is passed over, but only with the line after it: on some file systems the NULs may
//! still turn into what was written.

/// What to do with a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// So many bytes are whole lines, none of which starts with a NUL.
    Lines(usize),
    /// So many NULs stand in front of the next line.
    Nuls(usize),
    /// The line is longer than the window.
    Long,
    /// There is no whole line yet.
    Unended,
}

/// Cuts a window; `is_full` says that more bytes may follow that did not fit.
pub(crate) fn cut(window: &[u8], is_full: bool) -> Cut {
    let nuls = window.iter().take_while(|byte| **byte == 0).count();
    if nuls > 0 {
        return Cut::Nuls(nuls);
    }
    // Up to the first line that starts with a NUL.
    let clean = memchr::memmem::find(window, b"\n\0").map_or(window, |at| window.get(..=at).unwrap_or_default());
    match memchr::memrchr(b'\n', clean) {
        Some(at) => Cut::Lines(at + 1),
        None if is_full => Cut::Long,
        None => Cut::Unended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cuts() {
        let check = |window: &[u8], is_full, expected| assert_eq!(cut(window, is_full), expected, "{window:?}");
        check(b"", false, Cut::Unended);
        check(b"ab", false, Cut::Unended);
        check(b"ab", true, Cut::Long);
        check(b"a\nb", true, Cut::Lines(2));
        check(b"a\n\n", false, Cut::Lines(3));
        check(b"\0\0a\n", false, Cut::Nuls(2));
        check(b"a\n\0b\n", false, Cut::Lines(2));
        check(b"a\0b\nc\n", false, Cut::Lines(6));
        check(b"\0\0", true, Cut::Nuls(2));
    }

    proptest! {
        /// Cut after cut, every byte but the NULs in front of lines is delivered once.
        #[test]
        fn nothing_is_lost(text in proptest::collection::vec(prop_oneof![Just(0), Just(b'\n'), Just(b'a')], 0..40)) {
            let mut text = text;
            text.push(b'\n');
            let (mut rest, mut found) = (&text[..], Vec::new());
            while !rest.is_empty() {
                let count = match cut(rest, false) {
                    Cut::Lines(count) => { found.extend_from_slice(&rest[..count]); count }
                    Cut::Nuls(count) => count,
                    other => panic!("{other:?} for {rest:?}"),
                };
                rest = &rest[count..];
            }
            let strip = |line: &[u8]| line.iter().skip_while(|b| **b == 0).copied().collect::<Vec<u8>>();
            let expected: Vec<u8> = text.split_inclusive(|b| *b == b'\n').flat_map(strip).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
