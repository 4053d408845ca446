use crate::ModelError;

/// How stale an answer may be on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Freshness {
    max_staleness_s: u32,
    grace_s: u32,
    mode: FreshnessMode,
}

/// What a host does with an answer that is older than max staleness and can't be confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FreshnessMode {
    /// It answers from what it holds until grace has passed.
    Grace,
    /// It answers nothing.
    Strict,
}

/// Which parts of a [`Freshness`] are to be others, each within its limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct FreshnessChange {
    max_staleness_s: Option<u32>,
    grace_s: Option<u32>,
    mode: Option<FreshnessMode>,
}

impl Freshness {
    /// Takes the two bounds in seconds, each within its limits.
    pub fn new(
        max_staleness_s: u32,
        grace_s: u32,
        mode: FreshnessMode,
    ) -> Result<Self, ModelError> {
        within(
            "max staleness in seconds",
            max_staleness_s,
            MIN_MAX_STALENESS_S,
            MAX_MAX_STALENESS_S,
        )?;
        within("grace in seconds", grace_s, 0, MAX_GRACE_S)?;
        Ok(Self {
            max_staleness_s,
            grace_s,
            mode,
        })
    }

    /// The same with some parts exchanged.
    #[must_use]
    pub fn changed(self, change: FreshnessChange) -> Self {
        Self {
            max_staleness_s: change.max_staleness_s.unwrap_or(self.max_staleness_s),
            grace_s: change.grace_s.unwrap_or(self.grace_s),
            mode: change.mode.unwrap_or(self.mode),
        }
    }

    /// Seconds since the last confirmation up to which an answer is fresh.
    pub const fn max_staleness_s(self) -> u32 {
        self.max_staleness_s
    }

    /// Seconds since the last confirmation up to which a stale answer may serve.
    pub const fn grace_s(self) -> u32 {
        self.grace_s
    }

    /// What happens to answers that are stale.
    pub const fn mode(self) -> FreshnessMode {
        self.mode
    }

    /// The strictest of several, taken bound by bound; `None` of none.
    pub fn strictest(several: impl IntoIterator<Item = Self>) -> Option<Self> {
        several.into_iter().reduce(|a, b| Self {
            max_staleness_s: a.max_staleness_s.min(b.max_staleness_s),
            grace_s: a.grace_s.min(b.grace_s),
            mode: match (a.mode, b.mode) {
                (FreshnessMode::Grace, FreshnessMode::Grace) => FreshnessMode::Grace,
                _ => FreshnessMode::Strict,
            },
        })
    }
}

impl FreshnessChange {
    /// Takes the parts that are to be others.
    pub fn new(
        max_staleness_s: Option<u32>,
        grace_s: Option<u32>,
        mode: Option<FreshnessMode>,
    ) -> Result<Self, ModelError> {
        let usual = Freshness::default();
        Freshness::new(
            max_staleness_s.unwrap_or(usual.max_staleness_s),
            grace_s.unwrap_or(usual.grace_s),
            mode.unwrap_or(usual.mode),
        )?;
        Ok(Self {
            max_staleness_s,
            grace_s,
            mode,
        })
    }
}

impl Default for Freshness {
    fn default() -> Self {
        Self {
            max_staleness_s: DEFAULT_MAX_STALENESS_S,
            grace_s: DEFAULT_GRACE_S,
            mode: FreshnessMode::Grace,
        }
    }
}

impl FreshnessMode {
    /// The word for it, as stored and as spoken.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grace => "grace",
            Self::Strict => "strict",
        }
    }
}

fn within(what: &'static str, value: u32, min: u32, max: u32) -> Result<(), ModelError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(ModelError::OutOfRange {
            what,
            value: value.into(),
            min: min.into(),
            max: max.into(),
        })
    }
}

/// Max staleness where nothing else is said, in seconds.
pub const DEFAULT_MAX_STALENESS_S: u32 = 30;
/// The shortest max staleness, in seconds.
pub const MIN_MAX_STALENESS_S: u32 = 1;
/// The longest max staleness, in seconds.
pub const MAX_MAX_STALENESS_S: u32 = 3_600;
/// Grace where nothing else is said, in seconds.
pub const DEFAULT_GRACE_S: u32 = 3_600;
/// The longest grace, in seconds: seven days.
pub const MAX_GRACE_S: u32 = 604_800;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_of_several_takes_each_bound_from_whoever_is_stricter() {
        let short = Freshness::new(5, 7_200, FreshnessMode::Grace).unwrap();
        let strict = Freshness::new(60, 10, FreshnessMode::Strict).unwrap();
        let both = Freshness::new(5, 10, FreshnessMode::Strict).unwrap();
        assert_eq!(Freshness::strictest([short, strict]), Some(both));
        assert_eq!(Freshness::strictest([strict, short]), Some(both));
        assert_eq!(Freshness::strictest([short]), Some(short));
        assert_eq!(Freshness::strictest([]), None);
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let before = Freshness::new(5, 7_200, FreshnessMode::Strict).unwrap();
        let change = |max, grace, mode| FreshnessChange::new(max, grace, mode).unwrap();
        assert_eq!(before.changed(change(None, None, None)), before);
        let grace = before.changed(change(None, Some(0), None));
        assert_eq!(grace, Freshness::new(5, 0, FreshnessMode::Strict).unwrap());
        let rest = before.changed(change(Some(9), None, Some(FreshnessMode::Grace)));
        assert_eq!(
            rest,
            Freshness::new(9, 7_200, FreshnessMode::Grace).unwrap()
        );
        assert!(FreshnessChange::new(Some(0), None, None).is_err());
        assert!(FreshnessChange::new(None, Some(604_801), None).is_err());
    }

    #[test]
    fn bounds_outside_the_limits_are_refused() {
        for (max_staleness_s, grace_s) in [(0, 0), (3_601, 0), (1, 604_801)] {
            assert!(Freshness::new(max_staleness_s, grace_s, FreshnessMode::Grace).is_err());
        }
        assert!(Freshness::new(1, 0, FreshnessMode::Strict).is_ok());
        assert!(Freshness::new(3_600, 604_800, FreshnessMode::Strict).is_ok());
    }
}
