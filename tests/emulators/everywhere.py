"""On which AWS a test runs, and which of them is known to do otherwise than AWS."""

from __future__ import annotations

from typing import Final

import pytest

#: The project's services in memory, and two emulators that others write.
ALL: Final = ("own", "ministack", "moto")


def everywhere(**otherwise: str) -> pytest.MarkDecorator:
    """Run on every AWS; ``otherwise`` says how an emulator differs from what AWS documents.

    An emulator that has come to do as AWS does fails the test, so that what is said here stays true. The
    services in memory are never among them: they are mended.
    """
    assert "own" not in otherwise
    return pytest.mark.parametrize(
        "account",
        [
            pytest.param(name, marks=pytest.mark.xfail(strict=True, reason=f"{name} {otherwise[name]}"))
            if name in otherwise
            else name
            for name in ALL
        ],
        indirect=True,
    )
