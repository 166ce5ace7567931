//! Quantities of Kubernetes, as far as they are compared here.

use serde_json::Value;

/// The value of a quantity such as `500m` or `2Gi`; none where it is none. It is exact up to 2⁵³.
pub(crate) fn of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => read(text),
        _ => None,
    }
}

/// What a number of a unit is, such as 12 `Gi`.
pub(crate) fn scaled(number: f64, unit: &str) -> Option<f64> {
    scale(unit).map(|scale| number * scale)
}

fn read(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c)).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    scaled(number.parse().ok()?, suffix)
}

fn scale(suffix: &str) -> Option<f64> {
    let binary = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let decimal = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
    let at = |units: &[&str]| units.iter().position(|unit| *unit == suffix).and_then(|at| i32::try_from(at).ok());
    if let Some(power) = at(&binary) {
        return Some(1024_f64.powi(power + 1));
    }
    if let Some(power) = at(&decimal) {
        return Some(1000_f64.powi(power - 3));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    Some(10_f64.powi(exponent))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("2Gi", Some(2_147_483_648.0))]
    #[case("500m", Some(0.5))]
    #[case("1.5Gi", Some(1_610_612_736.0))]
    #[case("1e3", Some(1000.0))]
    #[case("2", Some(2.0))]
    #[case("1k", Some(1000.0))]
    #[case("Gi", None)]
    #[case("2Gb", None)]
    fn is_read(#[case] text: &str, #[case] value: Option<f64>) {
        assert_eq!(of(&Value::from(text)), value);
    }
}
