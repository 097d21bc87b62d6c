//! Below a path, behind real proxies set up as the guide says: what stands there is what is tried.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::Place;
use crate::chrome::{Chrome, Look};
use crate::serve::Server;

const PATH: &str = "/mail/insights/";
/// The guide, whose samples are tried.
const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/serve.md");
/// Where Debian keeps Apache's modules.
const APACHE_MODULES: &str = "/usr/lib/apache2/modules";

/// A proxy that ends when this is dropped.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder and a port of a proxy's own go in, and the guide's sample; the command that runs it comes out.
type Program = fn(&Path, u16, &str) -> Result<Command>;

/// Behind nginx.
pub(crate) fn behind_nginx(place: &Place) -> Result<()> {
    behind(place, "nginx", nginx)
}

/// Behind Apache.
pub(crate) fn behind_apache(place: &Place) -> Result<()> {
    behind(place, "apache", apache)
}

/// Behind Caddy.
pub(crate) fn behind_caddy(place: &Place) -> Result<()> {
    behind(place, "caddyfile", caddy)
}

/// Every link of every place of the navigation stays below the path and leads somewhere; forms, files and the stream do too.
fn behind(place: &Place, language: &str, program: Program) -> Result<()> {
    let server =
        Server::of(place, &["busy_hour"], &["--base-path", PATH, "--trusted-proxy", "127.0.0.1", "--no-sign-in"])?;
    let folder = tempfile::tempdir()?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let sample = sample(language)?.replace("127.0.0.1:8025", &server.listen()).replace("/insights/", PATH);
    let _proxy = start(program(folder.path(), port, &sample)?, port)?;
    let outside = format!("http://127.0.0.1:{port}{PATH}");
    let chrome = Chrome::open(Look::default())?;
    for page in ["", "search", "live", "findings", "delivery", "sources", "explain", "help"] {
        chrome.go(&format!("{outside}{page}"))?;
        chrome.until("the page is there", "document.querySelector('h1')")?;
        let strays = chrome.run(&format!(
            "return [...document.querySelectorAll('a[href], form[action], link[href], script[src]')].map((one) => \
             one.getAttribute('href') ?? one.getAttribute('action') ?? one.getAttribute('src')).filter((one) => one !== '#main' && !one.startsWith('{PATH}'))"
        ))?;
        ensure!(!chrome.has(".problem"), "/{page} is a problem: {}", chrome.text("main")?);
        ensure!(strays.as_array().is_some_and(Vec::is_empty), "/{page}: {strays}");
        let styled = chrome.run("return getComputedStyle(document.querySelector('.top nav')).display")?;
        ensure!(styled == "flex", "/{page}: the style sheet is not there");
    }
    chrome.go(&outside)?;
    chrome.until("the form is there", "document.getElementById('f-client')")?;
    chrome.type_into("#f-client", "203.0.113.151\u{e007}")?;
    chrome.until("the client's page", &format!("location.pathname === '{PATH}client/203.0.113.151'"))?;
    chrome.go(&format!("{outside}live"))?;
    chrome.until("the stream is open", "document.getElementById('live-state').textContent.startsWith('New lines')")?;
    ensure!(chrome.suspicious()?.is_empty(), "{:?}", chrome.suspicious()?);
    Ok(())
}

/// What stands in the guide in a block of that language.
fn sample(language: &str) -> Result<String> {
    let guide = std::fs::read_to_string(GUIDE).context(GUIDE)?;
    let block = guide.split_once(&format!("```{language}\n")).and_then(|(_, rest)| rest.split_once("```"));
    Ok(block.with_context(|| format!("{GUIDE} has no sample in {language}"))?.0.to_owned())
}

fn start(mut command: Command, port: u16) -> Result<Proxy> {
    let path = std::env::var("PATH").unwrap_or_default();
    let name = command.get_program().to_string_lossy().into_owned();
    let command = command.env("PATH", format!("{path}:/usr/sbin")).stdout(Stdio::null()).stderr(Stdio::null());
    let proxy = Proxy(command.spawn().with_context(|| name.clone())?);
    let begin = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(begin.elapsed() < Duration::from_secs(20), "{name} does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(proxy)
}

fn nginx(folder: &Path, port: u16, sample: &str) -> Result<Command> {
    let at = folder.display();
    // The port is not the usual one, so it is part of the name that was asked for.
    let sample = sample.replace("Host $host;", "Host $http_host;");
    let config = format!(
        "pid {at}/pid;\nerror_log {at}/error.log;\nworker_processes 1;\nevents {{}}\nhttp {{\naccess_log off;\nclient_body_temp_path {at}/body;\nproxy_temp_path {at}/proxy;\n\
         fastcgi_temp_path {at}/f;\nuwsgi_temp_path {at}/u;\nscgi_temp_path {at}/s;\nserver {{\nlisten 127.0.0.1:{port};\n{sample}\n}}\n}}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, config)?;
    let mut command = Command::new("nginx");
    command
        .arg("-c")
        .arg(&file)
        .arg("-e")
        .arg(folder.join("error.log"))
        .args(["-g", "daemon off; master_process off;"]);
    Ok(command)
}

fn apache(folder: &Path, port: u16, sample: &str) -> Result<Command> {
    let at = folder.display();
    let modules = ["mpm_event", "authz_core", "proxy", "proxy_http", "headers"]
        .map(|name| format!("LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so\n"))
        .concat();
    let config = format!(
        "ServerRoot {at}\nDefaultRuntimeDir {at}\nPidFile {at}/pid\nErrorLog {at}/error.log\nUser nobody\nGroup nogroup\nServerName 127.0.0.1\nListen 127.0.0.1:{port}\n{modules}{sample}"
    );
    let file = folder.join("apache.conf");
    std::fs::write(&file, config)?;
    let mut command = Command::new("apache2");
    // One process, which goes with all it started.
    command.arg("-X").arg("-f").arg(&file);
    Ok(command)
}

fn caddy(folder: &Path, port: u16, sample: &str) -> Result<Command> {
    let sample = sample.replace("mail.example.org {", &format!("http://127.0.0.1:{port} {{"));
    let file = folder.join("Caddyfile");
    std::fs::write(&file, format!("{{\nadmin off\n}}\n{sample}"))?;
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
    command.env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder).env("HOME", folder);
    Ok(command)
}
