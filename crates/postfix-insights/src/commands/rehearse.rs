//! `rehearse`: a fail2ban jail's settings tried on the log.

use std::path::PathBuf;

use answers::mask::Mask;
use answers::rehearse::{self, Page};
use answers::times::Clock;
use anyhow::Context as _;
use clap::Args;
use diagnose::fail2ban::Jail;
use ipnet::IpNet;

use crate::cli::{Input, NoQuery, Output};
use crate::exit::Exit;
use crate::{asked, print};

/// fail2ban's own defaults (`jail.conf`): five failures within ten minutes ban for ten.
const MAXRETRY: u32 = 5;
const FINDTIME: u32 = 600;
const BANTIME: u32 = 600;

/// Nothing is banned: this tells what would have been. Counted as the filter postfix[mode=auth] matches and as fail2ban counts.
#[derive(Debug, Args)]
pub(crate) struct Rehearse {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: NoQuery,
    /// Take the settings of this jail from fail2ban's configuration; the options below go before them.
    #[arg(long, value_name = "NAME")]
    pub(crate) jail: Option<String>,
    /// Where that is.
    #[arg(long, value_name = "DIR", default_value = "/etc/fail2ban")]
    pub(crate) fail2ban_config: PathBuf,
    /// So many failures ban (default: 5).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) maxretry: Option<u32>,
    /// Within so many seconds (default: 600).
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) findtime: Option<u32>,
    /// For so many seconds; -1: for ever (default: 600).
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) bantime: Option<i64>,
    /// Never ban this address or network; may be given several times.
    #[arg(long, value_name = "NET")]
    pub(crate) ignore: Vec<String>,
    /// A login forgives the failures of its address before it (fail2ban itself cannot do this).
    #[arg(long)]
    pub(crate) forgive: bool,
    /// Machine-readable, as CONTRACT describes.
    #[arg(long)]
    pub(crate) json: bool,
    /// Rows per list; 0 is all (default: 10; --json always has all).
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
}

/// Runs the command.
pub(crate) fn run(args: &Rehearse) -> anyhow::Result<Exit> {
    asked::refuse(&args.asked, "`--since` and `--until`")?;
    let jail = settings(args)?;
    let reading = args.input.reading(&args.output, false)?;
    let clock = Clock::new(reading.zone());
    let rehearsed = match rehearse::rehearse(reading, jail) {
        Ok(rehearsed) => rehearsed,
        Err(error) => return Ok(Exit::nothing_readable(&error)),
    };
    let mask = Mask(args.output.mask);
    if args.json {
        print::json(&rehearse::to_json(&rehearsed, mask))?;
    } else {
        let (top, screen) = (args.top.unwrap_or(10), args.output.screen());
        print::text(&Page { rehearsed: &rehearsed, top, mask, screen, clock: &clock }.draw())?;
    }
    Ok(Exit::of_reading(&rehearsed.read, args.output.quiet))
}

/// The settings: those of the options, then those of the jail, then fail2ban's own.
fn settings(args: &Rehearse) -> anyhow::Result<Jail> {
    let configured = args.jail.as_deref().map(|name| configured(args, name)).transpose()?.unwrap_or_default();
    let mut ignore = configured.ignore;
    for net in &args.ignore {
        ignore.push(network("--ignore", net)?);
    }
    let bantime = match args.bantime {
        Some(seconds) => u32::try_from(seconds).ok(),
        None => configured.bantime.unwrap_or(Some(BANTIME)),
    };
    Ok(Jail {
        maxretry: args.maxretry.or(configured.maxretry).unwrap_or(MAXRETRY).max(1),
        findtime: args.findtime.or(configured.findtime).unwrap_or(FINDTIME).max(1),
        bantime,
        ignore,
        forgive: args.forgive,
    })
}

fn configured(args: &Rehearse, name: &str) -> anyhow::Result<doctor::JailSettings> {
    let folder = args.fail2ban_config.display();
    let mut jails = doctor::jail_settings(&args.fail2ban_config);
    let known: Vec<String> = jails.keys().filter(|name| doctor::is_for_mail(name)).cloned().collect();
    let found = jails.remove(name).with_context(|| {
        let known = if known.is_empty() { "none for mail".to_owned() } else { known.join(", ") };
        format!("--jail {name}: {folder} knows no jail of that name (it has: {known}); --fail2ban-config names another folder")
    })?;
    if args.output.quiet {
        return Ok(found);
    }
    if !found.filter.contains("mode=auth") {
        print::note(&format!(
            "the filter of {name} is {}: failures are counted here as postfix[mode=auth] would match them",
            found.filter
        ));
    }
    if found.increment {
        print::note(&format!("{name} makes later bans longer (bantime.increment): here they all last the same"));
    }
    for host in &found.ignored_names {
        print::note(&format!(
            "{name} ignores {host}, whose addresses only a name server knows: add them with --ignore"
        ));
    }
    Ok(found)
}

/// A network or an address.
pub(super) fn network(flag: &str, text: &str) -> anyhow::Result<IpNet> {
    let net = text.parse::<IpNet>().ok();
    net.or_else(|| text.parse::<std::net::IpAddr>().ok().map(|ip| IpNet::from(ip.to_canonical()))).with_context(|| {
        format!("{flag} {text}: neither an address nor a network; write 203.0.113.9 or 203.0.113.0/24")
    })
}
