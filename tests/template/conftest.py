"""The template as CloudFormation gets it: expanded by the SAM translator, with its default parameters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from tests.template.expanded import Expanded
from tests.template.expansion import unrolled

PROJECT = Path(__file__).resolve().parents[2]


class _NoManagedPolicies:
    """The translator asks for AWS's managed policies by name; this template names none."""

    def load(self) -> Mapping[str, str]:
        return {}


@pytest.fixture(scope="session")
def source() -> dict[str, Any]:
    """template.yaml as it is written."""
    parsed: dict[str, Any] = yaml_parse((PROJECT / "template.yaml").read_text(encoding="utf-8"))
    return parsed


@pytest.fixture(scope="session")
def expanded(source: dict[str, Any]) -> Expanded:
    """template.yaml as CloudFormation gets it."""
    return expand(source)


def expand(source: Mapping[str, Any], **parameters: str) -> Expanded:
    """A template as CloudFormation gets it; what its code is called says only whether it is the same.

    ``parameters`` take the place of defaults.
    """
    given = {name: source["Parameters"][name] | {"Default": value} for name, value in parameters.items()}
    packaged = unrolled({**source, "Parameters": source["Parameters"] | given})
    for resource in packaged["Resources"].values():
        for code in {"CodeUri", "ContentUri"} & resource["Properties"].keys():
            path = resource["Properties"][code]
            resource["Properties"][code] = (
                f"s3://bucket/{path.removeprefix('s3://')}"  # as `sam package` puts it
            )
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "ap-northeast-2")
        return Expanded(transform(packaged, {}, _NoManagedPolicies()))
