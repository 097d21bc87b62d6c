//! The report as a mail, handed to the local sendmail.
//!
//! Input: text and HTML. Output: one multipart message on the standard input of `sendmail -i -- ADDR…`. Addresses come from the
//! command line and are held to a strict form, so that none can add a header, an option or another recipient; log text stands
//! in the encoded parts only.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::raw::Raw;

use crate::cli;
use answers::report_page::Pager;

/// Where a report goes.
pub(crate) struct Letter {
    to: Vec<String>,
    from: Option<String>,
    sendmail: PathBuf,
}

impl Letter {
    /// What the options ask for; `None` where no mail is wanted. An address of a doubtful form is an error.
    pub(crate) fn new(args: &cli::Report) -> anyhow::Result<Option<Self>> {
        if args.mail_to.is_empty() {
            return Ok(None);
        }
        let to = args.mail_to.iter().map(|to| address("--mail-to", to)).collect::<anyhow::Result<_>>()?;
        let from = args.mail_from.as_deref().map(|from| address("--mail-from", from)).transpose()?;
        Ok(Some(Self { to, from, sendmail: args.sendmail.clone() }))
    }

    /// Writes the mail and waits until it is taken.
    pub(crate) fn send(&self, pager: &Pager<'_>, text: &str, html: &str) -> anyhow::Result<()> {
        let (_, period) = pager.title();
        let mail = self.compose(&format!("Mail report: {period}"), text, html)?;
        let mut command = Command::new(&self.sendmail);
        command.arg("-i");
        if let Some(from) = &self.from {
            command.args(["-f", from]);
        }
        let name = self.sendmail.display();
        let mut child = command
            .arg("--")
            .args(&self.to)
            .stdin(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name} (--sendmail names another program)"))?;
        let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(&mail));
        let status = child.wait().with_context(|| format!("{name}: no end"))?;
        // A program that failed may not have read all: its own end says more than the broken pipe.
        ensure!(status.success(), "{name} did not take the mail: {status}");
        written.with_context(|| format!("{name} did not read the mail"))
    }

    /// The message. Without a sender none is named: sendmail fills in the local user.
    fn compose(&self, subject: &str, text: &str, html: &str) -> anyhow::Result<Vec<u8>> {
        let to = self.to.iter().map(|to| Address::new_address(None::<&str>, to.as_str())).collect();
        let mail = MessageBuilder::new()
            .to(Address::new_list(to))
            .subject(subject)
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .text_body(text)
            .html_body(html);
        let mail = match &self.from {
            Some(from) => mail.from(("postfix-insights", from.as_str())),
            None => mail,
        };
        // Local programs hand mail over with plain line ends; sendmail makes of them what SMTP wants.
        let mail = mail.write_to_string().context("cannot write the mail")?;
        Ok(mail.replace("\r\n", "\n").into_bytes())
    }
}

/// An address that is safe in a header and on a command line: printable ASCII without blanks, quotes, brackets or separators, at most
/// one `@`, not beginning with `-`.
fn address(flag: &str, text: &str) -> anyhow::Result<String> {
    let text = text.trim();
    let plain = |c: char| c.is_ascii_graphic() && !"\"(),:;<>[\\]".contains(c);
    let whole = !text.is_empty() && !text.starts_with('-') && !text.starts_with('@') && !text.ends_with('@');
    if !whole || !text.chars().all(plain) || text.matches('@').count() > 1 || text.len() > 254 {
        bail!("{flag} {text:?}: write a plain address such as postmaster@example.org");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["root", "postmaster@example.org", "a+b_c.d@x-y.example", " ops@example.org "] {
            assert_eq!(address("--mail-to", good).unwrap(), good.trim());
        }
        for bad in [
            "",
            "-oQ/tmp",
            "a b@x",
            "a@x\nBcc: b@y",
            "a@x\r\nBcc: b@y",
            "a@x,b@y",
            "<a@x>",
            "a@b@c",
            "@x",
            "a@",
            "\u{e9}@x",
            "\"a\"@x",
            "a;b@x",
        ] {
            assert!(address("--mail-to", bad).is_err(), "{bad:?}");
        }
    }
}
