"""What is wrong with the config files of a spec, once their templates are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpt_cli.errors import did_you_mean, find_close
from hpt_cli.spec.command_template import ALL, find_placeholders
from hpt_cli.spec.config_files.documents import FORMATS, DocumentError, find_format
from hpt_cli.spec.config_files.paths import find_path, list_keys
from hpt_cli.spec.cross_field.command import list_names, read_command
from hpt_cli.spec.cross_field.conflict import Conflict, Location, items, mapping


def find_config_conflicts(raw: Mapping[str, Any], texts: Mapping[str, str]) -> Iterator[Conflict]:
    """Yield every mistake in `config_files`, in data that may have others.

    Args:
        texts: of the templates that could be read, by the names of their config files.
    """
    files = [each if isinstance(each, Mapping) else {} for each in items(raw, "config_files")]
    used = _list_used(raw, files, texts)
    for index, file in enumerate(files):
        where: Location = ("config_files", index)
        earlier = [each.get("name") for each in files[:index]]
        yield from _find_name_conflicts(raw, file.get("name"), earlier, used, where)
        if "keys" in file and file["keys"] is not None:
            yield from _find_hyperparameter_conflicts(raw, mapping(file, "keys"), where)
        text = texts.get(str(file.get("name")))
        if text is not None and file.get("keys") is None:
            yield from _find_text_conflicts(raw, file, text, where)
        elif text is not None:
            yield from _find_key_conflicts(
                str(file["template"]), mapping(file, "keys"), text, where
            )


def _list_used(
    raw: Mapping[str, Any], files: Sequence[Mapping[str, Any]], texts: Mapping[str, str]
) -> set[str]:
    """Return the names in the command and in the config files."""
    names = list_names(raw)
    used = {*find_placeholders(read_command(raw), names)}
    for file in files:
        text = "" if file.get("keys") else texts.get(str(file.get("name")), "")
        used |= {*map(str, mapping(file, "keys").values()), *find_placeholders(text, names)}
    return used


def _find_name_conflicts(
    raw: Mapping[str, Any], name: Any, earlier: Sequence[Any], used: set[str], where: Location
) -> Iterator[Conflict]:
    taken = {ALL: "all hyperparameters"}
    taken |= dict.fromkeys(mapping(raw, "hyperparameter_ranges"), "a hyperparameter")
    taken |= dict.fromkeys(mapping(raw, "static_hyperparameters"), "a hyperparameter")
    taken |= dict.fromkeys(map(str, earlier), "another config file")
    if not isinstance(name, str):
        return
    if name in taken:
        message = f"{{{name}}} already stands for {taken[name]}: give the config file another name"
        yield Conflict((*where, "name"), "config-name", message)
    elif name not in used:
        message = f"nothing uses {{{name}}}, the path of the config file"
        hint = f"write it in the command, as in --config {{{name}}}"
        yield Conflict((*where, "name"), "config-unused", message, hint)


def _find_hyperparameter_conflicts(
    raw: Mapping[str, Any], keys: Mapping[str, Any], where: Location
) -> Iterator[Conflict]:
    known = list_names(raw)
    for key, name in keys.items():
        if isinstance(name, str) and name not in known:
            message = f"there is no hyperparameter '{name}'"
            hint = did_you_mean(name, known) or f"there are: {', '.join(known)}"
            yield Conflict((*where, "keys", key), "config-hyperparameter", message, hint)


def _find_key_conflicts(
    template: str, keys: Mapping[str, Any], text: str, where: Location
) -> Iterator[Conflict]:
    if template.rpartition(".")[2].lower() not in FORMATS:
        message = f"keys need a template in YAML, JSON or TOML, named so; {template} is none"
        hint = "leave keys out, and write {NAME} in the template where a hyperparameter belongs"
        yield Conflict((*where, "keys"), "config-format", message, hint)
        return
    try:
        tree = find_format(template).read(text)
    except DocumentError as error:
        message = f"{template}:{error.line}:{error.column}: {error}"
        yield Conflict((*where, "template"), "config-template", message)
        return
    for key in keys:
        if find_path(tree, key) is None:
            known = list(list_keys(tree))
            hint = _suggest_key(key, known) or f"there are: {', '.join(known[:10])}"
            message = f"there is no key '{key}' in {template}"
            yield Conflict((*where, "keys", key), "config-key", message, hint, at_key=True)


def _suggest_key(key: str, known: Sequence[str]) -> str:
    """Return a hint that names the closest key: beside where it was looked for, else anywhere.

    What stands above is the same for many keys, and makes none of them alike.
    """
    above, dot, last = key.rpartition(".")
    beside = {each.rpartition(".")[2]: each for each in known if each.rpartition(".")[0] == above}
    if name := find_close(last, beside):
        return f"did you mean '{above}{dot}{name}'?"
    name = find_close(last, [each.rpartition(".")[2] for each in known])
    return did_you_mean(key, [each for each in known if each.rpartition(".")[2] == name])


def _find_text_conflicts(
    raw: Mapping[str, Any], file: Mapping[str, Any], text: str, where: Location
) -> Iterator[Conflict]:
    names, template = list_names(raw), file["template"]
    found = [name for name in find_placeholders(text, names) if name in names]
    if not found:
        message = f"no hyperparameter stands in {template}: every training job would get the same"
        hint = "give keys, such as keys: {model.dropout: dropout}; or write {dropout} in it"
        yield Conflict((*where, "template"), "config-plain", message, hint)
    for name in found:
        if condition := mapping(mapping(raw, "hyperparameter_ranges"), name).get("when"):
            message = f"{{{name}}} in {template} does not exist in every training job"
            hint = f"give keys, which leave it out: {{KEY: {name}}}; it depends on"
            hint += f" {', '.join(condition) if isinstance(condition, Mapping) else condition}"
            yield Conflict((*where, "template"), "placeholder-conditional", message, hint)
