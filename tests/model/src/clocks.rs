//! Ages as the model has them, and moments as the rules have them.

use std::time::Duration;

use keyroster_agent::core::freshness::{Confirmation, Found};
use keyroster_agent::core::moment::{BootId, Moment};

use crate::world::{Least, Stamp};

/// The moment that `stamp` stands for.
pub(crate) fn moment(stamp: Stamp) -> Moment {
    let age_s = u32::from(stamp.age) * UNIT_S;
    Moment {
        boot: boot(stamp.boot),
        since_boot: SINCE_BOOT - Duration::from_secs(age_s.into()),
        wall_ms: (TIME_S - i64::from(age_s) + i64::from(stamp.ahead) * i64::from(UNIT_S)) * 1000,
    }
}

/// The confirmation of what was asked then.
pub(crate) fn confirmation(stamp: Stamp) -> Confirmation {
    let age_s = i64::from(stamp.age) * i64::from(UNIT_S);
    let found = stamp.least.map(|least| Found {
        boot: boot(least.boot),
        since_boot: SINCE_BOOT,
        age: Duration::from_secs((u32::from(least.age) * UNIT_S).into()),
    });
    Confirmation {
        found,
        ..Confirmation::at(&moment(stamp), TIME_S - age_s)
    }
}

/// The other way.
pub(crate) fn stamp(confirmation: &Confirmation) -> Stamp {
    let age_s = (SINCE_BOOT - confirmation.since_boot).as_secs();
    let wall_s = confirmation.wall_ms / 1000;
    let ahead_s = wall_s - (TIME_S - i64::try_from(age_s).unwrap());
    let least = confirmation.found.map(|found| {
        let age_s = (SINCE_BOOT - found.since_boot + found.age).as_secs();
        Least {
            age: u8::try_from(age_s / u64::from(UNIT_S)).unwrap(),
            boot: boot_number(found.boot),
        }
    });
    Stamp {
        age: u8::try_from(age_s / u64::from(UNIT_S)).unwrap(),
        ahead: i8::try_from(ahead_s / i64::from(UNIT_S)).unwrap(),
        boot: boot_number(confirmation.boot),
        least,
    }
}

fn boot_number(id: BootId) -> u8 {
    (0..=u8::MAX).find(|number| boot(*number) == id).unwrap()
}

fn boot(number: u8) -> BootId {
    BootId::parse(&format!("{number:032x}")).unwrap()
}

/// Seconds of one unit of time.
pub(crate) const UNIT_S: u32 = 10;

/// The present, on the boot clock: later than any age that is told apart.
const SINCE_BOOT: Duration = Duration::from_secs(100_000);

/// The present, truly, in seconds since the Unix epoch.
pub(crate) const TIME_S: i64 = 1_000_000;

#[test]
fn a_moment_is_told_by_its_age_without_loss() {
    for (age, ahead, boot) in [(0, 0, 0), (7, -2, 1), (3, 2, 2)] {
        for least in [None, Some(Least { age: 2, boot: 4 })] {
            let told = Stamp {
                age,
                ahead,
                boot,
                least,
            };
            assert_eq!(stamp(&confirmation(told)), told);
        }
    }
}
