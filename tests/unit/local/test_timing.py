from __future__ import annotations

import pytest

from local.stack.deployment import local_parameters
from local.stack.timing import stretched, time_scale
from local.stack.toolchain import StackError


@pytest.mark.parametrize(("load", "factor"), [(0.0, 1), (1.0, 1), (1.1, 1.5), (2.6, 3), (60.0, 3)])
def test_a_busy_machine_gets_longer(load: float, factor: float) -> None:
    """The factor is the load of a processor, in halves, from one to three."""
    assert time_scale({}, load) == factor


def test_time_scale_is_the_developers_first() -> None:
    """TIME_SCALE wins over the load."""
    assert time_scale({"TIME_SCALE": "2.5"}, load=8.0) == 2.5


@pytest.mark.parametrize("text", ["abc", "0.5", "11", "nan", "inf"])
def test_a_time_scale_that_is_none_is_told(text: str) -> None:
    """A factor outside its bounds is one sentence with the bounds."""
    with pytest.raises(StackError, match="which is no number from 1 to 10"):
        time_scale({"TIME_SCALE": text})


def test_what_a_slow_machine_uses_up_is_stretched_together() -> None:
    """Function timeout, read timeout and every visibility timeout grow alike; counts and waits do not."""
    usual = local_parameters()
    longer = stretched(usual, 2.5)
    assert {"FunctionTimeout", "ReadTimeoutSeconds", "PaymentCancelVisibilityTimeout"} <= longer.keys()
    assert float(longer["FunctionTimeout"]) == 2.5 * float(usual["FunctionTimeout"])
    assert "MaxReceiveCount" not in longer
    assert all(value.isdecimal() for value in longer.values())
    assert stretched(usual, 1.0) == {}
