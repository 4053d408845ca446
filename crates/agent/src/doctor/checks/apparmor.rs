//! AppArmor, and what both of its kind have in common.

use std::collections::BTreeSet;

use crate::doctor::facts::kernel::{By, KernelFacts};
use crate::doctor::finding::{Finding, Rule, rules};

rules! {
    DENIALS = Warning "apparmor-denials": "AppArmor kept keyroster or sshd from something lately",
        "a profile of sshd's covers the key command too, and may not know the host agent's socket",
        Judge "load the profiles of packaging/apparmor (docs/mandatory-access.md), then look at what is left with journalctl -k -g apparmor";
    SSHD_PROFILE = Note "apparmor-sshd": "a profile confines sshd",
        "what sshd starts is confined with it: the profile has to let the lookup run and reach the host agent",
        Judge "compare the profile with docs/mandatory-access.md";
}

/// The verdicts; none where AppArmor is off.
#[must_use]
pub fn check(kernel: &KernelFacts) -> Vec<Finding> {
    if !kernel.apparmor {
        return Vec::new();
    }
    let mut profiles = kernel.profiles.iter().flatten();
    let sshd = profiles.find(|(name, mode)| name.ends_with("sshd") && mode == "enforce");
    let confined = sshd.map(|(name, _)| format!("profile \"{name}\" is enforced"));
    vec![
        denied(&DENIALS, kernel, By::AppArmor),
        Finding::judge(&SSHD_PROFILE, confined, "no profile confines sshd"),
    ]
}

/// What one of them kept from happening.
pub(super) fn denied(rule: &'static Rule, kernel: &KernelFacts, by: By) -> Finding {
    let denials = match &kernel.denials {
        Ok(denials) => denials,
        Err(unseen) => return Finding::unseen(rule, &unseen.0),
    };
    let mut texts: Vec<String> = denials
        .iter()
        .filter(|denial| denial.by == by)
        .map(|denial| format!("{} {}", denial.program, denial.what))
        .collect();
    // A syslog and the journal may both have it.
    let mut seen = BTreeSet::new();
    texts.retain(|text| seen.insert(text.clone()));
    let few: Vec<String> = texts.iter().rev().take(MAX_SHOWN).cloned().collect();
    let words = (!texts.is_empty()).then(|| {
        format!(
            "{} kinds of denials, the last ones: {}",
            texts.len(),
            few.join("; ")
        )
    });
    Finding::judge(
        rule,
        words,
        "the kernel told of no denial within the last day",
    )
}

const MAX_SHOWN: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::selinux;
    use crate::doctor::checks::testing::{broken, unseen};
    use crate::doctor::facts::Unseen;
    use crate::doctor::facts::kernel::Denial;

    fn kernel() -> KernelFacts {
        KernelFacts {
            selinux_enforces: Some(true),
            apparmor: true,
            profiles: Some(vec![("/usr/sbin/cupsd".to_owned(), "enforce".to_owned())]),
            denials: Ok(Vec::new()),
        }
    }

    fn both(kernel: &KernelFacts) -> Vec<Finding> {
        [selinux::check(kernel), check(kernel)].concat()
    }

    #[test]
    fn without_denials_all_is_fine_and_where_both_are_off_nothing_is_said() {
        assert_eq!(broken(&both(&kernel())), [""; 0]);
        let off = KernelFacts {
            selinux_enforces: None,
            apparmor: false,
            ..kernel()
        };
        assert_eq!(both(&off), []);
    }

    #[test]
    fn each_denial_is_told_by_whose_it_is() {
        for (by, id) in [
            (By::SeLinux, "selinux-denials"),
            (By::AppArmor, "apparmor-denials"),
        ] {
            let denial = Denial {
                by,
                program: "keyroster-looku".to_owned(),
                what: "connectto".to_owned(),
            };
            assert_eq!(
                broken(&both(&KernelFacts {
                    denials: Ok(vec![denial]),
                    ..kernel()
                })),
                [id]
            );
        }
    }

    #[test]
    fn a_permissive_selinux_and_a_confined_sshd_are_notes() {
        let confined = vec![("/usr/sbin/sshd".to_owned(), "enforce".to_owned())];
        let facts = KernelFacts {
            selinux_enforces: Some(false),
            profiles: Some(confined),
            ..kernel()
        };
        assert_eq!(
            broken(&both(&facts)),
            ["selinux-permissive", "apparmor-sshd"]
        );
    }

    #[test]
    fn a_log_that_may_not_be_read_is_no_verdict() {
        let facts = KernelFacts {
            denials: Err(Unseen::because("not root")),
            ..kernel()
        };
        assert_eq!(
            unseen(&both(&facts)),
            ["selinux-denials", "apparmor-denials"]
        );
    }
}
