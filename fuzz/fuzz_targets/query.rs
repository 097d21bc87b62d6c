//! Query text: it is read or refused; what is read prints as text that is read as the same.
#![no_main]

use std::hint::black_box;

use query::{Entry, Present, Query};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let present = Present { zone: jiff::tz::TimeZone::UTC, now: jiff::Timestamp::UNIX_EPOCH };
    match Query::parse(&text, &present) {
        Ok(query) => {
            // Printed times and quotes are longer than what was typed: only what is within the bounds is read again.
            let printed = query.to_string();
            if printed.chars().count() <= query::CHARACTERS_MAX {
                assert_eq!(Query::parse(&printed, &present).as_ref(), Ok(&query), "{printed}");
            }
            black_box(query.explain());
            let entry = Entry { text: Some(text.clone().into_owned()), username: Some(text.into_owned()), ..Entry::default() };
            black_box(query.matches(&entry));
            let shown = entry.text.as_deref().unwrap_or_default();
            assert!(query.highlights(&entry).into_iter().all(|range| shown.get(range).is_some()));
        }
        Err(error) => {
            assert!(error.at.end <= text.chars().count());
            black_box(error.pointed(&text));
        }
    }
});
