"""The JSON Schema of a spec, for editors.

pydantic makes it from the fields of TuningSpec. What it cannot know is added here: the docstrings
under the fields, and what a spec file may say besides. Editors read YAML 1.1 or 1.2 (`Off` is text
or a boolean, `1e-4` a number or text), and hpt takes all of it for what the user means.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from hpt_cli.metrics.extractors import FORMS
from hpt_cli.metrics.presets import PRESETS
from hpt_cli.spec import parts
from hpt_cli.spec.config_files import ConfigFile
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.ranges import CategoricalRange, ContinuousRange, IntegerRange
from hpt_cli.stop_rules import STOP_RULES

DIALECT = "http://json-schema.org/draft-07/schema#"
"""What the YAML language server and check-jsonschema both understand."""

MODELS: tuple[type[BaseModel], ...] = (
    *(TuningSpec, parts.MetricDefinition, parts.EarlyStopping, parts.WarmStart, parts.Retry),
    *(parts.Pausing, parts.LogRule, parts.Slurm, parts.Resources, parts.MeanOfLast),
    *(ContinuousRange, IntegerRange, CategoricalRange, ConfigFile),
)
_AS_TEXT = {
    "number": r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$",
    "integer": r"^[-+]?[0-9]+$",
    "boolean": "^([Tt]rue|TRUE|[Ff]alse|FALSE|[Yy]es|YES|[Nn]o|NO|[Oo]n|ON|[Oo]ff|OFF)$",
}
"""How a number or a boolean is written as text."""
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_BOOLEANS = {"Off": False, "On": True}


def make_schema() -> dict[str, Any]:
    """Return the JSON Schema of a spec file, as JSON-able values."""
    schema = TuningSpec.model_json_schema()
    definitions = schema.pop("$defs")
    for model in MODELS:
        described = schema if model is TuningSpec else definitions.get(model.__name__)
        if described is not None:
            _describe(model, described)
    metric = definitions["MetricDefinition"]
    metric["properties"]["preset"] |= {"enum": list(PRESETS)}
    metric["oneOf"] = [{"required": [form]} for form in FORMS]
    definitions["EarlyStopping"]["properties"]["rule"]["enum"] = list(STOP_RULES)
    for each in definitions.values():
        values = each["properties"].get("when", {}).get("additionalProperties")
        if values is not None:
            values |= {"type": ["array", *values["items"]["type"]]}
        if prior := each["properties"].get("prior"):
            listed = {key: prior.pop(key) for key in ("type", "items", "maxItems")}
            prior |= {"anyOf": [listed, listed["items"]]}
    fields = _rewrite(_rewrite({**schema, "definitions": definitions}, _tidy), _relax)
    return {"$schema": DIALECT, "title": "hpt spec", **fields}


def read_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstrings under a model's fields, those of its bases included, by field.

    Pydantic's `use_attribute_docstrings` would read them too, whenever the models are imported:
    that takes 22 ms of every command that loads a spec, for what `hpt schema` alone prints.
    """
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if not issubclass(each, BaseModel) or each is BaseModel:
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(each))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, below in zip(body.body, body.body[1:], strict=False):
            match field, below:
                case ast.AnnAssign(ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                    found[name] = inspect.cleandoc(text)
    return found


def _describe(model: type[BaseModel], schema: dict[str, Any]) -> None:
    for field, text in read_docstrings(model).items():
        name = model.model_fields[field].alias or field
        if name in schema["properties"]:
            schema["properties"][name]["description"] = " ".join(text.split())


def _rewrite(node: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Return the tree with every mapping in it changed, from the leaves up."""
    if isinstance(node, list):
        return [_rewrite(each, change) for each in node]
    if isinstance(node, dict):
        return change({key: _rewrite(each, change) for key, each in node.items()})
    return node


def _tidy(node: dict[str, Any]) -> dict[str, Any]:
    """Return a schema in standard words: pydantic leaves bounds behind validators in its own."""
    if isinstance(node.get("title"), str):
        del node["title"]
    if isinstance(node.get("$ref"), str):
        node["$ref"] = node["$ref"].replace("#/$defs/", "#/definitions/")
    if "oneOf" in node:
        node.pop("discriminator", None)
    if node.get("default", "") is None:
        del node["default"]
    return {_BOUNDS.get(key, key): each for key, each in node.items()}


def _relax(node: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that allows what YAML 1.1 makes of plain words, and numbers as text."""
    kind = node.get("type")
    if kind in ("number", "integer", "boolean"):
        return {**node, "type": [kind, "string"], "pattern": _AS_TEXT[str(kind)]}
    booleans = [_BOOLEANS[word] for word in node.get("enum", ()) if word in _BOOLEANS]
    if booleans:
        return {**node, "type": ["string", "boolean"], "enum": [*node["enum"], *booleans]}
    return node
