//! Public functions by lookup, in circuits that have any: one table of `(id, id · t, id · f(t))` for all of them.
//!
//! | cell | constrained by |
//! | --- | --- |
//! | `side_0` = x | a copy |
//! | `side_1` = y | `(q, q x, q y)` is in the table; `q` is fixed: 0, or the function's id |
//!
//! Ids count from 1 and are invertible: where `q` is the id of `f`, the operand `x` is in the domain of `f` and `y = f(x)`.
//! Where `q` is 0 the row looks up `(0, 0, 0)`, whatever its cells hold.

use halo2_proofs::circuit::{Layouter, Region, Value};
use halo2_proofs::plonk::{Column, ConstraintSystem, Error, Fixed, TableColumn};
use halo2_proofs::poly::Rotation;
use halo2curves::bn256::Fr;

use super::{Columns, fr};
use crate::sheet::{Cell, Function, Sheet};

#[derive(Debug, Clone)]
pub(crate) struct FunctionConfig {
    called: Column<Fixed>,
    table: [TableColumn; 3],
}

impl FunctionConfig {
    pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, columns: &Columns) -> Self {
        let called = meta.fixed_column();
        let table = [(); 3].map(|()| meta.lookup_table_column());
        meta.lookup("function", |cells| {
            let q = cells.query_fixed(called, Rotation::cur());
            let [x, y] = [0, 1].map(|i| {
                let column = columns.advice[columns.shape.side(i)];
                cells.query_advice(column, Rotation::cur())
            });
            vec![(q.clone(), table[0]), (q.clone() * x, table[1]), (q * y, table[2])]
        });
        Self { called, table }
    }

    /// The table.
    pub(crate) fn load(&self, functions: &[Function], layouter: &mut impl Layouter<Fr>) -> Result<(), Error> {
        let ids = functions.iter().zip(1..);
        let entries = ids.flat_map(|(f, id)| f.values.iter().zip(f.first..).map(move |(y, x)| [id, x, *y]));
        layouter.assign_table(
            || "functions",
            |mut table| {
                for (row, [id, x, y]) in std::iter::once([0; 3]).chain(entries.clone()).enumerate() {
                    for (column, value) in self.table.iter().zip([fr(id), fr(id) * fr(x), fr(id) * fr(y)]) {
                        table.assign_cell(|| "entry", *column, row, || Value::known(value))?;
                    }
                }
                Ok(())
            },
        )
    }

    /// Which function each row calls.
    pub(crate) fn assign(&self, sheet: &Sheet, region: &mut Region<'_, Fr>) {
        for (row, function) in &sheet.calls {
            region.assign_fixed(self.called, *row, Fr::from(*function as u64 + 1));
        }
    }
}

/// A row that looks `y` up as the function of `x`.
pub(crate) fn call(sheet: &mut Sheet, function: usize, x: Cell, y: Fr) -> Cell {
    let shape = sheet.shape();
    let row = sheet.row();
    sheet.call(function, row);
    let _ = sheet.copy(x, shape.side(0), row);
    sheet.write(shape.side(1), row, y)
}
