//! What needs no key server: help, and mistakes on the command line. One file a case, in `tests/words/`.

use std::path::PathBuf;

use keyroster_testkit::{Result, binary};

/// The program, in an environment that says nothing to it.
fn cases() -> Result<trycmd::TestCases> {
    let program: PathBuf = binary("keyroster")?;
    let cases = trycmd::TestCases::new();
    cases.register_bin("keyroster", program);
    cases.env("HOME", "/nonexistent");
    for variable in ["SERVER", "CA", "TOKEN", "CONFIG"] {
        cases.env(format!("KEYROSTER_{variable}"), "");
    }
    for variable in ["XDG_CONFIG_HOME", "COLUMNS"] {
        cases.env(variable, "");
    }
    Ok(cases)
}

#[test]
fn help_of_every_verb_is_as_it_was_agreed() {
    cases().unwrap().case("tests/words/help/*.trycmd");
}

#[test]
fn a_mistake_on_the_command_line_is_named_and_exits_64() {
    cases().unwrap().case("tests/words/usage/*.trycmd");
}

#[test]
fn a_missing_configuration_is_named_and_exits_78() {
    cases().unwrap().case("tests/words/config/*.trycmd");
}
