//! The real binary in an empty folder, with a data folder of its own.

#![allow(dead_code)] // Each test file uses a part of this.

pub(crate) mod relay;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tacit_claim::{Card, OwnerKey, UnsignedCard, WeightsOpening};
use tempfile::TempDir;

/// A file of the repository.
pub(crate) fn repository(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path).display().to_string()
}

pub(crate) fn onnx() -> String {
    repository("examples/medical/model.onnx")
}

pub(crate) fn data(name: &str) -> String {
    repository(&format!("datasets/breast-cancer-wisconsin/{name}"))
}

/// A folder to work in, with a home folder that nobody else uses.
pub(crate) struct Place {
    dir: TempDir,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tacit"));
        command
            .current_dir(self.dir.path())
            .env_clear()
            .env("XDG_DATA_HOME", self.path(".home"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        let output = self.command().args(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let run =
            Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) };
        assert!(!run.err.contains("panicked") && !run.err.contains("RUST_BACKTRACE"), "{run:?}");
        assert!(
            !run.out.contains('\u{1b}') && !run.err.contains('\u{1b}'),
            "colours off a terminal: {run:?}"
        );
        run
    }

    /// A command line split at spaces; `{}` takes the next of `holes`.
    pub(crate) fn tacit(&self, line: &str, holes: &[&str]) -> Run {
        let mut holes = holes.iter();
        self.run(line.split(' ').map(|word| match word {
            "{}" => (*holes.next().unwrap()).to_owned(),
            word => word.to_owned(),
        }))
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Copies a file of another place.
    pub(crate) fn take(&self, other: &Self, name: &str, as_name: &str) {
        std::fs::copy(other.path(name), self.path(as_name)).unwrap();
    }

    /// Names of everything in the folder, hidden files included, the data folder left out.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.dir.path())
            .unwrap()
            .map(|f| f.unwrap().file_name().into_string().unwrap())
            .filter(|n| n != ".home")
            .collect();
        names.sort();
        names
    }
}

impl Run {
    /// Exit code 0.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// Exit code `code`, nothing on standard output, and an error pair that holds every one of `texts`.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, texts: &[&str]) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        assert!(self.err.starts_with("error: "), "{self:?}");
        for text in texts {
            assert!(self.err.contains(text), "no `{text}` in {self:?}");
        }
        self
    }

    /// No success, for this reason.
    #[track_caller]
    pub(crate) fn fails_anyhow(self, text: &str) -> Self {
        assert!(self.code != 0 && self.err.contains(text), "no `{text}` in {self:?}");
        self
    }

    /// Exit code 1 and the verdict, for one of `texts`' reasons.
    #[track_caller]
    pub(crate) fn does_not_hold(self, texts: &[&str]) -> Self {
        assert_eq!(self.code, 1, "{self:?}");
        assert!(self.out.starts_with("DOES NOT HOLD: ") && self.out.lines().count() == 1, "{self:?}");
        for text in texts {
            assert!(self.out.contains(text), "no `{text}` in {self:?}");
        }
        self
    }

    /// Exit code 2 and what the parser of the command line says.
    #[track_caller]
    pub(crate) fn usage(self, text: &str) {
        assert!(self.code == 2 && self.err.contains(text) && self.out.is_empty(), "{self:?}");
    }

    /// The one JSON object on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"));
        assert!(value.is_object(), "{self:?}");
        assert_eq!(self.err, "", "with --json, nothing else is said");
        value
    }
}

/// Runs each of the functions named with each engine, as tests of their own.
#[allow(unused_macros)]
macro_rules! with_every_engine {
    ($($test:ident),* $(,)?) => {
        mod sumcheck {
            $(#[test] fn $test() { super::$test("sumcheck") })*
        }
        mod halo2 {
            $(#[test] fn $test() { super::$test("halo2") })*
        }
    };
}
#[allow(unused_imports)]
pub(crate) use with_every_engine;

/// `diagnosis.tacit` in a new place.
pub(crate) fn quantised() -> Place {
    let place = Place::new();
    let holes = [&*onnx(), &*data("train.csv"), &*data("schema.json")];
    place.tacit("quantize {} --data {} --labels diagnosis --schema {} -o diagnosis.tacit", &holes).ok();
    place
}

/// `diagnosis.tacit` and `card/` in a new place.
pub(crate) fn committed(engine: &str) -> Place {
    let place = quantised();
    place.tacit("commit diagnosis.tacit -o card --engine {}", &[engine]).ok();
    place
}

/// What the engine needs before it can work in a new place.
pub(crate) fn prepare(place: &Place, engine: &str) {
    if engine == "halo2" {
        place.tacit("srs unsafe-dev --k 10", &[]).ok();
    }
}

/// The flags without which a good proof by the engine is refused here.
pub(crate) fn flags(engine: &str) -> &'static str {
    if engine == "halo2" { " --allow-dev-srs" } else { "" }
}

/// `committed` with `record.secret` (test record 0) and `answer.proof` for `request-1`.
pub(crate) fn proved(engine: &str) -> Place {
    let place = committed(engine);
    prepare(&place, engine);
    place
        .tacit("commit-input --card card/card.json --input {} --row 0 -o record.secret", &[&data("test.csv")])
        .ok();
    place
        .tacit(
            "prove inference --model diagnosis.tacit --opening card/opening.secret --input-opening record.secret \
             --context request-1 -o answer.proof",
            &[],
        )
        .ok();
    place
}

/// A place with only what a verifier has: card, proof and, where the engine needs one, a setup.
pub(crate) fn verifier(of: &Place, engine: &str) -> Place {
    let place = Place::new();
    place.take(of, "card/card.json", "card.json");
    place.take(of, "answer.proof", "answer.proof");
    prepare(&place, engine);
    place
}

/// The committed place, its sumcheck card signed anew without the points and the certificate, which lie
/// beside it as those of a large model do.
pub(crate) fn points_beside(place: &Place) {
    let card = Card::from_json(&place.read("card/card.json")).unwrap();
    let key = OwnerKey::from_text(&place.read("card/owner.key")).unwrap();
    let points = card.inline_points().unwrap().clone();
    let mut commitments = card.commitments().clone();
    commitments.sumcheck.as_mut().unwrap().parameters.points = None;
    let content = UnsignedCard {
        name: card.name().clone(),
        architecture: card.architecture().clone(),
        weights: card.weights().clone(),
        commitments,
        policy: card.policy(),
        quantisation: card.quantisation(),
    };
    let card = Card::sign(content, &key).unwrap();
    let mut opening = WeightsOpening::from_bytes(&place.read("card/opening.secret")).unwrap();
    opening.card_id = card.id();
    place.write("card/card.json", card.to_json());
    place.write("card/card.points", points.to_bytes());
    place.write("card/opening.secret", &*opening.to_bytes());
}
