// SPDX-License-Identifier: Apache-2.0
//! The process is killed at every point before and after a lasting effect, and started again: nothing may be lost, done twice or half
//! done. What is looked at is what anyone outside can see.

mod fleet;
mod keys;
mod matrix;
mod starts;

use matrix::run;

#[test]
fn a_first_start_may_be_cut_off_anywhere() {
    run(&starts::FIRST);
}

#[test]
fn a_due_rotation_may_be_cut_off_anywhere() {
    run(&keys::DUE);
}

#[test]
fn a_rotation_by_the_operator_may_be_cut_off_anywhere() {
    run(&keys::ROTATION);
}

#[test]
fn an_emergency_revocation_may_be_cut_off_anywhere() {
    run(&keys::REVOCATION);
}

#[test]
fn a_rotation_of_the_key_encryption_key_may_be_cut_off_anywhere() {
    run(&keys::KEY_ENCRYPTION);
}

#[test]
fn an_enrolment_may_be_cut_off_anywhere() {
    run(&fleet::ENROLMENT);
}

#[test]
fn a_renewal_may_be_cut_off_anywhere() {
    run(&fleet::RENEWAL);
}

#[test]
fn a_placement_may_be_cut_off_anywhere() {
    run(&fleet::PLACEMENT);
}

#[test]
fn scaling_down_may_be_cut_off_anywhere() {
    run(&fleet::SCALE_DOWN);
}

#[test]
fn a_ban_may_be_cut_off_anywhere() {
    run(&fleet::BAN);
}

#[test]
fn a_groups_deletion_may_be_cut_off_anywhere() {
    run(&fleet::DELETION);
}
