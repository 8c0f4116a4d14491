//! `tacit demo`: whole stories on bundled data.

mod attacks;
mod attempts;
mod bundled;
mod cheats;
mod exchange;
mod figures;
mod forging;
mod kaggle;
mod medical;

use rand_core::{OsRng, RngCore as _};
use tacit_claim::OwnerKey;
use zeroize::Zeroizing;

use crate::args::Demo;
use crate::failure::Failure;
use crate::output;
use crate::report::{BOLD, Item, PLAIN, Report};

pub(crate) fn run(args: &Demo, json: bool) -> Result<Report, Failure> {
    match args {
        Demo::Medical => medical::run(&mut Teller { silent: json, chapter: 0 }),
        Demo::Kaggle { keep } => kaggle::run(&mut Teller { silent: json, chapter: 0 }, keep.as_deref()),
    }
}

/// A folder that is gone afterwards.
fn temporary() -> Result<tempfile::TempDir, Failure> {
    tempfile::tempdir().map_err(|e| {
        Failure::new(format!("no temporary folder can be made: {e}"))
            .advise("set TMPDIR to a folder with space")
    })
}

/// A fresh identity.
fn identity() -> OwnerKey {
    let mut seed = Zeroizing::new([0; 32]);
    OsRng.fill_bytes(&mut *seed);
    OwnerKey::from_seed(&seed)
}

/// Tells the story as it happens.
pub(super) struct Teller {
    silent: bool,
    chapter: usize,
}

impl Teller {
    /// Something happens.
    pub(super) fn tell(&self, items: &[Item]) {
        if !self.silent {
            // Nobody may be listening any more; the exit code will still tell.
            let _ = output::text(items);
        }
    }

    /// A line.
    pub(super) fn line(&self, text: impl Into<String>) {
        self.tell(&[Item::Line(PLAIN, text.into())]);
    }

    /// The next chapter.
    pub(super) fn chapter(&mut self, title: &str) {
        self.chapter += 1;
        self.tell(&[
            Item::Line(PLAIN, String::new()),
            Item::Line(BOLD, format!("{}. {title}", self.chapter)),
        ]);
    }
}
