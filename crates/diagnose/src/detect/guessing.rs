//! `guessing` and `spraying`: one source that tries and tries, and whether to ban it.
//!
//! A ban is advised only where no user can be behind it: nobody ever got in from there, it is nobody's network, and either it tries
//! names of several people that never log in anywhere, or it tries faster than any device. One name that never logged in, however
//! fast, may be a server of one's own with an old password.

use super::finding::{Finding, Kind, plural};
use super::insiders::{self, Sweep};
use super::rows::{ClientRow, Name};
use super::source::Source;
use super::thresholds::Thresholds;
use super::tried::{Known, Tried};
use super::trouble::OwnDomains;
use super::who::Who;
use super::{Detector, Told, crowd, people};

/// A program that is set up wrongly tries its one account faster than a device of somebody's: a guesser so many times as fast.
pub(crate) const IMPATIENT: u32 = 3;

/// Before an owner sees that a password is wrong, a device may try so many times as often as makes guessing; not more.
pub(crate) const HASTY_TRIES: u32 = 2;

/// Whoever got in with the one name it tried may be its owner; whoever reads mailboxes has some of his own.
const GOT_IN: f32 = 0.75;

/// What looks like a guesser and may be an office: one that never got in, or whose names have got another form.
const MAY_BE_OFFICE: f32 = 0.6;

/// Where everybody logs in through one source, that all fail may be the backend's fault.
const MAY_BE_OUTAGE: f32 = 0.65;

/// What a source looks like, for the decision.
struct Look {
    /// The names it tried.
    tried: Tried,
    /// Accounts in use that log in from about there.
    neighbours: u32,
    /// Tries with names that the backend says it does not know.
    unknown: u32,
    fast: bool,
    very_fast: bool,
    tries: u32,
}

/// One finding for each source that tried often enough.
pub(crate) fn findings(detector: &Detector, told: &mut Told, found: &mut Vec<Finding>) {
    let thresholds = detector.thresholds();
    let known = Known::default();
    let mut own = OwnDomains::default();
    for (source, row) in detector.ranked() {
        // Somebody's printer or program on port 25: nobody heard a password of its.
        if row.tries() == 0 && own.relays(detector, row) && !is_fast(row, thresholds, 1) {
            continue;
        }
        let tries = tries(row);
        if tries < thresholds.guess_tries && row.names() < thresholds.spray_names {
            continue;
        }
        if told.clients.contains_key(&source) || is_users_own(detector, source, row) {
            continue;
        }
        let look = look(detector, &known, source, row);
        // Where an account usually is, only its own name, and in no hurry: its owner.
        let at_home = look.tried.names > 0 && look.neighbours == look.tried.names;
        if at_home && !look.fast && Sweep::of(detector, source, row).is_none() {
            continue;
        }
        let out = told.was_out(row.first_failure, row.last_failure);
        // Everybody behind a gateway fails at once when the backend does.
        if out && Sweep::of(detector, source, row).is_some() {
            continue;
        }
        found.push(finding(detector, (source, row), &look, out));
        told.clients.insert(source, Kind::Guessing);
    }
}

/// Tries, with those whose answer was lost if passwords were refused besides, and those that were refused unheard.
fn tries(row: &ClientRow) -> u32 {
    let lost = if row.failed > 0 { row.rare().lost } else { 0 };
    let unheard = if row.ok == 0 { row.rare().no_auth } else { 0 };
    row.tries().saturating_add(lost).saturating_add(unheard)
}

/// Logins work there, and what failed are its own people's names or as good as none.
fn is_users_own(detector: &Detector, source: Source, row: &ClientRow) -> bool {
    if row.ok == 0 {
        return false;
    }
    let foreign =
        row.names.iter().filter(|name| detector.pairs.get(&(source, **name)).is_none_or(|pair| !pair.got_in()));
    let foreign = foreign.count() as u32 + row.names_beyond;
    let thresholds = detector.thresholds();
    let many = foreign >= thresholds.spray_names && foreign as usize > 2 * row.ok_names.len();
    let alone = row.ok_names.len() <= 1;
    // Sessions that sent nothing do not say who got in.
    let unnamed = row.ok_names.is_empty()
        && row.tries() >= HASTY_TRIES * thresholds.guess_tries
        && row.tries() / HASTY_TRIES >= thresholds.guess_tries.saturating_mul(row.ok);
    let in_haste = |name: &Name| got_in_in_haste(detector, (source, row), *name);
    let guesses = many
        || unnamed
        || alone && row.names.iter().any(in_haste)
        || insiders::guessed(detector, source, row).next().is_some()
        || insiders::tries_somebody_else(detector, source, row)
        || Sweep::of(detector, source, row).is_some();
    !guesses
}

/// The one account that logs in there failed again and again before it did, faster than any device, and was not known about there.
/// Somebody may have corrected a password by then; or guessed it.
fn got_in_in_haste(detector: &Detector, (source, row): (Source, &ClientRow), name: Name) -> bool {
    let thresholds = detector.thresholds();
    let (Some(pair), Some(account)) = (detector.history(source, name), detector.accounts.get(&name)) else {
        return false;
    };
    account.ok > 0
        && pair.failed >= HASTY_TRIES * thresholds.guess_tries
        && is_fast(row, thresholds, 1)
        && pair.first_failure < pair.first_ok
        && !people::lived_there(detector, name, source, &pair)
}

fn look(detector: &Detector, known: &Known, source: Source, row: &ClientRow) -> Look {
    let thresholds = detector.thresholds();
    Look {
        tried: Tried::of(detector, known, row),
        neighbours: neighbours(detector, source, row),
        unknown: row.unknown_user,
        fast: is_fast(row, thresholds, 1),
        very_fast: is_fast(row, thresholds, IMPATIENT),
        tries: tries(row),
    }
}

/// How many of the names are of accounts in use that log in from about there.
pub(crate) fn neighbours(detector: &Detector, source: Source, row: &ClientRow) -> u32 {
    let lives_there = |name: &&Name| {
        let pair = detector.history(source, **name).filter(|_| detector.is_in_use(**name));
        pair.is_some_and(|pair| people::lived_there(detector, **name, source, &pair))
    };
    u32::try_from(row.names.iter().filter(lives_there).count()).unwrap_or(u32::MAX)
}

/// Faster than devices are, so many times.
pub(crate) fn is_fast(row: &ClientRow, thresholds: &Thresholds, times: u32) -> bool {
    row.burst.per_minute() >= times * thresholds.fast_per_minute
        || row.burst.per_ten_minutes() >= times * thresholds.fast_per_ten_minutes
}

impl Look {
    /// Whether nobody honest can be behind it.
    fn is_hostile(&self, detector: &Detector) -> bool {
        let thresholds = detector.thresholds();
        // Where nobody ever gets in, strange names may be everybody's: then only haste or the backend's word tells.
        let told_apart = detector.logins > 0 || self.fast || self.unknown >= thresholds.ban_strange_names;
        let Tried { names, strange, strangers, in_use, .. } = self.tried;
        let dictionary = strangers >= thresholds.ban_strange_names && 2 * strange > names && told_apart;
        let few_each = self.tries <= names.saturating_mul(thresholds.spray_tries_per_name);
        // People whose mail programs leave out the domain, or have an old one, are not in a hurry.
        let people = if self.fast { self.tried.people() } else { strangers + in_use };
        let list = people >= 2 * thresholds.ban_strange_names && (self.fast || detector.logins > 0 && few_each);
        // A server that hands its mail in here may have just the one name, and tries it for each of its messages.
        let one_of_ours = names == 1 && strange == 1 && self.unknown < thresholds.ban_strange_names;
        // So may one whose names the log does not say, as Postfix before 3.7.8 and 3.8.3 does not without its backend's log. And
        // whoever sets up a device goes through the forms of one name.
        let fast = if self.tried.people() <= 1 { self.very_fast } else { self.fast };
        let hammer = fast && self.tries >= thresholds.ban_tries && !one_of_ours;
        self.tries >= thresholds.guess_tries.max(thresholds.ban_strange_names) && (dictionary || list || hammer)
    }
}

fn finding(detector: &Detector, (source, row): (Source, &ClientRow), look: &Look, during_outage: bool) -> Finding {
    let thresholds = detector.thresholds();
    let people = look.tried.people();
    let spray = people >= thresholds.spray_names
        && look.tries <= look.tried.names.saturating_mul(thresholds.spray_tries_per_name);
    let kind = if spray { Kind::Spraying } else { Kind::Guessing };
    let times = (row.first_failure, row.last_failure);
    let mut finding = Finding::new(kind, format!("attack-{}", source.ip()), times);
    let sweep = Sweep::of(detector, source, row);
    let server = detector.inbound.is_server(source, look.tries);
    let who = match () {
        () if sweep.is_some() => Who::Gateway,
        () if server => Who::Server,
        () => who(detector, source, row, look),
    };
    let hostile = look.is_hostile(detector) && row.failed + row.held_off > 0 && !who.may_be_people();
    let protected = detector.settings.protects(source);
    let reads = detector.readers.contains_key(&source);
    finding.ban = hostile && !protected && !reads && row.ok == 0 && look.neighbours == 0 && !during_outage;
    finding.confidence = match (hostile, people >= thresholds.spray_names || people > 1 && look.fast) {
        (true, _) => 0.95,
        (false, true) => 0.8,
        (false, false) if look.fast => 0.7,
        (false, false) => 0.55,
    };
    if who.may_be_people() {
        finding.confidence = finding.confidence.min(MAY_BE_OFFICE);
    }
    if sweep.is_some() {
        finding.confidence = finding.confidence.min(MAY_BE_OUTAGE);
    }
    if row.ok > 0 && look.tried.names == 1 || reads || server {
        // Its one name got in: a password corrected, or guessed. And where mailboxes are read, or mail comes from, others are.
        finding.confidence = finding.confidence.min(GOT_IN);
    }
    finding.clients = detector.addresses(source, row);
    finding.accounts.reserve_exact(row.names.len());
    finding.accounts.extend(row.names.iter().filter_map(|name| detector.spelled(*name)));
    if row.names.is_empty() {
        finding.accounts.extend(insiders::guessed(detector, source, row).filter_map(|name| detector.spelled(name)));
    }
    finding.accounts.sort_unstable();
    finding.counts = counts(row, look);
    finding.summary = match sweep {
        Some(sweep) => sweep.summary(source),
        None => summary(detector, source, row, look) + who.doubt(),
    };
    if reads {
        finding.summary += "; mailboxes are read from there";
    }
    finding.evidence = detector.evidence(row.proofs.iter());
    let finding = finding.decided(
        detector,
        &["guess_tries", "spray_names", "ban_tries", "ban_strange_names", "fast_per_minute", "fast_per_ten_minutes"],
    );
    if protected && sweep.is_none() { Who::OfOurs.advise(finding) } else { who.advise(finding) }
}

/// Who may be behind it. What looks like nobody's doing is asked about; so is what looks like an attack.
fn who(detector: &Detector, source: Source, row: &ClientRow, look: &Look) -> Who {
    if row.ok > 0 {
        let guessed = || insiders::guessed(detector, source, row).next().is_some();
        return match () {
            () if is_let_in(row) && look.tried.people() > 1 => Who::LetIn,
            () if guessed() => Who::Visitor,
            () => Who::Somebody,
        };
    }
    let Tried { names, forms, forms_people, .. } = look.tried;
    let unhurried = !look.fast || crowd::is_at_the_pace_of_people(row, names);
    let hostile = look.is_hostile(detector);
    if 2 * forms > names && forms_people > 1 && unhurried {
        Who::Renamed
    } else if hostile && crowd::is_possible(detector, source, row, look.fast, look.tried.people()) {
        Who::Office
    } else if hostile && !look.fast && crowd::may_have_moved(detector, row) {
        Who::Moved
    } else {
        Who::Somebody
    }
}

/// It got in at last, and the log does not say as whom.
fn is_let_in(row: &ClientRow) -> bool {
    row.ok_names.is_empty() && row.last_ok > row.first_failure
}

fn counts(row: &ClientRow, look: &Look) -> Vec<(&'static str, u64)> {
    let Tried { names, strange, forms, .. } = look.tried;
    let counts = [
        ("auth_failed", u64::from(row.failed)),
        ("held_off", u64::from(row.held_off)),
        ("lost", u64::from(row.rare().lost)),
        ("unheard", u64::from(row.rare().no_auth)),
        ("usernames", u64::from(names)),
        ("usernames_never_logged_in", u64::from(strange + forms)),
        ("usernames_in_another_form", u64::from(forms)),
        ("auth_ok", u64::from(row.ok)),
    ];
    let matters = |(name, count): &(&str, u64)| *count > 0 || matches!(*name, "auth_failed" | "usernames" | "auth_ok");
    counts.into_iter().filter(matters).collect()
}

fn summary(detector: &Detector, source: Source, row: &ClientRow, look: &Look) -> String {
    let names = match look.tried.names {
        0 if row.tries() == 0 && row.rare().no_auth > 0 => "AUTH is off there, so no password was heard".to_owned(),
        0 => "names not logged".to_owned(),
        names => plural(u64::from(names), "name", "names"),
    };
    let end = match row.ok {
        0 => "never got in",
        _ if is_let_in(row) => "then got in; as whom the log does not say",
        _ if insiders::guessed(detector, source, row).next().is_some() => {
            "then got in as an account that logs in elsewhere"
        }
        _ if !row.names.iter().any(|name| row.ok_names.contains(name)) => "got in as somebody else only",
        _ => "got in with few of them, or at last",
    };
    format!("{} failed {} ({names}) and {end}", source, plural(u64::from(look.tries), "time", "times"))
}
