//! Binary fixed point as decimal text.

/// Most decimals shown.
const MAX_DECIMALS: u32 = 6;

/// `value / 2^exponent` rounded half away from zero to as many decimals as the scale resolves, at most six. For people:
/// the integer is what a claim is about.
pub(crate) fn format_binary(value: i64, exponent: i32) -> String {
    if !(-40..=80).contains(&exponent) {
        return format!("{:e}", value as f64 * f64::powi(2.0, -exponent));
    }
    let sign = if value < 0 { "-" } else { "" };
    let magnitude = u128::from(value.unsigned_abs());
    if exponent <= 0 {
        return format!("{sign}{}", magnitude << exponent.unsigned_abs());
    }
    let exponent = exponent.unsigned_abs();
    // 2^-e has about 0.30103 e leading decimal digits.
    let decimals = (exponent * 30_103).div_ceil(100_000).min(MAX_DECIMALS);
    let unit = 10u128.pow(decimals);
    // Below 2^63 * 10^6 + 2^79: within 128 bits.
    let scaled = (magnitude * unit + (1 << (exponent - 1))) >> exponent;
    let sign = if scaled == 0 { "" } else { sign };
    format!("{sign}{}.{:0width$}", scaled / unit, scaled % unit, width = decimals as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_binary_fixed_point() {
        for (value, exponent, want) in [
            (0, 8, "0.000"),
            (256, 8, "1.000"),
            (-822, 8, "-3.211"),
            (1, 8, "0.004"),
            (3, 1, "1.5"),
            (-3, 1, "-1.5"),
            (1, 2, "0.3"),
            (7, 0, "7"),
            (-7, -3, "-56"),
            (-1, 40, "0.000000"),
            (i64::MIN, 0, "-9223372036854775808"),
            (i64::MIN, -40, "-10141204801825835211973625643008"),
            (i64::MAX, 80, "0.000008"),
            (1, 1000, "9.332636185032189e-302"),
        ] {
            assert_eq!(format_binary(value, exponent), want, "{value} / 2^{exponent}");
        }
    }
}
