//! A PostgreSQL server for tests, from the system's own package: data in a temporary folder, a Unix socket, no port.
//!
//! One server serves all tests of a process; each takes a database of its own. It ends, and its folder goes, when
//! the process ends, however that happens.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;

/// When this is `1`, a test that cannot run fails; otherwise it says that it was skipped.
const REQUIRE_ALL: &str = "TACIT_TESTS_REQUIRE_ALL";
const USER: &str = "tacit";

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    bin: PathBuf,
    socket: PathBuf,
    /// When it closes, the server is stopped.
    _alive: ChildStdin,
}

/// The server of this process. `None`, after saying so, where PostgreSQL is not installed.
///
/// # Panics
/// When it is installed and does not start, or when it is not and `TACIT_TESTS_REQUIRE_ALL` is `1`.
pub fn server() -> Option<&'static Postgres> {
    static SERVER: OnceLock<Option<Postgres>> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        installed().map(|bin| Postgres::start(bin).unwrap_or_else(|e| panic!("PostgreSQL: {e}")))
    });
    if server.is_none() {
        let why = "PostgreSQL is not installed (no /usr/lib/postgresql/*/bin/initdb, none in PATH)";
        assert!(std::env::var(REQUIRE_ALL).as_deref() != Ok("1"), "{why}, and {REQUIRE_ALL} is 1");
        eprintln!("SKIPPED: {why}");
    }
    server.as_ref()
}

/// The folder of the newest version's programs.
fn installed() -> Option<PathBuf> {
    let complete = |bin: &PathBuf| {
        ["initdb", "postgres", "pg_isready", "createdb"].iter().all(|name| bin.join(name).exists())
    };
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|version| version.path().join("bin")).filter(complete).max();
    newest.or_else(|| std::env::split_paths(&std::env::var_os("PATH")?).find(complete))
}

fn is_root() -> bool {
    // The owner of what this process makes.
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

fn checked(what: &Path, output: io::Result<Output>) -> Result<(), String> {
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{}: {}", what.display(), String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(format!("{}: {error}", what.display())),
    }
}

impl Postgres {
    fn start(bin: PathBuf) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("tacit-postgres-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        // The server refuses to run as root.
        let prefix = if is_root() {
            let chown = Path::new("chown");
            checked(chown, Command::new(chown).arg("postgres").arg(&folder).output())?;
            "setpriv --reuid=postgres --regid=postgres --clear-groups "
        } else {
            ""
        };
        // The shell outlives this process by as long as it takes to stop the server and to clean up.
        let script = format!(
            r#"cd "$2" || exit 1
            {prefix}"$1/initdb" -D "$2/data" -U {USER} -A trust -E UTF8 --locale=C --no-sync >"$2/log" 2>&1 || exit 1
            {prefix}"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=200 >>"$2/log" 2>&1 &
            server=$!
            read -r _
            kill -INT $server
            wait $server
            rm -rf "$2""#
        );
        let mut shell = Command::new("sh")
            .args(["-c", &script, "sh"])
            .args([&bin, &folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| e.to_string())?;
        let alive = shell.stdin.take().ok_or("the shell has no input")?;
        let server = Self { bin, socket: folder.clone(), _alive: alive };
        for _ in 0..600 {
            let ready = server.command("pg_isready").args(["-d", "postgres"]).output();
            if ready.is_ok_and(|output| output.status.success()) {
                return Ok(server);
            }
            if shell.try_wait().ok().flatten().is_some() {
                break;
            }
            sleep(Duration::from_millis(50));
        }
        Err(fs::read_to_string(folder.join("log")).unwrap_or_else(|_| "it did not start".to_owned()))
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.arg("-h").arg(&self.socket).args(["-U", USER]);
        command
    }

    /// The URL of a new, empty database.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let made = self.command("createdb").arg(&name).output();
        checked(Path::new("createdb"), made).unwrap_or_else(|e| panic!("{e}"));
        let socket = self.socket.display().to_string().replace('/', "%2F");
        format!("postgres://{USER}@localhost/{name}?host={socket}")
    }
}
