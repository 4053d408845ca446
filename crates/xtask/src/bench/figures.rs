//! Medians, percentiles, and aims.

use std::fmt;

use serde::Serialize;

/// A set of measurements of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// All but one in a hundred are no larger.
    pub p99: f64,
    /// How many there were.
    pub runs: usize,
}

impl Spread {
    /// Of these measurements; zeros for none.
    pub fn of(mut measurements: Vec<f64>) -> Self {
        measurements.sort_by(f64::total_cmp);
        Self {
            median: at(&measurements, 0.5),
            p99: at(&measurements, 0.99),
            runs: measurements.len(),
        }
    }
}

fn at(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted
        .get((last as f64 * share).round() as usize)
        .copied()
        .unwrap_or(0.0)
}

/// How a ratio or a figure is to lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

/// A figure that there is an aim for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Aim {
    /// What it is.
    pub what: String,
    /// What was measured.
    pub measured: f64,
    /// What it should be.
    pub bound: Bound,
}

impl Aim {
    /// That `measured` is no larger than `bound`.
    pub fn at_most(what: &str, measured: f64, bound: f64) -> Self {
        Self {
            what: what.to_owned(),
            measured,
            bound: Bound::AtMost(bound),
        }
    }

    /// That `measured` is no smaller than `bound`.
    pub fn at_least(what: &str, measured: f64, bound: f64) -> Self {
        Self {
            what: what.to_owned(),
            measured,
            bound: Bound::AtLeast(bound),
        }
    }

    fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtMost(bound) => self.measured <= bound,
            Bound::AtLeast(bound) => self.measured >= bound,
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, bound) = match self.bound {
            Bound::AtMost(bound) => ("≤", bound),
            Bound::AtLeast(bound) => ("≥", bound),
        };
        let verdict = if self.is_met() { "met" } else { "MISSED" };
        let measured = number(self.measured);
        write!(
            f,
            "{:<58} {measured:>9}  {sign} {:<8} {verdict}",
            self.what,
            number(bound)
        )
    }
}

/// Large numbers without decimals, small ones with two.
pub fn number(value: f64) -> String {
    if value.abs() >= 1_000.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_the_99th_percentile_are_measurements_that_were_made() {
        let spread = Spread::of((1..=101).rev().map(f64::from).collect());
        assert_eq!((spread.median, spread.p99, spread.runs), (51.0, 100.0, 101));
    }

    #[test]
    fn an_aim_that_is_missed_says_so() {
        assert!(Aim::at_most("x", 1.3, 1.25).to_string().ends_with("MISSED"));
        assert!(Aim::at_least("x", 0.7, 0.6).to_string().ends_with("met"));
    }
}
