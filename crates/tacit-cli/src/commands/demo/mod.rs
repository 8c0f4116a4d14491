//! `tacit demo`: whole stories on bundled data. Nothing is kept.

mod attacks;
mod bundled;
mod figures;
mod forging;
mod medical;

use crate::args::Demo;
use crate::failure::Failure;
use crate::output;
use crate::report::{BOLD, Item, PLAIN, Report};

pub(crate) fn run(args: &Demo, json: bool) -> Result<Report, Failure> {
    match args {
        Demo::Medical => medical::run(&mut Teller { silent: json, chapter: 0 }),
        Demo::Kaggle { keep: _ } => Err(Failure::new("not yet")),
    }
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
