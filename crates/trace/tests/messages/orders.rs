//! Whatever happens to mails, and however their lines are mixed: every queue file is told once, as it was.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use trace::{Fate, Follow};

use crate::play::{fates, play, row, rows, show};
use crate::world::{Cut, Lines, mix, print, slots};

/// Within the grace time, so that lines may come in any order that is legal.
const STEP: i64 = 5_000;

fn expected(world: &[Vec<Lines>]) -> Vec<String> {
    let mut rows: Vec<String> = world.iter().flatten().flat_map(|mail| &mail.expected).map(|e| e.row()).collect();
    rows.sort();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each queue file is told once, with its own fates and links.
    #[test]
    fn every_queue_file_is_told(slots in slots(), choices in vec(any::<u8>(), 1..80)) {
        let world = print(&slots);
        let told = play(Follow::All, STEP, &mix(&world, &choices));
        let of = |number: u64| told.messages.iter().find(|m| m.number == number).map(|m| show(m.queue_id()));
        let mut rows: Vec<String> = told.messages.iter().map(|message| row(message, of)).collect();
        rows.sort();
        prop_assert_eq!(rows, expected(&world));
    }

    /// Each mail is one story with all its queue files.
    #[test]
    fn every_mail_is_a_story(slots in slots(), choices in vec(any::<u8>(), 1..80), detail in any::<bool>()) {
        let world = print(&slots);
        let told = play(Follow::Stories { detail }, STEP, &mix(&world, &choices));
        let wanted: BTreeSet<Vec<String>> = world.iter().flatten().filter(|mail| !mail.expected.is_empty()).map(|mail| {
            let mut rows: Vec<String> = mail.expected.iter().map(|e| e.row()).collect();
            rows.sort();
            rows
        }).collect();
        let stories: BTreeSet<Vec<String>> = told.stories.iter().map(|story| {
            let mut rows = rows(story);
            rows.sort();
            rows
        }).collect();
        prop_assert_eq!(stories, wanted);
        for story in &told.stories {
            let tries: u32 = story.messages().iter().flat_map(|m| m.recipients()).map(|r| r.tries).sum();
            let kept = story.messages().iter().map(|m| m.tries().count()).sum::<usize>();
            prop_assert_eq!(kept, if detail { tries as usize } else { 0 });
        }
    }

    /// Mail of logins has the same fates, whether only it is followed, or all mail, and however slowly the log goes on.
    #[test]
    fn logins_have_the_same_fates(mut slots in slots(), choices in vec(any::<u8>(), 1..80), slow in any::<bool>()) {
        // Where only logins are followed, only `removed` tells that a queue id is free again.
        for mail in slots.iter_mut().flatten() {
            mail.cut = Cut::No;
            mail.headless = 0;
        }
        let world = print(&slots);
        let lines = mix(&world, &choices);
        let step = if slow { 30_000 } else { STEP };
        let logins = |follow: Follow| {
            let told = play(follow, step, &lines);
            let stories = told.stories.iter().filter(|story| story.username().is_some());
            let mut rows: Vec<(String, Vec<(String, Fate)>)> =
                stories.map(|story| (story.username().map(show).unwrap(), fates(story))).collect();
            rows.sort();
            rows
        };
        let few = logins(Follow::Logins);
        prop_assert_eq!(few.len(), world.iter().flatten().filter(|mail| mail.login).count());
        prop_assert_eq!(&few, &logins(Follow::All));
        prop_assert_eq!(&few, &logins(Follow::Stories { detail: false }));
    }

    /// Lines in an order that no Postfix writes: each message is still told once, and each delivery line is one attempt.
    #[test]
    fn no_order_loses_or_doubles_anything(slots in slots(), choices in vec(any::<u8>(), 1..80), order in vec(any::<u32>(), 1..50), step in 0i64..3_000_000) {
        let mut lines: Vec<String> = mix(&print(&slots), &choices);
        let keys: Vec<u32> = (0..lines.len()).map(|n| order[n % order.len()].wrapping_mul(n as u32 | 1)).collect();
        let mut at: Vec<usize> = (0..lines.len()).collect();
        at.sort_by_key(|n| keys[*n]);
        lines = at.into_iter().map(|n| lines[n].clone()).collect();
        let deliveries = lines.iter().filter(|line| line.contains(": to=<")).count();
        for follow in [Follow::All, Follow::Stories { detail: true }] {
            let told = play(follow, step, &lines);
            let of_stories = told.stories.iter().flat_map(|story| story.messages());
            let all: Vec<_> = if follow == Follow::All { told.messages.iter().collect() } else { of_stories.collect() };
            let numbers: BTreeSet<u64> = all.iter().map(|message| message.number).collect();
            prop_assert_eq!(numbers.len(), all.len());
            let tries: u32 = all.iter().flat_map(|message| message.recipients()).map(|r| r.tries).sum();
            prop_assert_eq!(tries as usize, deliveries);
        }
    }
}
