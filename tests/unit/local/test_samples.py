from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from local.samples import EVENTS, samples, write
from refunds.cancel_types import MODULES, cancel_type
from refunds.messaging.message import read_body


def event(name: str) -> Any:
    return json.loads((EVENTS / name / "eventbridge.json").read_text(encoding="utf-8"))


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The events of types that have one sample each."""
    for name in MODULES:
        (tmp_path / name).mkdir()
        shutil.copy(EVENTS / name / "eventbridge.json", tmp_path / name)
    shutil.copy(EVENTS / "simulator.json", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", MODULES)
def test_one_event_makes_every_sample(name: str) -> None:
    """Good samples are valid, each broken message is refused for a reason of its own, next to a good one."""
    made = samples(name, event(name))
    for sample in ("sqs_batch", "duplicate", "redriven"):
        assert [read_body(cancel_type(name).policy, one["body"]).error for one in made[sample]] == [
            None
        ] * len(made[sample])
    errors = [read_body(cancel_type(name).policy, one["body"]).error for one in made["malformed"]]
    refused = [str(error) for error in errors if error is not None]
    assert errors.count(None) == 1
    assert len(set(refused)) == len(refused) >= 8


@pytest.mark.parametrize("name", MODULES)
def test_what_is_missing_is_written_with_its_records(bare: Path, name: str) -> None:
    """The simulator gets a record for each good sample; a second run writes nothing."""
    before = json.loads((bare / "simulator.json").read_text(encoding="utf-8"))
    assert sorted(path.stem for path in write(bare, name)) == [
        "duplicate",
        "malformed",
        "redriven",
        "sqs_batch",
    ]
    after = json.loads((bare / "simulator.json").read_text(encoding="utf-8"))
    assert sum(map(len, after.values())) == sum(map(len, before.values())) + 6
    assert write(bare, name) == []


def test_the_samples_of_every_type_are_there(tmp_path: Path) -> None:
    """There is nothing to write in the repository itself."""
    copy = shutil.copytree(EVENTS, tmp_path / "events")
    assert [write(copy, name) for name in MODULES] == [[] for _ in MODULES]
