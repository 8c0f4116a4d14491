//! Processes that run this very program's commands, each in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Failed;
use crate::commands::demo::Teller;
use crate::failure::Failure;
use crate::report::{BOLD, Item, PLAIN};

/// What a process that goes on has printed.
const LOG: &str = "log";

/// Somebody with a folder.
pub(super) struct Party {
    name: String,
    folder: PathBuf,
}

/// A process that ends with its value.
pub(super) struct Running {
    name: String,
    child: std::sync::Mutex<Child>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(child) = self.child.get_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Party {
    pub(super) fn new(parent: &Path, name: &str) -> Result<Self, Failure> {
        let folder = parent.join(name);
        std::fs::create_dir_all(&folder).map_err(Failed::from)?;
        Ok(Self { name: name.to_owned(), folder })
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    fn command(&self, arguments: &[&str]) -> Result<Command, Failed> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("XDG_DATA_HOME", self.folder.join("data"))
            .stdin(Stdio::null());
        Ok(command)
    }

    fn tell(&self, teller: &Teller, arguments: &[&str]) {
        teller.tell(&[Item::Line(BOLD, format!("{}$ tacit {}", self.name, arguments.join(" ")))]);
    }

    /// Runs a command and shows it and what it prints.
    pub(super) fn run(&self, teller: &Teller, arguments: &[&str]) -> Result<(), Failure> {
        self.tell(teller, arguments);
        let printed = self.output(arguments)?;
        for line in printed.lines().filter(|l| !l.trim().is_empty()) {
            teller.tell(&[Item::Line(PLAIN, format!("  {line}"))]);
        }
        Ok(())
    }

    /// Runs a command whose output is of no interest unless it fails.
    pub(super) fn quietly(&self, arguments: &[&str]) -> Result<(), Failure> {
        self.output(arguments).map(|_| ())
    }

    fn output(&self, arguments: &[&str]) -> Result<String, Failure> {
        let output = self.command(arguments)?.output().map_err(Failed::from)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<&str> = said.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        let said = said.join(" ");
        let said = said.strip_prefix("error: ").unwrap_or(&said);
        let code = output.status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(2);
        Err(match said.split_once(" help: ") {
            Some((what, advice)) => Failure::new(what).advise(advice),
            None => Failure::new(said),
        }
        .code(code))
    }

    /// Starts a command that goes on.
    pub(super) fn start(&self, teller: &Teller, arguments: &[&str]) -> Result<Running, Failure> {
        self.tell(teller, &[arguments, &["&"]].concat());
        let log = std::fs::File::create(self.path(LOG)).map_err(Failed::from)?;
        let mut command = self.command(arguments)?;
        command.stdout(log.try_clone().map_err(Failed::from)?).stderr(log);
        let child = std::sync::Mutex::new(command.spawn().map_err(Failed::from)?);
        Ok(Running { name: self.name.clone(), child })
    }
}

/// Waits until a relay says where it listens: at a port that the system chose, which nobody can take before it.
pub(super) fn address(relay: &Party, serving: &Running) -> Result<String, Failure> {
    let start = Instant::now();
    loop {
        let log = std::fs::read_to_string(relay.path(LOG)).map_err(Failed::from)?;
        let said = log.split_once("listening on ").and_then(|(_, rest)| rest.split_once('\n'));
        if let Some((url, _)) = said {
            return Ok(url.to_owned());
        }
        let ended = serving.child.lock().map(|mut c| c.try_wait().ok().flatten().is_some()).unwrap_or(true);
        if ended || start.elapsed() > Duration::from_secs(20) {
            return Err(Failed(format!("the {} does not come up", serving.name)).into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
