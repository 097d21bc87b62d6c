//! Bans as a person reads them: blind jails first, then real users that are banned, then the rest.

use std::net::IpAddr;

use diagnose::fail2ban::{Banned, History, JailStep, Sight};

use super::{Bans, Decision, JudgedBan};
use crate::mask::Mask;
use crate::screen::{Ink, Screen, cut, escape, left, number, plural, right, wrap};
use crate::times::Clock;

/// Addresses named in a sentence at most.
const NAMED: usize = 5;

/// Everything the page is drawn from.
pub struct Page<'a> {
    /// The answer.
    pub bans: &'a Bans,
    /// Rows per list; 0 is all.
    pub top: usize,
    /// Whether names are masked.
    pub mask: Mask,
    /// Where it is drawn.
    pub screen: Screen,
    /// How times are shown.
    pub clock: &'a Clock,
}

/// The command that lifts a ban. Jail names come from a log: what a shell might take for more than a word is not put into a command.
pub(super) fn unban(jail: &str, ban: &Banned, mask: Mask) -> Option<String> {
    let is_word = !jail.is_empty()
        && !jail.starts_with('-')
        && jail.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    (is_word && ban.lifted.is_none() && !mask.0)
        .then(|| format!("fail2ban-client set {jail} unbanip {}", ban.client_ip))
}

impl Page<'_> {
    /// The whole page.
    #[must_use]
    pub fn draw(&self) -> String {
        let (now, past): (Vec<&JudgedBan>, Vec<&JudgedBan>) =
            self.bans.bans.iter().partition(|ban| ban.ban.lifted.is_none());
        let (real, others): (Vec<&JudgedBan>, Vec<&JudgedBan>) = now.into_iter().partition(|ban| ban.real_user);
        let mut out = self.jails();
        out += &self.list("BANNED NOW, AND A REAL USER", Ink::Bad, &real);
        out += &self.list("BANNED NOW", Ink::Plain, &others);
        out += &self.list("BANNED BEFORE", Ink::Dim, &past);
        out + &self.decisions()
    }

    fn limit(&self) -> usize {
        if self.top == 0 { usize::MAX } else { self.top }
    }

    fn heading(&self, text: &str) -> String {
        format!("\n{}\n", self.screen.ink(Ink::Heading, text))
    }

    fn jails(&self) -> String {
        let period = self.bans.history.span.map_or_else(
            || "its log says nothing of any jail".to_owned(),
            |(from, to)| format!("{} to {}", self.clock.long(from), self.clock.long(to)),
        );
        let mut out =
            format!("{}  {}\n", self.screen.ink(Ink::Heading, "FAIL2BAN"), self.screen.ink(Ink::Dim, &period));
        for (name, step) in &self.bans.jails {
            out += &self.jail(name, step);
        }
        if self.bans.jails.is_empty() {
            out += "  no jail for failed logins of Postfix ever spoke in this log\n";
        }
        out
    }

    fn jail(&self, name: &str, step: &JailStep) -> String {
        let (words, ink) = match step.sight {
            Sight::InStep => ("in step", Ink::Good),
            Sight::PartlyBlind => ("PARTLY BLIND", Ink::Warn),
            Sight::Blind => ("BLIND", Ink::Bad),
            Sight::Unclear => ("too little happened to tell", Ink::Plain),
        };
        let (bans, holding, stopped) = self
            .bans
            .history
            .jails
            .get(name)
            .map_or((0, 0, false), |jail| (jail.bans_total, jail.holding().count() as u64, jail.stopped));
        let mut out = format!(
            "  {}  {}  found {} beside our {} · {}, {} now{}\n",
            escape(name),
            self.screen.ink(ink, words),
            number(step.found),
            plural(step.ours, "failure", "failures"),
            plural(bans, "ban", "bans"),
            number(holding),
            if stopped { " · stopped" } else { "" }
        );
        for why in self.why(step) {
            for line in wrap(&why, self.screen.width - 6) {
                out += &format!("      {line}\n");
            }
        }
        out
    }

    fn why(&self, step: &JailStep) -> Vec<String> {
        let mut why = Vec::new();
        if !step.never_found.is_empty() {
            let named: Vec<String> = step.never_found.iter().take(NAMED).map(|ip| self.mask.ip(*ip)).collect();
            why.push(format!(
                "never found {} of {} with five failures or more: {}",
                number(step.never_found.len() as u64),
                plural(step.loud as u64, "address", "addresses"),
                named.join(", ")
            ));
        }
        if let (Some(first), Some(last)) = (step.silent_hours.first(), step.silent_hours.last()) {
            why.push(format!(
                "found nothing in {} with failures, between {} and {}",
                plural(step.silent_hours.len() as u64, "hour", "hours"),
                self.clock.short(*first),
                self.clock.short(*last)
            ));
        }
        if matches!(step.sight, Sight::Blind | Sight::PartlyBlind) {
            why.push("next: `postfix-insights doctor` looks at its log, its journal and its filter; `fail2ban-regex LOG 'postfix[mode=auth]'` tries the filter".to_owned());
        }
        why
    }

    fn list(&self, title: &str, ink: Ink, bans: &[&JudgedBan]) -> String {
        if bans.is_empty() {
            return String::new();
        }
        let mut out = self.heading(title);
        for ban in bans.iter().take(self.limit()) {
            let names: Vec<String> = ban.logs_in.iter().take(4).map(|name| self.name(name)).collect();
            let until = ban.ban.lifted.map_or_else(String::new, |lifted| format!(" to {}", self.clock.short(lifted)));
            let line = format!(
                "  {} {}  {}{until}  {} {}  {}",
                left(&self.mask.ip(ban.ban.client_ip), 24),
                escape(&ban.jail),
                self.clock.short(ban.ban.at),
                right(&plural(ban.failures, "failure", "failures"), 11),
                ban.verdict.name().replace('_', " "),
                names.join(", ")
            );
            out += &(self.screen.ink(ink, &cut(line.trim_end(), self.screen.width)) + "\n");
            if ban.failures_during > 0 {
                let words = format!(
                    "    {} came while it was banned: the ban does not cover that port, or does not hold",
                    plural(ban.failures_during, "failure", "failures")
                );
                out += &(self.screen.ink(Ink::Warn, &cut(&words, self.screen.width)) + "\n");
            }
            if let Some(command) = unban(&ban.jail, &ban.ban, self.mask).filter(|_| ban.real_user) {
                out += &format!("    way back (changes the firewall): {command}\n");
            }
        }
        match bans.len().saturating_sub(self.limit()) {
            0 => out,
            hidden => {
                let text = format!("  … and {} more (--top 0 shows all)\n", number(hidden as u64));
                out + &self.screen.ink(Ink::Dim, &text)
            }
        }
    }

    fn name(&self, name: &[u8]) -> String {
        escape(&self.mask.name(&String::from_utf8_lossy(name))).into_owned()
    }

    fn decisions(&self) -> String {
        if self.bans.decisions.is_empty() {
            return String::new();
        }
        let rows = self.bans.decisions.iter().take(self.limit()).map(|found| draw_decision(found, self.mask));
        self.heading("CROWDSEC") + &rows.collect::<String>()
    }
}

fn draw_decision(found: &Decision, mask: Mask) -> String {
    let whom = if mask.0 { mask.ip(found.net.addr()) } else { found.net.trunc().to_string() };
    format!(
        "  {} {}  {} by {}, {} left\n",
        left(&whom, 24),
        escape(&found.kind),
        escape(&found.scenario),
        escape(&found.origin),
        escape(&found.duration)
    )
}

/// The bans of some addresses, for their story.
#[must_use]
pub fn draw_clients(
    history: &History,
    decisions: &[Decision],
    is_meant: &dyn Fn(IpAddr) -> bool,
    mask: Mask,
    clock: &Clock,
) -> String {
    let mut out = String::new();
    for (jail, ban) in history.meant(is_meant) {
        let until = ban.lifted.map_or_else(|| "still".to_owned(), |lifted| format!("to {}", clock.short(lifted)));
        out += &format!(
            "  {} banned by {} since {}, {until}\n",
            mask.ip(ban.client_ip),
            escape(jail),
            clock.short(ban.at)
        );
        if let Some(command) = unban(jail, ban, mask) {
            out += &format!("    way back (changes the firewall): {command}\n");
        }
    }
    out += &decisions
        .iter()
        .filter(|found| is_meant(found.net.addr()))
        .map(|found| draw_decision(found, mask))
        .collect::<String>();
    if out.is_empty() { "  not banned, as far as its log goes\n".to_owned() } else { out }
}
