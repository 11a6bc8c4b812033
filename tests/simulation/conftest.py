from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation import remembered


@pytest.fixture
def remembered_items() -> Iterator[None]:
    """Compute nothing twice, as the processes of a campaign do: what is found is the same, sooner."""
    with remembered.installed():
        yield
