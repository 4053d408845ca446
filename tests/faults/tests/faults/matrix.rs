//! The document, and that the table has no hole.

use std::collections::BTreeSet;
use std::path::Path;

use keyroster_faults::{Cell, Family, Held, Mode, document, faults};

#[test]
fn the_committed_matrix_is_the_one_that_the_table_gives() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fault-matrix.md");
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(
        committed == document(),
        "docs/fault-matrix.md is not what the table gives; run `cargo xtask fault-matrix`"
    );
}

#[test]
fn every_fault_has_its_twelve_cells_and_a_name_of_its_own() {
    let cells: Vec<Cell> = faults()
        .iter()
        .flat_map(|fault| fault.cells().collect::<Vec<_>>())
        .collect();
    let different: BTreeSet<Cell> = cells.iter().copied().collect();
    assert_eq!(
        cells.len(),
        faults().len() * Mode::ALL.len() * Held::ALL.len()
    );
    assert_eq!(different.len(), cells.len(), "two faults have one name");
}

#[test]
fn every_family_has_faults_and_every_fault_is_in_one() {
    for family in Family::ALL {
        assert!(
            faults().iter().any(|fault| fault.family == family),
            "{family:?}"
        );
    }
}
