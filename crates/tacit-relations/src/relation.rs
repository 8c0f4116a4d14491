//! The relations. Keep the set small: a relation earns its place only if every engine does it better than its lowering.

use crate::system::TensorId;
use crate::view::{Axis, View};

/// A relation over integer tensors. Every relation but `Range` defines its result `y` from its operands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Relation {
    /// `y[b,m,n] = bias[b,m,n] + Σ_k a[b,m,k] · c[b,k,n]`, each index standing for one axis or several; `y` is row-major
    /// `[b,m,n]`. A convolution is this relation with `a` a view of windows.
    Contraction {
        /// Left operand, axes `[b.., m.., k..]`.
        a: View,
        /// Right operand, axes `[b.., k.., n..]`.
        c: View,
        /// Which axes are which.
        grouping: Grouping,
        /// Added to the result, axes of the lengths of `[b.., m.., n..]`, joined or not.
        bias: Option<View>,
        /// Result.
        y: TensorId,
    },
    /// `y = Σ_i coefficient_i · view_i + offset`, coefficients and offset public.
    Affine {
        /// Public coefficients and operands, each with as many elements as `y`.
        terms: Vec<(i64, View)>,
        /// Public constant.
        offset: i64,
        /// Result.
        y: TensorId,
    },
    /// `y = a ⊙ c`.
    Product {
        /// Left operand, as many elements as `y`.
        a: View,
        /// Right operand, as many elements as `y`.
        c: View,
        /// Result.
        y: TensorId,
    },
    /// `y = clamp(floor((x + 2^(shift-1)) / 2^shift), lo, hi)`: rounding half up, saturating.
    Requant {
        /// Operand, as many elements as `y`.
        x: View,
        /// Right shift in bits.
        shift: u8,
        /// Smallest result.
        lo: i64,
        /// Largest result.
        hi: i64,
        /// Result.
        y: TensorId,
    },
    /// Every element of `x` lies in `[lo, hi]`.
    Range {
        /// Operand.
        x: View,
        /// Smallest allowed value.
        lo: i64,
        /// Largest allowed value.
        hi: i64,
    },
    /// `y = values[x - first]` elementwise; `x` must lie in the table's domain `first .. first + values.len()`.
    Table {
        /// Operand, as many elements as `y`.
        x: View,
        /// Smallest value of the domain.
        first: i64,
        /// Results over the domain, in order.
        values: std::sync::Arc<[i64]>,
        /// Result.
        y: TensorId,
    },
    /// `y` = maximum of `x` over its last axis or axes: as many as `x` has more elements than `y`. Padding is a zero like any
    /// other.
    Max {
        /// Operand, at least one axis; `y` has as many elements as its first axes.
        x: View,
        /// Result.
        y: TensorId,
    },
    /// `y` is some integers in `[lo, hi]`, and nothing else is said of them here: relations that read `y` say which will do.
    /// `rule` is what an honest prover puts there.
    Hint {
        /// How the trace gets the integers.
        rule: HintRule,
        /// Smallest allowed value.
        lo: i64,
        /// Largest allowed value.
        hi: i64,
        /// Result, a witness.
        y: TensorId,
    },
    /// One-hot selector of the maximum of `x` over its last axis; the lowest index wins a tie.
    ArgMax {
        /// Operand, at least one axis, as many elements as `y`.
        x: View,
        /// Result: a one where the maximum is, zeros elsewhere.
        y: TensorId,
    },
}

/// How the trace gets a [`Relation::Hint`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HintRule {
    /// `floor(n / d)` elementwise; 0 where `d` is not positive.
    Quotient {
        /// Dividend, as many elements as the result.
        n: View,
        /// Divisor, as many elements as the result.
        d: View,
    },
    /// `floor(sqrt(x))` elementwise; 0 where `x` is negative.
    Root {
        /// Radicand, as many elements as the result.
        x: View,
    },
}

impl HintRule {
    /// The views it reads.
    #[must_use]
    pub fn operands(&self) -> Vec<&View> {
        match self {
            Self::Quotient { n, d } => vec![n, d],
            Self::Root { x } => vec![x],
        }
    }
}

/// How many axes of a [`Relation::Contraction`]'s left operand are batch axes and how many are rows; the others are summed
/// over, and the right operand's remaining ones are columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grouping {
    /// Batch axes, the first of both operands.
    pub batch: usize,
    /// Row axes, the next of the left one.
    pub rows: usize,
}

/// Sizes of a [`Relation::Contraction`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Number of batches.
    pub batches: usize,
    /// Rows of a batch.
    pub rows: usize,
    /// Terms of a sum.
    pub depth: usize,
    /// Columns of a batch.
    pub columns: usize,
}

/// A [`Relation::Contraction`]'s axes by group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Groups<'v> {
    /// Batch axes of the left operand.
    pub batch: &'v [Axis],
    /// Its row axes.
    pub rows: &'v [Axis],
    /// The axes that are summed over, as the left operand has them.
    pub depth: &'v [Axis],
    /// Column axes of the right operand.
    pub columns: &'v [Axis],
}

impl Grouping {
    /// One axis each.
    pub const MATRIX: Self = Self { batch: 1, rows: 1 };

    /// The axes of each group; `None` where the operands' axes do not agree.
    #[must_use]
    pub fn groups<'v>(&self, a: &'v View, c: &'v View) -> Option<Groups<'v>> {
        let (batch, rest) = a.axes.split_at_checked(self.batch)?;
        let (rows, depth) = rest.split_at_checked(self.rows)?;
        let (c_batch, rest) = c.axes.split_at_checked(self.batch)?;
        let (c_depth, columns) = rest.split_at_checked(depth.len())?;
        let agree = |x: &[Axis], y: &[Axis]| x.iter().map(|a| a.len).eq(y.iter().map(|a| a.len));
        (agree(batch, c_batch) && agree(depth, c_depth)).then_some(Groups { batch, rows, depth, columns })
    }

    /// The sizes; `None` where the operands' axes do not agree or a size overflows.
    #[must_use]
    pub fn sizes(&self, a: &View, c: &View) -> Option<Sizes> {
        let groups = self.groups(a, c)?;
        let size =
            |axes: &[Axis]| axes.iter().try_fold(1usize, |product, axis| product.checked_mul(axis.len));
        Some(Sizes {
            batches: size(groups.batch)?,
            rows: size(groups.rows)?,
            depth: size(groups.depth)?,
            columns: size(groups.columns)?,
        })
    }
}

impl Relation {
    /// Name of the kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Contraction { .. } => "Contraction",
            Self::Affine { .. } => "Affine",
            Self::Product { .. } => "Product",
            Self::Requant { .. } => "Requant",
            Self::Range { .. } => "Range",
            Self::Table { .. } => "Table",
            Self::Max { .. } => "Max",
            Self::ArgMax { .. } => "ArgMax",
            Self::Hint { .. } => "Hint",
        }
    }

    /// The tensor it defines.
    #[must_use]
    pub fn result(&self) -> Option<TensorId> {
        match self {
            Self::Contraction { y, .. }
            | Self::Affine { y, .. }
            | Self::Product { y, .. }
            | Self::Requant { y, .. }
            | Self::Table { y, .. }
            | Self::Max { y, .. }
            | Self::ArgMax { y, .. }
            | Self::Hint { y, .. } => Some(*y),
            Self::Range { .. } => None,
        }
    }

    /// Every view it reads.
    #[must_use]
    pub fn operands(&self) -> Vec<&View> {
        match self {
            Self::Contraction { a, c, bias, .. } => {
                [Some(a), Some(c), bias.as_ref()].into_iter().flatten().collect()
            }
            Self::Affine { terms, .. } => terms.iter().map(|(_, v)| v).collect(),
            Self::Product { a, c, .. } => vec![a, c],
            Self::Requant { x, .. }
            | Self::Range { x, .. }
            | Self::Table { x, .. }
            | Self::Max { x, .. }
            | Self::ArgMax { x, .. } => vec![x],
            Self::Hint { rule, .. } => rule.operands(),
        }
    }
}
