// SPDX-License-Identifier: Apache-2.0
//! The suite. Each case takes a fresh, empty database and knows nothing of its engine.

pub(crate) mod audit;
pub(crate) mod authorities;
pub(crate) mod broker;
pub(crate) mod broker_due;
pub(crate) mod broker_secrets;
pub(crate) mod cancellation;
pub(crate) mod feed;
pub(crate) mod groups;
pub(crate) mod join;
pub(crate) mod keyring;
pub(crate) mod nodes;
pub(crate) mod placement;
pub(crate) mod races;
pub(crate) mod tenants;

/// Makes one test of each case, for the engine whose fresh databases `$fresh` makes.
macro_rules! conformance {
    ($fresh:path) => {
        conformance! { $fresh;
            audit: lines_are_kept_to_the_byte_and_once, keys_are_added_once_and_sealed_anew;
            authorities: replicas_agree_on_the_first, an_envelope_is_replaced, one_follows_another_once,
                what_is_over_is_forgotten_and_one_remains, one_is_retired_at_once_but_never_the_only_one;
            broker: a_lease_is_kept_whole, caps_are_counted_where_they_are_checked, an_answer_is_given_again_and_then_erased,
                an_owner_alone_renews_and_ends, hostile_ids_are_kept_apart, selections_are_revoked_whole, lists_have_pages,
                writes_of_two_replicas_keep_the_caps, a_store_that_went_back_is_noticed;
            broker_due: what_is_due_is_claimed_once, a_claim_ends_by_itself, what_is_gone_is_forgotten_later,
                what_leaves_nothing_lapses, what_is_owed_is_told, a_comparison_has_one_turn;
            broker_secrets: versions_are_put_chosen_and_erased, a_version_is_sealed_anew_unless_it_was_retired;
            cancellation: a_dropped_call_leaves_the_whole_or_nothing;
            feed: changes_add_up_to_the_snapshot, every_write_is_told, old_questions_are_answered_with_a_reload,
                the_deployment_id_is_made_once;
            groups: are_found_by_name_with_all_that_tokens_say, definitions_are_replaced, deletion_ends_instances;
            join: a_token_enrols_one_key, a_lost_answer_is_given_again, a_known_key_keeps_its_machine_id,
                a_removed_node_needs_a_new_token, a_banned_key_never_returns, capacity_is_capped,
                a_token_says_whose_instances_its_node_may_run,
                an_older_token_does_not_undo_the_bounds_of_a_younger_one;
            keyring: a_ring_is_kept_whole, rings_are_apart, a_swap_needs_the_version;
            nodes: certificates_are_noted, bans_and_removals_end_instances, two_agents_with_one_key_are_noticed;
            placement: plans_are_carried_out_whole, a_stale_plan_is_refused, deletion_costs_are_the_nodes_own,
                what_nodes_write_often_makes_no_plan_wrong, thousands_are_placed_at_once;
            races: one_of_two_swaps_wins, one_of_two_plans_wins, one_of_two_keys_gets_the_token, one_of_two_names_is_taken,
                writers_wait_for_each_other;
            tenants: names_are_unique_within_their_parent, parents_must_exist, children_keep_their_parents;
        }
    };
    ($fresh:path; $($module:ident: $($case:ident),+;)+) => {
        $(mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::conformance::$module::$case(&$fresh().await).await;
            })+
        })+
    };
}
pub(crate) use conformance;
