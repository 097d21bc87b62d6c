//! `rsyslogd`: everything the daemons say through `/dev/log`, once with each kind of stamp.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::Running;
use crate::command::wait_until;
use crate::machine::lab_path;

/// A running `rsyslogd`.
pub(crate) struct Syslog {
    _daemon: Running,
    markers: u32,
}

impl Syslog {
    /// Starts it. `fold_repeats` is what Ubuntu sets: equal lines in a row become `message repeated`.
    pub(crate) fn start(fold_repeats: bool) -> Result<Syslog> {
        let folder = lab_path("syslog");
        fs::create_dir_all(&folder)?;
        let config = folder.join("rsyslog.conf");
        fs::write(&config, configuration(fold_repeats))?;
        let mut command = Command::new("rsyslogd");
        command.arg("-n").arg("-f").arg(&config).arg("-i").arg(folder.join("pid"));
        let daemon = Running::start(&mut command)?;
        let ready = || fs::exists("/dev/log").unwrap_or(false);
        wait_until("rsyslogd opens /dev/log", Duration::from_secs(10), ready)?;
        Ok(Syslog { _daemon: daemon, markers: 0 })
    }

    /// Waits until nobody says anything any more, and all that was said is in the files.
    pub(crate) fn settle(&mut self) -> Result<()> {
        let mut length = self.flushed_length()?;
        for _ in 0..40 {
            sleep(Duration::from_millis(400));
            let now = self.flushed_length()?;
            if now == length {
                return Ok(());
            }
            length = now;
        }
        anyhow::bail!("the log does not come to rest")
    }

    /// The end of the log, for people who want to know why something did not start.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(iso_log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// `rsyslogd` works its queue in order: once the marker is written, so is all that came before it.
    fn flushed_length(&mut self) -> Result<u64> {
        self.markers += 1;
        let marker = format!("marker {} ends", self.markers);
        UnixDatagram::unbound()?.send_to(format!("<190>lab: {marker}").as_bytes(), "/dev/log")?;
        let written = || fs::read_to_string(marker_log()).is_ok_and(|text| text.contains(&marker));
        wait_until("rsyslogd writes a marker", Duration::from_secs(10), written)?;
        Ok(fs::metadata(iso_log()).map_or(0, |metadata| metadata.len()))
    }
}

/// The log with stamps as rsyslog's own default has them.
pub(crate) fn iso_log() -> PathBuf {
    lab_path("syslog/mail.log")
}

/// The log with stamps of old.
pub(crate) fn traditional_log() -> PathBuf {
    lab_path("syslog/mail-traditional.log")
}

/// What is said here is logged as of [`SECOND_HOST`].
pub(crate) fn second_socket() -> PathBuf {
    lab_path("syslog/second")
}

/// The name of the second host in the log.
pub(crate) const SECOND_HOST: &str = "out2";

fn marker_log() -> PathBuf {
    lab_path("syslog/marker.log")
}

fn configuration(fold_repeats: bool) -> String {
    let fold = if fold_repeats { "on" } else { "off" };
    let (iso, traditional, marker) = (iso_log(), traditional_log(), marker_log());
    format!(
        r#"global(workDirectory="{work}" net.enableDNS="off")
module(load="imuxsock" SysSock.RateLimit.Interval="0")
input(type="imuxsock" Socket="{second}" HostName="{SECOND_HOST}" RateLimit.Interval="0")
$RepeatedMsgReduction {fold}
if $syslogfacility-text == "local7" then {{
  action(type="omfile" file="{marker}")
  stop
}}
if $syslogfacility-text == ["mail", "auth", "authpriv"] then {{
  action(type="omfile" file="{iso}" template="RSYSLOG_FileFormat")
  action(type="omfile" file="{traditional}" template="RSYSLOG_TraditionalFileFormat")
}}
"#,
        work = lab_path("syslog").display(),
        second = second_socket().display(),
        marker = marker.display(),
        iso = iso.display(),
        traditional = traditional.display(),
    )
}
