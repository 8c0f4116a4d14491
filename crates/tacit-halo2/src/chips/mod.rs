//! The chips. Each has a `configure` that adds its gates and functions that write its rows to a [`Sheet`].
//!
//! All chips share the columns of [`Columns`]; a doc comment per chip says which gate constrains each cell.
//!
//! [`Sheet`]: crate::sheet::Sheet

pub(crate) mod contraction;
pub(crate) mod function;
pub(crate) mod linear;
pub(crate) mod maximum;
pub(crate) mod poseidon;
pub(crate) mod requant;
pub(crate) mod table;

use std::sync::LazyLock;

use halo2_proofs::plonk::{
    Advice, Challenge, Column, ConstraintSystem, Expression, FirstPhase, Fixed, Instance, SecondPhase,
    Selector, VirtualCells,
};
use halo2_proofs::poly::Rotation;
use halo2curves::bn256::Fr;
use halo2curves::ff::{Field, PrimeField};

use crate::shape::CircuitShape;
use crate::sheet::Gate;

/// The columns of a circuit.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    pub(crate) shape: CircuitShape,
    /// First-phase advice: everything that a challenge checks is committed here before the challenge exists.
    pub(crate) advice: Vec<Column<Advice>>,
    /// Second phase: `h`, the running evaluation of rows of a matrix at the challenge.
    pub(crate) h: Column<Advice>,
    /// Second phase: `d`, the running dot product.
    pub(crate) d: Column<Advice>,
    /// Parameters of the gates.
    pub(crate) fixed: Vec<Column<Fixed>>,
    /// Lookup tags, one per slot.
    pub(crate) tags: Vec<Column<Fixed>>,
    /// Public values.
    pub(crate) instance: Column<Instance>,
    /// Selectors by [`Gate`].
    pub(crate) gates: Vec<Option<Selector>>,
    /// The challenge `s`, drawn after the first phase is committed.
    pub(crate) challenge: Challenge,
}

impl Columns {
    pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, shape: CircuitShape) -> Self {
        let advice: Vec<_> = (0..shape.advice()).map(|_| meta.advice_column_in(FirstPhase)).collect();
        let h = meta.advice_column_in(SecondPhase);
        let d = meta.advice_column_in(SecondPhase);
        let fixed = (0..shape.fixed()).map(|_| meta.fixed_column()).collect();
        let tags = (0..shape.slots).map(|_| meta.fixed_column()).collect();
        let instance = meta.instance_column();
        for column in &advice {
            meta.enable_equality(*column);
        }
        if shape.reuses_matrices {
            meta.enable_equality(h);
        }
        meta.enable_equality(instance);
        // A selector without gate would cost a column of its own.
        let gates = Gate::ALL
            .iter()
            .map(|gate| match gate {
                Gate::Lane => shape.lane_width != 0,
                Gate::Dot => shape.reuses_matrices,
                _ => true,
            })
            .map(|used| used.then(|| meta.selector()))
            .collect();
        let challenge = meta.challenge_usable_after(FirstPhase);
        Self { shape, advice, h, d, fixed, tags, instance, gates, challenge }
    }

    /// Queries for a gate's polynomials.
    pub(crate) fn query<'a, 'm>(&'a self, cells: &'a mut VirtualCells<'m, Fr>) -> Query<'a, 'm> {
        Query { columns: self, cells }
    }
}

/// Cells of a gate, by their names in the doc comments.
pub(crate) struct Query<'a, 'm> {
    columns: &'a Columns,
    cells: &'a mut VirtualCells<'m, Fr>,
}

impl Query<'_, '_> {
    pub(crate) fn gate(&mut self, gate: Gate) -> Expression<Fr> {
        let selector =
            self.columns.gates[gate as usize].expect("a gate is configured only where its selector exists");
        self.cells.query_selector(selector)
    }

    pub(crate) fn advice(&mut self, column: usize, rotation: i32) -> Expression<Fr> {
        self.cells.query_advice(self.columns.advice[column], Rotation(rotation))
    }

    pub(crate) fn fixed(&mut self, column: usize) -> Expression<Fr> {
        self.cells.query_fixed(self.columns.fixed[column], Rotation::cur())
    }

    pub(crate) fn h(&mut self, rotation: i32) -> Expression<Fr> {
        self.cells.query_advice(self.columns.h, Rotation(rotation))
    }

    pub(crate) fn d(&mut self, rotation: i32) -> Expression<Fr> {
        self.cells.query_advice(self.columns.d, Rotation(rotation))
    }

    pub(crate) fn challenge(&mut self) -> Expression<Fr> {
        self.cells.query_challenge(self.columns.challenge)
    }

    pub(crate) fn acc(&mut self, rotation: i32) -> Expression<Fr> {
        let column = self.columns.shape.acc();
        self.advice(column, rotation)
    }

    pub(crate) fn side(&mut self, i: usize) -> Expression<Fr> {
        let column = self.columns.shape.side(i);
        self.advice(column, 0)
    }

    pub(crate) fn parameter(&mut self, i: usize) -> Expression<Fr> {
        let column = self.columns.shape.parameter(i);
        self.fixed(column)
    }
}

pub(crate) fn constant(value: Fr) -> Expression<Fr> {
    Expression::Constant(value)
}

/// The field element of a signed integer.
pub(crate) fn fr(value: i64) -> Fr {
    let magnitude = Fr::from(value.unsigned_abs());
    if value < 0 { -magnitude } else { magnitude }
}

/// `2^exponent` in the field, `exponent < 253`.
pub(crate) fn power_of_two(exponent: u32) -> Fr {
    static POWERS: LazyLock<Vec<Fr>> =
        LazyLock::new(|| std::iter::successors(Some(Fr::ONE), |p| Some(p.double())).take(253).collect());
    POWERS[exponent as usize]
}

/// The low 128 bits of a field element's canonical form. Exact for the honest witness, whose offset values are
/// non-negative and small; for any other it is merely some value, which the gates refuse.
pub(crate) fn low_bits(value: Fr) -> u128 {
    let bytes = value.to_repr();
    let mut low = [0u8; 16];
    low.copy_from_slice(&bytes.as_ref()[..16]);
    u128::from_le_bytes(low)
}
