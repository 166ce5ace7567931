//! When members may pause for maintenance.

use kube_core::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules::rule;

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;
const WEEK: i64 = 7 * DAY;
/// 1970 began on a Thursday, and weeks are counted from Monday here.
const MONDAY_BEFORE_1970: i64 = -3 * DAY;

/// When members may pause for maintenance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MaintenanceSpec {
    /// The window in which Kogge defragments members, one at a time and the leader last. Each member serves nobody while
    /// it is defragmented. Without a window Kogge defragments only against a NOSPACE alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<MaintenanceWindow>,
}

/// A window that opens every week, or every day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MaintenanceWindow {
    /// The days on which it opens, such as `Saturday`; every day by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>", length(max = 7), inner(length(max = 9)), extend(
        "x-kubernetes-list-type" = "set",
        "x-kubernetes-validations" = [
            rule("self.all(day, day in ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'])",
                "spec.maintenance.window.days must hold English names of weekdays, such as Saturday"),
        ]
    ))]
    pub days: Vec<Weekday>,
    /// The time of day at which it opens, in UTC, such as `02:00`.
    #[schemars(length(max = 5), extend("x-kubernetes-validations" = [
        rule("self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')",
            "spec.maintenance.window.start must be a time of day in UTC between 00:00 and 23:59, such as 02:00"),
    ]))]
    pub start: String,
    /// How long it is open. A defragmentation that has begun is not cut off at its end.
    #[serde(deserialize_with = "crate::duration::read")]
    #[schemars(length(max = 16), extend("x-kubernetes-validations" = [
        rule("duration(self) >= duration('30m') && duration(self) <= duration('24h')",
            "spec.maintenance.window.duration must be between 30m and 24h"),
    ]))]
    pub duration: Duration,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the days' names say all")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    const ALL: [Self; 7] =
        [Self::Monday, Self::Tuesday, Self::Wednesday, Self::Thursday, Self::Friday, Self::Saturday, Self::Sunday];

    /// When it begins, in seconds since the week did.
    fn begins(self) -> i64 {
        self as i64 * DAY
    }
}

impl MaintenanceWindow {
    /// Whether it is open at a time, in seconds since 1970.
    pub fn is_open(&self, now: i64) -> bool {
        let Some(start) = self.start_of_day() else { return false };
        let open_for = i64::try_from(std::time::Duration::from(self.duration).as_secs()).unwrap_or(DAY);
        let days = if self.days.is_empty() { &Weekday::ALL[..] } else { &self.days };
        // It may be open beyond midnight, and beyond the end of the week.
        let since = |day: &Weekday| (now - MONDAY_BEFORE_1970 - day.begins() - start).rem_euclid(WEEK);
        days.iter().any(|day| since(day) < open_for)
    }

    /// `start` in seconds since midnight. The schema lets nothing through that cannot be read.
    fn start_of_day(&self) -> Option<i64> {
        let (hours, minutes) = self.start.split_once(':')?;
        let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
        Some((hours * 60 + minutes) * MINUTE)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    fn window(days: &[Weekday], start: &str, duration: &str) -> MaintenanceWindow {
        let window = serde_json::json!({ "days": days, "start": start, "duration": duration });
        serde_json::from_value(window).unwrap()
    }

    #[track_caller]
    fn check(window: &MaintenanceWindow, open: &[&str], closed: &[&str]) {
        let at = |time: &str| window.is_open(time.parse::<Timestamp>().unwrap().as_second());
        for time in open {
            assert!(at(time), "{window:?} is closed at {time}");
        }
        for time in closed {
            assert!(!at(time), "{window:?} is open at {time}");
        }
    }

    #[test]
    fn a_window_opens_on_its_days_and_for_its_time() {
        // 2026-12-05 is a Saturday.
        check(
            &window(&[Weekday::Saturday], "02:00", "4h"),
            &["2026-12-05T02:00:00Z", "2026-12-05T05:59:59Z", "2026-12-12T03:00:00Z"],
            &["2026-12-05T01:59:59Z", "2026-12-05T06:00:00Z", "2026-12-04T03:00:00Z", "2026-12-06T03:00:00Z"],
        );
        check(
            &window(&[Weekday::Monday, Weekday::Thursday], "00:00", "30m"),
            &["2026-12-07T00:10:00Z", "2026-12-10T00:29:59Z", "1970-01-01T00:00:00Z"],
            &["2026-12-08T00:10:00Z", "2026-12-10T00:30:00Z"],
        );
    }

    #[test]
    fn a_window_stays_open_beyond_midnight_and_the_end_of_the_week() {
        check(
            &window(&[Weekday::Sunday], "23:30", "2h"),
            &["2026-12-06T23:30:00Z", "2026-12-07T01:29:59Z"],
            &["2026-12-06T01:00:00Z", "2026-12-07T01:30:00Z", "2026-12-06T23:29:59Z"],
        );
    }

    #[test]
    fn a_window_without_days_opens_every_day_and_may_be_open_all_the_time() {
        let daily = window(&[], "22:00", "3h");
        for day in 1..=7 {
            let at = |hour: u32| format!("2026-12-{day:02}T{hour:02}:30:00Z");
            check(&daily, &[&at(0), &at(22), &at(23)], &[&at(1), &at(21)]);
        }
        check(&window(&[], "05:00", "24h"), &["2026-12-01T04:59:59Z", "2026-12-01T05:00:00Z"], &[]);
    }

    #[test]
    fn a_window_whose_start_cannot_be_read_never_opens() {
        check(&window(&[], "soon", "24h"), &[], &["2026-12-01T04:59:59Z"]);
    }
}
