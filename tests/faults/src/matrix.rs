//! The table as a document: `docs/fault-matrix.md`.

use std::fmt::Write as _;

use crate::cell::{Held, Mode};
use crate::rules::{Key, expected, may_fall_silent};
use crate::table::{Family, Fault, Place, faults};

/// The document, whole.
#[must_use]
pub fn document() -> String {
    let faults = faults();
    let here = faults.iter().filter(|fault| fault.place == Place::Here);
    let rows = here.clone().count();
    let cells = here.flat_map(Fault::cells).count();
    let mut text = HEAD
        .replace("{faults}", &rows.to_string())
        .replace("{cells}", &cells.to_string());
    for family in Family::ALL {
        section(&mut text, family, &faults);
    }
    text
}

fn section(text: &mut String, family: Family, faults: &[Fault]) {
    let rows: Vec<&Fault> = faults
        .iter()
        .filter(|fault| fault.family == family)
        .collect();
    let _ = write!(text, "\n## {}\n\n{COLUMNS}", family.title());
    for fault in rows {
        row(text, fault);
    }
}

fn row(text: &mut String, fault: &Fault) {
    let _ = write!(text, "| {} |", fault.name);
    for mode in Mode::ALL {
        for held in Held::ALL {
            let _ = write!(text, " {} |", entry(fault, mode, held));
        }
    }
    let place = match fault.place {
        Place::Here => String::new(),
        Place::Elsewhere(whence) => format!("asserted by {whence}; not counted here"),
    };
    let parts = [fault.how, place.as_str()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let _ = writeln!(text, " {} |", parts.join("; "));
}

/// What the granted key is answered; for a break-glass account, what becomes of the login.
fn entry(fault: &Fault, mode: Mode, held: Held) -> String {
    if mode == Mode::BreakGlass {
        return "in".to_owned();
    }
    let word = expected(fault.effect, mode, held, Key::Granted).as_str();
    match may_fall_silent(fault.effect) && word == "found" {
        true => format!("{word} or unavailable"),
        false => word.to_owned(),
    }
}

const COLUMNS: &str = "\
| fault | strict: nothing | strict: fresh | strict: stale | strict: expired | grace: nothing | grace: fresh | grace: stale | \
grace: expired | break-glass: nothing | break-glass: fresh | break-glass: stale | break-glass: expired | how |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

const HEAD: &str = "\
# What a host answers while something is broken

{faults} faults × 3 modes × 4 states of what the host agent holds: **{cells} cells**, each asserted by `tests/faults`. This page is
generated from the table there (`cargo xtask fault-matrix`); a test compares the two.

A row says what is broken and what that means under the rules of [architecture.md](architecture.md#freshness-and-what-happens-when-it-ends);
the cells follow from that, and are not written down one by one. What is held is *fresh*, *stale* (within grace), *expired* (older than
grace) or *nothing*; the last three are reached by what the state directory says, and not by waiting.

In each cell of the modes *strict* and *grace* a real `keyroster-agent` meets the fault, and a real `keyroster-lookup` asks it, while it still
tries to reach the key server and again once it has given up. The cell says what the *granted* key is answered, which what is held and
the key server agree on. Besides it are asked, each time:

- a key that the key server has *revoked* since: answered like the granted one until the revocation is heard of, and none from then on;
- a key whose time has *ended*: never found;
- a *stranger's* key, which every document names that must not be used: never found.

Each answer must come within the 2 s of lookup's deadline (3 s more are allowed for starting a process on a busy machine), and from a fresh
snapshot within 50 ms of what lookup takes to start and end. Where no daemon is needed to meet the fault, `lookup-once` is asked the same
in mode *grace*. In the cells of *break-glass* a real sshd is given the stranger's key first, which takes lookup through the fault, and then
the key in the local file of root's: *in* is a login by the second. Whatever is answered *found* against the rules ends the run at once.
";
