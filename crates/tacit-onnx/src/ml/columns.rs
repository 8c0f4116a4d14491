//! What is known of the columns of a table: which of them are affine functions of the record.
//!
//! A pipeline picks columns, scales them, joins them and projects them before its first layer reads them. All of that is
//! affine, so it is composed, in `f64`, into the layer that reads it, and no selection is left over. Columns that
//! are not affine (one-hot codes) come from tensors of the rewritten graph.

use crate::ml::emitter::Emitter;

/// One column of a table with a row per sample.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Column {
    /// `Σ weight · x_feature + offset` over the record.
    Affine {
        /// Features in ascending order, each once, and their weights.
        terms: Vec<(usize, f64)>,
        offset: f64,
    },
    /// `scale · c + offset` for column `c` at `index` of a computed tensor of shape `[samples, width]`.
    Computed { tensor: String, width: usize, index: usize, scale: f64, offset: f64 },
}

impl Column {
    /// The feature itself.
    pub(crate) fn feature(index: usize) -> Self {
        Self::Affine { terms: vec![(index, 1.0)], offset: 0.0 }
    }

    /// Which feature the column is, unchanged.
    pub(crate) fn as_feature(&self) -> Option<usize> {
        match self {
            Self::Affine { terms, offset } => match terms[..] {
                [(index, 1.0)] if *offset == 0.0 => Some(index),
                _ => None,
            },
            Self::Computed { .. } => None,
        }
    }

    /// `column · factor + shift`.
    pub(crate) fn affine(mut self, factor: f64, shift: f64) -> Self {
        let (Self::Affine { offset, .. } | Self::Computed { offset, .. }) = &mut self;
        *offset = *offset * factor + shift;
        match &mut self {
            Self::Affine { terms, .. } => terms.iter_mut().for_each(|(_, w)| *w *= factor),
            Self::Computed { scale, .. } => *scale *= factor,
        }
        self
    }

    /// All columns of a computed tensor.
    pub(crate) fn all_of(tensor: &str, width: usize) -> Vec<Self> {
        let column =
            |index| Self::Computed { tensor: tensor.to_owned(), width, index, scale: 1.0, offset: 0.0 };
        (0..width).map(column).collect()
    }
}

/// `Σ_i weights_i · column_i + offset`; `None` where a column is computed.
pub(crate) fn combine(columns: &[Column], weights: &[f64], offset: f64, features: usize) -> Option<Column> {
    let mut sums = vec![0.0; features];
    let mut total = offset;
    for (column, w) in columns.iter().zip(weights) {
        let Column::Affine { terms, offset } = column else { return None };
        total += offset * w;
        for (feature, v) in terms {
            sums[*feature] += v * w;
        }
    }
    let terms = sums.into_iter().enumerate().filter(|(_, w)| *w != 0.0).collect();
    Some(Column::Affine { terms, offset: total })
}

/// Emits `y = columns · weight + bias`: one product with the record for all affine columns together, one with each
/// computed tensor, and their sum.
///
/// `weight` is row-major of shape `[columns, n]`, `bias` has `n` elements; `record` names a tensor of `features` columns.
pub(crate) fn dense(
    emitter: &mut Emitter,
    (record, features): (&str, usize),
    columns: &[Column],
    weight: &[f64],
    bias: &[f64],
    y: &str,
) {
    let n = bias.len();
    let mut own = vec![0.0; features * n];
    let mut own_bias = bias.to_vec();
    let mut reads_record = false;
    // Tensors in the order of their first column.
    let mut parts: Vec<(&str, usize, Vec<f64>)> = Vec::new();
    for (column, row) in columns.iter().zip(weight.chunks(n)) {
        match column {
            Column::Affine { terms, offset } => {
                reads_record |= !terms.is_empty();
                for (k, w) in row.iter().enumerate() {
                    own_bias[k] += offset * w;
                    for (feature, v) in terms {
                        own[feature * n + k] += v * w;
                    }
                }
            }
            Column::Computed { tensor, width, index, scale, offset } => {
                let at = parts.iter().position(|p| p.0 == tensor).unwrap_or_else(|| {
                    parts.push((tensor, *width, vec![0.0; width * n]));
                    parts.len() - 1
                });
                for (k, w) in row.iter().enumerate() {
                    parts[at].2[index * n + k] += w * scale;
                    own_bias[k] += w * offset;
                }
            }
        }
    }
    if reads_record || parts.is_empty() {
        parts.insert(0, (record, features, own));
    }
    let last = parts.len() - 1;
    let mut sum = String::new();
    for (i, (tensor, width, weight)) in parts.into_iter().enumerate() {
        let w = emitter.floats(format!("{y}/weight{i}"), &[width, n], &weight);
        if i == 0 {
            let b = emitter.floats(format!("{y}/bias"), &[n], &own_bias);
            sum = if last == 0 { y.to_owned() } else { format!("{y}/part0") };
            emitter.node("Gemm", &[tensor, &w, &b], &sum, Vec::new());
            continue;
        }
        let part = format!("{y}/part{i}");
        emitter.node("MatMul", &[tensor, &w], &part, Vec::new());
        let next = if i == last { y.to_owned() } else { format!("{y}/sum{i}") };
        emitter.node("Add", &[&sum, &part], &next, Vec::new());
        sum = next;
    }
}

/// Emits the columns side by side as one tensor.
pub(crate) fn join(emitter: &mut Emitter, record: (&str, usize), columns: &[Column], y: &str) {
    // An identity matrix: the products stay apart, and each is exact.
    let n = columns.len();
    let mut identity = vec![0.0; n * n];
    for i in 0..n {
        identity[i * n + i] = 1.0;
    }
    dense(emitter, record, columns, &identity, &vec![0.0; n], y);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn affine_columns_compose() {
        let columns = [Column::feature(2).affine(3.0, -6.0), Column::feature(0)];
        let want = Column::Affine { terms: vec![(0, 5.0), (2, 6.0)], offset: -11.0 };
        assert_eq!(combine(&columns, &[2.0, 5.0], 1.0, 4), Some(want));
        assert_eq!(columns[1].as_feature(), Some(0));
        assert_eq!(columns[0].as_feature(), None);
    }

    #[test]
    fn a_layer_over_mixed_columns_is_one_product_per_tensor() {
        let code = Column::all_of("code", 2);
        let feature = Column::feature(1).affine(2.0, 1.0);
        let columns = [code[1].clone(), feature, code[0].clone().affine(10.0, 5.0)];
        let mut emitter = Emitter::new(17);
        dense(&mut emitter, ("x", 3), &columns, &[1.0, 2.0, 3.0], &[0.5], "y");
        let ops: Vec<&str> = emitter.nodes.iter().map(|n| n.op_type.as_str()).collect();
        assert_eq!(ops, ["Gemm", "MatMul", "Add"]);
        assert_eq!(emitter.constants[0].float_data, [0.0, 4.0, 0.0]);
        assert_eq!(emitter.constants[1].float_data, [17.5]);
        assert_eq!(emitter.constants[2].float_data, [30.0, 1.0]);
    }
}
