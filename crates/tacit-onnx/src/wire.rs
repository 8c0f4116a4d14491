//! A look at the raw protobuf before it is decoded.
//!
//! Decoding turns two bytes (an empty submessage) into a struct of a few hundred, so a small file could claim a great
//! deal of memory. Here the fields of every message that the decoder would build are counted first, without building
//! anything; files with more than [`MAX_FIELDS`] are refused. Packed numbers and raw tensor bytes are one field each.

use crate::error::OnnxError;

/// Most fields of all messages together.
const MAX_FIELDS: usize = 1 << 20;
/// Most bytes of packed variable-length integers, each of which decodes to up to eight.
const MAX_PACKED: usize = 1 << 26;
/// Deepest nesting of messages; real dense models stay below ten.
const MAX_DEPTH: usize = 24;

/// The messages of the ONNX format that can hold further messages; everything else is a leaf.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    SparseTensor,
    ValueInfo,
    Type,
    TypeTensor,
    Shape,
    Training,
    Function,
    Annotation,
    Leaf,
}

impl Message {
    /// The message behind a length-delimited field, `None` for strings, bytes and packed numbers.
    fn child(self, field: u64) -> Option<Self> {
        use Message as M;
        match (self, field) {
            (M::Model, 7) | (M::Attribute, 6 | 11) | (M::Training, 1 | 2) => Some(M::Graph),
            (M::Model, 20) => Some(M::Training),
            (M::Model, 25) => Some(M::Function),
            (M::Graph, 1) | (M::Function, 7) => Some(M::Node),
            (M::Graph, 5) | (M::Attribute, 5 | 10) | (M::SparseTensor, 1 | 2) => Some(M::Tensor),
            (M::Graph, 15) | (M::Attribute, 22 | 23) => Some(M::SparseTensor),
            (M::Graph, 11..=13) => Some(M::ValueInfo),
            (M::Graph, 14) => Some(M::Annotation),
            (M::Node, 5) | (M::Function, 11) => Some(M::Attribute),
            (M::Attribute, 15) | (M::ValueInfo, 2) => Some(M::Type),
            (M::Type, 1) => Some(M::TypeTensor),
            (M::TypeTensor, 2) => Some(M::Shape),
            (M::Shape, 1)
            | (M::Model, 8 | 14)
            | (M::Tensor, 3 | 13)
            | (M::Annotation, 2)
            | (M::Training, 3 | 4)
            | (M::Function, 9) => Some(M::Leaf),
            _ => None,
        }
    }

    /// Whether a length-delimited field is a list of variable-length integers.
    fn packs_integers(self, field: u64) -> bool {
        matches!(
            (self, field),
            (Self::Tensor, 1 | 5 | 7 | 11) | (Self::Attribute, 8) | (Self::SparseTensor, 3)
        )
    }
}

/// Checks that `bytes` is well-formed protobuf, nested at most [`MAX_DEPTH`] deep, with at most [`MAX_FIELDS`] fields.
///
/// # Errors
/// [`OnnxError::Malformed`].
pub(crate) fn check(bytes: &[u8]) -> Result<(), OnnxError> {
    let mut budget = Budget { fields: MAX_FIELDS, packed: MAX_PACKED };
    walk(bytes, Message::Model, 0, &mut budget)
}

struct Budget {
    fields: usize,
    packed: usize,
}

fn walk(mut bytes: &[u8], message: Message, depth: usize, budget: &mut Budget) -> Result<(), OnnxError> {
    let bad = |what: &str| OnnxError::Malformed(what.to_owned());
    if depth > MAX_DEPTH {
        return Err(bad("messages are nested too deeply"));
    }
    while !bytes.is_empty() {
        budget.fields = budget.fields.checked_sub(1).ok_or_else(|| bad("the file holds too many fields"))?;
        let key = varint(&mut bytes).ok_or_else(|| bad("a field's key is cut short"))?;
        let skip = match key & 7 {
            0 => {
                varint(&mut bytes).ok_or_else(|| bad("a number is cut short"))?;
                0
            }
            1 => 8,
            5 => 4,
            2 => {
                let length = varint(&mut bytes).ok_or_else(|| bad("a length is cut short"))?;
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let body = bytes.get(..length).ok_or_else(|| bad("a field is longer than the file"))?;
                if let Some(child) = message.child(key >> 3) {
                    walk(body, child, depth + 1, budget)?;
                } else if message.packs_integers(key >> 3) {
                    budget.packed = budget
                        .packed
                        .checked_sub(length)
                        .ok_or_else(|| bad("the file holds too many packed integers"))?;
                }
                length
            }
            _ => return Err(bad("the bytes are no protobuf message")),
        };
        bytes = bytes.get(skip..).ok_or_else(|| bad("a number is cut short"))?;
    }
    Ok(())
}

/// Takes one base-128 number of at most ten bytes.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for (i, &b) in bytes.iter().take(10).enumerate() {
        value |= u64::from(b & 0x7f) << (7 * i).min(63);
        if b & 0x80 == 0 {
            *bytes = &bytes[i + 1..];
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_empty_nodes_are_refused_before_decoding() {
        // Graph (field 7) of 2^21 empty nodes (field 1, length 0).
        let nodes = [0x0a, 0x00].repeat(1 << 21);
        let mut file = vec![0x3a];
        let mut length = nodes.len();
        while length >= 0x80 {
            file.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        file.push(length as u8);
        file.extend(nodes);
        assert_eq!(check(&file), Err(OnnxError::Malformed("the file holds too many fields".into())));
    }

    #[test]
    fn cut_and_nested_files_are_refused() {
        for bad in [&[0x3a, 0x05, 0x00][..], &[0x80], &[0x0b], &[0x09, 1, 2], &[0xff; 12]] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        assert!(check(&[]).is_ok());
    }
}
