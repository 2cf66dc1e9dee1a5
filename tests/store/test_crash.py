# SPDX-License-Identifier: Apache-2.0
"""Fifty kills of a server at work, set up in one of the ways there are; tests/store/crash does
as many as it is told to, in the way it is told."""

import os
import random

import harness


def test_nothing_answered_is_lost_doubled_or_torn_by_fifty_kills(tmp_path_factory):
    directory = tmp_path_factory.mktemp("crash")
    for path in (directory, directory.parent, directory.parent.parent):
        path.chmod(0o755)
    seed = int(os.environ.get("WA_TEST_SEED", random.SystemRandom().randrange(10**6)))
    crash = harness.run(50, seed, directory)
    assert crash.kill_count >= 50
    assert (
        len(crash.ledger.received) > 100 and len(crash.ledger.sent) > 20
    ), "too little was done to prove anything"
