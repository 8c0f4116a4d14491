//! More or fewer positions: elements repeated, and channels turned into positions.

use super::{Importer, Value};
use crate::error::OnnxError;
use crate::graph::FloatOp;
use crate::movement::Movement;
use crate::proto::NodeView;

impl<'a> Importer<'a> {
    /// Enlarging by whole factors, every element repeated.
    pub(super) fn resize(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let x = self.real(view, 0)?;
        let from = self.shape(x).to_vec();
        let mode = view.text("mode");
        if !matches!(mode, "" | "nearest") || view.attribute("axes").is_some() {
            return Err(view.fail("only the mode `nearest` without `axes` is supported"));
        }
        let rank = self.full_rank(x);
        // Scales alone up to operator set 10; since then after the region of interest, and sizes after them.
        let at = if self.opset < 11 { 1 } else { 2 };
        let given = |c: &crate::proto::Const| c.tensor.data.len() == rank;
        let scales = self.optional_constant(view, at)?.filter(|c| given(c));
        let sizes = self.optional_constant(view, at + 1)?.filter(|c| given(c));
        let skipped = usize::from(self.input.batched);
        let factors: Option<Vec<usize>> = match (scales, sizes) {
            (Some(scales), _) => {
                let whole = |&s: &f64| (s.fract() == 0.0 && (1.0..4096.0).contains(&s)).then_some(s as usize);
                let sample = scales.tensor.data[..skipped].iter().all(|&s| s == 1.0);
                scales.tensor.data[skipped..].iter().map(whole).collect::<Option<_>>().filter(|_| sample)
            }
            (None, Some(sizes)) => sizes.tensor.data[skipped..]
                .iter()
                .zip(&from)
                .map(|(&s, &d)| {
                    let factor = s / d as f64;
                    (factor.fract() == 0.0 && (1.0..4096.0).contains(&factor)).then_some(factor as usize)
                })
                .collect(),
            (None, None) => return Err(view.fail("it has neither constant scales nor constant sizes")),
        };
        let Some(factors) = factors else {
            return Err(view.fail("only whole factors are supported, and none on the sample axis"));
        };
        self.check_nearest(view, &factors)?;
        // [a, b] to [a, 1, b, 1] to [a, f, b, g] to [a · f, b · g]; axes that stay are not split.
        let (mut apart, mut repeated) = (Vec::new(), Vec::new());
        for (&d, &f) in from.iter().zip(&factors) {
            apart.push(d);
            repeated.push(d);
            if f > 1 {
                apart.push(1);
                repeated.push(f);
            }
        }
        let to = from.iter().zip(&factors).map(|(d, f)| d * f).collect();
        let x = self.add(view, FloatOp::Reshape { x }, apart)?;
        let x = self.add(view, FloatOp::Move { x, movement: Movement::Broadcast }, repeated)?;
        self.push(view, FloatOp::Reshape { x }, to)
    }

    /// Whether the rules for coordinates and rounding repeat every element as often.
    fn check_nearest(&self, view: &NodeView<'a>, factors: &[usize]) -> Result<(), OnnxError> {
        let or = |text: &'a str, default: &'static str| if text.is_empty() { default } else { text };
        let (transform, rounding) = match self.opset {
            ..11 => ("asymmetric", "floor"),
            _ => (
                or(view.text("coordinate_transformation_mode"), "half_pixel"),
                or(view.text("nearest_mode"), "round_prefer_floor"),
            ),
        };
        for &f in factors {
            let source = |i: usize| -> Option<f64> {
                let (i, f) = (i as f64, f as f64);
                let at = match transform {
                    "asymmetric" => i / f,
                    "half_pixel" | "pytorch_half_pixel" | "half_pixel_symmetric" => (i + 0.5) / f - 0.5,
                    _ => return None,
                };
                Some(match rounding {
                    "floor" => at.floor(),
                    "ceil" => at.ceil(),
                    "round_prefer_floor" => (at - 0.5).ceil(),
                    "round_prefer_ceil" => (at + 0.5).floor(),
                    _ => return None,
                })
            };
            // Inside, away from the ends where coordinates are clamped.
            if !(f..3 * f).all(|i| source(i) == Some((i / f) as f64)) {
                return Err(view.fail(format!(
                    "the coordinates `{transform}` with the rounding `{rounding}` do not repeat elements {f} times"
                )));
            }
        }
        Ok(())
    }

    /// Blocks of channels as blocks of positions, or back.
    pub(super) fn depth_and_space(
        &mut self,
        view: &NodeView<'a>,
        to_space: bool,
    ) -> Result<Value, OnnxError> {
        let (x, lens) = self.positions_of(view)?;
        let given = view.int("blocksize", 0);
        let (&[height, width], Some(block)) =
            (&lens[..], usize::try_from(given).ok().filter(|b| (1..4096).contains(b)))
        else {
            return Err(
                view.fail(format!("blocks of {given} do not fit the shape {lens:?} of its positions"))
            );
        };
        let channels = self.shape(x)[0];
        let fits = if to_space {
            channels.is_multiple_of(block * block)
        } else {
            height.is_multiple_of(block) && width.is_multiple_of(block)
        };
        if !fits {
            return Err(view
                .fail(format!("{channels} channels of {lens:?} positions hold no whole blocks of {block}")));
        }
        let (apart, perm, to) = if to_space {
            let each = channels / (block * block);
            let (apart, perm) = match view.text("mode") {
                "" | "DCR" => (vec![block, block, each, height, width], vec![2, 3, 0, 4, 1]),
                "CRD" => (vec![each, block, block, height, width], vec![0, 3, 1, 4, 2]),
                other => return Err(view.fail(format!("the mode `{other}` is not known"))),
            };
            (apart, perm, vec![each, height * block, width * block])
        } else {
            let (h, w) = (height / block, width / block);
            (vec![channels, h, block, w, block], vec![2, 4, 0, 1, 3], vec![channels * block * block, h, w])
        };
        let moved = perm.iter().map(|&p| apart[p]).collect();
        let x = self.add(view, FloatOp::Reshape { x }, apart)?;
        let x = self.add(view, FloatOp::Transpose { x, perm }, moved)?;
        self.push(view, FloatOp::Reshape { x }, to)
    }
}
