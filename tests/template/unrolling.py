"""Loops unrolled as SAM CLI does it, by SAM CLI's own library. Run by the Python of its environment.

Standard input is a template, standard output the same one as JSON without `Fn::ForEach`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from samcli.lib.cfn_language_extensions import (  # type: ignore[import-not-found] # another environment's
    ProcessingPipeline,
    TemplateParsingProcessor,
    TemplateProcessingContext,
    create_default_intrinsic_resolver,
)
from samcli.lib.cfn_language_extensions.processors import (  # type: ignore[import-not-found] # likewise
    ForEachProcessor,
)
from samcli.yamlhelper import yaml_parse  # type: ignore[import-not-found] # likewise


def unrolled(text: str) -> Any:
    """The template without loops, every other intrinsic as it is."""
    context = TemplateProcessingContext(fragment=yaml_parse(text))
    loops = ForEachProcessor(intrinsic_resolver=create_default_intrinsic_resolver(context))
    return ProcessingPipeline([TemplateParsingProcessor(), loops]).process_template(context)


if __name__ == "__main__":
    json.dump(unrolled(sys.stdin.read()), sys.stdout)
