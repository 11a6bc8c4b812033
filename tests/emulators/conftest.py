"""Each test of the contract runs on every AWS there is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.emulators import servers
from tests.emulators.account import Account, own_account
from tests.template.conftest import PROJECT, expand
from tests.template.expanded import Expanded


@pytest.fixture(scope="session")
def moto_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A moto server."""
    with servers.moto(tmp_path_factory.mktemp("moto")) as url:
        yield url


@pytest.fixture(scope="session")
def ministack_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A MiniStack."""
    with servers.ministack(tmp_path_factory.mktemp("ministack")) as url:
        yield url


@pytest.fixture(scope="session")
def moto_account(moto_url: str) -> Account:
    """The clients of one server: making them takes longer than a test."""
    return servers.account("moto", moto_url)


@pytest.fixture(scope="session")
def ministack_account(ministack_url: str) -> Account:
    """Likewise."""
    return servers.account("ministack", ministack_url)


@pytest.fixture
def account(request: pytest.FixtureRequest) -> Account:
    """The account that the test's parameter names; a server is started when it is first needed."""
    name: str = request.param
    if name == "own":
        return own_account()
    found: Account = request.getfixturevalue(f"{name}_account")
    return found


@pytest.fixture(scope="session")
def expanded() -> Expanded:
    """template.yaml as CloudFormation gets it."""
    return expand(yaml_parse((PROJECT / "template.yaml").read_text(encoding="utf-8")))
