//! NumPy arrays.
//!
//! The header is a fixed form of Python dictionary, parsed here without recursion. Sizes follow from the header,
//! are checked against the caps before anything is read, and memory grows only with bytes that really arrive.

use std::io::{Cursor, Read};

use crate::cell::Cell;
use crate::error::Problem;

/// Largest header, in bytes. NumPy itself warns beyond 10,000.
const MAX_HEADER: usize = 1 << 14;
/// Most elements of an array, and the largest extent.
const MAX_ELEMENTS: usize = 1 << 27;
/// Largest array, in bytes.
const MAX_BYTES: u64 = 1 << 30;
/// Most dimensions, as in NumPy.
const MAX_DIMENSIONS: usize = 64;
/// Longest string element, in bytes.
const MAX_STRING: usize = 1 << 12;

/// An array as (samples, …): the first axis is the row, the others are flattened in row-major order.
#[derive(Debug)]
pub(crate) struct Array {
    shape: Vec<usize>,
    rows: usize,
    width: usize,
    elements: Elements,
}

#[derive(Debug)]
enum Elements {
    /// Numbers as stored.
    Numbers { dtype: Dtype, fortran: bool, bytes: Vec<u8> },
    /// Decoded strings, in the order of storage.
    Texts { fortran: bool, texts: Vec<String> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Dtype {
    kind: Kind,
    /// Bytes of an element.
    size: usize,
    big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Float,
    Signed,
    Unsigned,
    Boolean,
    /// Code points of four bytes, padded with zeros.
    Unicode,
    /// ASCII bytes, padded with zeros.
    Bytes,
}

impl Array {
    /// Reads an `.npy` file.
    pub(crate) fn from_npy(bytes: &[u8]) -> Result<Self, Problem> {
        Ok(Self::read(&mut Cursor::new(bytes))?.into_samples())
    }

    /// Reads the bytes of an `.npy` file or of an entry of an archive, to their end.
    pub(crate) fn read(reader: &mut dyn Read) -> Result<Self, Problem> {
        let header = Header::read(reader)?;
        let Header { dtype, fortran, shape } = header;
        let too_many = || Problem::TooBig { limit: MAX_ELEMENTS as u64, unit: "values" };
        if shape.iter().any(|n| *n > MAX_ELEMENTS) {
            return Err(too_many());
        }
        let count = shape
            .iter()
            .try_fold(1usize, |product, n| product.checked_mul(*n).filter(|p| *p <= MAX_ELEMENTS))
            .ok_or_else(too_many)?;
        let size = (count as u64).saturating_mul(dtype.size as u64);
        if size > MAX_BYTES {
            return Err(Problem::TooBig { limit: MAX_BYTES, unit: "bytes" });
        }
        let mut bytes = Vec::new();
        // One byte more than there should be, to see that there is none.
        reader.take(size + 1).read_to_end(&mut bytes).map_err(|e| malformed(e.to_string()))?;
        if bytes.len() as u64 != size {
            let found = if bytes.len() as u64 > size { "more" } else { "fewer" };
            return Err(malformed(format!(
                "the header announces {size} bytes of data and there are {found}"
            )));
        }
        let elements = match dtype.kind {
            Kind::Unicode | Kind::Bytes => Elements::Texts {
                fortran,
                texts: decode_texts(dtype, count, &bytes)
                    .ok_or_else(|| malformed("a string is not Unicode text"))?,
            },
            _ => Elements::Numbers { dtype, fortran, bytes },
        };
        let rows = shape.first().copied().unwrap_or(1);
        let width = shape.iter().skip(1).product();
        Ok(Self { shape, rows, width, elements })
    }

    /// Reads an array of one axis as a single sample rather than as many of one value.
    pub(crate) fn into_samples(mut self) -> Self {
        if let [width] = self.shape[..] {
            (self.rows, self.width) = (1, width);
        }
        self
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The element in `row` and `column`, both below the array's bounds.
    pub(crate) fn cell(&self, row: usize, column: usize) -> Cell<'_> {
        match &self.elements {
            Elements::Numbers { dtype, fortran, bytes } => {
                let at = self.position(row, column, *fortran) * dtype.size;
                dtype.decode(&bytes[at..at + dtype.size])
            }
            Elements::Texts { fortran, texts } => Cell::Text(&texts[self.position(row, column, *fortran)]),
        }
    }

    /// Index of an element in the order of storage.
    fn position(&self, row: usize, column: usize, fortran: bool) -> usize {
        if !fortran || self.shape.len() < 2 {
            return row * self.width + column;
        }
        // Column-major: the first axis runs fastest. `column` counts the other axes in row-major order.
        let (mut rest, mut place) = (column, 0);
        let mut stride: usize = self.shape.iter().product();
        for extent in self.shape[1..].iter().rev() {
            stride /= extent;
            place += (rest % extent) * stride;
            rest /= extent;
        }
        place + row
    }
}

impl Dtype {
    fn parse(text: &str) -> Option<Self> {
        let mut chars = text.chars();
        let big_endian = match chars.next()? {
            '>' => true,
            '<' | '|' => false,
            _ => return None,
        };
        let kind = match chars.next()? {
            'f' => Kind::Float,
            'i' => Kind::Signed,
            'u' => Kind::Unsigned,
            'b' => Kind::Boolean,
            'U' => Kind::Unicode,
            'S' => Kind::Bytes,
            _ => return None,
        };
        let digits = chars.as_str();
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let count: usize = digits.parse().ok().filter(|n| *n <= MAX_STRING / 4)?;
        let size = if kind == Kind::Unicode { 4 * count } else { count };
        let known = match kind {
            Kind::Float => matches!(size, 2 | 4 | 8),
            Kind::Signed | Kind::Unsigned => matches!(size, 1 | 2 | 4 | 8),
            Kind::Boolean => size == 1,
            Kind::Unicode | Kind::Bytes => size > 0,
        };
        known.then_some(Self { kind, size, big_endian })
    }

    /// The number in `bytes`, which are `size` many.
    fn decode(self, bytes: &[u8]) -> Cell<'static> {
        let mut raw = [0u8; 8];
        for (i, b) in bytes.iter().enumerate() {
            raw[if self.big_endian { bytes.len() - 1 - i } else { i }] = *b;
        }
        let bits = u64::from_le_bytes(raw);
        let unused = 64 - 8 * self.size as u32;
        match (self.kind, self.size) {
            (Kind::Float, 2) => Cell::F32(half_to_single(bits as u16)),
            (Kind::Float, 4) => Cell::F32(f32::from_bits(bits as u32)),
            (Kind::Float, _) => Cell::F64(f64::from_bits(bits)),
            (Kind::Signed, _) => Cell::Int(i128::from(((bits << unused) as i64) >> unused)),
            (Kind::Boolean, _) => Cell::Int(i128::from(bits != 0)),
            _ => Cell::Int(i128::from(bits)),
        }
    }
}

/// The value of an IEEE 754 half, exactly.
fn half_to_single(half: u16) -> f32 {
    let (exponent, fraction) = ((half >> 10) & 0x1f, f32::from(half & 0x3ff));
    let magnitude = match exponent {
        0 => fraction * 2f32.powi(-24),
        0x1f if fraction == 0.0 => f32::INFINITY,
        0x1f => f32::NAN,
        _ => (1024.0 + fraction) * 2f32.powi(i32::from(exponent) - 25),
    };
    if half >> 15 == 1 { -magnitude } else { magnitude }
}

fn decode_texts(dtype: Dtype, count: usize, bytes: &[u8]) -> Option<Vec<String>> {
    let mut texts = Vec::with_capacity(count);
    for element in bytes.chunks_exact(dtype.size) {
        let text = if dtype.kind == Kind::Bytes {
            std::str::from_utf8(element).ok()?.to_owned()
        } else {
            let point = |b: &[u8]| {
                let raw = [b[0], b[1], b[2], b[3]];
                let code = if dtype.big_endian { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) };
                char::from_u32(code)
            };
            element.chunks_exact(4).map(point).collect::<Option<String>>()?
        };
        texts.push(text.trim_end_matches('\0').to_owned());
    }
    Some(texts)
}

/// What stands before the data.
struct Header {
    dtype: Dtype,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Reads the bytes of an `.npy` file or of an entry of an archive, to their end.
    pub(crate) fn read(reader: &mut dyn Read) -> Result<Self, Problem> {
        let mut take = |n: usize| {
            let mut bytes = vec![0; n];
            reader.read_exact(&mut bytes).map_err(|_| malformed("it ends within its header")).map(|()| bytes)
        };
        let start = take(8)?;
        if &start[..6] != b"\x93NUMPY" {
            return Err(malformed("it does not begin with the mark of a NumPy array"));
        }
        let length = match start[6] {
            1 => take(2)?,
            2 | 3 => take(4)?,
            version => return Err(malformed(format!("format version {version} is not known"))),
        };
        let length = length.iter().rev().fold(0usize, |n, b| (n << 8) | usize::from(*b));
        if length > MAX_HEADER {
            return Err(malformed(format!("its header claims {length} bytes")));
        }
        let header = take(length)?;
        let text = std::str::from_utf8(&header).map_err(|_| malformed("its header is not text"))?;
        Dictionary { rest: text }.parse()
    }
}

/// Parser of `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`, keys in any order.
struct Dictionary<'a> {
    rest: &'a str,
}

impl<'a> Dictionary<'a> {
    fn parse(mut self) -> Result<Header, Problem> {
        let bad = || malformed("its header is not `{'descr': …, 'fortran_order': …, 'shape': …}`");
        let (mut dtype, mut fortran, mut shape) = (None, None, None);
        self.token("{").ok_or_else(bad)?;
        while self.token("}").is_none() {
            let key = self.quoted().ok_or_else(bad)?;
            self.token(":").ok_or_else(bad)?;
            match key {
                "descr" if dtype.is_none() => {
                    let Some(descr) = self.quoted() else {
                        return Err(malformed(
                            "structured arrays are not read; save plain arrays of numbers",
                        ));
                    };
                    let unknown = || {
                        malformed(format!(
                            "elements of type `{}` are not read; floats, integers, booleans and strings are",
                            descr.chars().take(20).collect::<String>().escape_debug()
                        ))
                    };
                    dtype = Some(Dtype::parse(descr).ok_or_else(unknown)?);
                }
                "fortran_order" if fortran.is_none() => {
                    let yes = self.token("True").is_some();
                    if !yes {
                        self.token("False").ok_or_else(bad)?;
                    }
                    fortran = Some(yes);
                }
                "shape" if shape.is_none() => shape = Some(self.tuple().ok_or_else(bad)?),
                _ => return Err(bad()),
            }
            if self.token(",").is_none() && !self.rest.trim_start().starts_with('}') {
                return Err(bad());
            }
        }
        match (dtype, fortran, shape) {
            (Some(dtype), Some(fortran), Some(shape)) if self.rest.trim().is_empty() => {
                Ok(Header { dtype, fortran, shape })
            }
            _ => Err(bad()),
        }
    }

    fn token(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.trim_start().strip_prefix(token)?;
        Some(())
    }

    fn quoted(&mut self) -> Option<&'a str> {
        let text = self.rest.trim_start();
        let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let (inside, rest) = text[1..].split_once(quote)?;
        self.rest = rest;
        Some(inside)
    }

    fn tuple(&mut self) -> Option<Vec<usize>> {
        let mut extents = Vec::new();
        self.token("(")?;
        while self.token(")").is_none() {
            let text = self.rest.trim_start();
            let end = text.bytes().take_while(u8::is_ascii_digit).count();
            // What does not fit is too large all the same.
            let extent = if end == 0 { None } else { Some(text[..end].parse().unwrap_or(usize::MAX)) };
            extents.push(extent?);
            self.rest = &text[end..];
            // Python 2 wrote long integers with a suffix.
            let _ = self.token("L");
            if extents.len() > MAX_DIMENSIONS
                || (self.token(",").is_none() && !self.rest.trim_start().starts_with(')'))
            {
                return None;
            }
        }
        Some(extents)
    }
}

fn malformed(message: impl Into<String>) -> Problem {
    Problem::Malformed { format: ".npy", message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn message(bytes: &[u8]) -> String {
        Array::from_npy(bytes).unwrap_err().to_string()
    }

    #[test]
    fn decodes_every_type() {
        let cell = |descr: &str, data: &[u8]| {
            let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,)}}");
            let array = Array::from_npy(&npy(&header, data)).unwrap();
            match array.cell(0, 0) {
                Cell::Text(text) => format!("text {text}"),
                other => other.text().into_owned(),
            }
        };
        assert_eq!(cell("<f2", &[0x66, 0x2e]), "0.099975586");
        assert_eq!(cell("<f2", &[0x01, 0x80]), "-5.9604645e-8");
        assert_eq!(cell("<f2", &[0x00, 0x7c]), "inf");
        assert_eq!(cell(">f4", &17.99f32.to_be_bytes()), "17.99");
        assert_eq!(cell("<f8", &0.1f64.to_le_bytes()), "0.1");
        assert_eq!(cell("|i1", &[0xff]), "-1");
        assert_eq!(cell(">i2", &[0xff, 0xfe]), "-2");
        assert_eq!(cell("<i8", &i64::MIN.to_le_bytes()), i64::MIN.to_string());
        assert_eq!(cell("<u8", &u64::MAX.to_le_bytes()), u64::MAX.to_string());
        assert_eq!(cell("|b1", &[1]), "1");
        assert_eq!(cell("|S3", b"ab\0"), "text ab");
        assert_eq!(cell("<U2", &[0xe9, 0, 0, 0, 0, 0, 0, 0]), "text é");
    }

    #[test]
    fn reads_both_orders() {
        // shape (2, 2, 3), element (i, j, k) is 100 i + 10 j + k.
        let element = |i: u8, j: u8, k: u8| 100 * i + 10 * j + k;
        let mut row_major = Vec::new();
        let mut column_major = Vec::new();
        for n in 0..12u8 {
            row_major.push(element(n / 6, n / 3 % 2, n % 3));
            column_major.push(element(n % 2, n / 2 % 2, n / 4));
        }
        for (order, data) in [("False", row_major), ("True", column_major)] {
            let header = format!("{{'descr': '|u1', 'fortran_order': {order}, 'shape': (2, 2, 3), }}  \n");
            let array = Array::from_npy(&npy(&header, &data)).unwrap();
            assert_eq!((array.rows(), array.width()), (2, 6));
            for n in 0..12u8 {
                let want = Cell::Int(i128::from(element(n / 6, n / 3 % 2, n % 3)));
                assert_eq!(array.cell(usize::from(n / 6), usize::from(n % 6)), want, "{order} {n}");
            }
        }
    }

    #[test]
    fn refuses_what_it_cannot_hold() {
        let head = |descr: &str, shape: &str| {
            npy(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"), &[0; 8])
        };
        assert!(message(&head("'<f8'", "(1152921504606846976,)")).contains("134217728 values"));
        assert!(message(&head("'<f8'", "(99999999999999999999999999, 2)")).contains("134217728 values"));
        assert!(message(&head("'<f8'", "(4294967296, 4294967296)")).contains("134217728 values"));
        assert!(message(&head("'<f8'", "(0, 1152921504606846976)")).contains("134217728 values"));
        assert!(message(&head("'<U1024'", "(134217728,)")).contains("1073741824 bytes"));
        assert!(
            message(&head("'<f8'", "(100000000,)")).contains("800000000 bytes of data and there are fewer")
        );
        assert!(message(&head("'<f4'", "(1,)")).contains("there are more"));
        assert!(message(&head("'|O'", "(1,)")).contains("type `|O`"));
        assert!(message(&head("'<f16'", "(1,)")).contains("type `<f16`"));
        assert!(message(&head("'<U0'", "(1,)")).contains("type `<U0`"));
        assert!(message(&head("[('a', '<f8')]", "(1,)")).contains("structured"));
        for shape in ["1", "(-1,)", "(1 2)", "(1,,2)", "((1,),)", "(1,", "(True,)", "()x"] {
            assert!(message(&head("'<f8'", shape)).contains("its header is not"), "{shape}");
        }
        assert!(message(&npy(&"(".repeat(9000), &[])).contains("its header is not"));
        assert!(message(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").contains("claims 4294967295 bytes"));
        assert!(message(b"\x93NUMPY\x09\x00\x00\x00").contains("version 9"));
    }
}
