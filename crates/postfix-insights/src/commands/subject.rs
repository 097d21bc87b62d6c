//! `client` and `account`: everything about one address, network or login name.

use answers::bans::{draw_clients, of_clients};
use answers::mask::Mask;
use answers::subject::{self, Subject};
use answers::subject_text;
use answers::times::Clock;

use crate::cli;
use crate::commands::bans;
use crate::doctor_log;
use crate::exit::Exit;
use crate::{asked, print};

/// Runs `client`.
pub(crate) fn client(args: &cli::Client) -> anyhow::Result<Exit> {
    asked::refuse(&args.asked, "a network, or `--since`")?;
    let bans = args.bans.are_named().then_some(&args.bans);
    tell(subject::client(&args.client)?, &args.input, &args.output, Ways { json: args.json, doctor: args.doctor, bans })
}

/// Runs `account`.
pub(crate) fn account(args: &cli::Account) -> anyhow::Result<Exit> {
    asked::refuse(&args.asked, "`--since`")?;
    tell(
        Subject::Account(args.account.as_bytes().into()),
        &args.input,
        &args.output,
        Ways { json: args.json, doctor: args.doctor, bans: None },
    )
}

/// How a story is told, and what stands beside it.
struct Ways<'a> {
    json: bool,
    doctor: bool,
    bans: Option<&'a bans::Sources>,
}

fn tell(subject: Subject, input: &cli::Input, output: &cli::Output, ways: Ways<'_>) -> anyhow::Result<Exit> {
    let reading = input.reading(output, false)?;
    let clock = Clock::new(reading.zone());
    let banned = ways.bans.map(|sources| Ok::<_, anyhow::Error>((sources.history(&reading)?.0, sources.decisions()?)));
    let banned = banned.transpose()?;
    let (story, read) = match subject::tell(subject, reading) {
        Ok(told) => told,
        Err(error) => return Ok(Exit::nothing_readable(&error)),
    };
    let mask = Mask(output.mask);
    let report = ways.doctor.then(|| doctor::examine(&doctor::Host::default(), &request(&story.subject)));
    let now =
        report.as_ref().map(|report| doctor_log::held_against(story.causes.clone(), story.detector(), &report.checks));
    let net = match &story.subject {
        Subject::Client(net) => Some(*net),
        Subject::Account(_) => None,
    };
    let is_meant = |ip: std::net::IpAddr| net.is_some_and(|net| net.contains(&ip));
    if ways.json {
        let mut object = subject::to_json(&story, &read, mask);
        if let (Some(object), Some(now)) = (object.as_object_mut(), &now) {
            object.insert("doctor".to_owned(), crate::doctor::causes_json(now));
        }
        if let (Some(object), Some((history, decisions))) = (object.as_object_mut(), &banned) {
            object.insert("bans".to_owned(), of_clients(history, decisions, &is_meant, mask));
        }
        print::json(&object)?;
    } else {
        let page = subject_text::Page {
            story: &story,
            read: &read,
            mask,
            screen: output.screen(),
            clock: &clock,
            verbose: output.verbose > 0,
        };
        let mut out = page.draw();
        if let Some(now) = &now {
            let mask = |text: &str| story.masked(text, mask);
            out += "\nTHE HOST NOW  (postfix-insights doctor tells all)\n";
            out += &crate::doctor_text::draw_causes(now, page.screen, &clock, &mask);
        }
        if let Some((history, decisions)) = &banned {
            out += "\nBANS  (postfix-insights bans tells all)\n";
            out += &draw_clients(history, decisions, &is_meant, mask, &clock);
        }
        print::text(&out)?;
    }
    Ok(Exit::of_reading(&read, output.quiet).or_no_match(story.found()))
}

/// What the doctor is asked about the subject of a story.
fn request(subject: &Subject) -> doctor::Request {
    let mut request = doctor::Request::default();
    match subject {
        Subject::Client(net) => request.client = (net.prefix_len() == net.max_prefix_len()).then(|| net.addr()),
        Subject::Account(name) => request.account = Some(String::from_utf8_lossy(name).into_owned()),
    }
    request
}
