#!/bin/sh
# Breaks the engine on purpose, one guarantee at a time (engine/src/sabotage.rs), and expects the test
# that guards it to fail; without a switch the same tests have to pass. Builds once.
set -eu
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

run() { # target test
    case $1 in
    engine) set -- -p wisen --features sabotage,hnsw_rs --lib -- --exact "$2" ;;
    *) set -- -p wisen-tests --features sabotage,hnsw_rs --test "$1" -- --exact "$2" ;;
    esac
    cargo test -q "$@" >"$log" 2>&1
}

# switch, test file (or the engine's own tests), test
twins='
dead_points_live segments deletes_mask_sealed_points_at_once
segments_unchecked segments a_flipped_byte_is_noticed
vectors_unchecked segments a_flipped_byte_is_noticed
foreign_segments segments a_foreign_or_stale_segment_is_noticed
keep_leftovers segments leftovers_are_swept
keep_what_is_gone change disk_stays_within_bounds
leave_all_unsealed change short_lived_handles_leave_little_to_do
merge_nothing change many_small_seals_leave_few_segments
batches_shuffle concurrency a_batch_answers_as_one_by_one
open_while_asked concurrency recalls_open_no_segment
hide_unsealed ranking no_report_means_the_order_of_similarity
unknown_is_failure ranking recalls_and_unknown_outcomes_move_nothing
one_success_nominates credit two_receipts_nominate
full_credit_each credit one_receipt_gives_at_most_one_unit_of_credit
forget_receipts credit one_receipt_gives_at_most_one_unit_of_credit
retract_keeps batches a_retracted_report_counts_no_more
caps_off trust a_cap_scales_what_a_day_brings
strangers_dilute trust strangers_do_not_dilute_the_owner
decay_off decay evidence_halves_and_never_passes_the_prior
merge_by_order dense merged_cells_do_not_depend_on_the_order
quarantine_off quarantine the_rule_catches_the_bad_and_spares_the_good
pins_ignored quarantine pins_hold
warn_nobody quarantine a_recall_warns_on_request
trials_stand_still quarantine a_memory_goes_through_its_states
trials_unseen quarantine the_largest_probation_share_ends_a_quarantine
trials_unweighed quarantine nobody_ends_a_probation_by_shouting
merge_loses_evidence distil the_survivor_has_the_evidence_of_all
uncalibrated calibration promises_come_true
anybody_teaches calibration who_is_not_trusted_teaches_nothing
anybody_teaches decay who_is_not_trusted_bends_no_half_life
one_namespace_learns calibration namespaces_searched_together_all_learn
broken_promises_stay calibration retracted_and_foreign_reports_count_nothing
ignore_keys credit a_key_makes_a_report_count_once
propensity_one explore propensities_are_the_frequencies_of_being_shown
withheld_credits explore a_withheld_recall_credits_nobody
contradicted_counts figures figures_are_what_their_definitions_say
strays_stay adopt an_adopted_index_finds_every_point
filters_stand_still filters filters_let_through_what_they_say
chain_unchecked audit every_change_of_an_entry_is_located
anchors_ignored audit an_anchor_shows_a_cut_tail_and_a_rewritten_chain
audit_decisions_only audit everything_is_recorded_with_what_it_does
the_level_blinds levels switching_the_level_raises_no_alarm
halts_ignored halt every_call_that_begins_after_a_halt_obeys
rows_do_not_halt halt a_halt_survives_restarts_and_the_loss_of_either_half
resumptions_unchecked halt an_authority_alone_resumes
anybody_resumes halt an_authority_alone_resumes
readers_store_halts halt a_reader_that_halts_by_the_row_hears_on
settle_blindly halt opening_beside_a_resumption_halts_nothing
triggers_off halt triggers_halt
halts_wait_for_the_row full a_full_disk_can_be_halted
hooks_ignored gate a_hook_decides_what_is_let_in
looks_all_the_way_back screen looking_takes_time_in_proportion_to_the_text
queries_misplaced reembed outcomes_are_kept
unplaced_is_lost reembed what_cannot_be_placed_is_counted_and_kept
half_folders reembed killed_halfway_it_harms_nothing
signed_for_one_life reembed what_authorities_signed_holds_in_every_life
examples_pass reembed example_vectors_are_not_carried_over
models_mix reembed models_do_not_mix
notes_unscreened gate secrets_in_notes_queries_and_keys
flags_stay gate flags_are_those_of_the_present_texts
secrets_pass gate a_secret_never_reaches_the_disk
salts_stay audit forgetting_makes_the_hashes_meaningless
keep_halves life a_batch_is_stored_whole_or_not_at_all
tell_nobody processes a_report_is_visible_to_the_next_recall_of_any_process
segments_unread database a_segment_that_differs_from_its_rows_is_noticed
rows_unchecked database a_flipped_bit_in_a_row_is_noticed
rows_unchecked database a_flipped_bit_in_a_name_is_noticed
losses_sink database an_older_copy_is_noticed
losses_sink faults a_loss_is_told_once_there_is_room_to_note_it
readers_stop_writers compact compaction_behind_a_reader_stops_no_writer
folders_unsynced power folders_of_a_restored_store_are_durable
merges_unchecked engine memory::distil::tests::what_changed_since_it_was_found_is_not_merged
crowds_in_halves engine segment::search_tests::in_a_large_crowd_each_finds_itself_and_its_neighbours
outliers_centre engine segment::search_tests::a_far_longer_vector_hides_nobody
squares_vanish engine segment::search_tests::very_small_vectors_are_told_apart
unnoticed_loss database an_older_copy_is_noticed
backups_unchecked backup a_damaged_backup_is_refused
schema_unread database a_changed_schema_is_named
free_pages_stay erase what_is_erased_is_in_no_byte_of_any_file
situations_stay erase what_is_erased_is_in_no_byte_of_any_file
miss_thinned compact compaction_drops_what_is_dead_and_nothing_else
judge_by_a_thin_log rules compaction_brings_nothing_back_that_a_rule_bars
imports_unchecked transfer a_malformed_line_is_named
silent log what_is_set_aside_is_told
nameless processes whoever_writes_is_waited_for_and_named
half_files full a_full_disk_gets_no_half_backup
drafts_stay backup backups_that_were_killed_leave_nothing_behind
any_number forged numbers_that_are_never_given_out_are_refused
receipts_stay erase receipts_that_wait_elsewhere_are_erased_too
nowhere_is_a_place reembed what_had_no_place_gets_its_own
words_stay backup files_of_another_life_do_no_harm
one_life backup files_of_another_life_do_no_harm
readers_stay_deaf backup a_reader_that_was_first_hears_all
copies_uncontrolled backup new_stores_come_with_their_control_files
acknowledge_early kill killed_anywhere_a_writer_loses_nothing
full_is_normal power a_power_loss_takes_nothing_acknowledged_under_full
folders_unsynced power a_power_loss_takes_nothing_acknowledged_under_full
idle_commits power a_flush_syncs_the_log_whoever_reads_it
receipts_unsynced power a_flush_syncs_the_receipts
control_unsynced power halts_and_resumptions_outlive_power_losses
never_synced power a_power_loss_takes_a_suffix_under_normal
commit_errors_pass faults every_call_fails_once
forget_the_unsaid faults a_seal_that_dies_unsaid_does_not_come_back
impatient crowd writers_and_readers_meet_no_errors
forks_pass processes forks_amid_work_are_refused_at_once
unnoticed_loss corruption damaged_bytes_and_lengths_never_give_a_wrong_answer
revoked_keys_sign authority who_was_revoked_signs_no_more
signatures_unchecked authority a_statement_edited_by_hand_is_noticed
old_rules_pass authority an_earlier_state_of_the_authorities_is_noticed
old_rules_pass attacks rules_put_back_deny
head_unchecked attacks a_signature_is_good_once
hand_edits_unseen attacks a_table_edited_by_hand_denies
fails_open attacks a_missing_table_denies
clock_trusted attacks a_clock_moved_back_revives_nothing
overrides_stay attacks an_expired_override_lifts_nothing
anyone_signs attacks a_forged_import_is_refused
imports_bring_rules forged forged_rules_are_not_imported
anyone_signs attacks a_process_without_the_key_changes_nothing
guard_unsigned signed a_backdated_resumption_is_none
guard_unsigned signed settings_changed_by_hand_deny
resumptions_unchecked signed a_backdated_resumption_is_none
old_rules_pass signed an_earlier_guard_put_back_denies
hand_edits_unseen signed settings_changed_by_hand_deny
halts_stay_out signed a_halt_taken_out_of_the_control_file_comes_back
triggers_off signed an_open_handle_keeps_the_signed_triggers
founding_forgets signed an_authority_vouches_for_what_it_finds
authorities_vouch_for_all signed what_was_signed_outlives_the_key
signed_for_one_life signed restored_and_imported_stores_are_guarded
trust_unsigned signed trust_given_by_hand_counts_nothing
old_rules_pass signed trust_given_by_hand_counts_nothing
times_unread attacks a_clock_moved_back_revives_nothing
pin_ignored attacks an_exchanged_authority_denies
texts_make_facts attacks no_text_makes_weakens_or_hides_a_rule
rules_untold rules a_change_binds_the_next_check_of_another_process
never_shown rules never_keeps_memories_out_of_every_recall
musts_stay_away rules must_rules_come_with_the_recall
preferences_rule rules prefer_and_avoid_shift_by_a_bounded_amount
denials_forgotten rules denials_are_written_down
every_hit_wakes rules a_shared_literal_is_paid_for_once
memories_unaudited audit a_memory_changed_by_hand_is_found
settle_blindly halt opening_beside_a_resumption_halts_nothing
triggers_off halt denials_and_repeats_halt_through_checks
coarse_alone recall every_vector_of_bursts_finds_itself_by_halves_of_codes
halves_unprepared storage sealing_changes_no_bit_of_an_answer
missed_stay_missed recall every_scattered_vector_finds_itself
conflicts_pass rules conflicts_are_refused_and_force_is_logged
'

unset WISEN_SABOTAGE
if ! cargo test -q -p wisen-tests --features sabotage,hnsw_rs --no-run >"$log" 2>&1; then
    cat "$log"
    exit 1
fi
wrong=0
echo "$twins" | { while read -r switch target test; do
    [ -n "$switch" ] || continue
    if ! run "$target" "$test" || ! grep -q '1 passed' "$log"; then
        echo "WRONG  $target::$test fails, or is missing, without sabotage"
        cat "$log"
        wrong=1
    elif WISEN_SABOTAGE=$switch run "$target" "$test"; then
        echo "WRONG  $switch: $target::$test did not notice"
        wrong=1
    elif grep -q '1 failed' "$log"; then
        echo "red    $switch: $target::$test"
    else
        echo "WRONG  $switch: $target::$test ended otherwise than by failing"
        cat "$log"
        wrong=1
    fi
done
exit $wrong; }
echo "every switch was noticed"
