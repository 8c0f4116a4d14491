//! One cell of a table, before a schema says what it means.

use std::borrow::Cow;
use std::fmt::Write;

use crate::number::{MAX_UNITS, NumberError, Scaled, scale};

/// A cell as the file holds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'a> {
    /// Text of a CSV or JSON file, or of an array of strings. Empty where the file has nothing.
    Text(&'a str),
    /// Element of an array of single (or half) floats.
    F32(f32),
    /// Element of an array of doubles.
    F64(f64),
    /// Element of an array of integers or booleans.
    Int(i128),
}

impl<'a> Cell<'a> {
    /// The text of the cell. A float has its shortest text that reads back as the same float.
    pub(crate) fn text(self) -> Cow<'a, str> {
        let mut text = String::new();
        match self {
            Self::Text(text) => return Cow::Borrowed(text.trim()),
            other => other.write(&mut text),
        }
        Cow::Owned(text)
    }

    fn write(self, out: &mut String) {
        // Writing to a `String` cannot fail. `{:e}` is as short as `{}` and bounded where `{}` writes 300 zeros.
        let _ = match self {
            Self::Text(text) => out.write_str(text),
            Self::F32(v) if (1e-4..1e9).contains(&v.abs()) || v == 0.0 => write!(out, "{v}"),
            Self::F64(v) if (1e-4..1e9).contains(&v.abs()) || v == 0.0 => write!(out, "{v}"),
            Self::F32(v) => write!(out, "{v:e}"),
            Self::F64(v) => write!(out, "{v:e}"),
            Self::Int(v) => write!(out, "{v}"),
        };
    }

    /// The cell in units of `10^-decimals`. `scratch` saves an allocation per cell.
    pub(crate) fn scale(self, decimals: u8, scratch: &mut String) -> Result<Scaled, NumberError> {
        match self {
            Self::Text(text) => scale(text, decimals),
            Self::Int(v) => {
                let units =
                    v.checked_mul(10i128.pow(u32::from(decimals))).and_then(|u| i64::try_from(u).ok());
                let units = units.filter(|u| u.abs() < MAX_UNITS).ok_or(NumberError::TooLarge)?;
                Ok(Scaled { units, rounded: false })
            }
            other => {
                scratch.clear();
                other.write(scratch);
                scale(scratch, decimals)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_is_its_shortest_decimal() {
        let mut scratch = String::new();
        let mut units = |cell: Cell<'_>, decimals| cell.scale(decimals, &mut scratch).unwrap();
        assert_eq!(units(Cell::F32(17.99), 2), Scaled { units: 1799, rounded: false });
        assert_eq!(units(Cell::F64(0.265), 2), Scaled { units: 26, rounded: true });
        assert_eq!(units(Cell::F64(1e-7), 6), Scaled { units: 0, rounded: true });
        assert_eq!(units(Cell::F64(-1e10), 1), Scaled { units: -100_000_000_000, rounded: false });
        assert_eq!(Cell::Int(1 << 40).scale(0, &mut String::new()), Err(NumberError::TooLarge));
        assert_eq!(Cell::Int(i128::MIN).scale(9, &mut String::new()), Err(NumberError::TooLarge));
        assert_eq!(units(Cell::Int(-3), 2), Scaled { units: -300, rounded: false });
        for bad in [Cell::F64(f64::NAN), Cell::F32(f32::INFINITY)] {
            assert_eq!(bad.scale(2, &mut String::new()), Err(NumberError::NotANumber));
        }
        assert_eq!(Cell::F64(f64::MAX).scale(2, &mut String::new()), Err(NumberError::TooLarge));
    }
}
