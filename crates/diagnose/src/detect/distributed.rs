//! `distributed_attack`: many sources, each too quiet to be noticed.
//!
//! Three views. One account that many sources fail with and none ever gets in as. Sources of one network (/24, /48) that take turns.
//! And a campaign: sources of a few tries each that never got in, more than people make, without a long pause between them. Single addresses are never advised to be banned for it: each did too little.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use super::finding::{Finding, Kind, hash_of, plural, stamp};
use super::rows::{AccountRow, ClientRow, Name};
use super::source::Source;
use super::{Detector, Told, roaming};

const DAY: i64 = 86_400_000_000;
/// Quiet failures with names that are in use, within a day, that are more than people make.
const DENSE: usize = 30;
/// Of so many people one a day fails quietly somewhere new and gives up, at most.
const QUIET_PEOPLE: usize = 100;

/// One name at regular times may be a phone's.
const CLOCKED: f32 = 0.7;

/// Attacks from many sources.
pub(crate) fn findings(detector: &Detector, told: &mut Told, found: &mut Vec<Finding>) {
    for (name, row) in detector.ranked_accounts() {
        if let Some(finding) = of_account(detector, name, row, told) {
            found.push(finding);
        }
    }
    let quiet = quiet(detector, told);
    campaigns(detector, &quiet, told, found);
    networks(detector, &quiet, told, found);
}

fn of_account(detector: &Detector, name: Name, row: &AccountRow, told: &mut Told) -> Option<Finding> {
    let least = detector.thresholds().distributed_clients as usize;
    if row.clients.len() + (row.clients_beyond as usize) < least {
        return None;
    }
    let never_in = |source: &&Source| {
        !detector.settings.leaves_out(**source)
            && detector.pairs.get(&(**source, name)).is_none_or(|pair| !pair.got_in())
            && !matches!(told.clients.get(*source), Some(Kind::StaleClient | Kind::SharedOffice))
    };
    let hostile: Vec<Source> = row.clients.iter().filter(never_in).copied().collect();
    let elsewhere = hostile.iter().filter(|source| !row.lives_about(**source)).count();
    if elsewhere + (row.clients_beyond as usize) < least && hostile.len() < 3 * least
        || roaming::is_within_its_provider(detector, row, &hostile)
    {
        return None;
    }
    let mut finding = Finding::new(
        Kind::DistributedAttack,
        format!("distributed-{}", hash_of(&row.name)),
        (row.first_failure, row.last_failure),
    );
    finding.confidence = if elsewhere >= 2 * least { 0.95 } else { 0.85 };
    finding.clients = addresses(detector, &hostile);
    finding.accounts = vec![row.name.clone()];
    let count = hostile.len() as u64 + u64::from(row.clients_beyond);
    finding.counts = vec![
        ("auth_failed", u64::from(row.failed)),
        ("clients", count),
        ("networks", networks_of(&hostile) as u64),
        ("auth_ok", u64::from(row.ok)),
    ];
    finding.summary =
        format!("one account failed from {}, none of which ever got in", plural(count, "address", "addresses"));
    finding.evidence = detector.evidence(row.proofs.iter());
    let clocked = roaming::is_clocked(detector, row, &hostile);
    for source in hostile {
        told.clients.entry(source).or_insert(Kind::DistributedAttack);
    }
    let mut finding = advised(finding.decided(detector, &["distributed_clients"]));
    if clocked {
        finding.confidence = finding.confidence.min(CLOCKED);
        finding.summary += "; at regular times, so it may be one device that moves about with an old password";
        finding.next.insert(0, "ask the account's owner whether a phone still has an old password: it comes at regular times and tries nothing else".into());
    }
    Some(finding)
}

/// A source that tried a little and never got in.
struct Quiet<'a> {
    source: Source,
    row: &'a ClientRow,
    /// None of its names is of an account in use.
    strange: bool,
}

fn quiet<'a>(detector: &'a Detector, told: &Told) -> Vec<Quiet<'a>> {
    // What failed while the backend was out is the backend's.
    let wanted = |(source, row): &(Source, &ClientRow)| {
        row.ok == 0
            && row.tries() > 0
            && !told.clients.contains_key(source)
            && !told.was_out(row.first_failure, row.last_failure)
    };
    let stays_home = |source: Source, row: &ClientRow| row.names.iter().any(|name| detector.lives_about(*name, source));
    let mut quiet: Vec<Quiet<'_>> = detector
        .ranked()
        .into_iter()
        .filter(wanted)
        .filter(|(source, row)| !stays_home(*source, row))
        .map(|(source, row)| {
            let strange = !row.names.is_empty() && !row.names.iter().any(|name| detector.is_in_use(*name));
            Quiet { source, row, strange }
        })
        .collect();
    quiet.sort_by_key(|quiet| (quiet.row.first_failure, quiet.source));
    quiet
}

fn campaigns(detector: &Detector, quiet: &[Quiet<'_>], told: &mut Told, found: &mut Vec<Finding>) {
    let pause = i64::from(detector.thresholds().campaign_pause) * 3_600_000_000;
    let (mut start, mut until) = (0, i64::MIN);
    for (at, one) in quiet.iter().enumerate() {
        if at > start && one.row.first_failure - until > pause {
            found.extend(campaign(detector, quiet.get(start..at).unwrap_or_default(), told));
            start = at;
        }
        until = until.max(one.row.last_failure);
    }
    found.extend(campaign(detector, quiet.get(start..).unwrap_or_default(), told));
}

/// People fail quietly, too: a campaign is what is more than they do.
fn campaign(detector: &Detector, group: &[Quiet<'_>], told: &mut Told) -> Option<Finding> {
    let (first, last) = (group.first()?, group.last()?);
    let least = detector.thresholds().campaign_clients as usize;
    let strange = group.iter().filter(|quiet| quiet.strange).count();
    let days = (last.row.last_failure - first.row.first_failure) / DAY + 1;
    let in_use = detector.accounts.values().filter(|account| account.ok > 0).count();
    let usual = usize::try_from(days).unwrap_or(usize::MAX).saturating_mul(in_use) / QUIET_PEOPLE;
    if strange < least && !(group.len() >= least.max(usual) || is_dense(group)) {
        return None;
    }
    let of: Vec<&Quiet<'_>> = group.iter().collect();
    let id = format!("campaign-{}", stamp(first.row.first_failure));
    let mut finding = of_sources(detector, id, &of, told);
    finding.summary += &manner(detector, &of);
    finding.confidence = if strange >= least { 0.85 } else { 0.65 };
    Some(advised(finding.decided(detector, &["campaign_clients", "campaign_pause"])))
}

/// What they have in common.
fn manner(detector: &Detector, of: &[&Quiet<'_>]) -> String {
    let most = |word: fn(&ClientRow) -> u8| {
        let mut counts: BTreeMap<u8, usize> = BTreeMap::new();
        of.iter().for_each(|one| *counts.entry(word(one.row)).or_default() += 1);
        let (word, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
        let text = String::from_utf8_lossy(detector.word_of(word)).into_owned();
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (count * 10 >= of.len() * 8 && plain && !text.is_empty()).then_some(text)
    };
    let words: Vec<String> = [most(|row| row.mechanism), most(|row| row.service)].into_iter().flatten().collect();
    if words.is_empty() { String::new() } else { format!("; nearly all with {}", words.join(" at ").to_lowercase()) }
}

/// More quiet failures in some day than people make, even if the names are in use.
fn is_dense(group: &[Quiet<'_>]) -> bool {
    group.windows(DENSE).any(|some| match some {
        [first, .., last] => last.row.first_failure - first.row.first_failure <= DAY,
        _ => false,
    })
}

fn networks(detector: &Detector, quiet: &[Quiet<'_>], told: &mut Told, found: &mut Vec<Finding>) {
    let thresholds = detector.thresholds();
    let mut nets: BTreeMap<Source, Vec<&Quiet<'_>>> = BTreeMap::new();
    for one in quiet.iter().filter(|one| !told.clients.contains_key(&one.source)) {
        nets.entry(one.source.near()).or_default().push(one);
    }
    for (net, group) in nets {
        let tries: u32 = group.iter().map(|one| one.row.tries()).sum();
        let strange = group.iter().filter(|one| one.strange).count();
        if group.len() < thresholds.network_clients as usize
            || tries < thresholds.guess_tries
            || 2 * strange < group.len()
        {
            continue;
        }
        let finding = of_sources(detector, format!("network-{}", net.ip()), &group, told);
        let decided = finding.decided(detector, &["network_clients", "guess_tries"]);
        found.push(advised(Finding { confidence: 0.75, ..decided }));
    }
}

fn of_sources(detector: &Detector, id: String, of: &[&Quiet<'_>], told: &mut Told) -> Finding {
    let from = of.iter().map(|one| one.row.first_failure).min().unwrap_or_default();
    let to = of.iter().map(|one| one.row.last_failure).max().unwrap_or_default();
    let mut finding = Finding::new(Kind::DistributedAttack, id, (from, to));
    let sources: Vec<Source> = of.iter().map(|one| one.source).collect();
    finding.clients = addresses(detector, &sources);
    let names: HashSet<u64> = of.iter().flat_map(|one| one.row.names.iter().map(|name| name.0)).collect();
    finding.accounts = names.into_iter().filter_map(|name| detector.spelled(Name(name))).collect();
    finding.accounts.sort_unstable();
    let tries: u64 = of.iter().map(|one| u64::from(one.row.tries())).sum();
    finding.counts = vec![
        ("auth_failed", tries),
        ("clients", sources.len() as u64),
        ("networks", networks_of(&sources) as u64),
        ("usernames", finding.accounts.len() as u64),
    ];
    finding.summary = format!(
        "{} tried {}, a few times each ({} in all), and none ever got in",
        plural(sources.len() as u64, "address", "addresses"),
        plural(finding.accounts.len() as u64, "name", "names"),
        plural(tries, "failure", "failures")
    );
    let rows = of.iter().flat_map(|one| one.row.proofs.first());
    finding.evidence = detector.evidence(rows.take(3));
    for source in sources {
        told.clients.entry(source).or_insert(Kind::DistributedAttack);
    }
    finding
}

fn advised(finding: Finding) -> Finding {
    finding.advise(
        &[
            "make sure the passwords are strong and used nowhere else; look for successes from new places",
            "limits per address do not help here: consider smtpd_client_auth_rate_limit, and a second factor or app passwords",
        ],
        &["do not lock the accounts: that is what the attacker would get for free"],
    )
}

fn addresses(detector: &Detector, sources: &[Source]) -> Vec<IpAddr> {
    let of = |source: &Source| match detector.clients.get(source) {
        Some(row) => detector.addresses(*source, row),
        None => vec![source.ip()],
    };
    let mut all: Vec<IpAddr> = sources.iter().flat_map(of).collect();
    all.sort_unstable();
    all
}

fn networks_of(sources: &[Source]) -> usize {
    sources.iter().map(|source| source.near()).collect::<HashSet<_>>().len()
}
