// SPDX-License-Identifier: Apache-2.0
//! The process is killed at every point before and after a lasting effect, and started again: nothing may be lost, done twice or half
//! done. What is looked at is what anyone outside can see. On SQLite every point is tried, on PostgreSQL a few of each scene, chosen
//! by a seed (see [`matrix`]); `CRESS_TEST_CRASHES=all` tries every one there too.

mod authorities;
mod commands;
mod fleet;
mod keys;
mod matrix;
mod migrations;
mod nodes;
mod sites;
mod starts;

/// Every scene as a test, on one store.
macro_rules! on {
    ($store:ident) => {
        use super::matrix::{Scene, run};
        use super::sites::Store;
        use super::{authorities, commands, fleet, keys, migrations, nodes, starts};

        fn play(scene: &Scene) {
            run(scene, Store::$store);
        }

        #[test]
        fn a_first_start_may_be_cut_off_anywhere() {
            play(&starts::FIRST);
        }

        #[test]
        fn a_due_rotation_may_be_cut_off_anywhere() {
            play(&keys::DUE);
        }

        #[test]
        fn a_rotation_by_the_operator_may_be_cut_off_anywhere() {
            play(&keys::ROTATION);
        }

        #[test]
        fn an_emergency_revocation_may_be_cut_off_anywhere() {
            play(&keys::REVOCATION);
        }

        #[test]
        fn a_rotation_of_the_key_encryption_key_may_be_cut_off_anywhere() {
            play(&keys::KEY_ENCRYPTION);
        }

        #[test]
        fn a_rotation_of_the_certificate_authority_may_be_cut_off_anywhere() {
            play(&authorities::SUCCESSION);
        }

        #[test]
        fn a_retirement_of_a_certificate_authority_may_be_cut_off_anywhere() {
            play(&authorities::RETIREMENT);
        }

        #[test]
        fn a_migration_of_old_tables_may_be_cut_off_anywhere() {
            play(&migrations::MIGRATION);
        }

        #[test]
        fn a_copy_of_the_store_may_be_cut_off_anywhere() {
            commands::run(Store::$store);
        }

        #[test]
        fn a_node_may_be_cut_off_anywhere_while_it_joins() {
            nodes::run(&nodes::ENROLMENT, Store::$store);
        }

        #[test]
        fn a_node_may_be_cut_off_anywhere_while_its_certificate_is_renewed() {
            nodes::run(&nodes::RENEWAL, Store::$store);
        }

        #[test]
        fn a_node_may_be_cut_off_anywhere_while_it_proves_its_key() {
            nodes::run(&nodes::RECOVERY, Store::$store);
        }

        #[test]
        fn a_node_may_be_cut_off_anywhere_while_its_authorities_change() {
            nodes::run(&nodes::AUTHORITIES, Store::$store);
        }

        #[test]
        fn an_enrolment_may_be_cut_off_anywhere() {
            play(&fleet::ENROLMENT);
        }

        #[test]
        fn a_renewal_may_be_cut_off_anywhere() {
            play(&fleet::RENEWAL);
        }

        #[test]
        fn a_placement_may_be_cut_off_anywhere() {
            play(&fleet::PLACEMENT);
        }

        #[test]
        fn scaling_down_may_be_cut_off_anywhere() {
            play(&fleet::SCALE_DOWN);
        }

        #[test]
        fn a_ban_may_be_cut_off_anywhere() {
            play(&fleet::BAN);
        }

        #[test]
        fn a_groups_deletion_may_be_cut_off_anywhere() {
            play(&fleet::DELETION);
        }
    };
}

mod sqlite {
    on!(Sqlite);
}

mod postgres {
    on!(Postgres);
}
