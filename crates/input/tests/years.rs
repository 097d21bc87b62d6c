//! Stamps without year and zone: rotation, file times, New Year, leap days, summer time.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

mod common;

use common::{Folder, all, instant, log, options, syslog_stamp, texts, times};
use input::Sources;

const NOW: &str = "2026-11-22T12:00:00Z";

#[test]
fn new_year_in_one_file() {
    let folder = Folder::new();
    let path = folder.write(
        "mail.log",
        log(&[
            ("Dec 31 23:59:59", "a"),
            ("Jan  1 00:00:00", "b"),
            ("Dec 31 23:59:59", "late"),
            ("Jan  1 00:00:01", "c"),
        ]),
        "2026-01-02T00:00:00Z",
    );
    let (found, coverage) = all(Sources::files([path]), &options("UTC", NOW));
    assert_eq!(
        times(&found),
        ["2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", "2026-01-01T00:00:01Z"]
    );
    assert!(found.iter().all(|l| l.year_inferred));
    assert_eq!(coverage.sources[0].inferred_year, Some(2026));
}

#[test]
fn new_year_on_a_stream() {
    let text = log(&[("Dec 31 23:59:59", "a"), ("Jan  1 00:00:00", "b")]);
    let (found, _) =
        all(Sources::stream("-", std::io::Cursor::new(text.clone())), &options("UTC", "2026-01-05T00:00:00Z"));
    assert_eq!(times(&found), ["2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"]);
    let (found, _) = all(Sources::stream("-", std::io::Cursor::new(text)), &options("UTC", "2025-12-30T12:00:00Z"));
    assert_eq!(times(&found), ["2024-12-31T23:59:59Z", "2025-01-01T00:00:00Z"], "the last line cannot be of next year");
}

#[test]
fn a_clock_two_hours_ahead_stays_in_this_year() {
    let folder = Folder::new();
    let path =
        folder.write("mail.log", log(&[("Dec 31 23:30:00", "a"), ("Jan  1 01:30:00", "b")]), "2025-12-31T23:30:00Z");
    let (found, _) = all(Sources::files([path]), &options("UTC", NOW));
    assert_eq!(times(&found), ["2025-12-31T23:30:00Z", "2026-01-01T01:30:00Z"]);
    let path = folder.write("other.log", log(&[("Nov 22 14:00:00", "a")]), NOW);
    let (found, _) = all(Sources::files([path]), &options("UTC", NOW));
    assert_eq!(times(&found), ["2026-11-22T14:00:00Z"]);
}

/// A container image's file, or one out of an archive without times.
#[test]
fn a_file_time_before_postfix_says_nothing() {
    let folder = Folder::new();
    for (name, modified) in [("a.log", "1970-01-01T00:00:00Z"), ("b.log", "1980-01-01T00:00:00Z")] {
        let path = folder.write(name, log(&[("Nov 20 14:00:00", "a")]), modified);
        let (found, _) = all(Sources::files([path]), &options("UTC", NOW));
        assert_eq!(times(&found), ["2026-11-20T14:00:00Z"]);
    }
}

/// The first of each of 14 months, newest first, in files whose own times say nothing.
#[test]
fn fourteen_months_of_archives() {
    let months = ["Nov", "Oct", "Sep", "Aug", "Jul", "Jun", "May", "Apr", "Mar", "Feb", "Jan", "Dec", "Nov", "Oct"];
    let folder = Folder::new();
    let mut paths: Vec<_> = months
        .iter()
        .enumerate()
        .map(|(age, month)| {
            let text = log(&[
                (&format!("{month}  2 00:00:00"), &format!("{age} first")),
                (&format!("{month} 20 00:00:00"), &format!("{age} last")),
            ]);
            let name = if age == 0 { "mail.log".to_owned() } else { format!("mail.log.{age}") };
            folder.write(&name, text, NOW)
        })
        .collect();
    let expected = |found: &[common::Seen]| {
        assert_eq!(found.len(), 28);
        assert_eq!(
            times(found)[..4],
            ["2025-10-02T00:00:00Z", "2025-10-20T00:00:00Z", "2025-11-02T00:00:00Z", "2025-11-20T00:00:00Z"]
        );
        assert_eq!(times(found)[26..], ["2026-11-02T00:00:00Z", "2026-11-20T00:00:00Z"]);
        assert!(found.is_sorted_by_key(|l| l.micros));
    };
    expected(&all(Sources::files(&paths), &options("UTC", NOW)).0);
    paths.reverse();
    expected(&all(Sources::files(&paths), &options("UTC", NOW)).0);
    paths.rotate_left(5);
    paths.swap(1, 7);
    expected(&all(Sources::files(&paths), &options("UTC", NOW)).0);
}

#[test]
fn file_times_that_contradict_the_numbers_win() {
    let folder = Folder::new();
    let paths = [
        folder.write("mail.log.1", log(&[("Jan 10 00:00:00", "a")]), "2026-01-11T00:00:00Z"),
        folder.write("mail.log.2", log(&[("Feb 10 00:00:00", "b")]), "2026-02-11T00:00:00Z"),
        folder.write("mail.log.3", log(&[("Mar 10 00:00:00", "c")]), "2026-03-11T00:00:00Z"),
    ];
    let (found, _) = all(Sources::files(paths), &options("UTC", NOW));
    assert_eq!(times(&found), ["2026-01-10T00:00:00Z", "2026-02-10T00:00:00Z", "2026-03-10T00:00:00Z"]);
}

#[test]
fn a_date_in_the_name_bounds_the_year() {
    let folder = Folder::new();
    let paths = [
        folder.write("maillog-20230212", log(&[("Feb 10 00:00:00", "a")]), NOW),
        folder.write("maillog-20240107.gz", log(&[("Dec 31 00:00:00", "b"), ("Jan  6 00:00:00", "c")]), NOW),
    ];
    let (found, _) = all(Sources::files(paths), &options("UTC", NOW));
    assert_eq!(times(&found), ["2023-02-10T00:00:00Z", "2023-12-31T00:00:00Z", "2024-01-06T00:00:00Z"]);
}

#[test]
fn a_file_of_three_years() {
    let folder = Folder::new();
    let start = instant("2023-09-01T00:00:00Z");
    // Big enough to be sampled and not to be looked through.
    let text: String = (0..3 * 365 * 24)
        .map(|hour| format!("{} mail p[1]: {hour} {}\n", syslog_stamp(start + hour * 3_600_000_000), "x".repeat(150)))
        .collect();
    assert!(text.len() > 4 << 20);
    let path = folder.write("mail.log", &text, "2026-08-31T12:00:00Z");
    let (found, coverage) = all(Sources::files([path]), &options("UTC", NOW));
    assert!(
        found
            .iter()
            .enumerate()
            .all(|(hour, line)| line.micros == Some(start + i64::try_from(hour).unwrap() * 3_600_000_000))
    );
    assert_eq!((coverage.from, coverage.sources[0].inferred_year), (Some(start), Some(2026)));
}

#[test]
fn feb_29_lands_in_a_leap_year() {
    let folder = Folder::new();
    let path = folder.write(
        "mail.log",
        log(&[("Feb 28 23:00:00", "a"), ("Feb 29 10:00:00", "b"), ("Mar  1 00:00:00", "c")]),
        NOW,
    );
    let (found, coverage) = all(Sources::files([path]), &options("UTC", NOW));
    assert_eq!(times(&found), ["2024-02-28T23:00:00Z", "2024-02-29T10:00:00Z", "2024-03-01T00:00:00Z"]);
    assert_eq!(coverage.bad_time, 0);
    let path = folder.write("other.log", log(&[("Feb 30 10:00:00", "never"), ("Apr 31 10:00:00", "never")]), NOW);
    let (found, coverage) = all(Sources::files([path]), &options("UTC", NOW));
    assert_eq!((times(&found), coverage.bad_time, coverage.unknown), (vec!["-", "-"], 2, 2));
}

#[test]
fn the_year_the_user_says_is_that_of_the_last_line() {
    let folder = Folder::new();
    let path = folder.write("mail.log", log(&[("Dec 31 23:59:59", "a"), ("Jan  1 00:00:00", "b")]), NOW);
    let options = input::Options { year: Some(2019), ..options("UTC", NOW) };
    assert_eq!(times(&all(Sources::files([path]), &options).0), ["2018-12-31T23:59:59Z", "2019-01-01T00:00:00Z"]);
    let rotated = [
        folder.write("x.log", log(&[("Jan  5 00:00:00", "b")]), NOW),
        folder.write("x.log.1", log(&[("Dec 31 00:00:00", "a")]), NOW),
    ];
    assert_eq!(times(&all(Sources::files(rotated), &options).0), ["2018-12-31T00:00:00Z", "2019-01-05T00:00:00Z"]);
}

#[test]
fn a_log_that_got_years_ends_in_the_one_the_user_says() {
    let folder = Folder::new();
    let text = log(&[("Dec 31 10:25:01", "a"), ("2026-01-01T10:25:02Z", "b")]);
    let options = input::Options { year: Some(2026), ..options("UTC", NOW) };
    let (found, _) = all(Sources::files([folder.write("mail.log", text, NOW)]), &options);
    assert_eq!(times(&found), ["2025-12-31T10:25:01Z", "2026-01-01T10:25:02Z"]);
}

/// Also if another line says otherwise: a device whose clock is wrong, or a stranger's word.
#[test]
fn one_line_with_a_year_does_not_overrule_the_user() {
    let folder = Folder::new();
    for year in ["2031", "9999", "1999"] {
        let odd = format!("{year}-06-17T10:25:02Z");
        let path = folder.write(
            &format!("{year}.log"),
            log(&[("Jun 17 10:25:01", "a"), (&odd, "b"), ("Jun 17 10:25:03", "c")]),
            NOW,
        );
        let options = input::Options { year: Some(2026), ..options("UTC", NOW) };
        assert_eq!(
            times(&all(Sources::files([path]), &options).0),
            ["2026-06-17T10:25:01Z", &odd, "2026-06-17T10:25:03Z"]
        );
    }
}

#[test]
fn both_forms_of_stamps_in_one_file() {
    let folder = Folder::new();
    let text = log(&[
        ("Nov 21 23:59:58", "a"),
        ("Nov 21 23:59:59", "b"),
        ("2024-11-22T00:00:00.5+00:00", "c"),
        ("2024-11-22T01:00:01.25+01:00", "d"),
        ("Nov 23 00:00:00", "e"),
    ]);
    let path = folder.write("mail.log", text, NOW);
    let (found, coverage) = all(Sources::files([path]), &options("UTC", NOW));
    assert_eq!(
        times(&found),
        [
            "2024-11-21T23:59:58Z",
            "2024-11-21T23:59:59Z",
            "2024-11-22T00:00:00.5Z",
            "2024-11-22T00:00:01.25Z",
            "2024-11-23T00:00:00Z"
        ]
    );
    assert_eq!(found.iter().map(|l| l.year_inferred).collect::<Vec<_>>(), [true, true, false, false, true]);
    assert_eq!((coverage.lines, coverage.unknown), (5, 0));
}

#[test]
fn both_days_the_clocks_change_in_berlin() {
    let folder = Folder::new();
    let berlin = options("Europe/Berlin", NOW);
    let autumn = folder.write(
        "autumn.log",
        log(&[
            ("Oct 26 01:59:59", "a"),
            ("Oct 26 02:30:00", "b"),
            ("Oct 26 02:29:59", "c"),
            ("Oct 26 02:59:59", "d"),
            ("Oct 26 02:00:00", "e"),
            ("Oct 26 02:59:59", "f"),
            ("Oct 26 03:00:00", "g"),
        ]),
        "2025-10-27T00:00:00Z",
    );
    let (found, _) = all(Sources::files([autumn]), &berlin);
    assert_eq!(
        times(&found),
        [
            "2025-10-25T23:59:59Z",
            "2025-10-26T00:30:00Z",
            "2025-10-26T00:29:59Z",
            "2025-10-26T00:59:59Z",
            "2025-10-26T01:00:00Z",
            "2025-10-26T01:59:59Z",
            "2025-10-26T02:00:00Z"
        ]
    );
    let spring =
        folder.write("spring.log", log(&[("Mar 30 01:59:59", "a"), ("Mar 30 03:00:00", "b")]), "2025-03-31T00:00:00Z");
    let (found, _) = all(Sources::files([spring]), &berlin);
    assert_eq!(times(&found), ["2025-03-30T00:59:59Z", "2025-03-30T01:00:00Z"]);
}

/// What the clock needs is seen also in lines nobody wants.
#[test]
fn skipped_lines_move_the_clock() {
    let folder = Folder::new();
    let path = folder.write(
        "mail.log",
        log(&[
            ("Oct 26 02:40:00", "skip"),
            ("Oct 26 02:20:00", "skip"),
            ("Oct 26 02:30:00", "want"),
            ("Dec 31 10:00:00", "skip"),
            ("Jan  1 10:00:00", "skip"),
            ("Jul  1 10:00:00", "want"),
        ]),
        "2026-07-02T00:00:00Z",
    );
    let worth = |r: &maillog::Record<'_>| if r.text == b"want" { input::Worth::Keep } else { input::Worth::Skip };
    let (found, coverage) = common::read(Sources::files([path]), &options("Europe/Berlin", NOW), worth);
    assert_eq!(times(&found), ["2025-10-26T01:30:00Z", "2026-07-01T08:00:00Z"]);
    assert_eq!((found[0].line, found[1].line, coverage.from), (3, 6, Some(instant("2025-10-26T00:40:00Z"))));
}

#[test]
fn joined_logs_of_different_forms_match_in_time() {
    let folder = Folder::new();
    let mail =
        folder.write("mail.log", log(&[("2025-07-01T10:00:00+00:00", "m1"), ("2025-07-01T10:00:02+00:00", "m2")]), NOW);
    let dovecot = folder.write(
        "dovecot.log",
        log(&[("Jul  1 12:00:01", "d1"), ("Jul  1 12:00:03", "d2")]),
        "2025-07-02T00:00:00Z",
    );
    let (found, _) = all(Sources::files([mail, dovecot]), &options("Europe/Berlin", NOW));
    assert_eq!(texts(&found), ["m1", "d1", "m2", "d2"]);
}
