//! What a cause is. The causes themselves are data, one file per family under `causes/`.

use crate::class::Class;

/// Why a login did not succeed, or a message was refused.
#[derive(Debug)]
pub struct Cause {
    /// Stable id, as in part 7 of the grammar: `cred.password_mismatch`.
    pub id: &'static str,
    /// How a failure of this cause is counted; `None` where the kind of attempt alone decides.
    pub class: Option<Class>,
    /// In plain words, for a headline.
    pub title: &'static str,
    /// What it means, in a sentence or two.
    pub meaning: &'static str,
    /// How sure the signature alone makes us, 0 to 1.
    pub confidence: f32,
    /// The wordings that show it.
    pub signatures: &'static [Signature],
    /// What would raise or lower the confidence.
    pub evidence: &'static str,
    /// What the client was told.
    pub told: &'static str,
    /// Who writes the wording.
    pub source: &'static str,
    /// What to check next.
    pub next: &'static [Check],
}

/// A wording, and who must have written it.
#[derive(Debug)]
pub struct Signature {
    /// Where the words stand.
    pub place: Place,
    /// What they must be.
    pub pattern: Pattern,
    /// How sure this wording makes us, where it differs from the cause's own confidence.
    pub confidence: Option<f32>,
}

/// Where a signature's words stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The reason of the SASL failure line.
    Reason,
    /// A verdict of Dovecot's auth process.
    Dovecot,
    /// What it logs as an error about a login: other words are known here than in a verdict.
    DovecotError,
    /// saslauthd's reason.
    Saslauthd,
    /// A PAM line.
    Pam,
    /// The errno text of Postfix' connection to the auth socket.
    Connect,
    /// Other trouble with Dovecot's auth protocol.
    Protocol,
    /// A line of the Cyrus library.
    Cyrus,
    /// The SASL library as a whole.
    Library,
    /// The last words of an `smtpd`.
    Fatal,
    /// The TLS library, or Postfix about its own TLS set-up.
    Tls,
    /// The words of a reject.
    Reject,
}

impl Place {
    /// All of them, in the order of declaration.
    pub(crate) const ALL: [Self; 12] = [
        Self::Reason,
        Self::Dovecot,
        Self::DovecotError,
        Self::Saslauthd,
        Self::Pam,
        Self::Connect,
        Self::Protocol,
        Self::Cyrus,
        Self::Library,
        Self::Fatal,
        Self::Tls,
        Self::Reject,
    ];
}

/// What words must be. Compared without regard to ASCII case.
#[derive(Clone, Copy, Debug)]
pub enum Pattern {
    /// The whole text.
    Is(&'static str),
    /// Its beginning.
    Starts(&'static str),
    /// Anywhere in it.
    Has(&'static str),
    /// Both, in any order.
    HasBoth(&'static str, &'static str),
    /// A base64 challenge that was sent to the client before (Postfix windows A and B).
    Challenge,
}

/// Something to look at, with the command that shows it.
#[derive(Debug)]
pub struct Check {
    /// Where it applies.
    pub with: With,
    /// The command, or what to do.
    pub command: &'static str,
    /// What it tells, or why it helps.
    pub why: &'static str,
}

impl std::fmt::Display for Check {
    /// `Dovecot: doveadm penalty (who is being delayed now?)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.with.name(), self.command)?;
        if self.why.is_empty() { Ok(()) } else { write!(f, " ({})", self.why) }
    }
}

/// Where a check applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum With {
    /// Postfix itself.
    Postfix,
    /// Dovecot as the SASL backend.
    Dovecot,
    /// Cyrus SASL as the backend.
    Cyrus,
    /// The user's device or program.
    Client,
}

impl With {
    /// The name shown before a check.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Postfix => "Postfix",
            Self::Dovecot => "Dovecot",
            Self::Cyrus => "Cyrus SASL",
            Self::Client => "client",
        }
    }
}

impl Pattern {
    /// Whether the text is what the pattern asks for.
    #[must_use]
    pub fn matches(self, text: &[u8]) -> bool {
        match self {
            Self::Is(wanted) => text.eq_ignore_ascii_case(wanted.as_bytes()),
            Self::Starts(wanted) => {
                text.get(..wanted.len()).is_some_and(|head| head.eq_ignore_ascii_case(wanted.as_bytes()))
            }
            Self::Has(wanted) => has(text, wanted),
            Self::HasBoth(one, other) => has(text, one) && has(text, other),
            Self::Challenge => is_challenge(text),
        }
    }
}

/// An empty wording is any: what the more exact ones leave over.
fn has(text: &[u8], wanted: &str) -> bool {
    let Some(first) = wanted.as_bytes().first() else { return true };
    let starts =
        |at: usize| text.get(at..at + wanted.len()).is_some_and(|part| part.eq_ignore_ascii_case(wanted.as_bytes()));
    memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), text).any(starts)
}

/// A challenge in base64, or one of the LOGIN prompts in clear: no reason at all, only the last thing said to the client, or by him.
fn is_challenge(text: &[u8]) -> bool {
    if matches!(text, b"Password:" | b"Username:" | b"User Name" | b"Password" | maillog::REDACTED) {
        return true;
    }
    let body = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let alphabet = body.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'));
    // An OAuth error is JSON: that is a reason, and `token_invalid` knows it.
    alphabet && text.len() >= 8 && text.len().is_multiple_of(4) && !text.starts_with(b"eyJ")
}

pub(crate) const fn sign(place: Place, pattern: Pattern) -> Signature {
    Signature { place, pattern, confidence: None }
}

pub(crate) const fn weak(place: Place, pattern: Pattern, confidence: f32) -> Signature {
    Signature { place, pattern, confidence: Some(confidence) }
}

pub(crate) const fn check(with: With, command: &'static str, why: &'static str) -> Check {
    Check { with, command, why }
}
