//! Kubernetes quantities by value: the API server stores `1000m` as `1` and `1024Mi` as `1Gi`.

/// Quantities are compared in units of 10⁻⁹, the finest that Kubernetes knows.
const NANO_DIGITS: i32 = 9;

/// Whether two texts are the same quantity; false where one is none.
pub(crate) fn equal(one: &str, other: &str) -> bool {
    matches!((nanos(one), nanos(other)), (Some(a), Some(b)) if a == b)
}

/// A quantity in units of 10⁻⁹, rounded up as the API server does; none where it is malformed or too large.
///
/// The grammar is that of `k8s.io/apimachinery/pkg/api/resource.Quantity`.
fn nanos(text: &str) -> Option<i128> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let digits: i128 = format!("0{whole}{fraction}").parse().ok()?;
    let (binary, decimal) = scale(suffix)?;
    let exponent = decimal + NANO_DIGITS - i32::try_from(fraction.len()).ok()?;
    let scaled = digits.checked_mul(1_i128.checked_shl(binary)?)?;
    let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
    let value = if exponent >= 0 {
        scaled.checked_mul(power)?
    } else {
        scaled.checked_add(power - 1)?.checked_div(power)?
    };
    Some(if negative { -value } else { value })
}

/// A suffix as a power of two and a power of ten.
fn scale(suffix: &str) -> Option<(u32, i32)> {
    Some(match suffix {
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "" => (0, 0),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        exponent => (0, exponent.strip_prefix(['e', 'E'])?.parse().ok().filter(|e: &i32| e.abs() <= 36)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("1000m", "1")]
    #[case("0.5", "500m")]
    #[case("1024Mi", "1Gi")]
    #[case("1.5Gi", "1536Mi")]
    #[case("1e3", "1k")]
    #[case("1E3", "1000")]
    #[case("1E", "1000P")]
    #[case("0", "0.0")]
    #[case("-1", "-1000m")]
    #[case("+2", "2")]
    #[case("0.1n", "1n")]
    fn are_equal(#[case] one: &str, #[case] other: &str) {
        assert!(equal(one, other));
    }

    #[rstest]
    #[case("1G", "1Gi")]
    #[case("1", "2")]
    #[case("1", "-1")]
    #[case("one", "one")]
    #[case("", "")]
    #[case("1e99", "1e99")]
    #[case("1.2.3", "1.2.3")]
    #[case("999999999999999999999999999999999999999999", "1")]
    fn are_not_equal(#[case] one: &str, #[case] other: &str) {
        assert!(!equal(one, other));
    }
}
