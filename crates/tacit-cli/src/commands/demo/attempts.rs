//! Attempts to cheat, as every story tells of them.

use std::fmt::Display;

use serde_json::json;
use tacit_core::{CoreError, Outcome};

use super::Teller;
use crate::failure::DOES_NOT_HOLD;
use crate::report::{BAD, GOOD, Item, PLAIN, Report, count};

/// An attempt and what became of it.
pub(super) struct Attempt {
    what: &'static str,
    /// Refused, and in the way that it must be.
    refused: bool,
    how: String,
}

/// Makes attempts and tells of each.
pub(super) struct Round<'a> {
    teller: &'a Teller,
    attempts: Vec<Attempt>,
}

impl<'a> Round<'a> {
    pub(super) const fn new(teller: &'a Teller) -> Self {
        Self { teller, attempts: Vec::new() }
    }

    pub(super) fn finish(self) -> Vec<Attempt> {
        self.attempts
    }

    /// What was tried, and that it must turn out not to hold.
    pub(super) fn tried<T>(&mut self, what: &'static str, outcome: Result<T, CoreError>) {
        self.must_end(Outcome::DoesNotHold, what, outcome);
    }

    pub(super) fn must_end<T>(&mut self, must: Outcome, what: &'static str, outcome: Result<T, CoreError>) {
        self.must_fail(what, outcome, |e| e.outcome() == must);
    }

    /// What was tried, and what the refusal must be.
    pub(super) fn must_fail<T, E: Display>(
        &mut self,
        what: &'static str,
        outcome: Result<T, E>,
        is_right: impl FnOnce(&E) -> bool,
    ) {
        let (refused, how) = match outcome {
            Ok(_) => (false, "it was accepted".to_owned()),
            Err(e) => (is_right(&e), e.to_string()),
        };
        let (style, mark) = if refused { (GOOD, "refused ") } else { (BAD, "NOT REFUSED ") };
        self.teller
            .tell(&[Item::Line(PLAIN, format!("- {what}")), Item::Line(style, format!("  {mark}({how})"))]);
        self.attempts.push(Attempt { what, refused, how });
    }
}

/// The last word of a story: whether every attempt was refused.
pub(super) fn conclude(teller: &Teller, report: &mut Report, holds: &str, attempts: &[Attempt]) {
    let refused = attempts.iter().filter(|a| a.refused).count();
    let accepted = attempts.len() - refused;
    if cfg!(debug_assertions) {
        teller.line("This is a build for development: the release build is faster.");
    }
    if accepted == 0 {
        teller
            .tell(&[Item::Line(GOOD, format!("{holds}, and all {refused} attempts to cheat were refused."))]);
    } else {
        let text = format!("Not refused as it must be: {}.", count(accepted, "attempt"));
        teller.tell(&[Item::Line(BAD, text)]);
        report.code = DOES_NOT_HOLD;
    }
    let json = |a: &Attempt| json!({ "attempt": a.what, "refused": a.refused, "how": a.how });
    report.set("attacks", attempts.iter().map(json).collect::<Vec<_>>());
    report.set("attacks_refused", refused);
}
