//! Below a path, behind a real nginx set up as the guide says.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::Place;
use crate::chrome::{Chrome, Look};
use crate::serve::Server;

const PATH: &str = "/mail/insights/";

/// An nginx that ends when this is dropped.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Every link of every place of the navigation stays below the path and leads somewhere; forms, files and the stream do too.
pub(crate) fn below_a_path(place: &Place) -> Result<()> {
    let server =
        Server::of(place, &["busy_hour"], &["--base-path", PATH, "--trusted-proxy", "127.0.0.1", "--no-sign-in"])?;
    let folder = tempfile::tempdir()?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let _nginx = start(folder.path(), port, &server.listen())?;
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

fn start(folder: &std::path::Path, port: u16, to: &str) -> Result<Nginx> {
    let at = folder.display();
    let config = format!(
        "pid {at}/pid;\nerror_log {at}/error.log;\nworker_processes 1;\nevents {{}}\nhttp {{\n  access_log off;\n  client_body_temp_path {at}/body;\n  proxy_temp_path {at}/proxy;\n  \
         fastcgi_temp_path {at}/f;\n  uwsgi_temp_path {at}/u;\n  scgi_temp_path {at}/s;\n  server {{\n    listen 127.0.0.1:{port};\n    location {PATH} {{\n      proxy_pass http://{to};\n      \
         proxy_http_version 1.1;\n      proxy_set_header Host $http_host;\n      proxy_set_header X-Forwarded-For $remote_addr;\n      proxy_set_header X-Forwarded-Proto $scheme;\n      \
         proxy_read_timeout 1h;\n    }}\n  }}\n}}\n"
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
    let path = std::env::var("PATH").unwrap_or_default();
    let nginx = Nginx(command.env("PATH", format!("{path}:/usr/sbin")).stderr(Stdio::null()).spawn().context("nginx")?);
    let begin = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(begin.elapsed() < Duration::from_secs(20), "nginx does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(nginx)
}
