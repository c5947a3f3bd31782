"""Every fault and bad input that we know of has a test, by name; the list may not outgrow us."""

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

LIST = ROOT.parent / "shared" / "faults.md"  # kept beside the checkout, if at all
BODY = "test_bodies.py::test_malformed_body_is_refused_by_every_route"
TYPE = "test_bodies.py::test_body_of_another_type_is_refused_by_every_route"
FIELD = "test_fields.py::test_value_of_another_type_is_refused"
QUERY = "test_queries.py::test_worthless_value_is_refused"
HEADER = "test_queries.py::test_unusual_header_changes_no_answer"
PATH = "test_paths.py::test_worthless_id_is_not_found"
MISSPELT = "test_paths.py::test_misspelled_path_leads_nowhere"
SPELLING = "test_paths.py::test_id_in_another_spelling_is_not_found"
HTTP = "test_raw_http.py::test_what_is_not_http_is_refused_and_the_connection_closed"
BROKEN = "test_stalled_clients.py::test_request_without_its_body_is_refused_in_time"
EXPECTED = "test_stalled_clients.py::test_body_asked_for_that_never_comes_ends_the_connection"
ECHO = "test_raw_http.py::test_line_breaks_are_never_echoed_in_a_header"
COOKIE = "test_ballots.py::test_worthless_cookie_gives_a_new_identity"
FOREIGN = "test_cors.py::test_foreign_page_may_not"
KEY = "test_admin_keys.py::test_what_is_not_the_key_is_refused_alike_and_audited"
PROXY = "test_client_address.py::test_address_is_the_one_that_the_outermost_trusted_proxy_saw"
ALONE = "test_client_address.py::test_nobody_chooses_their_address_without_trusted_proxies"
STALLED = "test_stalled_clients.py::test_more_stalled_clients_than_threads_hold_up_nobody"
REDIS = "faults/test_redis_faults.py::test_sick_redis_is_left_alone_until_it_is_well"

LIMITS = "faults/test_limits_without_redis.py"
POLITE = f"{LIMITS}::test_client_that_keeps_to_its_limit_is_never_refused"
GUESSED = f"{LIMITS}::test_attempts_are_limited_while_redis_is_away"
AWAY = "faults/test_postgres_faults.py"
PROCESS = "faults/test_process_faults.py"
CLOCK = "faults/test_clock_faults.py"

TESTS: dict[str, list[str]] = {
    **{f"F{row}": [REDIS] for row in (1, 2, 4, 6, 8, 9, 10, 13, 15, 17, 18)},
    "F12": [
        "faults/test_redis_faults.py::test_sleeping_redis_is_left_alone_until_it_is_well",
        POLITE,
    ],
    "F16": ["faults/test_redis_faults.py::test_loading_redis_is_left_alone_until_it_is_well"],
    "F20": [f"{PROCESS}::test_redis_that_is_away_at_the_start_holds_up_nobody"],
    "F21": ["faults/test_redis_faults.py::test_flapping_redis_is_used_when_it_is_there"],
    "F23": [f"{AWAY}::test_stopped_postgresql_is_a_quick_503_and_heals"],
    "F24": [f"{AWAY}::test_immediate_restart_costs_each_worker_at_most_one_reading"],
    "F26": [f"{AWAY}::test_terminated_backends_fail_only_what_they_were_doing"],
    "F27": [f"{AWAY}::test_exhausted_pool_is_a_503_in_time"],
    "F28": [f"{AWAY}::test_server_without_a_connection_left_is_a_quick_503"],
    "F30": [f"{AWAY}::test_voter_whose_twin_is_under_way_waits_three_seconds_at_most"],
    "F32": [f"{AWAY}::test_deadlocked_vote_is_tried_once_more"],
    "F34": [f"{PROCESS}::test_killed_worker_is_replaced_and_no_vote_counts_twice"],
    "F35": [f"{PROCESS}::test_sigterm_answers_all_that_was_asked_before"],
    "F37": [f"{PROCESS}::test_cold_crowd_is_served_in_one_round"],
    "F39": [
        f"{CLOCK}::test_clock_that_jumps_shows_the_polls_of_its_day",
        f"{CLOCK}::test_midnight_during_votes_costs_no_vote",
    ],
    "F41": ["faults/test_disk_faults.py::test_full_disk_refuses_writes_and_serves_reads"],
    "B1": [BODY],
    "B2": [BODY],
    "B3": [BODY],
    "B4": [TYPE],
    "B5": [TYPE, "test_bodies.py::test_json_in_utf_8_is_taken"],
    "B6": [BODY],
    "B8": [BODY],
    "B9": [BODY, FIELD],
    "B12": [BODY],
    "B14": [FIELD],
    "B15": [FIELD],
    "B16": [BODY],
    "B18": [BODY],
    "B20": [BODY],
    "B23": [
        "test_fields.py::test_missing_field_is_refused",
        "test_fields.py::test_null_is_refused_where_nothing_may_be_empty",
    ],
    "B24": [FIELD],
    "B25": ["test_fields.py::test_text_that_cannot_be_seen_is_refused"],
    "B26": ["test_fields.py::test_length_is_counted_in_code_points"],
    "B28": [
        "test_fields.py::test_control_characters_are_dropped",
        "test_fields.py::test_survey_answers_lose_control_characters_too",
    ],
    "B29": ["test_fields.py::test_text_is_stored_as_it_is_and_leaves_as_json_only"],
    "B30": ["test_queries.py::test_free_text_is_taken_literally"],
    "B31": ["test_bodies.py::test_too_large_a_body_is_refused"],
    "B33": ["test_bodies.py::test_packed_body_is_refused_unread"],
    "B34": [BROKEN, "test_raw_http.py::test_is_refused_if_shorter_than_announced"],
    "B35": [EXPECTED],
    "B36": [HTTP],
    "B37": [HTTP],
    "B38": [HTTP],
    "B39": ["test_raw_http.py::test_host_is_nothing_to_us"],
    "B41": ["test_raw_http.py::test_host_is_nothing_to_us"],
    "B42": [HTTP],
    "B43": [QUERY],
    "B45": [PATH, MISSPELT, HTTP],
    "B46": [PATH],
    "B47": [SPELLING],
    "B48": [PATH],
    "B49": [QUERY],
    "B50": [QUERY],
    "B51": [QUERY],
    "B52": [QUERY],
    "B54": ["test_queries.py::test_parameter_given_twice_is_refused"],
    "B55": [ECHO],
    "B56": [COOKIE, "test_ballots.py::test_of_two_cookies_one_counts"],
    "B57": [COOKIE],
    "B58": [
        "test_voting.py::test_option_of_another_poll_is_refused",
        "test_ballots.py::test_option_that_the_template_has_but_not_the_poll_is_refused",
    ],
    "B59": [
        "test_voting.py::test_closed_poll_takes_no_votes",
        "test_voting.py::test_unknown_poll_is_not_found",
        "test_ballots.py::test_vote_outside_the_days_of_a_poll_is_refused",
    ],
    "B60": [
        "test_ballots.py::test_the_same_vote_thirty_times_at_once_is_one_ballot",
        "test_voting.py::test_thirty_retries_at_once_make_one_ballot",
    ],
    "B61": ["postgresql/test_served.py::test_one_voter_on_thirty_connections_has_one_ballot"],
    "B62": [FOREIGN, "test_cors.py::test_our_pages_and_programs_may_vote"],
    "B63": [FOREIGN, "test_cors.py::test_foreign_page_reads_none"],
    "B64": [
        "test_paths.py::test_unknown_method_is_refused_with_those_that_are_known",
        "test_paths.py::test_head_is_answered_as_get_without_a_body",
        "test_paths.py::test_options_names_the_methods_and_does_nothing",
    ],
    "B65": ["test_paths.py::test_method_can_not_be_overridden"],
    "B66": [MISSPELT],
    "B67": [KEY],
    "B70": ["test_paths.py::test_worthless_id_below_admin_is_audited"],
    "B72": ["test_delete_template.py::test_a_template_with_polls_is_kept_unless_forced"],
    "B73": ["test_fields.py::test_no_change_is_a_change_that_succeeds"],
    "B74": [
        "test_ballots.py::test_idempotency_key_out_of_bounds_is_refused",
        "test_idempotency.py::test_a_header_out_of_bounds_is_refused",
        "test_voting.py::test_another_ballot_under_the_same_key_is_refused",
    ],
    "B75": [HEADER],
    "B76": [HEADER],
    "B77": [HEADER],
    "B78": [KEY],
    "S1": [KEY],
    "S2": [KEY],
    "S3": [KEY],
    "S4": [HTTP],
    "S5": [KEY],
    "S6": [KEY, "test_admin_keys.py::test_key_in_the_query_is_not_read"],
    "S7": [KEY],
    "S8": ["test_admin_keys.py::test_keys_overlap_until_the_old_one_is_retired"],
    "S9": ["test_admin_keys.py::test_without_a_configured_key_all_of_admin_is_closed"],
    "S10": [GUESSED],
    "S11": ["test_admin_keys.py::test_no_request_leaves_a_key_behind"],
    "S12": [ALONE],
    "S13": [PROXY],
    "S14": [ALONE, "test_client_address.py::test_place_of_a_voter_is_believed_to_a_proxy_only"],
    "S15": ["test_client_address.py::test_junk_from_a_proxy_leaves_the_peer"],
    "S16": ["test_client_address.py::test_ipv6_counts_by_subscriber", PROXY],
    "S17": [
        "test_client_address.py::test_a_thousand_invented_addresses_do_not_evade_a_limit",
        "test_client_address.py::test_invented_addresses_before_a_proxys_own_do_not_evade_a_limit",
    ],
    "S18": ["test_cors.py::test_foreign_page_reads_none"],
    "S19": [FOREIGN, "test_cors.py::test_body_that_needs_no_preflight_is_refused"],
    "S20": [COOKIE, "test_ballots.py::test_cookie_is_set_as_the_contract_says"],
    "S21": ["test_cors.py::test_foreign_page_is_refused"],
    "S22": [STALLED],
    "S23": ["test_stalled_clients.py::test_request_without_a_head_is_dropped_in_time", STALLED],
    "S24": [HTTP],
    "S25": ["test_raw_http.py::test_body_that_nobody_reads_is_not_taken_for_the_next_request"],
    "S26": ["test_raw_http.py::test_pipelined_requests_are_answered_in_order"],
}


def functions_of(file: Path) -> set[str]:
    tree = ast.walk(ast.parse(file.read_text()))
    return {node.name for node in tree if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", TESTS)
def test_row_has_its_tests(row: str) -> None:
    for name in TESTS[row]:
        file, _, test = name.partition("::")
        assert test in functions_of(ROOT / "tests" / file), f"{row} has lost {name}"


def test_every_row_of_the_list_is_here() -> None:
    """Where the list is at hand, it and the tests name the same rows."""
    listed = LIST.read_text() if LIST.exists() else ""
    rows = re.findall(r"^(?:\| |- )([FBS]\d+)\b", listed, re.MULTILINE)

    assert set(rows or TESTS) == set(TESTS)
