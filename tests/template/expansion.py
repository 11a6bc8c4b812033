"""The template without its loops: what the house rules, checkov and the tests look at.

`python -m tests.template.expansion template.yaml target.json` writes it to a file.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

PROJECT = Path(__file__).resolve().parents[2]
_SAM_PYTHON = PROJECT / ".venvs/sam/bin/python"


def unrolled(source: Mapping[str, Any]) -> dict[str, Any]:
    """A template as it would be written without `Fn::ForEach`; parameters and conditions stay.

    But for `Fn::ToJsonString` of a parameter, which is text before SAM sees it.
    """
    loose = json.loads(_unroll(json.dumps(source)))
    plain: dict[str, Any] = _plain(loose, loose)
    return plain


@functools.lru_cache(maxsize=32)
def _unroll(text: str) -> str:
    command = [str(_SAM_PYTHON), str(PROJECT / "tests/template/unrolling.py")]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def _plain(value: Any, template: Mapping[str, Any]) -> Any:
    """Without the intrinsics that a loop needs: a name made of literals, a row of a mapping."""
    if isinstance(value, list):
        return [_plain(item, template) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {key: _plain(item, template) for key, item in value.items()}
    return _literal(plain, template)


def _literal(value: dict[str, Any], template: Mapping[str, Any]) -> Any:
    match value:
        case {"Fn::ToJsonString": [{"Ref": str(name)}]}:
            return json.dumps([template["Parameters"][name]["Default"]])
        case {"Fn::FindInMap": [str(name), str(row), str(column)]}:
            return template["Mappings"][name][row][column]
        case {"Fn::Sub": [str(text), dict(variables)]} if all(isinstance(v, str) for v in variables.values()):
            for name, known in variables.items():
                text = text.replace(f"${{{name}}}", known)
            return {"Fn::Sub": text} if "${" in text else text
        case {"Fn::Sub": str(text)} if "${" not in text:
            return text
    return value


if __name__ == "__main__":
    template, target = map(Path, sys.argv[1:])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(unrolled(yaml_parse(template.read_text("utf-8"))), indent=1), "utf-8")
