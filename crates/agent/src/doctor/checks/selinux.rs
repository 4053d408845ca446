//! SELinux.

use crate::doctor::facts::kernel::{By, KernelFacts};
use crate::doctor::finding::{Finding, rules};

rules! {
    DENIALS = Warning "selinux-denials": "SELinux kept keyroster or sshd from something lately",
        "the key command runs in sshd's domain, which may not reach the host agent's socket without a rule",
        Judge "load the module of packaging/selinux (docs/mandatory-access.md), then look at what is left with ausearch -m avc -c keyroster-looku";
    PERMISSIVE = Note "selinux-permissive": "SELinux is on and keeps nothing from happening",
        "what it would have stopped is let through, here and everywhere else on this host",
        Judge "load the module of packaging/selinux, then setenforce 1";
}

/// The verdicts; none where SELinux is off.
#[must_use]
pub fn check(kernel: &KernelFacts) -> Vec<Finding> {
    let Some(enforces) = kernel.selinux_enforces else {
        return Vec::new();
    };
    let permissive = (!enforces).then(|| "SELinux is permissive".to_owned());
    vec![
        super::apparmor::denied(&DENIALS, kernel, By::SeLinux),
        Finding::judge(&PERMISSIVE, permissive, "SELinux enforces"),
    ]
}
