"""Tests. Helpers that assert say what differs, as tests do."""

import pytest

pytest.register_assert_rewrite("tests.banks", "tests.sittings")
