//! As much of NumPy's NPZ format as the zoo uses: little-endian arrays in row-major order, read as `f64`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// An array of numbers.
#[derive(Debug)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<f64>,
}

impl Array {
    /// Slices along the first axis.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.data.chunks(self.shape[1..].iter().product())
    }
}

/// Every array of a file, by name.
pub(crate) fn read(path: &Path) -> BTreeMap<String, Array> {
    let mut archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
    let mut arrays = BTreeMap::new();
    for i in 0..archive.len() {
        let mut member = archive.by_index(i).unwrap();
        let name = member.name().unwrap().strip_suffix(".npy").unwrap().to_owned();
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).unwrap();
        arrays.insert(name, array(&bytes));
    }
    arrays
}

/// One NPY file: magic, version, length of the header, the header as a Python dictionary, the numbers.
fn array(bytes: &[u8]) -> Array {
    assert_eq!(bytes[..8], *b"\x93NUMPY\x01\x00");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..end]).unwrap();
    let after = |key: &str| header.split(&format!("'{key}': ")).nth(1).unwrap();
    assert!(after("fortran_order").starts_with("False"));
    let shape = after("shape").split(['(', ')']).nth(1).unwrap();
    let shape = shape.split(',').filter_map(|d| d.trim().parse().ok()).collect();
    let body = &bytes[end..];
    let data = match after("descr").split('\'').nth(1).unwrap() {
        "|u1" => body.iter().map(|&b| b.into()).collect(),
        "<i2" => numbers(body, |b| i16::from_le_bytes(b).into()),
        "<i4" => numbers(body, |b| i32::from_le_bytes(b).into()),
        "<f4" => numbers(body, |b| f32::from_le_bytes(b).into()),
        other => panic!("element type {other}"),
    };
    Array { shape, data }
}

fn numbers<const N: usize>(bytes: &[u8], f: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.as_chunks::<N>().0.iter().map(|b| f(*b)).collect()
}
