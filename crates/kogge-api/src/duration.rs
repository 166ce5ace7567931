//! Reads durations without a panic: `kube_core`'s own reader multiplies and adds without a check, so that a text such as
//! `5s-3s` or one with too many hours would end the process that reads it.

use std::time::Duration as Std;

use kube_core::Duration;
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer};

/// More than any field allows: ten years.
const LONGEST: Std = Std::from_hours(10 * 366 * 24);

/// A duration such as `168h` or `1h30m`, of either sign, up to ten years.
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let refused = || {
        D::Error::invalid_value(Unexpected::Str(&text), &"a duration of at most ten years, such as 168h or 1h30m")
    };
    if !is_readable(&text) {
        return Err(refused());
    }
    text.parse().map_err(|_| refused())
}

/// Whether every part of it is a number without a sign and a unit, and all of them together are not too long.
fn is_readable(text: &str) -> bool {
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let unit = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
            "ns" => 1e-9,
            _ => return false,
        };
        let Ok(number) = number.parse::<f64>() else { return false };
        seconds += number * unit;
        rest = after;
    }
    !text.trim_start_matches(['+', '-']).is_empty() && seconds <= LONGEST.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_value(value: Value) -> Result<Duration, serde_json::Error> {
        read(value)
    }

    #[test]
    fn what_kubernetes_takes_is_read() {
        for (text, seconds) in
            [("0", 0.0), ("0s", 0.0), ("168h", 604_800.0), ("1h30m", 5400.0), ("1.5h", 5400.0), ("250ms", 0.25)]
        {
            let read: Std = read_value(json!(text)).unwrap().into();
            assert!((read.as_secs_f64() - seconds).abs() < 1e-9, "{text}");
        }
        assert!(read_value(json!("-1s")).unwrap().is_negative());
    }

    #[test]
    fn field_20_no_duration_ends_the_process_that_reads_it() {
        let long = format!("{}h", "9".repeat(400));
        for text in
            ["5s-3s", "--5s", "-", "", "5", "5s3", "1e9h", "inf", "NaNs", "99999999999999999999h", "1.2.3s", &long]
        {
            let error = read_value(json!(text)).unwrap_err().to_string();
            assert!(error.contains("such as 168h"), "{text}: {error}");
        }
        assert!(read_value(json!(5)).is_err() && read_value(json!(null)).is_err());
    }
}
