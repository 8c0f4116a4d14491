//! Convolutions, pooling and enlarging: operators whose operand has a channel axis and one or two axes of positions.

use tacit_model::Window;

use super::{Importer, Value};
use crate::error::OnnxError;
use crate::graph::{FloatOp, ValueId};
use crate::movement::{Fill, Movement};
use crate::proto::NodeView;
use crate::tensor::Tensor;

/// Windows over the positions of one operand, with the padding around it.
struct Geometry {
    window: Window,
    /// Padding in front of each axis.
    before: Vec<usize>,
    /// Padding behind each axis, as the node asks for it.
    after: Vec<usize>,
    /// Padding behind that only lets the last window fit (`ceil_mode`), and counts in no mean.
    extra: Vec<usize>,
    /// Windows along each axis.
    positions: Vec<usize>,
}

impl<'a> Importer<'a> {
    /// Attribute `name` with one positive number per axis of positions.
    fn per_axis(&self, view: &NodeView<'a>, name: &str, axes: usize) -> Result<Vec<usize>, OnnxError> {
        let Some(given) = view.ints(name).filter(|v| !v.is_empty()) else { return Ok(vec![1; axes]) };
        let numbers: Option<Vec<usize>> =
            given.iter().map(|&v| usize::try_from(v).ok().filter(|v| (1..1 << 20).contains(v))).collect();
        numbers
            .filter(|v| v.len() == axes)
            .ok_or_else(|| view.fail(format!("`{name}` is {given:?}; {axes} numbers from 1 up are needed")))
    }

    /// `pads`, in front and behind.
    fn pads(&self, view: &NodeView<'a>, axes: usize) -> Result<(Vec<usize>, Vec<usize>), OnnxError> {
        let Some(given) = view.ints("pads").filter(|v| !v.is_empty()) else {
            return Ok((vec![0; axes], vec![0; axes]));
        };
        let pads: Option<Vec<usize>> =
            given.iter().map(|&v| usize::try_from(v).ok().filter(|&v| v < 1 << 20)).collect();
        match pads {
            Some(p) if p.len() == 2 * axes => Ok((p[..axes].to_vec(), p[axes..].to_vec())),
            _ => Err(view.fail(format!("`pads` is {given:?}; {} numbers from 0 up are needed", 2 * axes))),
        }
    }

    /// The operand with its axes of positions; samples and channels lie before.
    fn positions_of(&mut self, view: &NodeView<'a>) -> Result<(ValueId, Vec<usize>), OnnxError> {
        let x = self.real(view, 0)?;
        let shape = self.shape(x);
        if !self.input.batched || !(2..=3).contains(&shape.len()) {
            return Err(view.fail(format!(
                "its operand has the shape {shape:?} per sample; channels and one or two axes of positions are supported"
            )));
        }
        Ok((x, shape[1..].to_vec()))
    }

    fn geometry(
        &self,
        view: &NodeView<'a>,
        lens: &[usize],
        kernel: Vec<usize>,
    ) -> Result<Geometry, OnnxError> {
        let axes = lens.len();
        let window = Window {
            kernel,
            strides: self.per_axis(view, "strides", axes)?,
            dilations: self.per_axis(view, "dilations", axes)?,
        };
        let (mut before, mut after) = (vec![0; axes], vec![0; axes]);
        let auto = view.text("auto_pad");
        match auto {
            "" | "NOTSET" => (before, after) = self.pads(view, axes)?,
            "VALID" | "SAME_UPPER" | "SAME_LOWER" => {}
            other => return Err(view.fail(format!("`auto_pad` is `{other}`"))),
        }
        let ceil = view.int("ceil_mode", 0) != 0;
        let (mut extra, mut positions) = (vec![0; axes], Vec::with_capacity(axes));
        for axis in 0..axes {
            let (len, stride) = (lens[axis], window.strides[axis]);
            let extent = (window.kernel[axis] - 1).saturating_mul(window.dilations[axis]).saturating_add(1);
            if auto.starts_with("SAME") {
                let count = len.div_ceil(stride);
                let total = ((count - 1) * stride).saturating_add(extent).saturating_sub(len);
                let half = total / 2;
                (before[axis], after[axis]) =
                    if auto == "SAME_UPPER" { (half, total - half) } else { (total - half, half) };
            }
            let padded = len.saturating_add(before[axis]).saturating_add(after[axis]);
            let Some(room) = padded.checked_sub(extent).filter(|_| padded < 1 << 24) else {
                return Err(view.fail(format!(
                    "a window of {extent} does not fit into {padded} positions with the padding"
                )));
            };
            let mut count = room / stride + 1;
            // A window more where a part of it fits, unless all of it would lie in the padding.
            if ceil && room % stride != 0 && count * stride < len + before[axis] {
                extra[axis] = count * stride + extent - padded;
                count += 1;
            }
            positions.push(count);
        }
        Ok(Geometry { window, before, after, extra, positions })
    }

    /// Fill around the positions of a value of shape `[channels, ..]`.
    fn padded(
        &mut self,
        view: &NodeView<'a>,
        x: ValueId,
        before: &[usize],
        after: &[usize],
        fill: Fill,
    ) -> Result<ValueId, OnnxError> {
        if before.iter().chain(after).all(|&p| p == 0) {
            return Ok(x);
        }
        let (before, after) = ([&[0], before].concat(), [&[0], after].concat());
        let shape = self.shape(x).iter().zip(&before).zip(&after).map(|((d, b), a)| d + b + a).collect();
        self.add(view, FloatOp::Move { x, movement: Movement::Pad { before, after, fill } }, shape)
    }

    pub(super) fn conv(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let (x, lens) = self.positions_of(view)?;
        let channels = self.shape(x)[0];
        let weight = self.constant(view, 1)?;
        let weight = self.finite(view, &weight)?;
        let groups = self.groups(view, channels, &weight, lens.len())?;
        let (outputs, each) = (weight.shape[0], weight.shape[1]);
        if outputs % groups != 0 || each != channels / groups {
            return Err(view.fail(format!(
                "a weight of shape {:?} does not fit {channels} channels in {groups} groups",
                weight.shape
            )));
        }
        self.check_kernel_shape(view, &weight)?;
        let kernel = weight.shape[2..].to_vec();
        // [groups · outputs, channels, kernel..] to [groups, channels, kernel.., outputs].
        let split = [&[groups, outputs / groups, each], &kernel[..]].concat();
        let Some(weight) = weight.reshaped(split) else { return Err(view.fail("its weight is damaged")) };
        let rank = weight.shape.len();
        let perm: Vec<usize> = [0].into_iter().chain(2..rank).chain([1]).collect();
        let weight = weight.transposed(&perm);
        let geometry = self.geometry(view, &lens, kernel)?;
        let bias = self.channel_bias(view, outputs)?;
        self.correlation(view, x, weight, bias, geometry)
    }

    /// Padding, then [`FloatOp::Conv`].
    fn correlation(
        &mut self,
        view: &NodeView<'a>,
        x: ValueId,
        weight: Tensor,
        bias: Option<Vec<f64>>,
        geometry: Geometry,
    ) -> Result<Value, OnnxError> {
        let Geometry { window: Window { strides, dilations, .. }, before, after, positions, .. } = geometry;
        let outputs = weight.shape[0] * weight.shape[weight.shape.len() - 1];
        let x = self.padded(view, x, &before, &after, Fill::Zero)?;
        let shape = [&[outputs], &positions[..]].concat();
        self.push(view, FloatOp::Conv { x, weight, bias, strides, dilations }, shape)
    }

    /// The number of groups, checked against the operand's channels and the weight's number of axes.
    fn groups(
        &self,
        view: &NodeView<'a>,
        channels: usize,
        weight: &Tensor,
        axes: usize,
    ) -> Result<usize, OnnxError> {
        let given = view.int("group", 1);
        let groups = usize::try_from(given).ok().filter(|&g| g > 0 && channels.is_multiple_of(g));
        let groups = groups
            .ok_or_else(|| view.fail(format!("{channels} channels cannot be split into {given} groups")))?;
        if weight.shape.len() != axes + 2 || weight.shape.contains(&0) {
            return Err(view.fail(format!(
                "its weight has the shape {:?}; {} axes are needed for {axes} axes of positions",
                weight.shape,
                axes + 2
            )));
        }
        Ok(groups)
    }

    fn check_kernel_shape(&self, view: &NodeView<'a>, weight: &Tensor) -> Result<(), OnnxError> {
        let given = view.ints("kernel_shape").unwrap_or_default();
        let same =
            given.iter().map(|&v| usize::try_from(v).ok()).eq(weight.shape[2..].iter().map(|&d| Some(d)));
        if given.is_empty() || same {
            return Ok(());
        }
        Err(view.fail(format!("`kernel_shape` is {given:?}; the weight has the shape {:?}", weight.shape)))
    }

    /// Input 2: one number per output channel.
    fn channel_bias(&mut self, view: &NodeView<'a>, outputs: usize) -> Result<Option<Vec<f64>>, OnnxError> {
        let Some(bias) = self.optional_constant(view, 2)? else { return Ok(None) };
        let bias = self.finite(view, &bias)?;
        match bias.data.len() == outputs {
            true => Ok(Some(bias.data)),
            false => Err(view.fail(format!("{} biases for {outputs} output channels", bias.data.len()))),
        }
    }

    /// Zeros between the elements, then a correlation with the kernel turned around.
    pub(super) fn conv_transpose(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let (x, lens) = self.positions_of(view)?;
        let channels = self.shape(x)[0];
        let weight = self.constant(view, 1)?;
        let weight = self.finite(view, &weight)?;
        let groups = self.groups(view, channels, &weight, lens.len())?;
        if weight.shape[0] != channels {
            return Err(view.fail(format!("a weight of shape {:?} for {channels} channels", weight.shape)));
        }
        self.check_kernel_shape(view, &weight)?;
        if !matches!(view.text("auto_pad"), "" | "NOTSET" | "VALID")
            || view.attribute("output_shape").is_some()
        {
            return Err(view.fail("only explicit `pads` are supported, not `auto_pad` and `output_shape`"));
        }
        let axes = lens.len();
        let strides = self.per_axis(view, "strides", axes)?;
        let dilations = self.per_axis(view, "dilations", axes)?;
        let (front, back) = self.pads(view, axes)?;
        let added = match view.ints("output_padding").filter(|v| !v.is_empty()) {
            Some(given) => {
                let given: Option<Vec<usize>> =
                    given.iter().map(|&v| usize::try_from(v).ok().filter(|&v| v < 1 << 20)).collect();
                given
                    .filter(|v| v.len() == axes)
                    .ok_or_else(|| view.fail("`output_padding` needs one number from 0 up per axis"))?
            }
            None => vec![0; axes],
        };
        let outputs = groups * weight.shape[1];
        let bias = self.channel_bias(view, outputs)?;
        let mut at = x;
        if strides.iter().any(|&s| s > 1) {
            at = self.zeros_between(view, at, &lens, &strides)?;
        }
        // What the kernel reaches over the ends, less what the node's padding cuts off.
        let kernel = weight.shape[2..].to_vec();
        let mut sides = [vec![0], vec![0]];
        for axis in 0..axes {
            let reach = (dilations[axis] * (kernel[axis] - 1)) as i64;
            sides[0].push(reach - front[axis] as i64);
            let zeros = strides[axis] as i64 - 1;
            sides[1].push(reach - back[axis] as i64 + added[axis] as i64 - zeros);
        }
        at = self.resized(view, at, &sides[0], &sides[1])?;
        // [groups · channels, outputs, kernel..], turned around, to [groups, channels, kernel.., outputs].
        let split = [&[groups, channels / groups, weight.shape[1]], &kernel[..]].concat();
        let Some(weight) = weight.reshaped(split) else { return Err(view.fail("its weight is damaged")) };
        let rank = weight.shape.len();
        let perm: Vec<usize> = [0, 1].into_iter().chain(3..rank).chain([2]).collect();
        let mut weight = weight.transposed(&perm);
        let (taps, columns): (usize, usize) = (kernel.iter().product(), weight.shape[rank - 1]);
        for block in weight.data.chunks_exact_mut(taps * columns) {
            let turned: Vec<f64> = block.rchunks_exact(columns).flatten().copied().collect();
            block.copy_from_slice(&turned);
        }
        let lens = self.shape(at)[1..].to_vec();
        let window = Window { kernel, strides: vec![1; axes], dilations };
        let positions = window
            .positions(&lens)
            .ok_or_else(|| view.fail(format!("nothing is left of {lens:?} positions after its padding")))?;
        let none = vec![0; axes];
        let geometry = Geometry { window, before: none.clone(), after: none.clone(), extra: none, positions };
        self.correlation(view, at, weight, bias, geometry)
    }

    /// `strides - 1` zeros behind every element, axis by axis.
    fn zeros_between(
        &mut self,
        view: &NodeView<'a>,
        x: ValueId,
        lens: &[usize],
        strides: &[usize],
    ) -> Result<ValueId, OnnxError> {
        let channels = self.shape(x)[0];
        let apart: Vec<usize> = [channels].into_iter().chain(lens.iter().flat_map(|&l| [l, 1])).collect();
        let after: Vec<usize> = [0].into_iter().chain(strides.iter().flat_map(|&s| [0, s - 1])).collect();
        let before = vec![0; after.len()];
        let wide = apart.iter().zip(&after).map(|(d, a)| d + a).collect();
        let x = self.add(view, FloatOp::Reshape { x }, apart)?;
        let movement = Movement::Pad { before, after, fill: Fill::Zero };
        let x = self.add(view, FloatOp::Move { x, movement }, wide)?;
        let joined: Vec<usize> =
            [channels].into_iter().chain(lens.iter().zip(strides).map(|(l, s)| l * s)).collect();
        self.add(view, FloatOp::Reshape { x }, joined)
    }

    /// Windows of a pooling operator.
    fn pooling(&mut self, view: &NodeView<'a>) -> Result<(ValueId, Geometry), OnnxError> {
        let (x, lens) = self.positions_of(view)?;
        if view.ints("kernel_shape").is_none() {
            return Err(view.fail("`kernel_shape` is missing"));
        }
        let kernel = self.per_axis(view, "kernel_shape", lens.len())?;
        let geometry = self.geometry(view, &lens, kernel)?;
        let Geometry { window, before, after, .. } = &geometry;
        for axis in 0..lens.len() {
            let extent = (window.kernel[axis] - 1) * window.dilations[axis] + 1;
            if before[axis] >= extent || after[axis] >= extent {
                return Err(
                    view.fail("its padding is as wide as its windows, some of which would hold nothing")
                );
            }
        }
        Ok((x, geometry))
    }

    /// `[channels, positions.., kernel..]`.
    fn windows(
        &mut self,
        view: &NodeView<'a>,
        x: ValueId,
        geometry: &Geometry,
        fill: Fill,
    ) -> Result<ValueId, OnnxError> {
        let after: Vec<usize> = geometry.after.iter().zip(&geometry.extra).map(|(a, e)| a + e).collect();
        let x = self.padded(view, x, &geometry.before, &after, fill)?;
        let shape = [&self.shape(x)[..1], &geometry.positions, &geometry.window.kernel].concat();
        self.add(view, FloatOp::Move { x, movement: Movement::Windows(geometry.window.clone()) }, shape)
    }

    pub(super) fn max_pool(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        if view.proto.output.get(1).is_some_and(|o| !o.is_empty()) {
            return Err(view.fail("its indices are an output; only the maxima are supported"));
        }
        let (x, geometry) = self.pooling(view)?;
        let channels = self.shape(x)[0];
        let x = self.windows(view, x, &geometry, Fill::Lowest)?;
        let axes = geometry.positions.len();
        self.push(view, FloatOp::Largest { x, axes }, [&[channels], &geometry.positions[..]].concat())
    }

    pub(super) fn average_pool(&mut self, view: &NodeView<'a>) -> Result<Value, OnnxError> {
        let (x, geometry) = self.pooling(view)?;
        let (channels, lens) = (self.shape(x)[0], self.shape(x)[1..].to_vec());
        // First of all, since it holds the number of elements to its limit.
        let x = self.windows(view, x, &geometry, Fill::Zero)?;
        let padding_counts = view.int("count_include_pad", 0) != 0;
        let Geometry { window, before, after, positions, .. } = &geometry;
        // How many elements of a window count, axis by axis.
        let counted = |axis: usize, position: usize| {
            let (from, to) = match padding_counts {
                true => (0, before[axis] + lens[axis] + after[axis]),
                false => (before[axis], before[axis] + lens[axis]),
            };
            let start = position * window.strides[axis];
            let inside = |k: &usize| (from..to).contains(&(start + k * window.dilations[axis]));
            (0..window.kernel[axis]).filter(inside).count()
        };
        let mut by = Tensor::scalar(1.0);
        for (axis, &count) in positions.iter().enumerate() {
            let line = Tensor::vector((0..count).map(|p| 1.0 / counted(axis, p) as f64).collect());
            let mut column = vec![1; positions.len() - axis];
            column[0] = count;
            let product = line.reshaped(column).and_then(|line| by.zip(&line, |a, b| a * b));
            by = product.ok_or_else(|| view.fail("its windows are damaged"))?;
        }
        if by.data.windows(2).all(|w| w[0] == w[1]) {
            by = Tensor::scalar(by.data[0]);
        }
        if !by.is_finite() {
            return Err(view.fail("a window holds nothing but padding"));
        }
        let shape = [&[channels], &positions[..]].concat();
        let axes = positions.len();
        self.push(view, FloatOp::Total { x, axes, by }, shape)
    }

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
            height % block == 0 && width % block == 0
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
