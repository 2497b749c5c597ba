"""hpt schema: the JSON Schema of a spec, for editors."""

from __future__ import annotations

from hpt_cli.cli.output import print_json

EXAMPLES = ("hpt schema > hpt.schema.json",)


def schema() -> None:
    """Print the JSON Schema of a spec, for an editor.

    It completes and checks specs. Run hpt schema > hpt.schema.json, and write in the first line of
    the spec:

      # yaml-language-server: $schema=hpt.schema.json
    """
    from hpt_cli.spec.json_schema import make_schema

    print_json(make_schema())
