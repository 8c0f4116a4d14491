//! `.npz`: zip archives of NumPy arrays.

use std::io::Cursor;

use crate::array::Array;
use crate::error::Problem;

/// Samples, labels and the names of the other arrays of an `.npz` archive.
pub(crate) fn from_npz(
    bytes: &[u8],
    label: Option<&str>,
) -> Result<(Array, Option<Array>, Vec<String>), Problem> {
    const SAMPLES: &str = "X";
    if !bytes.starts_with(b"PK") {
        let message = "it is no zip archive, as numpy.savez writes one".to_owned();
        return Err(Problem::Malformed { format: ".npz", message });
    }
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| malformed_npz(&e))?;
    let mut names = Vec::new();
    for name in archive.file_names() {
        let name = name.map_err(|e| malformed_npz(&e))?;
        names.push(name.strip_suffix(".npy").unwrap_or(&name).to_owned());
    }
    let mut read = |name: &str| {
        let Some(index) = names.iter().position(|n| n == name) else {
            return Err(Problem::NotThere { what: "array", name: name.to_owned(), present: names.clone() });
        };
        let mut entry = archive.by_index(index).map_err(|e| malformed_npz(&e))?;
        Array::read(&mut entry).map_err(|problem| match problem {
            Problem::Malformed { message, .. } => {
                Problem::Malformed { format: ".npz", message: format!("array `{name}`: {message}") }
            }
            other => other,
        })
    };
    let samples = read(SAMPLES)?.into_samples();
    let labels = label.map(&mut read).transpose()?;
    let others = names.into_iter().filter(|n| n != SAMPLES && Some(n.as_str()) != label).collect();
    Ok((samples, labels, others))
}

fn malformed_npz(error: &zip::result::ZipError) -> Problem {
    Problem::Malformed { format: ".npz", message: format!("{error} (was it copied whole?)") }
}
