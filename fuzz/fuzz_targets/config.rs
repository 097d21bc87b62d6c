//! A configuration file: it is read or refused, and whatever is told of it stands in a line that it has.
#![no_main]

use config::{Key, Kind};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let key = |section: &str, name: &str, kind| Key { section: section.to_owned(), name: name.to_owned(), kind };
    let known = [
        key("", "state", Kind::One),
        key("sources", "files", Kind::List),
        key("sources", "journal", Kind::Switch),
        key("retention", "keep_days", Kind::One),
        key("serve", "listen", Kind::One),
    ];
    let lines = text.split('\n').count();
    match config::parse(&text, &known) {
        Ok(settings) => assert!(settings.iter().all(|setting| (1..=lines).contains(&setting.line))),
        Err(wrong) => assert!((1..=lines).contains(&wrong.line)),
    }
});
