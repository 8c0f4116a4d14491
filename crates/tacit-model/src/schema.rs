//! The input schema: named features in fixed decimals with declared ranges, and the classes of the answer.

use serde::{Deserialize, Serialize};

use crate::decimal::{format_decimal, parse_decimal};
use crate::fixed::signed_width;

/// Most features a record may have.
const MAX_FEATURES: usize = 1 << 20;
/// Longest name of a feature or a class, in bytes.
const MAX_NAME: usize = 256;
/// Most decimals a feature may have.
const MAX_DECIMALS: u8 = 9;
/// Ranges stay below this magnitude (in units of the last decimal).
const MAX_MAGNITUDE: i64 = 1 << 40;

/// One feature of a record: the integer `v * 10^decimals` of a real value `v` in `[min, max]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawFeature", into = "RawFeature")]
pub struct Feature {
    /// Column name, unique in the schema.
    pub name: String,
    /// Decimals kept: the unit of the integers is `10^-decimals`.
    pub decimals: u8,
    /// Smallest allowed value, in units of the last decimal.
    pub min: i64,
    /// Largest allowed value, in units of the last decimal.
    pub max: i64,
    /// Unit of measurement (UCUM where there is one).
    pub unit: Option<String>,
    /// Code of the feature in `system`.
    pub code: Option<String>,
    /// Coding system, such as `http://loinc.org`.
    pub system: Option<String>,
}

/// Ranges are written as decimal strings so that a person can read them and no float is involved.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFeature {
    name: String,
    decimals: u8,
    min: String,
    max: String,
    unit: Option<String>,
    code: Option<String>,
    system: Option<String>,
}

impl TryFrom<RawFeature> for Feature {
    type Error = SchemaError;

    fn try_from(raw: RawFeature) -> Result<Self, SchemaError> {
        if raw.decimals > MAX_DECIMALS {
            return Err(SchemaError::Decimals { feature: raw.name, decimals: raw.decimals });
        }
        let bound = |text: &str| {
            parse_decimal(text, raw.decimals)
                .map_err(|source| SchemaError::Bound { feature: raw.name.clone(), source })
        };
        let (min, max) = (bound(&raw.min)?, bound(&raw.max)?);
        let RawFeature { name, decimals, unit, code, system, .. } = raw;
        Ok(Self { name, decimals, min, max, unit, code, system })
    }
}

impl From<Feature> for RawFeature {
    fn from(f: Feature) -> Self {
        Self {
            min: format_decimal(f.min, f.decimals),
            max: format_decimal(f.max, f.decimals),
            name: f.name,
            decimals: f.decimals,
            unit: f.unit,
            code: f.code,
            system: f.system,
        }
    }
}

impl Feature {
    /// The allowed range as a person reads it: `[0.05, 0.16]`.
    #[must_use]
    pub fn range_text(&self) -> String {
        format!("[{}, {}]", format_decimal(self.min, self.decimals), format_decimal(self.max, self.decimals))
    }
}

/// One class of the answer. Its index is the index of its logit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Name, also the label's text in data files.
    pub name: String,
}

/// What a record is, independent of any model: a record has one integer form and one digest for every model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawSchema", into = "RawSchema")]
pub struct Schema {
    /// Features in order.
    pub features: Vec<Feature>,
    /// Classes in order of the logits; empty where the answer is a number.
    pub classes: Vec<Class>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSchema {
    format: String,
    features: Vec<Feature>,
    classes: Vec<Class>,
}

impl TryFrom<RawSchema> for Schema {
    type Error = SchemaError;

    fn try_from(raw: RawSchema) -> Result<Self, SchemaError> {
        if raw.format != Schema::FORMAT {
            return Err(SchemaError::Format(raw.format));
        }
        Schema::new(raw.features, raw.classes)
    }
}

impl From<Schema> for RawSchema {
    fn from(s: Schema) -> Self {
        Self { format: Schema::FORMAT.to_owned(), features: s.features, classes: s.classes }
    }
}

impl Schema {
    /// Format name and version of `schema.json`.
    pub const FORMAT: &'static str = "tacit.schema/1";

    /// Builds a schema after checking every rule.
    ///
    /// # Errors
    /// [`SchemaError`] names the feature or class and the rule.
    pub fn new(features: Vec<Feature>, classes: Vec<Class>) -> Result<Self, SchemaError> {
        if features.is_empty() || features.len() > MAX_FEATURES {
            return Err(SchemaError::FeatureCount(features.len()));
        }
        let mut names = std::collections::HashSet::new();
        for f in &features {
            check_name(&f.name)?;
            if !names.insert(f.name.as_str()) {
                return Err(SchemaError::NameTwice { what: "features", name: f.name.clone() });
            }
            if f.decimals > MAX_DECIMALS {
                return Err(SchemaError::Decimals { feature: f.name.clone(), decimals: f.decimals });
            }
            if f.min > f.max || f.min <= -MAX_MAGNITUDE || f.max >= MAX_MAGNITUDE {
                return Err(SchemaError::Range { feature: f.name.clone(), range: f.range_text() });
            }
        }
        let mut names = std::collections::HashSet::new();
        for c in &classes {
            check_name(&c.name)?;
            if !names.insert(c.name.as_str()) {
                return Err(SchemaError::NameTwice { what: "classes", name: c.name.clone() });
            }
        }
        Ok(Self { features, classes })
    }

    /// Width in bits at which every value of a record is committed: the smallest signed width that holds every
    /// feature's declared range.
    #[must_use]
    pub fn record_width(&self) -> u8 {
        self.features.iter().map(|f| signed_width(f.min, f.max)).max().unwrap_or(1)
    }
}

fn check_name(name: &str) -> Result<(), SchemaError> {
    match name.trim() {
        "" => Err(SchemaError::NoName),
        _ if name.len() > MAX_NAME => Err(SchemaError::LongName(name.chars().take(40).collect())),
        _ => Ok(()),
    }
}

/// Why a schema is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Unknown format or version.
    #[error("schema format `{0}` is not `tacit.schema/1`")]
    Format(String),
    /// No feature, or too many.
    #[error("a schema needs between 1 and {MAX_FEATURES} features, not {0}")]
    FeatureCount(usize),
    /// A name of nothing but blanks.
    #[error("a name is empty; every feature and every class needs one")]
    NoName,
    /// An overlong name.
    #[error("the name that begins `{0}` is longer than {MAX_NAME} bytes")]
    LongName(String),
    /// Two features or two classes of one name.
    #[error("two {what} are called `{name}`")]
    NameTwice {
        /// `features` or `classes`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Too many decimals.
    #[error("feature `{feature}` has {decimals} decimals; at most {MAX_DECIMALS} are allowed")]
    Decimals {
        /// Feature name.
        feature: String,
        /// Decimals asked for.
        decimals: u8,
    },
    /// A bound that is no exact decimal.
    #[error("feature `{feature}`: {source}")]
    Bound {
        /// Feature name.
        feature: String,
        /// What is wrong with the number.
        source: crate::decimal::DecimalError,
    },
    /// Empty or overlarge range.
    #[error("feature `{feature}`: the range {range} is empty or beyond ±2^40 units of the last decimal")]
    Range {
        /// Feature name.
        feature: String,
        /// The range as given.
        range: String,
    },
}
