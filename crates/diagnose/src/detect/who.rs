//! Who may be behind a source that fails again and again, beside an attacker: a doubt goes in, what to say of it and what to do comes out.

use super::finding::Finding;

/// Who may be behind a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Nobody that is known of.
    Somebody,
    /// Everybody behind an address of one's own, or a private one.
    OfOurs,
    /// An office that never got in: its passwords are all old.
    Office,
    /// An office that used to log in from another address.
    Moved,
    /// People whose accounts have other forms of these names.
    Renamed,
    /// Whoever it is, one of several names was let in at last, and the log does not say which.
    LetIn,
    /// Whoever it is, an account that logs in elsewhere was let in there at last.
    Visitor,
    /// Somebody behind a server from which mail comes in, or that server.
    Server,
    /// Somebody behind a gateway that everybody logs in through.
    Gateway,
}

impl Who {
    /// Whether what looks hostile may be people.
    pub(crate) fn may_be_people(self) -> bool {
        matches!(self, Self::Office | Self::Moved | Self::Renamed | Self::Server)
    }

    /// What is added to what it did.
    pub(crate) fn doubt(self) -> &'static str {
        match self {
            Self::Office => "; or an office whose passwords are all old",
            Self::Moved => "; or the office these accounts log in from together, at another address",
            Self::Renamed => "; most are names of accounts in use without their domain, or with another one",
            Self::Server => {
                "; but mail for your users comes in from there, so it is a balancer or gateway that hides who it is, or somebody's mail server"
            }
            Self::Somebody | Self::OfOurs | Self::LetIn | Self::Visitor | Self::Gateway => "",
        }
    }

    /// Says what to do, and what not to do.
    pub(crate) fn advise(self, finding: Finding) -> Finding {
        if finding.ban {
            return finding.advise(&["ban the address, or let fail2ban do it (jail postfix-sasl)"], &[]);
        }
        match self {
            Self::OfOurs => finding.advise(
                &["find out who is behind this address: it is private or your own, and a gateway may hide the real client"],
                &["do not ban a private address or one of your own: everybody behind it is cut off"],
            ),
            Self::Office => finding.advise(
                &[
                    "see the names it tries (client view): do these accounts exist (doveadm user NAME, postmap -q NAME), and are they all of one customer? Then ask there whether passwords were changed",
                    "see whether they ever logged in from there: read older logs along with this one, and Dovecot's log for IMAP and POP3",
                    "ban it if the names are made up, or nobody knows the address",
                ],
                &["do not ban it before you know: if it is an office, everybody in it is cut off"],
            ),
            Self::Moved => finding.advise(
                &[
                    "ask at the office whether its address changed, and whether they can log in now: none of them was seen at the old one since",
                    "see whether the backend was at fault just then (doveadm auth test NAME): none of them was let in",
                    "ban it if the office still has its old address",
                ],
                &["do not ban it before you know: if it is the office, everybody in it is cut off"],
            ),
            Self::Renamed => finding.advise(
                &[
                    "see the names it tries (client view), and ask whose devices these are: they must log in with the whole name, as the accounts do elsewhere",
                    "or let the server add the domain: doveconf -n | grep -E 'auth_default_realm|auth_default_domain|username_format'; postconf smtpd_sasl_local_domain",
                    "ban it if nobody knows the address",
                ],
                &["do not ban it before you know: if these are the accounts' people, they are cut off"],
            ),
            Self::LetIn => finding.advise(
                &[
                    "see the names it tries (client view), and ask whether somebody you know was let in there at last; the log does not say as whom",
                    "if nobody was, whoever tries these names knows the password of one: change those of the accounts that exist",
                ],
                &["do not take it for somebody's device only because it was let in"],
            ),
            Self::Visitor => finding.advise(
                &[
                    "ask the owner of the account that got in whether the login from there was theirs (client view); if not, change its password and end open sessions",
                    "look at what it sent since (account view)",
                    "if the owner does not know the address, ban it",
                ],
                &["do not ban it before you know: the owner may have set up a device there, and corrected the password"],
            ),
            Self::Server => finding.advise(
                &[
                    "find out what it is (its host name, the client view): a balancer, gateway or backup MX of your own, or somebody's mail server",
                    "if it is your own, let it name the client: smtpd_upstream_proxy_protocol = haproxy (postscreen_upstream_proxy_protocol), or XCLIENT (smtpd_authorized_xclient_hosts)",
                    "let it take no logins if none of your users comes by it (smtpd_sasl_auth_enable = no, or smtpd_discard_ehlo_keyword_address_maps for its address)",
                ],
                &["do not ban it before you know: mail for your users comes in from there"],
            ),
            Self::Gateway => finding.advise(
                &[
                    "make it pass on the client's address: XCLIENT from a webmail (smtpd_authorized_xclient_hosts), smtpd_upstream_proxy_protocol = haproxy behind a balancer; then whoever guesses has an address",
                    "see in its own log (webmail, proxy) who tried to log in at that time, and ban that address there",
                    "see whether anybody got in just then (doveadm auth test NAME for now): if nobody did, the backend may have been at fault",
                    "see whether one of these accounts sends since what its owner does not (account view)",
                ],
                &["do not ban this address: everybody behind it is cut off"],
            ),
            Self::Somebody => finding.advise(
                &["see the names it tries (client view): if one is a user's, ask whether a device of theirs has an old password"],
                &["do not ban it before you know: it may be somebody's device"],
            ),
        }
    }
}
