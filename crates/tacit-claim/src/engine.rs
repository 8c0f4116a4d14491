//! The names of the proving engines.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A proving engine, as claims and cards name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineId {
    /// Transparent: no setup, large models, whole test sets.
    Sumcheck,
    /// Circuits over BN254 with KZG: the shortest proofs.
    Halo2,
}

impl EngineId {
    /// Every engine.
    pub const ALL: [Self; 2] = [Self::Sumcheck, Self::Halo2];

    /// The name in commands and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sumcheck => "sumcheck",
            Self::Halo2 => "halo2",
        }
    }
}

impl fmt::Display for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text names no engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an engine; there are `sumcheck` and `halo2`")]
pub struct UnknownEngine(pub String);

impl FromStr for EngineId {
    type Err = UnknownEngine;

    fn from_str(text: &str) -> Result<Self, UnknownEngine> {
        Self::ALL
            .into_iter()
            .find(|e| e.name() == text)
            .ok_or_else(|| UnknownEngine(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for engine in EngineId::ALL {
            assert_eq!(engine.to_string().parse(), Ok(engine));
            assert_eq!(serde_json::to_value(engine).ok(), Some(engine.name().into()));
        }
        assert_eq!("Halo2".parse::<EngineId>(), Err(UnknownEngine("Halo2".into())));
    }
}
