//! The plan of a proof: what is committed, what is looked up, which equations hold. Prover and verifier derive it from
//! the relation system alone.

mod build;
mod ranges;
mod relations;
mod slots;
mod views;

use std::sync::Arc;

use tacit_relations::{RelationSystem, Segment, TensorId, View};

use crate::expr::Expr;
use crate::grid::Grid;
use crate::layout::Layout;
use crate::viewed::Viewed;

/// Everything that follows from the relation system.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Committed vectors: those of the statement's segments in packing order, then the witness.
    pub(crate) columns: Vec<Column>,
    /// Grids of the columns.
    pub(crate) column_grids: Vec<Grid>,
    /// Vectors that the verifier has.
    pub(crate) publics: Vec<PublicVector>,
    /// Grids of the public vectors.
    pub(crate) public_grids: Vec<Grid>,
    /// Views that are no expressions by themselves.
    pub(crate) views: Vec<Viewed>,
    /// What the prover computes before it fills columns of digits.
    pub(crate) quantities: Vec<Quantity>,
    /// Lookup tables.
    pub(crate) tables: Vec<LookupTable>,
    /// Expressions that are looked up, largest grid first.
    pub(crate) lookups: Vec<Lookup>,
    /// Equations.
    pub(crate) checks: Vec<Check>,
    /// Public values that a relation bounds: the verifier compares them itself.
    pub(crate) public_ranges: Vec<PublicRange>,
    /// Row generators that the columns meet.
    pub(crate) width: usize,
    /// What each tensor is over its own grid, where a relation needed to know.
    pub(crate) tensors: Vec<Option<Expr>>,
}

/// A committed vector.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) segment: Segment,
    pub(crate) layout: Layout,
    /// Where the prover takes the values from.
    pub(crate) fill: Fill,
}

/// Where a column's values come from.
#[derive(Debug, Clone)]
pub(crate) enum Fill {
    /// A tensor as it is.
    Tensor(TensorId),
    /// Bits of a quantity, from `shift` on, `bits` of them or all that are left.
    Digit { quantity: usize, shift: u32, bits: Option<u32> },
    /// How often each row of a table is looked up.
    Multiplicities { table: usize },
}

/// Integers that the prover computes from the trace and from columns before.
#[derive(Debug, Clone)]
pub(crate) enum Quantity {
    /// An expression over a grid.
    Expr { expr: Expr, lens: Vec<usize> },
    /// A part of `x + 2^(shift-1) = 2^shift (y + above − below) + remainder`.
    Requant { x: View, shift: u8, lo: i64, hi: i64, part: Part },
    /// Maximum over the last axis.
    Maximum { x: View },
    /// One-hot selector of the first maximum of every `along` elements.
    Selector { x: View, along: usize },
    /// For every element of a one-hot selector, whether the selected one comes later.
    Later { selector: TensorId, along: usize },
}

/// Which part of a requantisation, of the rounded value `v`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// `(v − lo) mod 2^bits`.
    Low { bits: u8 },
    /// `⌊(v − lo) / 2^bits⌋ − first`: which block of results the value is in.
    Block { bits: u8, first: i64 },
    /// Whether it is in the block of the results.
    Within { bits: u8 },
    /// Whether it is in a block above.
    Beyond { bits: u8 },
    /// `y − lo`.
    Result,
    /// By how much the rounded value exceeds `hi`.
    Above,
    /// By how much it falls short of `lo`.
    Below,
    /// What rounding drops.
    Remainder,
}

/// A vector that the verifier computes.
#[derive(Debug, Clone)]
pub(crate) enum PublicVector {
    /// A constant or public tensor through a view.
    View(View),
    /// These values.
    Values(Arc<[i64]>),
}

/// Rows `(key, values)` that may be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LookupTable {
    /// `0 … 2^bits − 1`, no value.
    Range { bits: usize },
    /// `(j, values[0][j], values[1][j], …)`, at most [`MAX_VALUES`] values.
    Function { values: Vec<Arc<[i64]>> },
}

/// Most values beside a key.
pub(crate) const MAX_VALUES: usize = 2;

/// Every element of `key` (with `values`) is a row of a table.
#[derive(Debug, Clone)]
pub(crate) struct Lookup {
    pub(crate) table: usize,
    pub(crate) lens: Vec<usize>,
    pub(crate) key: Expr,
    pub(crate) values: Vec<Expr>,
}

/// An equation.
#[derive(Debug)]
pub(crate) enum Check {
    /// `expr = 0` everywhere.
    Linear { lens: Vec<usize>, expr: Expr },
    /// `left ⊙ right = result` everywhere.
    Elementwise { lens: Vec<usize>, left: Expr, right: Expr, result: Expr },
    /// `result[b, m, n] = Σ_k left[b, m, k] · right[b, k, n]`.
    Contraction(Box<Contraction>),
}

/// A sum over `k` of products.
#[derive(Debug)]
pub(crate) struct Contraction {
    pub(crate) batch: Vec<usize>,
    pub(crate) rows: Vec<usize>,
    pub(crate) columns: Vec<usize>,
    pub(crate) k: Vec<usize>,
    /// Over `batch ++ rows ++ k`.
    pub(crate) left: Expr,
    /// Over `batch ++ k ++ columns`.
    pub(crate) right: Expr,
    /// Over `batch ++ rows ++ columns`.
    pub(crate) result: Expr,
}

/// Bounds of public values.
#[derive(Debug, Clone)]
pub(crate) struct PublicRange {
    pub(crate) view: View,
    pub(crate) lo: i64,
    pub(crate) hi: i64,
}

impl Plan {
    /// The plan for a system, with the range table that makes it cheapest.
    pub(crate) fn new(system: &RelationSystem) -> Self {
        cheapest(|bits| build::Builder::new(system, bits).relations())
    }

    /// The plan of the certificate that every weight fits its width.
    pub(crate) fn certificate(system: &RelationSystem) -> Self {
        cheapest(|bits| build::Builder::new(system, bits).widths_of_weights())
    }

    /// Columns of one segment.
    pub(crate) fn segment(&self, segment: Segment) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(move |c| c.segment == segment)
    }

    /// About how many bytes proving takes at its peak, the trace not counted: the lookup tree (two field elements a leaf, as many
    /// again in the layers above, and the copy of a layer that its sum-check folds), then the dense tables of products.
    pub(crate) fn memory(&self) -> u64 {
        let padded = |lens: &[usize]| Grid { lens: lens.to_vec() }.padded_len() as u64;
        let leaves: u64 = self.lookups.iter().map(|l| padded(&l.lens)).sum();
        let rows: u64 = self.tables.iter().map(|t| 1 << t.vars()).sum();
        let largest = self.lookups.iter().map(|l| l.lens.iter().product::<usize>() as u64).max().unwrap_or(0);
        let products: u64 = self
            .checks
            .iter()
            .map(|c| match c {
                Check::Elementwise { lens, .. } => 64 * padded(lens),
                _ => 0,
            })
            .sum();
        8 * self.witness_len() + (160 * (leaves + rows) + 16 * largest).max(products)
    }

    /// About how many bytes verifying takes at its peak besides the proof: the largest of what the verifier evaluates itself, a
    /// public vector or a view with what it looks at, and the public vectors' values.
    pub(crate) fn verifier_memory(&self) -> u64 {
        let element = std::mem::size_of::<crate::group::F>() as u64;
        let len = |lens: &[usize]| lens.iter().map(|&n| n as u64).product::<u64>();
        let publics = self.public_grids.iter().map(|g| len(&g.lens));
        // Equality tables have a power of two of entries for every axis, and are there beside their product.
        let padded = |lens: &mut dyn Iterator<Item = usize>| {
            lens.fold(2u64, |product, len| product.saturating_mul(len.next_power_of_two() as u64))
        };
        let parts = self.views.iter().flat_map(|view| {
            view.parts.iter().map(move |part| {
                let copy = padded(&mut part.copy.iter().map(|&axis| view.grid.lens[axis]));
                let original = padded(&mut part.original.clone().map(|axis| view.original_grid.lens[axis]));
                copy.saturating_add(original)
            })
        });
        let largest = publics.clone().chain(parts).max().unwrap_or(0);
        (8 * publics.sum::<u64>()).saturating_add(largest.saturating_mul(element))
    }

    /// Rough cost: looked-up values, committed values, messages.
    fn cost(&self) -> u64 {
        let table: u64 = self.tables.iter().map(|t| 1 << t.vars()).sum();
        let lookups: u64 =
            self.lookups.iter().map(|l| l.lens.iter().map(|&n| n as u64).product::<u64>()).sum();
        let leaves = table + lookups;
        let messages =
            self.columns.len() as u64 + u64::from(leaves.next_power_of_two().trailing_zeros()).pow(2);
        4 * leaves + self.witness_len() + 50 * messages
    }

    /// Integers committed with the proof.
    fn witness_len(&self) -> u64 {
        self.segment(Segment::Witness).map(|c| c.layout.range(c.layout.rows() - 1).end as u64).sum()
    }
}

fn cheapest(plan: impl Fn(usize) -> Plan) -> Plan {
    // One after the other: all of them together would take six times the memory.
    [6, 8, 10, 12, 14, 16].into_iter().map(plan).min_by_key(Plan::cost).expect("there are candidates")
}

impl LookupTable {
    /// Variables of its row index.
    pub(crate) fn vars(&self) -> usize {
        match self {
            Self::Range { bits } => *bits,
            Self::Function { values } => crate::grid::bits_of(values[0].len()),
        }
    }

    /// The values beside key `j`; rows beyond the last repeat the last one.
    pub(crate) fn values(&self, j: usize) -> impl Iterator<Item = i64> + '_ {
        let all = match self {
            Self::Range { .. } => &[][..],
            Self::Function { values } => values,
        };
        all.iter().map(move |values| values[j.min(values.len() - 1)])
    }

    /// The key of row `j`.
    pub(crate) fn key(&self, j: usize) -> usize {
        match self {
            Self::Range { .. } => j,
            Self::Function { values } => j.min(values[0].len() - 1),
        }
    }
}
