//! Relation systems with honest witnesses, for the tests of engines: built by hand, random by seed, and lowered from
//! generated models. Only with the feature `testing`.

pub mod arithmetic;
pub mod builder;
pub mod corners;
pub mod division;
pub mod images;
pub mod random;
pub mod selections;
pub mod systems;

use crate::check::check;
use crate::system::RelationSystem;
use crate::trace::{Assignment, Trace, trace};

/// A relation system with an honest witness.
#[derive(Clone)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The relations.
    pub system: RelationSystem,
    /// Values of what no relation defines.
    pub given: Assignment,
    /// Values of every tensor.
    pub trace: Trace,
}

impl Case {
    /// Traces `system`.
    ///
    /// # Panics
    /// When there is no trace, or the checker refuses it.
    #[must_use]
    pub fn new(name: impl Into<String>, system: RelationSystem, given: Assignment) -> Self {
        let name = name.into();
        let trace = trace(&system, &given).unwrap_or_else(|e| panic!("{name}: {e}"));
        check(&system, &trace).unwrap_or_else(|e| panic!("{name}: the checker refuses an honest trace: {e}"));
        Self { name, system, given, trace }
    }
}

/// Every system built by hand.
#[must_use]
pub fn by_hand() -> Vec<Case> {
    [
        systems::all(),
        corners::all(),
        selections::tables(),
        selections::maxima(),
        images::all(),
        division::all(),
    ]
    .concat()
}
