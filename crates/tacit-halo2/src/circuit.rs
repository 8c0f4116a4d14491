//! The circuit: replays a sheet. The same code makes keys, proofs and mock proofs.

use halo2_proofs::circuit::{Cell as LibraryCell, Layouter, Region, SimpleFloorPlanner, Value};
use halo2_proofs::plonk::{Any, Circuit, Column, ConstraintSystem, Error};
use halo2curves::bn256::Fr;

use crate::chips::function::FunctionConfig;
use crate::chips::table::TableConfig;
use crate::chips::{Columns, contraction, linear, poseidon, requant};
use crate::shape::CircuitShape;
use crate::sheet::{Cell, LateRow, Sheet};

/// Largest degree of a constraint: the quotient then has eight pieces, permutations cover seven columns a product, and
/// selectors share columns. Poseidon's S-box alone needs six, which costs the same extended domain.
const MAX_DEGREE: usize = 9;

/// Columns, table and gates of one shape.
#[derive(Debug, Clone)]
pub struct TacitConfig {
    columns: Columns,
    table: TableConfig,
    functions: Option<FunctionConfig>,
}

/// A circuit of any relation system.
#[derive(Debug, Clone)]
pub struct TacitCircuit {
    sheet: Sheet,
    /// Overrides of second-phase cells `(row, h, d)`, for tests of cheating provers.
    late_overrides: Vec<(usize, Option<Fr>, Option<Fr>)>,
}

impl TacitCircuit {
    pub(crate) fn new(sheet: Sheet) -> Self {
        Self { sheet, late_overrides: Vec::new() }
    }

    /// The recorded sheet.
    #[must_use]
    pub fn sheet(&self) -> &Sheet {
        &self.sheet
    }

    /// The recorded sheet, to change cells of: a cheating prover's tool, for tests.
    pub fn sheet_mut(&mut self) -> &mut Sheet {
        &mut self.sheet
    }

    /// Rows with second-phase cells.
    #[must_use]
    pub fn late_rows(&self) -> Vec<usize> {
        self.sheet.late.iter().map(|(row, _)| *row).collect()
    }

    /// Adds to a second-phase cell instead of leaving it honest: a cheating prover's tool, for tests.
    pub fn offset_late(&mut self, row: usize, h: Option<Fr>, d: Option<Fr>) {
        self.late_overrides.push((row, h, d));
    }
}

impl Circuit<Fr> for TacitCircuit {
    type Config = TacitConfig;
    type FloorPlanner = SimpleFloorPlanner;
    type Params = CircuitShape;

    fn without_witnesses(&self) -> Self {
        self.clone()
    }

    fn params(&self) -> CircuitShape {
        self.sheet.shape()
    }

    fn configure_with_params(meta: &mut ConstraintSystem<Fr>, shape: CircuitShape) -> TacitConfig {
        let columns = Columns::configure(meta, shape);
        linear::configure(meta, &columns);
        requant::configure(meta, &columns);
        contraction::configure(meta, &columns);
        poseidon::configure(meta, &columns);
        let table = TableConfig::configure(meta, &columns);
        let functions = shape.looks_up_functions.then(|| FunctionConfig::configure(meta, &columns));
        meta.set_minimum_degree(MAX_DEGREE);
        TacitConfig { columns, table, functions }
    }

    fn configure(_: &mut ConstraintSystem<Fr>) -> TacitConfig {
        unreachable!("the library calls `configure_with_params`")
    }

    fn synthesize(&self, config: TacitConfig, mut layouter: impl Layouter<Fr>) -> Result<(), Error> {
        let (columns, sheet) = (&config.columns, &self.sheet);
        let shape = sheet.shape();
        config.table.load(shape, &mut layouter)?;
        match &config.functions {
            Some(functions) => functions.load(&sheet.functions, &mut layouter)?,
            None if sheet.calls.is_empty() => {}
            None => return Err(Error::Synthesis),
        }
        layouter.assign_region(
            || "first phase",
            |mut region| {
                for (i, value) in sheet.advice.iter().enumerate() {
                    let (row, column) = (i / shape.advice(), i % shape.advice());
                    region.assign_advice(columns.advice[column], row, Value::known(*value));
                }
                for (i, value) in sheet.fixed.iter().enumerate() {
                    region.assign_fixed(columns.fixed[i % shape.fixed()], i / shape.fixed(), *value);
                }
                for (i, tag) in sheet.tags.iter().enumerate() {
                    region.assign_fixed(
                        columns.tags[i % shape.slots],
                        i / shape.slots,
                        Fr::from(u64::from(*tag)),
                    );
                }
                if let Some(functions) = &config.functions {
                    functions.assign(sheet, &mut region);
                }
                for (selector, rows) in columns.gates.iter().zip(&sheet.gates) {
                    for row in rows {
                        selector.as_ref().ok_or(Error::Synthesis)?.enable(&mut region, *row)?;
                    }
                }
                for (a, b) in &sheet.copies {
                    region.constrain_equal(columns.cell(*a), columns.cell(*b));
                }
                Ok(())
            },
        )?;
        for (cell, row) in &sheet.instance {
            layouter.constrain_instance(columns.cell(*cell), columns.instance, *row);
        }
        // Everything that the challenge checks is committed by now: a later write to those columns would be dropped.
        layouter.next_phase();
        let challenge = layouter.get_challenge(columns.challenge);
        layouter
            .assign_region(|| "second phase", |mut region| self.second_phase(columns, &mut region, challenge))
    }
}

impl TacitCircuit {
    fn second_phase(
        &self,
        columns: &Columns,
        region: &mut Region<'_, Fr>,
        challenge: Value<Fr>,
    ) -> Result<(), Error> {
        let mut values = challenge.map(|s| self.sheet.late_values(s));
        for (row, h, d) in &self.late_overrides {
            values = values.map(|mut rows| {
                for entry in rows.iter_mut().filter(|entry| entry.0 == *row) {
                    entry.1 += h.unwrap_or_default();
                    entry.2 += d.unwrap_or_default();
                }
                rows
            });
        }
        let values = values.transpose_vec(self.sheet.late.len());
        for ((row, late), value) in self.sheet.late.iter().zip(values) {
            region.assign_advice(columns.h, *row, value.map(|(_, h, _)| h));
            region.assign_advice(columns.d, *row, value.map(|(_, _, d)| d));
            if let LateRow::Dot { from } = late {
                let h = |row: usize| LibraryCell { row_offset: row, column: Column::<Any>::from(columns.h) };
                region.constrain_equal(h(*row), h(*from));
            }
        }
        Ok(())
    }
}

impl Columns {
    fn cell(&self, cell: Cell) -> LibraryCell {
        LibraryCell { row_offset: cell.row, column: Column::<Any>::from(self.advice[cell.column]) }
    }
}
