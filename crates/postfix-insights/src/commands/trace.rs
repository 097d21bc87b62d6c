//! `trace`: finds messages and tells their stories.

use std::path::PathBuf;

use answers::mask::Mask;
use answers::story::{self, Wanted};
use answers::times::Clock;
use answers::{story_json, story_text};

use crate::cli;
use crate::exit::Exit;
use crate::{asked, print};

/// Runs the command.
pub(crate) fn run(args: &cli::Trace) -> anyhow::Result<Exit> {
    asked::refuse(&args.asked, "`--from ADDR` or `--to ADDR`")?;
    let by_envelope = args.from.is_some() || args.to.is_some();
    let mut input = args.input.clone();
    // Without an ID the first word is a file.
    if by_envelope && let Some(file) = &args.id {
        input.files.insert(0, PathBuf::from(file));
    }
    let id = args.id.as_deref().filter(|_| !by_envelope);
    let (reading, during) = input.reading(&args.output, false)?.whole();
    let clock = Clock::new(reading.zone());
    let wanted = Wanted::new(id, args.from.as_deref(), args.to.as_deref(), during);
    let found = match story::find(wanted, reading) {
        Ok(found) => found,
        Err(error) => return Ok(Exit::nothing_readable(&error)),
    };
    let mask = Mask(args.output.mask);
    if args.json {
        print::json(&story_json::stories(&found.told, found.beyond, &found.read, mask))?;
    } else {
        let page = story_text::Page {
            told: &found.told,
            beyond: found.beyond,
            read: &found.read,
            mask,
            screen: args.output.screen(),
            clock: &clock,
            verbose: args.output.verbose > 0,
        };
        print::text(&page.draw())?;
    }
    Ok(Exit::of_reading(&found.read, args.output.quiet).or_no_match(!found.told.is_empty()))
}
