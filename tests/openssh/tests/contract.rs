//! `docs/sshd-contract.md` names tests; each must exist.

use std::fs;
use std::path::Path;

#[test]
fn every_test_that_the_contract_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let contract = fs::read_to_string(root.join("../../docs/sshd-contract.md")).unwrap();
    let mut module = String::new();
    let mut named = 0;
    for name in contract.split('`').skip(1).step_by(2) {
        let Some((file, test)) = name.split_once("::") else {
            continue;
        };
        if file != "…" {
            file.clone_into(&mut module);
        }
        if test.matches('_').count() < LEAST_UNDERSCORES {
            continue;
        }
        let source = fs::read_to_string(root.join("tests").join(format!("{module}.rs"))).unwrap();
        assert!(source.contains(&format!("fn {test}()")), "{name}");
        named += 1;
    }
    assert!(named > 30, "only {named} tests are named");
}

/// A test's name is a sentence; other paths with `::` are shorter.
const LEAST_UNDERSCORES: usize = 3;
