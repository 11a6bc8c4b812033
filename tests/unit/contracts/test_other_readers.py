"""What other systems read the schemas with: an engine without lookaheads, generators of types."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import re2
import yaml
from datamodel_code_generator import generate
from datamodel_code_generator.enums import DataModelType, InputFileType
from datamodel_code_generator.format import Formatter

from local import schemas
from local.contract.catalogue import EVENTS, contracts, sample_events
from local.contract.outcome_samples import outcome_events

FILES = {
    f"{path.parent.name}/{path.stem}": path
    for path in (*schemas.DIRECTORY.glob("*.json"), *schemas.DRAFT_4.glob("*.json"))
}


def patterns(schema: Any) -> Iterator[str]:
    """Every regular expression of a schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for part in schema.values():
            yield from patterns(part)
    if isinstance(schema, list):
        for part in schema:
            yield from patterns(part)


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_re2_compiles_every_pattern(path: Path) -> None:
    """Go's engine knows every pattern, and reads it as Python does."""
    found = set(patterns(json.loads(path.read_text(encoding="utf-8"))))
    assert found
    for pattern in found:
        re2.compile(pattern)


def test_re2_compiles_the_asyncapi_document() -> None:
    """The same goes for the patterns of the AsyncAPI document."""
    for pattern in set(patterns(yaml.safe_load((EVENTS / "asyncapi.yaml").read_text(encoding="utf-8")))):
        re2.compile(pattern)


def test_a_lookahead_would_be_noticed() -> None:
    """The engine is one that refuses what Go refuses."""
    with pytest.raises(re2.error):
        re2.compile(r"^a(?!\n)$")


def generated(name: str, folder: Path) -> ModuleType:
    """The module that the generator makes of a schema."""
    target = folder / f"generated_{name}.py"
    generate(
        schemas.DIRECTORY / f"{name}.json",
        input_file_type=InputFileType.JsonSchema,
        output_model_type=DataModelType.PydanticV2BaseModel,
        formatters=[Formatter.BUILTIN],
        output=target,
    )
    spec = importlib.util.spec_from_file_location(target.stem, target)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[target.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore:Pydantic does not take pattern on AwareDatetime")
@pytest.mark.parametrize("contract", tuple(contracts()), ids=lambda contract: contract.name)
def test_types_are_generated(contract: Any, tmp_path: Path) -> None:
    """A generator makes one class of each contract, and the class reads every real event."""
    model = getattr(generated(contract.name, tmp_path), contract.title)
    events = (
        sample_events(contract.name) if contract.direction == "inbound" else tuple(outcome_events().values())
    )
    for event in events:
        read = model.model_validate(event["detail"])
        assert read.cancel_request_id is not None
