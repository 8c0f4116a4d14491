//! Lengths for the axes that a file leaves open.

use std::collections::HashSet;
use std::fmt;

use tract_onnx::pb;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Dim};
use tract_onnx::pb::type_proto::Value as TypeValue;

use crate::error::OnnxError;

/// Longest axis, as long as the longest record.
pub(crate) const MAX_LENGTH: u64 = 1 << 20;

/// A length for an axis of the model's input that the file leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AxisLength {
    /// The axis: its name in the file, or `INPUT.AXIS`, counted from 0, for one without (`image.2`).
    pub axis: String,
    /// Its length, `1..=2^20`.
    pub length: u64,
}

/// Why an axis cannot be given a length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AxisError {
    /// No such axis is open.
    #[error("the model's input has no open axis `{axis}`{}", listed(.open, *.shapeless))]
    Unknown {
        /// The axis asked for.
        axis: String,
        /// The axes that can be given a length.
        open: Vec<String>,
        /// Whether the file says nothing of an input's axes.
        shapeless: bool,
    },
    /// The file has a length for it.
    #[error("axis `{axis}` has a length in the file, {length}")]
    Fixed {
        /// The axis asked for.
        axis: String,
        /// Its length in the file.
        length: u64,
    },
    /// It runs over the samples.
    #[error("axis `{axis}` runs over the samples and stays open: a model is a function of one record")]
    Samples {
        /// The axis asked for.
        axis: String,
    },
    /// A length that no axis has.
    #[error("axis `{axis}` cannot have the length {length}; 1 to {MAX_LENGTH} are possible")]
    Length {
        /// The axis asked for.
        axis: String,
        /// The length asked for.
        length: u64,
    },
    /// It was named before.
    #[error("axis `{axis}` is given a length twice")]
    Twice {
        /// The axis asked for.
        axis: String,
    },
}

fn listed(open: &[String], shapeless: bool) -> String {
    match open {
        [] if shapeless => ": the file gives it no shape; export the model with one".to_owned(),
        [] => ": all its axes but that of the samples have a length".to_owned(),
        _ => format!("; open are: {}", Names(open)),
    }
}

/// Names in backticks, after commas.
pub(crate) struct Names<'a>(pub(crate) &'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.0.iter().enumerate() {
            write!(f, "{}`{name}`", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// The length of an axis, `None` where it is open.
pub(crate) fn length(d: &Dimension) -> Option<u64> {
    match d.value {
        Some(Dim::DimValue(v)) => u64::try_from(v).ok().filter(|&v| v > 0),
        _ => None,
    }
}

/// What an open axis is called: its name in the file or its place.
pub(crate) fn name(input: &str, place: usize, d: &Dimension) -> String {
    match &d.value {
        Some(Dim::DimParam(name)) if !name.is_empty() => name.clone(),
        _ => format!("{input}.{place}"),
    }
}

/// Writes `lengths` into the inputs of `graph`.
///
/// # Errors
/// [`OnnxError::Axis`] names the axis that cannot have the length, and those that can have one.
pub(crate) fn bind(graph: &mut pb::GraphProto, lengths: &[AxisLength]) -> Result<(), OnnxError> {
    let constants: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let mut axes: Vec<(String, usize, &mut Dimension)> = Vec::new();
    let mut shapeless = false;
    for input in graph.input.iter_mut().filter(|i| !constants.contains(i.name.as_str())) {
        let tensor = input.r#type.as_mut().and_then(|t| t.value.as_mut()).map(|TypeValue::TensorType(t)| t);
        let shape = tensor.and_then(|t| t.shape.as_mut());
        shapeless |= shape.is_none();
        for (place, d) in shape.into_iter().flat_map(|s| &mut s.dim).enumerate() {
            axes.push((input.name.clone(), place, d));
        }
    }
    let mut seen = HashSet::new();
    let open: Vec<String> = axes
        .iter()
        .filter(|(_, place, d)| *place > 0 && length(d).is_none())
        .map(|(input, place, d)| name(input, *place, d))
        .filter(|name| seen.insert(name.clone()))
        .collect();
    let mut done = vec![false; axes.len()];
    for AxisLength { axis, length: value } in lengths {
        let fail = |e| Err(OnnxError::Axis(e));
        let axis = axis.clone();
        // A name in the file is meant before a place. Where the samples' axis bears it too, the others are meant.
        let named =
            |(_, _, d): &(_, _, &mut Dimension)| matches!(&d.value, Some(Dim::DimParam(n)) if *n == axis);
        let placed = |(input, place, _): &(String, usize, _)| format!("{input}.{place}") == axis;
        let mut found: Vec<usize> = (0..axes.len()).filter(|&i| named(&axes[i])).collect();
        if found.iter().any(|&i| axes[i].1 > 0) {
            found.retain(|&i| axes[i].1 > 0);
        }
        if found.is_empty() {
            found = (0..axes.len()).filter(|&i| placed(&axes[i])).collect();
        }
        if found.is_empty() {
            // Its name is gone with the length that it was given by another.
            let before = open.contains(&axis);
            return fail(match before {
                true => AxisError::Twice { axis },
                false => AxisError::Unknown { axis, open, shapeless },
            });
        }
        if found.iter().any(|&i| axes[i].1 == 0 && length(axes[i].2).is_none()) {
            return fail(AxisError::Samples { axis });
        }
        if !(1..=MAX_LENGTH).contains(value) {
            return fail(AxisError::Length { axis, length: *value });
        }
        for i in found {
            let (_, _, d) = &mut axes[i];
            match length(d) {
                _ if done[i] => return fail(AxisError::Twice { axis }),
                Some(length) => return fail(AxisError::Fixed { axis, length }),
                None => d.value = Some(Dim::DimValue(i64::try_from(*value).unwrap_or(i64::MAX))),
            }
            done[i] = true;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb::type_proto::Tensor;

    use super::*;

    /// `x`: samples `N`, a named axis, a fixed one, one without a name, the named one again.
    fn graph() -> pb::GraphProto {
        let named = |n: &str| Some(Dim::DimParam(n.to_owned()));
        let dim = [named("N"), named("height"), Some(Dim::DimValue(3)), None, named("height")]
            .map(|value| Dimension { value, ..Dimension::default() })
            .to_vec();
        let shape = Some(pb::TensorShapeProto { dim });
        let value = Some(TypeValue::TensorType(Tensor { elem_type: 1, shape }));
        let r#type = Some(pb::TypeProto { value, ..pb::TypeProto::default() });
        let input = vec![pb::ValueInfoProto { name: "x".into(), r#type, ..pb::ValueInfoProto::default() }];
        pb::GraphProto { input, ..pb::GraphProto::default() }
    }

    fn bound(lengths: &[(&str, u64)]) -> Result<Vec<Option<u64>>, AxisError> {
        let mut graph = graph();
        let lengths: Vec<AxisLength> =
            lengths.iter().map(|&(axis, length)| AxisLength { axis: axis.to_owned(), length }).collect();
        match bind(&mut graph, &lengths) {
            Ok(()) => {}
            Err(OnnxError::Axis(e)) => return Err(e),
            Err(other) => panic!("{other}"),
        }
        let TypeValue::TensorType(t) = graph.input[0].r#type.as_ref().unwrap().value.as_ref().unwrap();
        Ok(t.shape.as_ref().unwrap().dim.iter().map(length).collect())
    }

    #[test]
    fn lengths_are_given_by_name_and_by_place() {
        assert_eq!(bound(&[("height", 5), ("x.3", 7)]), Ok(vec![None, Some(5), Some(3), Some(7), Some(5)]));
        assert_eq!(bound(&[("x.1", 5)]), Ok(vec![None, Some(5), Some(3), None, None]));
        assert_eq!(bound(&[]), Ok(vec![None, None, Some(3), None, None]));
    }

    #[test]
    fn other_axes_and_lengths_are_refused() {
        let open = vec!["height".to_owned(), "x.3".to_owned()];
        let axis = |a: &str| a.to_owned();
        for (lengths, e) in [
            (
                &[("width", 5)][..],
                AxisError::Unknown { axis: axis("width"), open: open.clone(), shapeless: false },
            ),
            (&[("x.9", 5)], AxisError::Unknown { axis: axis("x.9"), open: open.clone(), shapeless: false }),
            (&[("x.2", 5)], AxisError::Fixed { axis: axis("x.2"), length: 3 }),
            (&[("N", 5)], AxisError::Samples { axis: axis("N") }),
            (&[("x.0", 5)], AxisError::Samples { axis: axis("x.0") }),
            (&[("height", 0)], AxisError::Length { axis: axis("height"), length: 0 }),
            (&[("height", u64::MAX)], AxisError::Length { axis: axis("height"), length: u64::MAX }),
            (&[("height", 5), ("height", 5)], AxisError::Twice { axis: axis("height") }),
            (&[("height", 5), ("x.1", 5)], AxisError::Twice { axis: axis("x.1") }),
            (&[("x.1", 5), ("x.4", 5), ("height", 5)], AxisError::Twice { axis: axis("height") }),
        ] {
            assert_eq!(bound(lengths), Err(e));
        }
    }
}
