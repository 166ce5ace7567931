//! Numbers: what is one, and whether it says all that is written.

use serde_json::Value;

/// The first whole number that Kubernetes does not keep exactly, which keeps 64 bits with a sign.
const BOUND: f64 = 9_223_372_036_854_775_808.0;

/// The number that a plain scalar is, or else the text that it is. Fails where the number says less than the text, with
/// what to write.
pub(super) fn read(text: &str) -> Result<Value, String> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return Ok(Value::from(text));
    }
    let digits = text.replace('_', "");
    if let Some(whole) = whole(&digits) {
        return i64::try_from(whole).map(Value::from).map_err(|_| too_large(text));
    }
    let Some(decimal) = Decimal::of(&digits) else {
        return Ok(Value::from(text));
    };
    let Some(float) = digits.parse::<f64>().ok().filter(|float| float.is_finite()) else {
        return Ok(Value::from(text));
    };
    if float.abs() >= BOUND {
        return Err(too_large(text));
    }
    let value = normal_float(float);
    if decimal.is_ambiguous() || !decimal.is(float) {
        let shown = value.as_i64().map_or_else(|| float.to_string(), |whole| whole.to_string());
        return Err(format!(
            "{text} is read as the number {shown}; write {shown}, or for a text write it in quotes: \"{text}\""
        ));
    }
    Ok(value)
}

/// A value with one way to write each number: `1.0` is `1`.
pub(crate) fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => number.as_f64().map_or(Value::Null, normal_float),
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(map) => map.iter().map(|(key, inner)| (key.clone(), normal(inner))).collect(),
        other => other.clone(),
    }
}

/// Whether Kubernetes keeps a number as it is.
pub(crate) fn is_exact(number: &serde_json::Number) -> bool {
    number.is_i64() || number.as_f64().is_some_and(|float| float.abs() < BOUND)
}

fn normal_float(float: f64) -> Value {
    if float.fract() == 0.0 && float.abs() < BOUND { Value::from(float as i64) } else { Value::from(float) }
}

fn too_large(text: &str) -> String {
    format!(
        "{text} is larger than a number that Kubernetes keeps exactly, at most {}; write it in quotes, as a text: \"{text}\"",
        i64::MAX
    )
}

/// A whole number: decimal, octal (`0027`, `0o27`), hexadecimal (`0x1f`) or binary (`0b1`).
fn whole(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefixed = |prefix: [&str; 2]| prefix.iter().find_map(|prefix| digits.strip_prefix(prefix));
    let octal = || (digits.len() > 1 && digits.starts_with('0')).then_some(digits);
    let (radix, digits) = if let Some(digits) = prefixed(["0x", "0X"]) {
        (16, digits)
    } else if let Some(digits) = prefixed(["0b", "0B"]) {
        (2, digits)
    } else if let Some(digits) = prefixed(["0o", "0O"]).or_else(octal) {
        (8, digits)
    } else {
        (10, digits)
    };
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let number = i128::from(u64::from_str_radix(digits, radix).ok()?);
    // What has no room in 64 bits is a text to Go where it is hexadecimal, and a float where it is decimal.
    if negative { i64::try_from(-number).ok().map(i128::from) } else { Some(number) }
}

/// A number as it is written in decimal.
struct Decimal<'a> {
    integer: &'a str,
    fraction: &'a str,
    exponent: Option<&'a str>,
}

impl<'a> Decimal<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (number, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, Some(exponent)),
            None => (unsigned, None),
        };
        let (integer, fraction) = number.split_once('.').unwrap_or((number, ""));
        let are_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        let is_exponent = |text: &str| {
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            !digits.is_empty() && are_digits(digits)
        };
        let fits = are_digits(integer)
            && are_digits(fraction)
            && !(integer.is_empty() && fraction.is_empty())
            && exponent.is_none_or(is_exponent);
        fits.then_some(Self { integer, fraction, exponent })
    }

    /// Whether a text that is no number, such as a version or the hash of a commit, is likely to look like this.
    fn is_ambiguous(&self) -> bool {
        let leading_zero = self.integer.len() > 1 && self.integer.starts_with('0');
        let trailing_zero = self.fraction.len() > 1 && self.fraction.ends_with('0');
        let like_a_hash = self.fraction.is_empty() && self.exponent.is_some_and(|e| !e.starts_with('-'));
        leading_zero || trailing_zero || like_a_hash
    }

    /// Whether a float is this very number.
    fn is(&self, float: f64) -> bool {
        let shortest = format!("{:e}", float.abs());
        let same = Decimal::of(&shortest).and_then(|decimal| decimal.significant());
        same.is_some() && self.significant() == same
    }

    /// Its digits without zeros around them, and the power of ten of the last one.
    fn significant(&self) -> Option<(String, i64)> {
        let digits = format!("{}{}", self.integer, self.fraction);
        let digits = digits.trim_start_matches('0');
        let kept = digits.trim_end_matches('0');
        if kept.is_empty() {
            return Some((String::new(), 0));
        }
        let exponent: i64 = self.exponent.map_or(Ok(0), str::parse).ok()?;
        let dropped = digits.len() - kept.len();
        let shift = i64::try_from(dropped).ok()? - i64::try_from(self.fraction.len()).ok()?;
        Some((kept.to_owned(), exponent.checked_add(shift)?))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_to_write_a_number_is_one() {
        let value = json!({"a": 1.0, "b": [2.0, 1.5, -0.0], "c": {"d": 1e16}, "e": "1.0"});
        assert_eq!(
            normal(&value),
            json!({"a": 1, "b": [2, 1.5, 0], "c": {"d": 10_000_000_000_000_000_i64}, "e": "1.0"})
        );
    }

    #[rstest]
    #[case("9223372036854775807", true)]
    #[case("9223372036854775808", false)]
    #[case("18446744073709552000", false)]
    #[case("-9223372036854775808", true)]
    #[case("0.1", true)]
    #[case("1e300", false)]
    fn numbers_beyond_64_bits_are_not_kept(#[case] json: &str, #[case] exact: bool) {
        let number: serde_json::Number = serde_json::from_str(json).unwrap();
        assert_eq!(is_exact(&number), exact);
    }
}
