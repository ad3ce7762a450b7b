"""What a store cannot do, and why: every exception to the suite stands here.

An exception that no longer holds fails: the test is run and has to fail. Of single keys `nasty_keys` tells.
"""

from __future__ import annotations

from collections.abc import Mapping

_NO_INDEX = "the scripted server shows no index page, and plain HTTP has no other listing"

_NO_ENCODING = "gcp-storage-emulator answers reads without the Content-Encoding"

_NO_ENCODINGS = "files in HDFS have no content encoding: writing with one is refused"

_OF_ENCODINGS = (
    "test_every_encoding_and_level", "test_raw_both_ways", "test_a_corrupt_stream_is_an_error_that_names_the_path",
    "test_decoded_sizes_are_bounded_where_asked", "test_transcode", "test_results_of_transcode_can_be_put_as_they_are",
    "test_a_large_object_is_decoded_elsewhere_and_right", "test_json_round_trip",
    "test_a_corrupt_object_is_an_error_of_its_own_item", "test_the_size_of_what_is_encoded_is_bounded",
    "test_false_and_nothing_mean_that_an_option_is_not_given", "test_writing_a_cloudfile",
    "test_options_of_a_file_win_over_those_of_the_call", "test_a_range_of_an_encoded_object_is_of_its_stored_bytes",
    "test_encoded_objects", "test_encoded_bytes_are_written_as_they_are")

EXCEPTIONS: Mapping[tuple[str, str], str] = {
    **{("web", test): _NO_INDEX for test in (
        "test_everything", "test_everything_in_key_order", "test_a_prefix_is_any_beginning", "test_flat", "test_sizes",
        "test_a_listing_is_lazy", "test_resume_tokens_continue_where_they_were", "test_isdir", "test_subtree_size",
        "test_a_directory", "test_an_object", "test_everything_and_nothing", "test_prefixes_stay_what_they_are",
        "test_siblings_survive", "test_objects_alone", "test_what_would_remove_too_much")},
    **{(store, test): _NO_ENCODINGS for store in ("hadoop", "webhdfs") for test in _OF_ENCODINGS},
    **{("gs", test): _NO_ENCODING for test in (
        "test_every_encoding_and_level", "test_raw_both_ways", "test_decoded_sizes_are_bounded_where_asked",
        "test_the_size_of_what_is_encoded_is_bounded",
        "test_a_corrupt_stream_is_an_error_that_names_the_path", "test_transcode", "test_json_round_trip",
        "test_results_of_transcode_can_be_put_as_they_are", "test_a_large_object_is_decoded_elsewhere_and_right",
        "test_a_corrupt_object_is_an_error_of_its_own_item", "test_writing_a_cloudfile",
        "test_options_of_a_file_win_over_those_of_the_call",
        "test_false_and_nothing_mean_that_an_option_is_not_given", "test_encoded_objects",
        "test_encoded_bytes_are_written_as_they_are")},
    ("gs", "test_an_object_that_is_replaced_is_never_mixed"):
        "gcp-storage-emulator ignores conditions of reads, and its responses have no generation",
}
"""(store, test function) -> the server's fault or the protocol's limit."""

EXCEPTIONS_OF_SOME: Mapping[tuple[str, str], tuple[str, str]] = {
    **{(store, test): ("gzip", _NO_ENCODINGS) for store in ("hadoop", "webhdfs") for test in (
        "test_every_kind_of_content", "test_text_and_buffers_are_content",
        "test_a_file_that_stands_at_its_end_is_refused")},
    **{(store, "test_names_of_encodings"): ("z", _NO_ENCODINGS) for store in ("hadoop", "webhdfs")},
    ("gs", "test_every_kind_of_content"): ("gzip", _NO_ENCODING),
    ("gs", "test_text_and_buffers_are_content"): ("gzip", _NO_ENCODING),
    ("gs", "test_a_file_that_stands_at_its_end_is_refused"): ("gzip", _NO_ENCODING),
    ("gs", "test_names_of_encodings"): ("z", _NO_ENCODING),
}
"""The same for those of a test's runs whose names, behind the store's, contain a text: that text, and why."""

SLOW = frozenset({("gs", "test_every_key_goes_through_every_verb")})
"""(store, test function) of what takes seconds, and is tried on a scripted server too: by `--full` only."""
