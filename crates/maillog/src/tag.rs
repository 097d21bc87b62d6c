//! The program tag of a line: `postfix-out/submission/smtpd`.
//!
//! Source of the shape: Postfix `src/global/mail_task.c` (`syslog_name` + `/` + base name of the program).

/// A program tag as logged. The prefix is the administrator's free text; only the last element names the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tag<'a>(pub &'a [u8]);

/// What the services for mail users are called where that is the whole prefix (`master.cf`: `-o syslog_name=submission`).
///
/// Source: Postfix `conf/master.cf` and the well-known ports of these names. Instances are not called so: their names begin with
/// `postfix-` (`postmulti`(1)).
const SUBMISSION_SERVICES: [&[u8]; 5] = [b"submission", b"submissions", b"smtps", b"587", b"465"];

impl<'a> Tag<'a> {
    /// The program: the last path element (`smtpd`).
    #[must_use]
    #[inline]
    pub fn daemon(self) -> &'a [u8] {
        // A program's name is short: a plain loop beats a vectorised search.
        match self.0.iter().rposition(|b| *b == b'/') {
            Some(at) => self.0.get(at + 1..).unwrap_or_default(),
            None => self.0,
        }
    }

    /// What stands before the first slash (`postfix-out`); `None` for a tag without one, and where a service stands there.
    #[must_use]
    pub fn instance(self) -> Option<&'a [u8]> {
        let first = self.0.get(..memchr::memchr(b'/', self.0)?)?;
        if self.bare_service().is_some() { None } else { Some(first) }
    }

    /// What stands between instance and program (`submission`), or in the instance's place (`submission/smtpd`); `None` for a bare
    /// `postfix/smtpd`.
    #[must_use]
    pub fn service(self) -> Option<&'a [u8]> {
        let (first, last) = (memchr::memchr(b'/', self.0)?, memchr::memrchr(b'/', self.0)?);
        if first == last {
            return self.bare_service();
        }
        self.0.get(first + 1..last).filter(|service| !service.is_empty())
    }

    /// `submission` of `submission/smtpd`: the only part before the program, and no instance's name.
    fn bare_service(self) -> Option<&'a [u8]> {
        let prefix = self.0.get(..memchr::memrchr(b'/', self.0)?)?;
        SUBMISSION_SERVICES.contains(&prefix).then_some(prefix)
    }

    /// Whether the service's name says that mail users hand in mail here (ports 587 and 465).
    ///
    /// Stock names are `submission`, `submissions` and `smtps`; panels extend them (`submission-haproxy`).
    #[must_use]
    pub fn is_submission(self) -> bool {
        self.is_service(&[b"submission", b"smtps", b"587", b"465"])
    }

    /// Whether the service's name says that TLS comes before any command (port 465).
    #[must_use]
    pub fn is_implicit_tls(self) -> bool {
        self.is_service(&[b"submissions", b"smtps", b"465"])
    }

    /// Whether a part of the service's name starts so.
    fn is_service(self, starts: &[&[u8]]) -> bool {
        let named = |part: &[u8]| starts.iter().any(|start| part.starts_with(start));
        self.service().is_some_and(|service| service.split(|b| *b == b'/').any(named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_apart() {
        let check = |tag: &str, instance: Option<&str>, service: Option<&str>, daemon: &str| {
            let tag = Tag(tag.as_bytes());
            assert_eq!(
                (tag.instance(), tag.service(), tag.daemon()),
                (instance.map(str::as_bytes), service.map(str::as_bytes), daemon.as_bytes())
            );
        };
        check("postfix/smtpd", Some("postfix"), None, "smtpd");
        check("postfix-out/submission/smtpd", Some("postfix-out"), Some("submission"), "smtpd");
        check("postfix/a/b/smtpd", Some("postfix"), Some("a/b"), "smtpd");
        check("postfix-example.com/smtpd", Some("postfix-example.com"), None, "smtpd");
        check("submission/smtpd", None, Some("submission"), "smtpd");
        check("submissions/smtpd", None, Some("submissions"), "smtpd");
        check("smtps/smtpd", None, Some("smtps"), "smtpd");
        check("465/smtpd", None, Some("465"), "smtpd");
        check("postfix-submission/smtpd", Some("postfix-submission"), None, "smtpd");
        check("submission-out/smtpd", Some("submission-out"), None, "smtpd");
        check("submission/a/smtpd", Some("submission"), Some("a"), "smtpd");
        check("smtp/smtpd", Some("smtp"), None, "smtpd");
        check("submission", None, None, "submission");
        check("postfix//smtpd", Some("postfix"), None, "smtpd");
        check("/smtpd", Some(""), None, "smtpd");
        check("dovecot", None, None, "dovecot");
        check("", None, None, "");
    }

    #[test]
    fn which_services_are_for_mail_users() {
        let submission = |tag: &str| Tag(tag.as_bytes()).is_submission();
        assert!(submission("postfix/submission/smtpd") && submission("postfix/smtps/smtpd"));
        assert!(submission("x/submissions-proxyprotocol/smtpd") && submission("postfix/submission-haproxy/smtpd"));
        assert!(submission("submission/smtpd") && submission("submissions/smtpd") && submission("smtps/smtpd"));
        assert!(
            !submission("postfix/smtpd")
                && !submission("postfix/10025/smtpd")
                && !submission("postfix-submission/smtpd")
        );
        let implicit_tls = |tag: &str| Tag(tag.as_bytes()).is_implicit_tls();
        assert!(
            implicit_tls("submissions/smtpd") && implicit_tls("smtps/smtpd") && implicit_tls("postfix/smtps/smtpd")
        );
        assert!(!implicit_tls("submission/smtpd") && !implicit_tls("postfix/submission/smtpd"));
    }
}
