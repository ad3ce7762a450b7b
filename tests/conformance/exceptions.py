"""What a store cannot do, and why: every exception to the suite stands here.

An exception that no longer holds fails: the test is run and has to fail. Of single keys `nasty_keys` tells.
"""

from __future__ import annotations

from collections.abc import Mapping

_NO_INDEX = "the scripted server shows no index page, and plain HTTP has no other listing"

EXCEPTIONS: Mapping[tuple[str, str], str] = {
    **{("web", test): _NO_INDEX for test in (
        "test_everything", "test_everything_in_key_order", "test_a_prefix_is_any_beginning", "test_flat", "test_sizes",
        "test_a_listing_is_lazy", "test_resume_tokens_go_on_where_they_were", "test_isdir", "test_subtree_size")},
}
"""(store, test function) -> the server's fault or the protocol's limit."""
