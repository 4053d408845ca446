//! keyroster on kernels that enforce: Debian 12 in a virtual machine, once with SELinux and once with AppArmor.
//!
//! `tests/beside` asks the policy what it would allow. What programs really do is known only where a kernel refuses everything else, and
//! the worst mistake of all, a policy that locks everybody out, shows nowhere but there. The machines enforce from their first
//! instruction on: nothing is ever tried without. `cargo xtask enforcing` runs it and writes `docs/enforcing-matrix.md`.

mod control;
mod denials;
mod documented;
mod host;
mod image;
mod machine;
pub mod matrix;
mod steps;
pub mod table;

pub use control::Control;
pub use image::Image;
pub use machine::Machine;
