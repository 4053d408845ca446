//! Every cell of the table, family by family.

use keyroster_faults::{Family, run};

fn every_cell_is_as_the_rules_have_it(family: Family) {
    match run(family).unwrap().verdict() {
        Ok(summary) => println!("{summary}"),
        Err(flaws) => panic!("{flaws}"),
    }
}

#[test]
fn a_key_server_that_can_not_be_reached_leaves_what_is_held_by_its_age() {
    every_cell_is_as_the_rules_have_it(Family::Network);
}

#[test]
fn an_answer_without_a_snapshot_decides_nothing_unless_it_says_that_the_host_is_out() {
    every_cell_is_as_the_rules_have_it(Family::Answers);
}

#[test]
fn an_answer_that_has_no_end_or_would_fill_the_machine_decides_nothing() {
    every_cell_is_as_the_rules_have_it(Family::Size);
}

#[test]
fn a_certificate_that_is_wrong_ends_the_conversation_and_no_answer() {
    every_cell_is_as_the_rules_have_it(Family::Certificates);
}

#[test]
fn a_document_that_may_not_be_used_changes_nothing_and_a_sound_one_everything() {
    every_cell_is_as_the_rules_have_it(Family::Documents);
}

#[test]
fn an_answer_that_nobody_vouches_for_is_no_answer() {
    every_cell_is_as_the_rules_have_it(Family::Heartbeats);
}

#[test]
fn an_update_that_does_not_fit_and_a_journal_that_is_spoilt_change_nothing() {
    every_cell_is_as_the_rules_have_it(Family::Updates);
}

#[test]
fn a_state_directory_that_can_not_be_believed_or_written_lets_nobody_in() {
    every_cell_is_as_the_rules_have_it(Family::Disk);
}

#[test]
fn a_machine_in_trouble_answers_in_time_or_not_at_all() {
    every_cell_is_as_the_rules_have_it(Family::Machine);
}
