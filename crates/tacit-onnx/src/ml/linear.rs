//! Scalers and linear models.

use super::columns::Column;
use super::front::{Front, Table, output};
use crate::error::OnnxError;
use crate::proto::NodeView;

/// `y = (x - offset) * scale`.
pub(super) fn scaler(front: &mut Front<'_>, view: &NodeView<'_>) -> Result<(), OnnxError> {
    let x = view.input(0).ok_or_else(|| view.fail("it has no input"))?;
    let y = output(view, 0)?;
    let (offset, scale) = (view.floats("offset"), view.floats("scale"));
    if offset.is_empty() || scale.is_empty() {
        return Err(view.fail("it needs the attributes `offset` and `scale`"));
    }
    let table = front.tables.get(x).filter(|t| {
        let fits = |v: &[f64]| v.len() == 1 || v.len() == t.columns.len();
        fits(&offset) && fits(&scale)
    });
    let written = table.is_none_or(|t| t.written);
    if let Some(table) = table {
        let at = |v: &[f64], i: usize| v[i % v.len()];
        let step =
            |(i, c): (usize, &Column)| c.clone().affine(at(&scale, i), -at(&offset, i) * at(&scale, i));
        let columns = table.columns.iter().enumerate().map(step).collect();
        front.tables.insert(y.clone(), Table { columns, written });
    }
    if written {
        let centred = format!("{y}/centred");
        let o = front.emitter.floats(format!("{y}/offset"), &[offset.len()], &offset);
        let s = front.emitter.floats(format!("{y}/scale"), &[scale.len()], &scale);
        front.emitter.node("Sub", &[x, &o], &centred, Vec::new());
        front.emitter.node("Mul", &[&centred, &s], &y, Vec::new());
    }
    Ok(())
}

/// Rows of coefficients and intercepts.
struct Rows {
    coefficients: Vec<f64>,
    intercepts: Vec<f64>,
}

impl Rows {
    fn new(view: &NodeView<'_>, rows: usize) -> Result<Self, OnnxError> {
        let coefficients = view.floats("coefficients");
        let intercepts = match view.floats("intercepts") {
            given if given.is_empty() => vec![0.0; rows],
            given => given,
        };
        let width = coefficients.len() / rows.max(1);
        if width == 0 || width * rows != coefficients.len() || intercepts.len() != rows {
            return Err(view.fail(format!(
                "{} coefficients and {} intercepts do not make {rows} rows",
                coefficients.len(),
                intercepts.len()
            )));
        }
        Ok(Self { coefficients, intercepts })
    }

    /// The last row alone, where there are two and they are each other's negative.
    fn half(&self) -> Option<Self> {
        let opposite = |v: &[f64]| v[..v.len() / 2].iter().zip(&v[v.len() / 2..]).all(|(a, b)| *a == -b);
        let fits = self.intercepts.len() == 2 && opposite(&self.coefficients) && opposite(&self.intercepts);
        fits.then(|| Self {
            coefficients: self.coefficients[self.coefficients.len() / 2..].to_vec(),
            intercepts: self.intercepts[1..].to_vec(),
        })
    }

    /// The coefficients with a row per column of the operand.
    fn weight(&self) -> Vec<f64> {
        let n = self.intercepts.len();
        let width = self.coefficients.len() / n;
        (0..width * n).map(|i| self.coefficients[i % n * width + i / n]).collect()
    }
}

pub(super) fn regressor(front: &mut Front<'_>, view: &NodeView<'_>) -> Result<(), OnnxError> {
    let x = view.input(0).ok_or_else(|| view.fail("it has no input"))?;
    let transform = view.text("post_transform");
    if !matches!(transform, "" | "NONE") {
        return Err(view.fail(format!("the post_transform `{transform}` is not supported")));
    }
    let rows = Rows::new(view, usize::try_from(view.int("targets", 1)).unwrap_or(0))?;
    front.layer(x, &rows.weight(), &rows.intercepts, &output(view, 0)?);
    Ok(())
}

/// Only the scores (output 1) are produced; the label follows from them by the schema's classes.
pub(super) fn classifier(front: &mut Front<'_>, view: &NodeView<'_>) -> Result<(), OnnxError> {
    let x = view.input(0).ok_or_else(|| view.fail("it has no input"))?;
    let scores = output(view, 1)?;
    let labels = view.attribute("classlabels_ints").map_or(0, |a| a.ints.len())
        + view.attribute("classlabels_strings").map_or(0, |a| a.strings.len());
    let rows = Rows::new(
        view,
        match view.floats("intercepts").len() {
            0 => labels,
            n => n,
        },
    )?;
    let tail = match view.text("post_transform") {
        "" | "NONE" => "Identity",
        "SOFTMAX" => "Softmax",
        "LOGISTIC" => "Sigmoid",
        other => return Err(view.fail(format!("the post_transform `{other}` is not supported"))),
    };
    if rows.intercepts.len() == 1 && tail == "Softmax" {
        return Err(view.fail("a softmax over one row of coefficients"));
    }
    if tail == "Identity"
        && let Some(table) = front.tables.get(x)
        && let Some(columns) = front.compose(&table.columns, &rows.weight(), &rows.intercepts)
    {
        front.tables.insert(scores.clone(), Table { columns, written: true });
    }
    // Two rows that are each other's negative are one logit, unless something tells their scores apart.
    let half = if tail == "Softmax" || front.is_split(&scores) { None } else { rows.half() };
    let rows = half.unwrap_or(rows);
    let logits = format!("{scores}/logits");
    front.layer(x, &rows.weight(), &rows.intercepts, &logits);
    front.emitter.node(tail, &[&logits], &scores, Vec::new());
    Ok(())
}
