//! A test set in canonical form: one integer form and one digest, whatever file it came from and whatever model it is for.

use sha2::{Digest as _, Sha256};

use crate::schema::Schema;

/// Records with what is known of them: labels, and columns by whose values they can be told apart.
///
/// Values are those of the file, in the schema's decimals; they may leave their features' declared ranges, which are
/// no part of the digest: two models with other ranges are tested on the same set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    features: Vec<(String, u8)>,
    values: Vec<i64>,
    labels: Option<Labels>,
    groupings: Vec<Grouping>,
}

/// What the records should be answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Labels {
    /// One class per record.
    Classes {
        /// Name of the column or array.
        column: String,
        /// Names of all classes, in the order of the indices.
        classes: Vec<String>,
        /// Index of every record's class.
        indices: Vec<u32>,
    },
    /// One number per record.
    Numbers {
        /// Name of the column or array.
        column: String,
        /// Unit of the values: `10^-decimals`.
        decimals: u8,
        /// The number of every record.
        values: Vec<i64>,
    },
}

/// A column that tells groups of records apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouping {
    /// Name of the column.
    pub column: String,
    /// The values that occur, sorted.
    pub groups: Vec<String>,
    /// For every record, which of `groups` it belongs to.
    pub indices: Vec<u32>,
}

/// SHA-256 of a data set's canonical form, 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DatasetDigest(pub [u8; 32]);

/// Why parts do not make a data set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatasetError {
    /// No record.
    #[error("a data set needs at least one record")]
    Empty,
    /// A record of another length.
    #[error("record {record} has {actual} values; the schema names {expected} features")]
    Record {
        /// Index of the record.
        record: usize,
        /// Features of the schema.
        expected: usize,
        /// Values of the record.
        actual: usize,
    },
    /// As many labels or group values as records are needed.
    #[error("column `{column}` has {actual} values for {expected} records")]
    Length {
        /// The column.
        column: String,
        /// Records.
        expected: usize,
        /// Values.
        actual: usize,
    },
    /// An index beyond the classes or groups.
    #[error("record {record} has a value in column `{column}` that is none of its classes or groups")]
    Index {
        /// The column.
        column: String,
        /// Index of the record.
        record: usize,
    },
    /// Groups that are not sorted, not distinct, or do not all occur.
    #[error("the groups of column `{0}` are not the sorted values that occur in it")]
    Groups(String),
    /// Labels of more decimals than a number of 64 bits can have.
    #[error("column `{column}` has {decimals} decimals; at most {max} can be kept", max = Labels::MAX_DECIMALS)]
    Decimals {
        /// The column.
        column: String,
        /// Its decimals.
        decimals: u8,
    },
    /// A column twice.
    #[error("column `{0}` is used twice")]
    Column(String),
}

impl Labels {
    /// Most decimals of numbers.
    pub const MAX_DECIMALS: u8 = 18;

    /// Name of the column or array.
    #[must_use]
    pub fn column(&self) -> &str {
        match self {
            Self::Classes { column, .. } | Self::Numbers { column, .. } => column,
        }
    }

    fn check(&self, records: usize) -> Result<(), DatasetError> {
        let column = || self.column().to_owned();
        let actual = match self {
            Self::Classes { indices, .. } => indices.len(),
            Self::Numbers { values, .. } => values.len(),
        };
        if actual != records {
            return Err(DatasetError::Length { column: column(), expected: records, actual });
        }
        if let Self::Numbers { decimals, .. } = self
            && *decimals > Self::MAX_DECIMALS
        {
            return Err(DatasetError::Decimals { column: column(), decimals: *decimals });
        }
        if let Self::Classes { classes, indices, .. } = self
            && let Some(record) = indices.iter().position(|i| *i as usize >= classes.len())
        {
            return Err(DatasetError::Index { column: column(), record });
        }
        Ok(())
    }
}

impl Grouping {
    /// The grouping by a column's values, one per record.
    #[must_use]
    pub fn of(column: String, values: &[impl AsRef<str>]) -> Self {
        let distinct: std::collections::BTreeSet<&str> = values.iter().map(AsRef::as_ref).collect();
        let groups: Vec<String> = distinct.into_iter().map(str::to_owned).collect();
        let index = |v: &str| groups.partition_point(|g| g.as_str() < v) as u32;
        let indices = values.iter().map(|v| index(v.as_ref())).collect();
        Self { column, groups, indices }
    }

    fn check(&self, records: usize) -> Result<(), DatasetError> {
        if self.indices.len() != records {
            let (column, actual) = (self.column.clone(), self.indices.len());
            return Err(DatasetError::Length { column, expected: records, actual });
        }
        let mut occurs = vec![false; self.groups.len()];
        for (record, i) in self.indices.iter().enumerate() {
            match occurs.get_mut(*i as usize) {
                Some(seen) => *seen = true,
                None => return Err(DatasetError::Index { column: self.column.clone(), record }),
            }
        }
        if occurs.contains(&false) || !self.groups.is_sorted_by(|a, b| a < b) {
            return Err(DatasetError::Groups(self.column.clone()));
        }
        Ok(())
    }
}

impl Dataset {
    /// Joins records in `schema`'s integers with labels and groupings, after checking that they fit.
    ///
    /// # Errors
    /// [`DatasetError`] names the column and the record.
    pub fn new(
        schema: &Schema,
        records: Vec<Vec<i64>>,
        labels: Option<Labels>,
        groupings: Vec<Grouping>,
    ) -> Result<Self, DatasetError> {
        let (samples, expected) = (records.len(), schema.features.len());
        if samples == 0 {
            return Err(DatasetError::Empty);
        }
        if let Some(record) = records.iter().position(|r| r.len() != expected) {
            return Err(DatasetError::Record { record, expected, actual: records[record].len() });
        }
        labels.iter().try_for_each(|l| l.check(samples))?;
        groupings.iter().try_for_each(|g| g.check(samples))?;
        for (i, g) in groupings.iter().enumerate() {
            if groupings[..i].iter().any(|other| other.column == g.column) {
                return Err(DatasetError::Column(g.column.clone()));
            }
        }
        let features = schema.features.iter().map(|f| (f.name.clone(), f.decimals)).collect();
        Ok(Self { features, values: records.concat(), labels, groupings })
    }

    /// Number of records.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.values.len() / self.features.len()
    }

    /// One record's values in schema integers.
    #[must_use]
    pub fn record(&self, sample: usize) -> &[i64] {
        &self.values[sample * self.features.len()..][..self.features.len()]
    }

    /// The labels.
    #[must_use]
    pub const fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }

    /// The groupings.
    #[must_use]
    pub fn groupings(&self) -> &[Grouping] {
        &self.groupings
    }

    /// The grouping by a column.
    #[must_use]
    pub fn grouping(&self, column: &str) -> Option<&Grouping> {
        self.groupings.iter().find(|g| g.column == column)
    }

    /// Whether the records are those of `schema`: names and decimals of the features, names of the classes.
    #[must_use]
    pub fn fits(&self, schema: &Schema) -> bool {
        let features = schema.features.iter().map(|f| (f.name.as_str(), f.decimals));
        let classes = match &self.labels {
            Some(Labels::Classes { classes, .. }) => {
                schema.classes.iter().map(|c| c.name.as_str()).eq(classes.iter().map(String::as_str))
            }
            _ => true,
        };
        classes && features.eq(self.features.iter().map(|(name, decimals)| (name.as_str(), *decimals)))
    }

    /// One record's values brought into the declared ranges of `schema`, and how many had to be.
    pub fn clipped<'a>(&'a self, sample: usize, schema: &'a Schema) -> impl Iterator<Item = i64> + 'a {
        self.record(sample).iter().zip(&schema.features).map(|(v, f)| *v.clamp(&f.min, &f.max))
    }

    /// Number of values outside their feature's declared range in `schema`.
    #[must_use]
    pub fn out_of_range(&self, schema: &Schema) -> usize {
        let records = self.values.chunks_exact(self.features.len());
        let outside = |(v, f): (&i64, &crate::schema::Feature)| !(f.min..=f.max).contains(v);
        records.map(|r| r.iter().zip(&schema.features).filter(|pair| outside(*pair)).count()).sum()
    }

    /// SHA-256 of the canonical form: domain; names and decimals of the features in order; values row by row; name,
    /// kind, classes and values of the labels; names, groups and values of the groupings in order of their names. Texts
    /// and lists stand behind their lengths, integers take eight bytes, little-endian.
    #[must_use]
    pub fn digest(&self) -> DatasetDigest {
        self.digest_with(self.labels.as_ref(), &self.groupings)
    }

    /// The digest of the records alone: that of the same set without labels and groupings.
    #[must_use]
    pub fn records_digest(&self) -> DatasetDigest {
        self.digest_with(None, &[])
    }

    fn digest_with(&self, labels: Option<&Labels>, groupings: &[Grouping]) -> DatasetDigest {
        let mut form = Form(Sha256::new());
        form.text("tacit/dataset/1");
        form.number(self.features.len() as i64);
        for (name, decimals) in &self.features {
            form.text(name);
            form.number((*decimals).into());
        }
        form.numbers(self.values.iter().copied());
        match labels {
            None => form.text("no labels"),
            Some(Labels::Classes { column, classes, indices }) => {
                form.text("classes");
                form.text(column);
                form.texts(classes);
                form.numbers(indices.iter().map(|i| (*i).into()));
            }
            Some(Labels::Numbers { column, decimals, values }) => {
                form.text("numbers");
                form.text(column);
                form.number((*decimals).into());
                form.numbers(values.iter().copied());
            }
        }
        let mut groupings: Vec<&Grouping> = groupings.iter().collect();
        groupings.sort_by(|a, b| a.column.cmp(&b.column));
        form.number(groupings.len() as i64);
        for grouping in groupings {
            form.text(&grouping.column);
            form.texts(&grouping.groups);
            form.numbers(grouping.indices.iter().map(|i| (*i).into()));
        }
        DatasetDigest(form.0.finalize().into())
    }
}

struct Form(Sha256);

impl Form {
    fn number(&mut self, n: i64) {
        self.0.update(n.to_le_bytes());
    }

    fn numbers(&mut self, numbers: impl ExactSizeIterator<Item = i64>) {
        self.number(numbers.len() as i64);
        // A hash takes long pieces faster than short ones.
        let mut buffer = Vec::with_capacity(1 << 13);
        for n in numbers {
            buffer.extend_from_slice(&n.to_le_bytes());
            if buffer.len() == 1 << 13 {
                self.0.update(&buffer);
                buffer.clear();
            }
        }
        self.0.update(&buffer);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as i64);
        self.0.update(text);
    }

    fn texts(&mut self, texts: &[String]) {
        self.number(texts.len() as i64);
        texts.iter().for_each(|t| self.text(t));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::schema;

    fn labels(indices: Vec<u32>) -> Option<Labels> {
        Some(Labels::Classes { column: "y".into(), classes: vec!["a".into(), "b".into()], indices })
    }

    fn records() -> Vec<Vec<i64>> {
        vec![vec![1, 2], vec![3, 4], vec![1, 2]]
    }

    #[test]
    fn every_part_is_in_the_digest() {
        let schema = schema(2, 2);
        let sites = Grouping::of("site".into(), &["x", "y", "x"]);
        assert_eq!(
            (sites.groups.clone(), sites.indices.clone()),
            (vec!["x".into(), "y".into()], vec![0, 1, 0])
        );
        let of = |records, labels, groupings| {
            Dataset::new(&schema, records, labels, groupings).expect("well-formed").digest().0
        };
        let mut all = vec![
            of(records(), None, vec![]),
            of(records(), labels(vec![0, 1, 0]), vec![]),
            of(records(), labels(vec![0, 1, 1]), vec![]),
            of(records(), labels(vec![0, 1, 0]), vec![sites.clone()]),
            of(records(), labels(vec![0, 1, 0]), vec![Grouping { column: "place".into(), ..sites.clone() }]),
            // Permuted, repeated, shortened.
            of(vec![vec![3, 4], vec![1, 2], vec![1, 2]], None, vec![]),
            of(vec![vec![1, 2]; 3], None, vec![]),
            of(vec![vec![1, 2]; 2], None, vec![]),
            of(
                records(),
                Some(Labels::Numbers { column: "y".into(), decimals: 0, values: vec![0, 1, 0] }),
                vec![],
            ),
        ];
        let mut other = schema.clone();
        other.features[0].decimals = 7;
        all.push(Dataset::new(&other, records(), None, vec![]).expect("well-formed").digest().0);
        let mut other = schema.clone();
        other.features[0].name = "other".into();
        all.push(Dataset::new(&other, records(), None, vec![]).expect("well-formed").digest().0);
        let n = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), n);
        // Ranges belong to models, not to the set; groupings have no order.
        let full = Dataset::new(&schema, records(), labels(vec![0, 1, 0]), vec![sites.clone()]);
        assert_eq!(full.expect("well-formed").records_digest().0, of(records(), None, vec![]));
        let mut wider = schema.clone();
        wider.features[0].max += 1;
        assert_eq!(
            Dataset::new(&wider, records(), None, vec![]).expect("well-formed").digest().0,
            of(records(), None, vec![])
        );
        let places = Grouping { column: "place".into(), ..sites.clone() };
        assert_eq!(
            of(records(), None, vec![sites.clone(), places.clone()]),
            of(records(), None, vec![places, sites])
        );
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        use DatasetError as E;
        let schema = schema(2, 2);
        let new = |records, labels, groupings| Dataset::new(&schema, records, labels, groupings).map(|_| ());
        assert_eq!(new(vec![], None, vec![]), Err(E::Empty));
        assert_eq!(
            new(vec![vec![1, 2], vec![1]], None, vec![]),
            Err(E::Record { record: 1, expected: 2, actual: 1 })
        );
        let length = |actual| Err(E::Length { column: "y".into(), expected: 3, actual });
        assert_eq!(new(records(), labels(vec![0]), vec![]), length(1));
        assert_eq!(
            new(records(), labels(vec![0, 1, 2]), vec![]),
            Err(E::Index { column: "y".into(), record: 2 })
        );
        let sites = Grouping::of("site".into(), &["x", "y", "x"]);
        assert_eq!(new(records(), None, vec![sites.clone(); 2]), Err(E::Column("site".into())));
        let unused = Grouping { groups: vec!["x".into(), "y".into(), "z".into()], ..sites.clone() };
        assert_eq!(new(records(), None, vec![unused]), Err(E::Groups("site".into())));
        let unsorted = Grouping { groups: vec!["y".into(), "x".into()], ..sites };
        assert_eq!(new(records(), None, vec![unsorted]), Err(E::Groups("site".into())));
    }
}
