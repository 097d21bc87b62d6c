//! A browser of our own: chromedriver is asked over HTTP (W3C WebDriver), and for what that has no words for, by Chrome's own commands.
//!
//! A client library would bring an asynchronous runtime and still not know the latter; the few requests are made here.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long something may take that a page does by itself.
const PATIENCE: Duration = Duration::from_secs(30);
/// The name of elements in WebDriver's JSON (section 12.2 of the standard).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Told to every page before anything of it runs: who runs and what is blocked is noted.
const WATCH: &str = "window.ran = 0; window.blocked = []; \
    for (const name of ['alert', 'confirm', 'prompt']) window[name] = () => { window.ran += 1; }; \
    addEventListener('securitypolicyviolation', (event) => window.blocked.push(event.violatedDirective + ' ' + event.blockedURI));";

/// How the browser looks at pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) dark: bool,
    pub(crate) script: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self { width: 1440, height: 900, dark: false, script: true }
    }
}

/// A browser with one window. It ends when this is dropped.
pub(crate) struct Chrome {
    driver: Child,
    agent: ureq::Agent,
    /// Where the session is asked.
    session: String,
    _profile: TempDir,
}

/// Something on a page.
pub(crate) struct Element(String);

impl Chrome {
    pub(crate) fn open(look: Look) -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("chromedriver")?;
        let port = port_of(&mut driver)?;
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(60)));
        let agent: ureq::Agent = config.build().into();
        let mut chrome = Self { driver, agent, session: format!("http://127.0.0.1:{port}/session"), _profile: profile };
        let answer = chrome.post("", &json!({"capabilities": {"alwaysMatch": chrome.capabilities(look)}}))?;
        let id = answer.get("sessionId").and_then(Value::as_str).context("no session")?;
        chrome.session = format!("{}/{id}", chrome.session);
        chrome.chrome(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": false}),
        )?;
        let scheme = if look.dark { "dark" } else { "light" };
        chrome.chrome(
            "Emulation.setEmulatedMedia",
            &json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        )?;
        chrome.chrome("Page.addScriptToEvaluateOnNewDocument", &json!({"source": WATCH}))?;
        Ok(chrome)
    }

    fn capabilities(&self, look: Look) -> Value {
        let profile = format!("--user-data-dir={}", self._profile.path().display());
        let mut args = vec![
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
        ];
        args.extend(["--disable-component-update", "--disable-sync", "--hide-scrollbars", profile.as_str()]);
        // 2: blocked.
        let prefs =
            if look.script { json!({}) } else { json!({"profile.managed_default_content_settings.javascript": 2}) };
        json!({"browserName": "chrome", "goog:chromeOptions": {"args": args, "prefs": prefs}})
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let mut response = self.agent.post(format!("{}{path}", self.session)).send_json(body)?;
        Self::value(path, response.body_mut().read_json()?)
    }

    fn get(&self, path: &str) -> Result<Value> {
        let mut response = self.agent.get(format!("{}{path}", self.session)).call()?;
        Self::value(path, response.body_mut().read_json()?)
    }

    fn value(path: &str, mut answer: Value) -> Result<Value> {
        let value = answer.get_mut("value").map(Value::take).unwrap_or_default();
        match value.get("error").and_then(Value::as_str) {
            Some(error) => {
                bail!("{path}: {error}: {}", value.get("message").and_then(Value::as_str).unwrap_or_default())
            }
            None => Ok(value),
        }
    }

    /// A command of Chrome's own (the DevTools protocol).
    pub(crate) fn chrome(&self, command: &str, params: &Value) -> Result<Value> {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": params})).context(command.to_owned())
    }

    /// Goes to a page. One that comes again by itself, as its answer is still being made, is waited for.
    pub(crate) fn go(&self, url: &str) -> Result<()> {
        let began = Instant::now();
        self.post("/url", &json!({"url": url})).map(drop).with_context(|| url.to_owned())?;
        while began.elapsed() < PATIENCE && self.source().is_ok_and(|text| text.contains("comes again by itself")) {
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Where the browser is.
    pub(crate) fn place(&self) -> Result<String> {
        Ok(self.get("/url")?.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the address holds something: a form is sent, and the page that follows comes, in the browser's own time.
    pub(crate) fn until_at(&self, part: &str) -> Result<()> {
        let begin = Instant::now();
        loop {
            let place = self.place()?;
            if place.contains(part) {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                bail!("waited in vain at {place} for an address with {part}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The page as the browser holds it.
    pub(crate) fn source(&self) -> Result<String> {
        Ok(self.get("/source")?.as_str().unwrap_or_default().to_owned())
    }

    pub(crate) fn find(&self, css: &str) -> Result<Element> {
        let found = self.post("/element", &json!({"using": "css selector", "value": css}))?;
        Ok(Element(found.get(ELEMENT).and_then(Value::as_str).context("no element")?.to_owned()))
    }

    pub(crate) fn has(&self, css: &str) -> bool {
        self.find(css).is_ok()
    }

    pub(crate) fn click(&self, css: &str) -> Result<()> {
        let element = self.find(css)?;
        self.post(&format!("/element/{}/click", element.0), &json!({})).map(drop).with_context(|| css.to_owned())
    }

    /// Types into something.
    pub(crate) fn type_into(&self, css: &str, text: &str) -> Result<()> {
        let element = self.find(css)?;
        self.post(&format!("/element/{}/value", element.0), &json!({"text": text}))
            .map(drop)
            .with_context(|| css.to_owned())
    }

    /// What is read there.
    pub(crate) fn text(&self, css: &str) -> Result<String> {
        let element = self.find(css)?;
        Ok(self.get(&format!("/element/{}/text", element.0))?.as_str().unwrap_or_default().to_owned())
    }

    /// Presses a key, whatever has the focus.
    pub(crate) fn press(&self, key: &str) -> Result<()> {
        let actions = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        self.post("/actions", &json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]})).map(drop)
    }

    /// Draws with the mouse from one point of the window to another.
    pub(crate) fn draw(&self, from: (i64, i64), to: (i64, i64)) -> Result<()> {
        let at = |(x, y): (i64, i64), ms: u32| json!({"type": "pointerMove", "duration": ms, "x": x, "y": y, "origin": "viewport"});
        let steps =
            json!([at(from, 0), {"type": "pointerDown", "button": 0}, at(to, 200), {"type": "pointerUp", "button": 0}]);
        let mouse = json!({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps});
        self.post("/actions", &json!({"actions": [mouse]})).map(drop)
    }

    /// What a script gives back.
    pub(crate) fn run(&self, script: &str) -> Result<Value> {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// The same for one that calls its last argument when it is done.
    pub(crate) fn run_slowly(&self, script: &str) -> Result<Value> {
        self.post("/execute/async", &json!({"script": script, "args": []}))
    }

    /// Waits until a script says yes.
    pub(crate) fn until(&self, what: &str, script: &str) -> Result<()> {
        let begin = Instant::now();
        while self.run(&format!("return Boolean({script})")).ok() != Some(Value::Bool(true)) {
            if begin.elapsed() > PATIENCE {
                bail!("waited in vain at {}: {what}", self.place().unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Whatever ran that should not, or was blocked.
    pub(crate) fn suspicious(&self) -> Result<Vec<String>> {
        let found = self.run("return [...window.blocked, ...(window.ran ? ['a script of a stranger ran'] : [])]")?;
        Ok(found.as_array().into_iter().flatten().map(ToString::to_string).collect())
    }

    /// A picture of the page, all of it or as much as `height` shows. PNG.
    pub(crate) fn picture(&self, width: u32, height: u32) -> Result<Vec<u8>> {
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let taken = self.chrome("Page.captureScreenshot", &json!({"captureBeyondViewport": true, "clip": clip}))?;
        let data = taken.get("data").and_then(Value::as_str).context("no picture")?;
        Ok(data_encoding::BASE64.decode(data.as_bytes())?)
    }
}

impl Drop for Chrome {
    fn drop(&mut self) {
        // Asked to, chromedriver ends its browser; whether it did or not, it is ended itself.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The port that chromedriver says it listens on.
fn port_of(driver: &mut Child) -> Result<u16> {
    let out = driver.stdout.take().context("no pipe")?;
    for line in BufReader::new(out).lines() {
        let line = line?;
        if let Some((_, port)) = line.rsplit_once("successfully on port ") {
            return port.trim_end_matches('.').parse().context(line);
        }
    }
    bail!("chromedriver does not say where it listens")
}
