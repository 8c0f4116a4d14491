//! The one lookup table: pairs `(tag, tag · value)`.
//!
//! | tag | values |
//! | --- | --- |
//! | 0 | 0: the slot is not looked up |
//! | `b` in `1..=B` | `0 .. 2^b` |
//! | `B + 1` | 0 |
//! | `B + 2` | the top limb of a weight of value zero |
//!
//! A slot with tag `t` looks up `(t, t · cell)`. For `t = 0` that is `(0, 0)`, whatever the cell holds; otherwise `t` is
//! invertible and the cell is one of the tag's values. Tags are fixed columns: the prover does not choose them.

use halo2_proofs::circuit::{Layouter, Value};
use halo2_proofs::plonk::{ConstraintSystem, Error, TableColumn};
use halo2_proofs::poly::Rotation;
use halo2curves::bn256::Fr;

use super::Columns;
use crate::shape::CircuitShape;

#[derive(Debug, Clone)]
pub(crate) struct TableConfig {
    tag: TableColumn,
    tagged: TableColumn,
}

impl TableConfig {
    pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, columns: &Columns) -> Self {
        let (tag, tagged) = (meta.lookup_table_column(), meta.lookup_table_column());
        for slot in 0..columns.shape.slots {
            meta.lookup("range", |cells| {
                let t = cells.query_fixed(columns.tags[slot], Rotation::cur());
                let value = cells.query_advice(columns.advice[slot], Rotation::cur());
                vec![(t.clone(), tag), (t * value, tagged)]
            });
        }
        Self { tag, tagged }
    }

    pub(crate) fn load(&self, shape: CircuitShape, layouter: &mut impl Layouter<Fr>) -> Result<(), Error> {
        layouter.assign_table(
            || "ranges",
            |mut table| {
                for (row, (tag, value)) in entries(shape).enumerate() {
                    let tagged = Fr::from(u64::from(tag)) * Fr::from(value);
                    table.assign_cell(|| "tag", self.tag, row, || Value::known(Fr::from(u64::from(tag))))?;
                    table.assign_cell(|| "tagged value", self.tagged, row, || Value::known(tagged))?;
                }
                Ok(())
            },
        )
    }
}

fn entries(shape: CircuitShape) -> impl Iterator<Item = (u8, u64)> {
    std::iter::once((0, 0))
        .chain((1..=shape.limb_bits).flat_map(|bits| (0..1u64 << bits).map(move |v| (bits, v))))
        .chain([(shape.zero_tag(), 0), (shape.neutral_tag(), shape.neutral_limb())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_as_many_rows_as_the_shape_says() {
        let shape = CircuitShape {
            k: 10,
            slots: 4,
            limb_bits: 8,
            lane_width: 8,
            reuses_matrices: false,
            looks_up_functions: false,
        };
        assert_eq!(entries(shape).count(), shape.table_rows());
        assert_eq!(shape.neutral_limb(), 128);
        let two = CircuitShape { lane_width: 12, ..shape };
        assert_eq!((two.lane_limbs(), two.lane_group(), two.neutral_limb()), (2, 2, 8));
    }
}
