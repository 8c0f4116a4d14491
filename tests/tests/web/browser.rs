//! A headless Chromium, driven by chromedriver.

use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::{ParseError, Url};

/// Patience with anything that the page does.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one window.
pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Child,
    /// Kept open: a driver whose output nobody takes may end.
    _output: Lines<BufReader<ChildStdout>>,
}

/// A driver, its output, and the port that it listens on.
fn launch() -> Option<(Child, Lines<BufReader<ChildStdout>>, u16)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver starts");
    let mut output = BufReader::new(driver.stdout.take().expect("it is piped")).lines();
    let port = output
        .by_ref()
        .map_while(Result::ok)
        .filter_map(|line| line.split_once("on port ")?.1.trim_end_matches('.').parse::<u16>().ok())
        .find(|port| *port != 0);
    if port.is_none() {
        let _ = driver.kill();
        let _ = driver.wait();
    }
    Some((driver, output, port?))
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// A command that WebDriver does not standardise.
#[derive(Debug)]
struct Vendor(&'static str, Value);

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.0))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.1.to_string()))
    }
}

impl Browser {
    /// Starts `chromedriver`, and a session with it.
    pub(crate) async fn start() -> Self {
        // It asks for a free port of both families by turns, and gives up where the second is taken.
        let (driver, output, port) = (0..10).find_map(|_| launch()).expect("chromedriver names its port");
        let capabilities = json!({
            "goog:chromeOptions": { "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--window-size=1200,900"] },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!("it is written as an object") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("a session");
        Self { client, driver, _output: output }
    }

    /// Ends the session, and the browser with it.
    pub(crate) async fn close(self) {
        let _ = self.client.clone().close().await;
    }

    /// Opens a page and waits for an element that shows.
    pub(crate) async fn open(&self, url: &str, css: &str) {
        self.client.goto(url).await.expect("the page opens");
        self.shown(css).await;
    }

    /// Evaluates a script's `return`.
    pub(crate) async fn eval(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect("the script runs")
    }

    /// Waits until `script` returns something true.
    pub(crate) async fn until(&self, script: &str) {
        let start = Instant::now();
        while self.eval(script).await != json!(true) {
            assert!(
                start.elapsed() < PATIENCE,
                "in vain: {script}; the page says: {}",
                self.text("main").await
            );
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Waits for an element that shows.
    pub(crate) async fn shown(&self, css: &str) {
        let css = json!(css);
        self.until(&format!(
            "const e = document.querySelector({css}); return Boolean(e && e.checkVisibility());"
        ))
        .await;
    }

    /// The text that an element shows.
    pub(crate) async fn text(&self, css: &str) -> String {
        self.client.find(Locator::Css(css)).await.expect(css).text().await.expect("an element has text")
    }

    /// Chooses files, as the file dialogue would, and waits until the page has said what they are.
    pub(crate) async fn choose(&self, files: &[&Path]) {
        let before = self.eval("return document.querySelectorAll('#chosen-list li').length").await;
        let names: Vec<_> = files.iter().map(|f| f.to_str().expect("UTF-8")).collect();
        let input = self.client.find(Locator::Id("files")).await.expect("the input");
        input.send_keys(&names.join("\n")).await.expect("files are chosen");
        let count = before.as_u64().expect("a number") + files.len() as u64;
        self.until(&format!(
            "return document.querySelectorAll('#chosen-list li').length === {count} \
             && (!document.getElementById('run').disabled || !document.getElementById('verdict').hidden)"
        ))
        .await;
    }

    /// Presses the button, waits for the verdict, and returns its class and text.
    pub(crate) async fn check(&self) -> (String, String) {
        self.client.find(Locator::Id("run")).await.expect("the button").click().await.expect("it is enabled");
        self.verdict().await
    }

    /// Waits for the verdict.
    pub(crate) async fn verdict(&self) -> (String, String) {
        self.shown("#verdict").await;
        let class = self.eval("return document.getElementById('verdict').className").await;
        (class.as_str().expect("a class").to_owned(), self.text("#verdict").await)
    }

    async fn vendor(&self, command: &'static str, body: Value) -> Value {
        self.client.issue_cmd(Vendor(command, body)).await.expect("Chromium's own command")
    }

    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.vendor("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// What the console has said since it was last asked: texts of warnings and errors.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.vendor("se/log", json!({ "type": "browser" })).await;
        let entries = log.as_array().expect("a list").iter();
        let loud = entries.filter(|e| e["level"] != "INFO" && e["level"] != "DEBUG");
        loud.map(|e| e["message"].as_str().expect("a text").to_owned()).collect()
    }

    /// Every request that the browser has made since it was last asked, with its headers and body.
    pub(crate) async fn requests(&self) -> Vec<Value> {
        let log = self.vendor("se/log", json!({ "type": "performance" })).await;
        let entries = log.as_array().expect("a list").iter();
        let messages = entries
            .map(|e| serde_json::from_str::<Value>(e["message"].as_str().expect("a text")).expect("JSON"));
        let sent = messages.filter(|m| m["message"]["method"] == "Network.requestWillBeSent");
        sent.map(|m| m["message"]["params"]["request"].clone()).collect()
    }

    /// Takes a picture of the whole page at this width, and says how wide its content is.
    pub(crate) async fn picture(&self, name: &str, width: u32, dark: bool) -> u64 {
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let wide = self.eval("return document.documentElement.scrollWidth").await;
        let shot = self.devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        let png = STANDARD.decode(shot["data"].as_str().expect("base64")).expect("base64");
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("web");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("{name}-{width}-{scheme}.png")), png).expect("a file");
        self.devtools("Emulation.clearDeviceMetricsOverride", json!({})).await;
        wide.as_u64().expect("a number")
    }
}
