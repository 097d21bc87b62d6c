//! A server under test, on a port of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::Place;

/// It ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    /// Its address, with the base path: ends with a slash.
    pub(crate) url: String,
}

impl Server {
    /// Starts `serve` with these arguments, and waits until it says where it is.
    pub(crate) fn start(place: &Place, args: &[&str]) -> Result<Self> {
        let mut command = Command::new(&place.program);
        command.arg("serve").args(["--timezone", "UTC", "--year", "2026"]).args(args);
        let mut child = command.stdout(Stdio::piped()).spawn().context("serve")?;
        let out = child.stdout.take().context("no pipe")?;
        let first = BufReader::new(out).lines().next().context("serve says nothing")??;
        let url = first.rsplit_once(' ').map(|(_, url)| url.to_owned()).context(first)?;
        Ok(Self { child, url })
    }

    /// Serves recordings, and waits until they are read.
    pub(crate) fn of(place: &Place, scenarios: &[&str], args: &[&str]) -> Result<Self> {
        let logs: Vec<String> = scenarios.iter().map(|name| place.log(name).display().to_string()).collect();
        let mut all: Vec<&str> = vec!["--listen", "127.0.0.1:0"];
        all.extend(args);
        all.extend(logs.iter().map(String::as_str));
        let server = Self::start(place, &all)?;
        server.wait_for_lines(&logs)?;
        Ok(server)
    }

    /// Waits until all lines of these files are counted.
    fn wait_for_lines(&self, logs: &[String]) -> Result<()> {
        let mut lines = 0;
        for log in logs {
            lines +=
                std::fs::read(log).with_context(|| log.clone())?.iter().filter(|byte| **byte == b'\n').count() as u64;
        }
        let begin = Instant::now();
        while self.count("")? < lines {
            ensure!(begin.elapsed() < Duration::from_secs(60), "the files are not read");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// How many entries a query means, as the API says.
    pub(crate) fn count(&self, parameters: &str) -> Result<u64> {
        let answer: Value = serde_json::from_str(&self.get(&format!("api/v1/count?{parameters}"))?)?;
        answer.get("count").and_then(Value::as_u64).context("no count")
    }

    /// The page of the first finding.
    pub(crate) fn first_finding(&self) -> Result<String> {
        let answer: Value = serde_json::from_str(&self.get("api/v1/findings")?)?;
        let id = answer.pointer("/findings/0/id").and_then(Value::as_str).context("no finding")?;
        Ok(format!("findings/{id}"))
    }

    /// What stands under an address behind the base path.
    pub(crate) fn get(&self, path: &str) -> Result<String> {
        Ok(ureq::get(format!("{}{path}", self.url)).call()?.body_mut().with_config().limit(1 << 30).read_to_string()?)
    }

    /// What is at the start of the address: `127.0.0.1:9999`.
    pub(crate) fn listen(&self) -> String {
        self.url.trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command of the program that ends by itself, with something to read.
pub(crate) fn command(place: &Place, args: &[&str], input: &str) -> Result<()> {
    let mut child = Command::new(&place.program).args(args).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    child.stdin.take().context("no pipe")?.write_all(input.as_bytes())?;
    let status = child.wait()?;
    if !status.success() {
        bail!("{args:?}: {status}");
    }
    Ok(())
}

/// A store of recordings in a folder.
pub(crate) fn store(place: &Place, folder: &Path, scenarios: &[&str]) -> Result<String> {
    let state = folder.join("state").display().to_string();
    let logs: Vec<PathBuf> = scenarios.iter().map(|name| place.log(name)).collect();
    let logs: Vec<String> = logs.iter().map(|log| log.display().to_string()).collect();
    let mut args = vec!["ingest", "--state", state.as_str(), "--year", "2026", "--timezone", "UTC"];
    args.extend(logs.iter().map(String::as_str));
    command(place, &args, "")?;
    Ok(state)
}
