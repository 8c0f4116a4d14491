//! Steps that look at single values: missing ones, codes, thresholds.
//!
//! They are functions of whole numbers here. A feature with `d` decimals is a whole number of units of `10^-d`, so that
//! "greater than a threshold" is a ramp of one unit's length between two neighbouring values: exact on every record.

use super::columns::Column;
use super::emitter::{Emitter, int};
use super::front::{Front, Table, output};
use crate::error::OnnxError;
use crate::proto::NodeView;

/// Whether a column holds whole numbers: a feature without decimals, moved by a whole number at most.
pub(super) fn whole(front: &Front<'_>, column: &Column) -> bool {
    match column {
        Column::Affine { terms, offset } => {
            let whole = |&(f, w): &(usize, f64)| w.fract() == 0.0 && front.schema.features[f].decimals == 0;
            terms.iter().all(whole) && offset.fract() == 0.0
        }
        // Codes are zeros and ones.
        Column::Computed { scale, offset, .. } => scale.fract() == 0.0 && offset.fract() == 0.0,
    }
}

/// Range of a feature's real values.
fn range(front: &Front<'_>, feature: usize) -> (f64, f64) {
    let f = &front.schema.features[feature];
    let unit = f64::powi(10.0, -i32::from(f.decimals));
    (f.min as f64 * unit, f.max as f64 * unit)
}

/// The known columns of the first input.
fn columns(front: &Front<'_>, view: &NodeView<'_>) -> Result<Vec<Column>, OnnxError> {
    let table = front.table(view, 0);
    table.map(|t| t.columns.clone()).ok_or_else(|| {
        view.fail("it works on computed values; it is supported only on features of the record, before any other step")
    })
}

/// Which feature without decimals a column is.
fn code(front: &Front<'_>, view: &NodeView<'_>, column: &Column) -> Result<usize, OnnxError> {
    let feature = column.as_feature().ok_or_else(|| {
        view.fail("it works on a computed value; it is supported only on features of the record, before any other step")
    })?;
    let f = &front.schema.features[feature];
    if f.decimals != 0 {
        return Err(view.fail(format!(
            "feature `{}` has {} decimals; codes are whole numbers, so give it none in the schema",
            f.name, f.decimals
        )));
    }
    Ok(feature)
}

/// Missing values do not exist in a record of declared ranges: NaN is no integer, and another marker that lies outside of
/// a feature's range never occurs. So nothing is left to impute.
pub(super) fn imputer(front: &mut Front<'_>, view: &NodeView<'_>) -> Result<(), OnnxError> {
    let marker = match view.attribute("replaced_value_int64") {
        Some(a) => a.i as f64,
        None => view.float("replaced_value_float", 0.0),
    };
    let columns = columns(front, view)?;
    if !marker.is_nan() {
        for column in &columns {
            let Some(feature) = column.as_feature() else {
                return Err(
                    view.fail("it replaces a number among computed values; only NaN is supported there")
                );
            };
            let (lo, hi) = range(front, feature);
            if (lo..=hi).contains(&marker) {
                return Err(view.fail(format!(
                    "{marker} stands for a missing value and lies within the range of feature `{}`; fill such values in \
                     before the record is made, or declare a range without it",
                    front.schema.features[feature].name
                )));
            }
        }
    }
    front.tables.insert(output(view, 0)?, Table { columns, written: false });
    Ok(())
}

/// Emits 1 where feature `feature` is the category and else 0, for each of `categories`, as the tensor `y`.
///
/// `step(x - c + 1) - step(x - c)` with `step(t) = min(max(t, 0), 1)` is 1 at the whole number `c` alone.
fn indicators(emitter: &mut Emitter, record: &str, feature: usize, categories: &[f64], y: &str) {
    let bounds = |e: &mut Emitter, what: &str, v: usize| e.integers(format!("{y}/{what}"), &[v]);
    let start = bounds(emitter, "start", feature);
    let end = bounds(emitter, "end", feature + 1);
    let axis = bounds(emitter, "axis", 1);
    let (x, wide) = (format!("{y}/x"), format!("{y}/wide"));
    emitter.node("Slice", &[record, &start, &end, &axis], &x, Vec::new());
    let k = categories.len();
    let ones = emitter.floats(format!("{y}/ones"), &[1, k], &vec![1.0; k]);
    emitter.node("MatMul", &[&x, &ones], &wide, Vec::new());
    let mut step = |name: &str, shift: f64| -> String {
        let moved = format!("{y}/{name}");
        let by: Vec<f64> = categories.iter().map(|c| shift - c).collect();
        let by = emitter.floats(format!("{moved}/by"), &[k], &by);
        emitter.node("Add", &[&wide, &by], &moved, Vec::new());
        let clipped = format!("{moved}/step");
        emitter.clip(&moved, 0.0, 1.0, &clipped);
        clipped
    };
    let (reached, passed) = (step("reached", 1.0), step("passed", 0.0));
    emitter.node("Sub", &[&reached, &passed], y, Vec::new());
}

/// A column per category; a value that is none of them gives zeros, whatever `zeros` says: an error is no number.
pub(super) fn one_hot(front: &mut Front<'_>, view: &NodeView<'_>) -> Result<(), OnnxError> {
    let y = output(view, 0)?;
    let Some(categories) = view.ints("cats_int64s").filter(|c| !c.is_empty()) else {
        return Err(
            view.fail("its categories are texts; replace them by whole numbers in the data and the model")
        );
    };
    let categories: Vec<f64> = categories.iter().map(|&c| c as f64).collect();
    let mut codes = Vec::new();
    for (i, column) in columns(front, view)?.iter().enumerate() {
        let feature = code(front, view, column)?;
        let name = format!("{y}/{i}");
        indicators(&mut front.emitter, &front.record, feature, &categories, &name);
        codes.extend(Column::all_of(&name, categories.len()));
    }
    front.tables.insert(y, Table { columns: codes, written: false });
    Ok(())
}

/// A whole number for another, as scikit-learn's `OrdinalEncoder` is exported.
pub(super) fn labels(front: &mut Front<'_>, view: &NodeView<'_>) -> Result<(), OnnxError> {
    let y = output(view, 0)?;
    let list = |floats: &str, ints: &str| -> Vec<f64> {
        match view.ints(ints) {
            Some(v) => v.iter().map(|&v| v as f64).collect(),
            None => view.floats(floats),
        }
    };
    let keys = list("keys_floats", "keys_int64s");
    let values = list("values_floats", "values_int64s");
    if keys.is_empty() || keys.len() != values.len() {
        return Err(
            view.fail("it maps texts, or not as many keys as values; only numbers to numbers are supported")
        );
    }
    let default = match view.attribute("values_int64s") {
        Some(_) => view.int("default_int64", -1) as f64,
        None => view.float("default_float", 0.0),
    };
    let mut out = Vec::new();
    for (i, column) in columns(front, view)?.iter().enumerate() {
        let feature = code(front, view, column)?;
        let (lo, hi) = range(front, feature);
        let shift = values[0] - keys[0];
        let even = keys.iter().zip(&values).all(|(k, v)| v - k == shift);
        // Every whole number of the declared range has a key.
        let complete = hi - lo < 1e6 && (0..=(hi - lo) as usize).all(|n| keys.contains(&(lo + n as f64)));
        if even && complete {
            out.push(column.clone().affine(1.0, shift));
            continue;
        }
        let name = format!("{y}/{i}");
        let found = format!("{name}/found");
        indicators(&mut front.emitter, &front.record, feature, &keys, &found);
        let by: Vec<f64> = values.iter().map(|v| v - default).collect();
        let by = front.emitter.floats(format!("{name}/by"), &[keys.len(), 1], &by);
        front.emitter.node("MatMul", &[&found, &by], &name, Vec::new());
        out.extend(Column::all_of(&name, 1).into_iter().map(|c| c.affine(1.0, default)));
    }
    front.tables.insert(y, Table { columns: out, written: false });
    Ok(())
}

/// `y = 1` where `x > threshold`, else 0.
pub(super) fn binarise(front: &mut Front<'_>, view: &NodeView<'_>) -> Result<(), OnnxError> {
    let y = output(view, 0)?;
    let threshold = view.float("threshold", 0.0);
    let mut features = Vec::new();
    for column in columns(front, view)? {
        features.push(column.as_feature().ok_or_else(|| {
            view.fail("it thresholds computed values; it is supported only on features of the record")
        })?);
    }
    let all = features.iter().copied().eq(0..front.features());
    let mut x = front.record.clone();
    if !all {
        x = format!("{y}/x");
        let indices = front.emitter.integers(format!("{y}/indices"), &features);
        front.emitter.node("Gather", &[&front.record, &indices], &x, vec![int("axis", 1)]);
    }
    let units: Vec<f64> =
        features.iter().map(|&f| f64::powi(10.0, front.schema.features[f].decimals.into())).collect();
    // The last value that is not greater. A product that misses a whole number by less than a float's precision is one.
    let last = |unit: &f64| {
        let exact = threshold * unit;
        let near = exact.round();
        if (exact - near).abs() < 1e-6 * near.abs().max(1.0) { near } else { exact.floor() }
    };
    let (above, ramp) = (format!("{y}/above"), format!("{y}/ramp"));
    let scale = front.emitter.floats(format!("{y}/units"), &[units.len()], &units);
    let offset: Vec<f64> = units.iter().map(|u| -last(u)).collect();
    let offset = front.emitter.floats(format!("{y}/last"), &[units.len()], &offset);
    front.emitter.node("Mul", &[&x, &scale], &above, Vec::new());
    front.emitter.node("Add", &[&above, &offset], &ramp, Vec::new());
    front.emitter.clip(&ramp, 0.0, 1.0, &y);
    front.tables.insert(y.clone(), Table { columns: Column::all_of(&y, units.len()), written: true });
    Ok(())
}
