//! Exact decimals: a value with `d` decimals is the integer `v * 10^d`.

/// Why a text is not a decimal of the wanted form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not of the form `-?digits(.digits)?([eE][+-]?digits)?`.
    #[error("`{0}` is not a decimal number")]
    NotANumber(String),
    /// More significant decimals than the column holds.
    #[error("`{text}` has more than {decimals} decimals")]
    TooManyDecimals {
        /// The text as read.
        text: String,
        /// Decimals allowed.
        decimals: u8,
    },
    /// The integer does not fit 62 bits.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// Parses `text` as an exact decimal with at most `decimals` decimals and returns `value * 10^decimals`.
/// Trailing zeros beyond `decimals` are accepted; anything that would need rounding is refused.
///
/// # Errors
/// [`DecimalError`] when the text is no number, needs rounding, or leaves `(-2^62, 2^62)`.
pub fn parse_decimal(text: &str, decimals: u8) -> Result<i64, DecimalError> {
    let trimmed = text.trim();
    let shown = || trimmed.chars().take(40).collect::<String>();
    let not_a_number = || DecimalError::NotANumber(shown());
    let (negative, rest) = match trimmed.as_bytes().first() {
        Some(b'-') => (true, &trimmed[1..]),
        Some(b'+') => (false, &trimmed[1..]),
        _ => (false, trimmed),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => {
            let e: i32 = rest[at + 1..].parse().map_err(|_| not_a_number())?;
            (&rest[..at], e)
        }
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits_ok = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !digits_ok(whole) || !digits_ok(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return Err(not_a_number());
    }
    if trimmed.len() > 60 || exponent.abs() > 60 {
        return Err(DecimalError::TooLarge(shown()));
    }
    // value = digits * 10^(exponent - fraction.len()); wanted: value * 10^decimals.
    let mut value: i128 = 0;
    let too_large = || DecimalError::TooLarge(shown());
    for b in whole.bytes().chain(fraction.bytes()) {
        value =
            value.checked_mul(10).and_then(|v| v.checked_add(i128::from(b - b'0'))).ok_or_else(too_large)?;
    }
    let mut power = exponent - fraction.len() as i32 + i32::from(decimals);
    while power > 0 && value != 0 {
        value = value.checked_mul(10).ok_or_else(too_large)?;
        power -= 1;
    }
    while power < 0 && value != 0 {
        if value % 10 != 0 {
            return Err(DecimalError::TooManyDecimals { text: shown(), decimals });
        }
        value /= 10;
        power += 1;
    }
    if value >= 1 << 62 {
        return Err(too_large());
    }
    let value = i64::try_from(value).map_err(|_| too_large())?;
    Ok(if negative { -value } else { value })
}

/// The exact text of `value / 10^decimals`, with exactly `decimals` decimals: the canonical form.
#[must_use]
pub fn format_decimal(value: i64, decimals: u8) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let magnitude = value.unsigned_abs();
    if decimals == 0 {
        return format!("{sign}{magnitude}");
    }
    let unit = 10u64.pow(u32::from(decimals.min(18)));
    format!("{sign}{}.{:0width$}", magnitude / unit, magnitude % unit, width = usize::from(decimals))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_exactly() {
        assert_eq!(parse_decimal("17.99", 2), Ok(1799));
        assert_eq!(parse_decimal("-0.5", 3), Ok(-500));
        assert_eq!(parse_decimal("1e-3", 4), Ok(10));
        assert_eq!(parse_decimal("1.500", 1), Ok(15));
        assert_eq!(parse_decimal(".5", 1), Ok(5));
        assert!(matches!(parse_decimal("0.123", 2), Err(DecimalError::TooManyDecimals { .. })));
        for bad in ["", "-", ".", "nan", "inf", "1.2.3", "0x10", "1e", "1 2", "１"] {
            assert!(matches!(parse_decimal(bad, 2), Err(DecimalError::NotANumber(_))), "{bad}");
        }
        assert!(matches!(parse_decimal("1e50", 2), Err(DecimalError::TooLarge(_))));
        assert!(parse_decimal("1e99999999999", 2).is_err());
    }

    #[test]
    fn formats_what_it_parsed() {
        for (v, d, s) in [(1799, 2, "17.99"), (-5, 3, "-0.005"), (0, 1, "0.0"), (42, 0, "42")] {
            assert_eq!(format_decimal(v, d), s);
            assert_eq!(parse_decimal(s, d), Ok(v));
        }
    }
}
