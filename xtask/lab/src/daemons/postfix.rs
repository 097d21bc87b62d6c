//! Postfix with the ports of [`crate::service`], and nothing of the system's own configuration.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{is_alive, pid_of, saslauthd};
use crate::command::{run, wait_until};
use crate::machine::{SERVER, SERVER6, lab_path};
use crate::service::{CLEARTEXT, CYRUS, LIMITED, OWNERS, PORTS, SMTPD, SUBMISSION, SUBMISSIONS, Service};

/// A running Postfix; dropped, it is gone.
pub(crate) struct Postfix;

impl Postfix {
    /// Writes its files and starts it. `settings` come after the lab's own in `main.cf`, and win.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Result<Postfix> {
        let config = lab_path("postfix");
        fs::create_dir_all(config.join("sasl"))?;
        fs::create_dir_all(lab_path("postfix-data"))?;
        fs::create_dir_all(lab_path("spool"))?;
        let (user, group) = crate::accounts::owner_of("postfix")?;
        std::os::unix::fs::chown(lab_path("postfix-data"), Some(user), Some(group))?;
        write_main(&config, settings)?;
        fs::write(config.join("master.cf"), master())?;
        fs::write(config.join("sasl/smtpd.conf"), cyrus())?;
        write_maps(&config)?;
        make_certificate(&config)?;
        postfix(&config, "start")?;
        Ok(Postfix)
    }

    /// Waits until all mail is delivered, returned, or put off; `deferred` messages stay.
    pub(crate) fn drain(&self, deferred: usize) -> Result<()> {
        drain(&lab_path("spool"), deferred)
    }

    /// Tries all deferred mail again, now.
    pub(crate) fn flush(&self) -> Result<()> {
        run(Command::new("postqueue").arg("-c").arg(lab_path("postfix")).arg("-f")).map(drop)
    }

    /// Does something to one queue file: `-d` deletes it, `-e` makes it expire, `-h` puts it on hold, `-H`
    /// releases it, `-r` puts it through the queue again.
    pub(crate) fn postsuper(&self, order: &str, queue_id: &str) -> Result<()> {
        run(Command::new("postsuper").arg("-c").arg(lab_path("postfix")).args([order, queue_id])).map(drop)
    }

    /// Makes `pickup` look for new mail, which it otherwise does once a minute. `pickup` may just be closing its end
    /// after an earlier waking, which kills `postkick`: then it is woken again.
    pub(crate) fn wake_pickup(&self) -> Result<()> {
        let wake = || run(Command::new("postkick").arg("-c").arg(lab_path("postfix")).args(["public", "pickup", "W"]));
        wake().or_else(|_| wake()).or_else(|_| wake()).map(drop)
    }

    /// What is in the queue.
    pub(crate) fn queue(&self) -> Result<Vec<Waiting>> {
        let rows = run(Command::new("postqueue").arg("-c").arg(lab_path("postfix")).arg("-j"))?;
        let rows = rows.lines().map(|row| serde_json::from_str(row).with_context(|| format!("postqueue: {row}")));
        rows.collect()
    }

    /// Hands in a message as a program on this machine does.
    pub(crate) fn sendmail(&self, from: &str, to: &str, message_id: &str) -> Result<()> {
        let text = format!("From: {from}\nTo: {to}\nMessage-ID: {message_id}\nSubject: lab\n\nHello.\n");
        let file = lab_path("local-mail");
        fs::write(&file, text)?;
        let mut command = Command::new("sh");
        command.args(["-c", "sendmail -C \"$1\" -f \"$2\" \"$3\" <\"$4\"", "sh"]);
        command.arg(lab_path("postfix")).args([from, to]).arg(file);
        run(&mut command).map(drop)
    }
}

/// A message in the queue, as `postqueue -j` shows it.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Waiting {
    /// `deferred`, `hold`, …
    pub(crate) queue_name: String,
    /// Its queue id.
    pub(crate) queue_id: String,
}

/// Waits until a queue holds nothing but `deferred` messages put off.
fn drain(spool: &Path, deferred: usize) -> Result<()> {
    let queue = |name: &&str| files_in(&spool.join(name));
    let busy = || ["maildrop", "incoming", "active"].iter().map(queue).sum::<usize>();
    let waiting = || files_in(&spool.join("deferred"));
    // Asked twice, as a flush moves mail from the queue that is looked at last to those looked at first.
    let drained = || busy() == 0 && waiting() == deferred && busy() == 0;
    wait_until("the queue is empty", Duration::from_secs(30), drained)
}

/// A second Postfix, which relays to example.org. Dropped, it is gone.
pub(crate) struct Relay;

impl Relay {
    /// Starts it on an address of its own. `name` is its `syslog_name`; with a `socket` it writes its log there instead of
    /// to `/dev/log`, as a machine of its own would.
    pub(crate) fn start(name: &str, address: Ipv4Addr, hostname: &str, socket: Option<&Path>) -> Result<Relay> {
        let folder = lab_path(SECOND);
        let (config, data) = (folder.join("etc"), folder.join("data"));
        for folder in [&config, &data, &folder.join("spool")] {
            fs::create_dir_all(folder)?;
        }
        let (user, group) = crate::accounts::owner_of("postfix")?;
        std::os::unix::fs::chown(&data, Some(user), Some(group))?;
        fs::write(config.join("main.cf"), relay_main(name, &folder, address, hostname))?;
        fs::write(config.join("master.cf"), "25 inet n - n - - smtpd\n".to_owned() + INTERNAL)?;
        fs::write(
            config.join("transport"),
            "example.org smtp:[mx.example.org]\nexample.test smtp:[mail.example.test]\n",
        )?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c"]);
        command.arg("test -z \"$2\" || mount --bind \"$2\" /dev/log; exec postfix -c \"$1\" start");
        command.arg("sh").arg(&config).arg(socket.unwrap_or(Path::new("")));
        run(&mut command)?;
        Ok(Relay)
    }

    /// Waits until all its mail is delivered or returned.
    pub(crate) fn drain(&self) -> Result<()> {
        drain(&lab_path(SECOND).join("spool"), 0)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        stop(&lab_path(SECOND).join("etc"), &lab_path(SECOND).join("spool"));
    }
}

/// Its folder.
const SECOND: &str = "second";

fn relay_main(name: &str, folder: &Path, address: Ipv4Addr, hostname: &str) -> String {
    let folder = folder.display();
    format!(
        "compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
syslog_name = {name}
myhostname = {hostname}
mydestination =
mynetworks = {SERVER}/32
inet_interfaces = {address}
inet_protocols = ipv4
alias_maps =
alias_database =
relay_domains = example.org
relay_recipient_maps =
transport_maps = texthash:{folder}/etc/transport
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_tls_security_level = none
smtpd_tls_security_level = none
"
    )
}

impl Drop for Postfix {
    fn drop(&mut self) {
        stop(&lab_path("postfix"), &lab_path("spool"));
    }
}

/// Stops a Postfix and waits for its end.
fn stop(config: &Path, spool: &Path) {
    let pid = pid_of(&spool.join("pid/master.pid"));
    // An error here means that it did not run any more.
    let _ = postfix(config, "stop");
    if let Some(pid) = pid {
        let _ = wait_until("Postfix ends", Duration::from_secs(5), || !is_alive(pid));
    }
}

/// Its version.
pub(crate) fn version() -> Result<String> {
    run(Command::new("postconf").args(["-d", "-h", "mail_version"]))
}

fn postfix(config: &Path, verb: &str) -> Result<()> {
    run(Command::new("postfix").arg("-c").arg(config).arg(verb)).map(drop)
}

fn files_in(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files_in(&entry.path()) } else { 1 }).sum()
}

fn write_main(config: &Path, settings: &[(&str, &str)]) -> Result<()> {
    // Postfix complains about a name that comes twice, so the lab's own line gives way.
    let is_replaced = |line: &&str| settings.iter().any(|(name, _)| line.split(" =").next() == Some(name));
    let own = main();
    let mut lines: Vec<String> = own.lines().filter(|line| !is_replaced(line)).map(str::to_owned).collect();
    lines.extend(settings.iter().map(|(name, value)| format!("{name} = {value}")));
    fs::write(config.join("main.cf"), lines.join("\n") + "\n")?;
    Ok(())
}

fn main() -> String {
    let (config, lab) = (lab_path("postfix"), lab_path(""));
    let (config, lab) = (config.display(), lab.display());
    format!(
        "compatibility_level = 3.6
queue_directory = {lab}/spool
data_directory = {lab}/postfix-data
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example.test
mydomain = example.test
myorigin = example.test
mydestination = mail.example.test, localhost
mynetworks = 127.0.0.0/8
inet_interfaces = {SERVER}, {SERVER6}
inet_protocols = all
alias_maps =
alias_database =
local_recipient_maps =
relay_domains =
virtual_mailbox_domains = example.test
virtual_mailbox_maps = texthash:{config}/mailboxes
virtual_mailbox_base = {lab}/mail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
transport_maps = texthash:{config}/transport
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_tls_security_level = none
smtp_connect_timeout = 5s
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_tls_cert_file = {config}/cert.pem
smtpd_tls_key_file = {config}/key.pem
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_tls_loglevel = 1
smtpd_tls_security_level = may
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
cyrus_sasl_config_path = {config}/sasl
smtpd_sender_login_maps = texthash:{config}/owners
service_throttle_time = 2s
submission_tls_level = encrypt
submission_client_restrictions =
submission_recipient_restrictions = permit_sasl_authenticated, reject
"
    )
}

fn master() -> String {
    let login = "-o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions=$submission_client_restrictions \
                 -o smtpd_recipient_restrictions=$submission_recipient_restrictions -o smtpd_relay_restrictions=";
    let start_tls = "-o smtpd_tls_security_level=$submission_tls_level -o smtpd_tls_auth_only=yes";
    let services = [
        smtpd(SMTPD, ""),
        smtpd(SUBMISSION, &format!("{login} {start_tls}")),
        smtpd(SUBMISSIONS, &format!("{login} -o smtpd_tls_wrappermode=yes")),
        smtpd(CLEARTEXT, &format!("{login} -o smtpd_tls_auth_only=no")),
        smtpd(OWNERS, &format!("{login} {start_tls} -o smtpd_sender_restrictions=reject_sender_login_mismatch")),
        smtpd(LIMITED, &format!("{login} {start_tls} -o smtpd_client_auth_rate_limit=3")),
        smtpd(CYRUS, &format!("{login} {start_tls} -o smtpd_sasl_type=cyrus -o smtpd_sasl_path=smtpd")),
        smtpd(PORTS, &format!("{login} {start_tls} -o smtpd_client_port_logging=yes")),
    ];
    services.concat() + REINJECTION + INTERNAL
}

fn smtpd(service: Service, options: &str) -> String {
    // `smtpd` is the daemon's own tag; every other service is named in it, as the stock master.cf does.
    let name = if service == SMTPD { String::new() } else { format!("-o syslog_name=postfix/{} ", service.tag) };
    format!("{} inet n - n - - smtpd {name}{options}\n", service.port)
}

/// Where a content filter hands mail back.
const REINJECTION: &str = "\
127.0.0.1:10025 inet n - n - - smtpd -o syslog_name=postfix/reinject -o content_filter= \
-o smtpd_recipient_restrictions=permit_mynetworks,reject -o smtpd_relay_restrictions= -o smtpd_tls_security_level=none \
-o smtpd_proxy_filter= -o smtpd_authorized_xforward_hosts=127.0.0.0/8
";

/// What Postfix needs besides, without chroot.
const INTERNAL: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
";

fn cyrus() -> String {
    let socket = saslauthd::folder().join("mux");
    format!("pwcheck_method: saslauthd\nmech_list: PLAIN LOGIN\nsaslauthd_path: {}\n", socket.display())
}

fn write_maps(config: &Path) -> Result<()> {
    let mail = lab_path("mail");
    fs::create_dir_all(&mail)?;
    std::os::unix::fs::chown(&mail, Some(65534), Some(65534))?;
    let users = crate::accounts::USERS.iter().map(|user| format!("{user}@example.test"));
    let users: Vec<String> = users.collect();
    let lines = |line: &dyn Fn(&str) -> String| users.iter().map(|user| line(user)).collect::<String>();
    fs::write(config.join("mailboxes"), lines(&|user| format!("{user} {user}/\n")))?;
    fs::write(
        config.join("owners"),
        lines(&|user| format!("{user} {user}\n")) + "ceo@example.test carol@example.test\n",
    )?;
    let ways = "example.org smtp:[mx.example.org]\nexample.net smtp:[mx.example.net]\n";
    fs::write(config.join("transport"), ways)?;
    fs::write(config.join("aliases"), "team alice@example.test, bob@example.test\n")?;
    fs::write(config.join("virtual"), "sales@example.test carol@example.test, friend@example.org\n")?;
    fs::write(config.join("holds"), "/^Subject: hold/ HOLD to be looked at\n")?;
    fs::write(config.join("bounce"), DELAY_NOTICE)?;
    fs::write(config.join("relay-passwords"), "[relay.example.org]:587 mail.example.test:not-the-password\n")?;
    Ok(())
}

/// A delay notice that can tell of seconds; the built-in one complains of less than an hour.
const DELAY_NOTICE: &str = "delay_template = <<EOF
Charset: us-ascii
From: MAILER-DAEMON (Mail Delivery System)
Subject: Delayed Mail (still being retried)
Postmaster-Subject: Postmaster Warning: Delayed Mail

Your message could not be delivered for more than $delay_warning_time_seconds second(s).

EOF
";

fn make_certificate(config: &Path) -> Result<()> {
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "3650",
    ]);
    openssl.args(["-subj", "/CN=mail.example.test"]);
    openssl.arg("-keyout").arg(config.join("key.pem")).arg("-out").arg(config.join("cert.pem"));
    run(&mut openssl).map(drop)
}
