//! From the text of a number to units of the last decimal, rounding half to even.
//!
//! The grammar is that of [`tacit_model::parse_decimal`]; where that refuses a text for having too many decimals,
//! this rounds. Every number goes through its text: a float is read as the shortest decimal that reads back as the
//! same float, so that `0.265` is the same integer in a CSV file and in an array of doubles.

/// Most units of the last decimal, exclusive: the bound that a schema puts on its ranges.
pub(crate) const MAX_UNITS: i64 = 1 << 40;

/// A number in units of the last decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scaled {
    /// `round_half_even(value * 10^decimals)`, below `MAX_UNITS` in magnitude.
    pub(crate) units: i64,
    /// Whether rounding changed the value.
    pub(crate) rounded: bool,
}

/// Why a text gives no units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberError {
    /// Nothing but white space.
    Missing,
    /// Not of the form `[+-]?digits(.digits)?([eE][+-]?digits)?`.
    NotANumber,
    /// `MAX_UNITS` or more.
    TooLarge,
}

/// Reads `text` as a number of units of `10^-decimals`.
pub(crate) fn scale(text: &str, decimals: u8) -> Result<Scaled, NumberError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NumberError::Missing);
    }
    let (negative, unsigned) = split_sign(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if (whole.is_empty() && fraction.is_empty()) || !digits().all(|b| b.is_ascii_digit()) {
        return Err(NumberError::NotANumber);
    }

    // Units are the digits before `point`; what is behind it is rounded away.
    let count = whole.len() as i64 + fraction.len() as i64;
    let point = (whole.len() as i64).saturating_add(exponent).saturating_add(i64::from(decimals));
    let (mut units, mut first_dropped, mut more_dropped) = (0i64, 0u8, false);
    let push = |units: i64, digit: u8| {
        let next = units * 10 + i64::from(digit);
        if next < MAX_UNITS { Ok(next) } else { Err(NumberError::TooLarge) }
    };
    for (i, b) in (0i64..).zip(digits()) {
        let digit = b - b'0';
        match i.cmp(&point) {
            std::cmp::Ordering::Less => units = push(units, digit)?,
            std::cmp::Ordering::Equal => first_dropped = digit,
            std::cmp::Ordering::Greater => more_dropped |= digit != 0,
        }
    }
    if units > 0 {
        // At most 13 times before it is too large.
        for _ in count..point {
            units = push(units, 0)?;
        }
    }
    if first_dropped > 5 || (first_dropped == 5 && (more_dropped || units % 2 == 1)) {
        units += 1;
    }
    if units >= MAX_UNITS {
        return Err(NumberError::TooLarge);
    }
    Ok(Scaled { units: if negative { -units } else { units }, rounded: first_dropped != 0 || more_dropped })
}

/// Whether `text` is a number at all.
pub(crate) fn is_number(text: &str) -> bool {
    matches!(scale(text, 0), Ok(_) | Err(NumberError::TooLarge))
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// The exponent, saturated far beyond any that gives units other than 0 or too many.
fn parse_exponent(text: &str) -> Result<i64, NumberError> {
    const FAR: i64 = 1 << 40;
    let (negative, digits) = split_sign(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NumberError::NotANumber);
    }
    let magnitude = digits.parse::<i64>().map_or(FAR, |e| e.min(FAR));
    Ok(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str, decimals: u8) -> Result<(i64, bool), NumberError> {
        scale(text, decimals).map(|s| (s.units, s.rounded))
    }

    #[test]
    fn rounds_half_to_even() {
        for (text, decimals, want) in [
            ("17.99", 2, (1799, false)),
            ("0.125", 2, (12, true)),
            ("0.135", 2, (14, true)),
            ("-0.125", 2, (-12, true)),
            ("-0.135", 2, (-14, true)),
            ("0.12500000000000000000000000000000000000000000001", 2, (13, true)),
            ("0.1000000000000000055511151231257827021181583404541015625", 1, (1, true)),
            ("0.5", 0, (0, true)),
            ("1.5", 0, (2, true)),
            ("2.5", 0, (2, true)),
            ("0.05", 0, (0, true)),
            ("9.99", 1, (100, true)),
            ("1.500", 1, (15, false)),
            ("12e-1", 1, (12, false)),
            ("1.2E+3", 0, (1200, false)),
            ("5e-1", 0, (0, true)),
            ("51e-2", 0, (1, true)),
            ("9e-99999999999999999999999", 6, (0, true)),
            ("0e99999999999999999999999", 6, (0, false)),
            (" +.5 ", 1, (5, false)),
            ("5.", 0, (5, false)),
            ("-0", 3, (0, false)),
        ] {
            assert_eq!(units(text, decimals), Ok(want), "{text} to {decimals}");
        }
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in
            ["nan", "NaN", "inf", "-", ".", "1.2.3", "0x10", "1e", "1e+", "+-1", "1 2", "１", "1,5", "1e1.5"]
        {
            assert_eq!(units(text, 2), Err(NumberError::NotANumber), "{text}");
        }
        assert_eq!(units(" ", 2), Err(NumberError::Missing));
        for text in ["1e50", "1e999999999999999999999", "1099511627776", "1099511627775.5", "-1e13"] {
            assert_eq!(units(text, 0), Err(NumberError::TooLarge), "{text}");
        }
        assert_eq!(units("1099511627775", 0), Ok((MAX_UNITS - 1, false)));
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_exact_parser(text in "[+-]?[0-9]{0,6}(\\.[0-9]{0,6})?([eE][+-]?[0-9]{1,2})?", decimals in 0u8..9) {
            match (tacit_model::parse_decimal(&text, decimals), scale(&text, decimals)) {
                (Ok(exact), Ok(scaled)) => {
                    proptest::prop_assert_eq!((exact, false), (scaled.units, scaled.rounded));
                }
                (Ok(exact), Err(error)) => {
                    proptest::prop_assert_eq!(error, NumberError::TooLarge);
                    proptest::prop_assert!(exact.abs() >= MAX_UNITS);
                }
                (Err(tacit_model::DecimalError::TooManyDecimals { .. }), Ok(scaled)) => {
                    proptest::prop_assert!(scaled.rounded);
                }
                (Err(tacit_model::DecimalError::NotANumber(_)), Err(error)) => {
                    proptest::prop_assert_ne!(error, NumberError::TooLarge);
                }
                // The exact parser has a smaller idea of what fits before rounding.
                (Err(tacit_model::DecimalError::TooLarge(_)), _) => {}
                (exact, scaled) => proptest::prop_assert!(false, "{:?} against {:?}", exact, scaled),
            }
        }

        #[test]
        fn rounding_is_nearest(value in -1_000_000_000i64..1_000_000_000, drop in 1u8..6) {
            let text = tacit_model::format_decimal(value, 6);
            let unit = 10i64.pow(u32::from(drop));
            let scaled = scale(&text, 6 - drop).unwrap();
            let error = (scaled.units * unit - value).abs();
            proptest::prop_assert!(error * 2 <= unit);
            proptest::prop_assert_eq!(scaled.rounded, error != 0);
            if error * 2 == unit {
                proptest::prop_assert_eq!(scaled.units % 2, 0);
            }
        }
    }
}
