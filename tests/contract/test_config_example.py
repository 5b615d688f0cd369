"""The example and the JSON Schema say what the code does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from probe.config import ConfigError, example, load, schema


def uncommented() -> dict[str, Any]:
    """The example with every key alive."""
    text = re.sub(r"^( *)#(?! )", r"\1", example(), flags=re.MULTILINE)
    return YAML(typ="safe", pure=True).load(text)


def tables(
    node: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Every mapping with keys of its own in the schema, and where it is."""
    definitions = json.loads(schema())["$defs"]
    if "$ref" in node:
        node = definitions[node["$ref"].rpartition("/")[2]]
    if "properties" in node and "anyOf" not in node:
        yield path, node
    for key, value in node.get("properties", {}).items():
        for inner in (value, value.get("additionalProperties"), value.get("items")):
            if isinstance(inner, dict) and ("$ref" in inner or "properties" in inner):
                yield from tables(inner, (*path, key))


def entry(tree: Any, path: tuple[str, ...]) -> Any:
    """What the example has there; of names and lists the first."""
    for key in path:
        tree = tree[key]
        if key in ("relays", "senders", "mailboxes"):
            tree = next(iter(tree.values()))
        elif key == "routes":
            tree = tree[0]
    return tree


def test_the_example_is_good_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "example.yaml").write_text(example())
    settings = load(str(tmp_path / "example.yaml"), {})

    assert len(settings.plans) == 1
    assert settings.warnings == ("tag_key: is the example's, which everybody knows",)


def test_the_example_with_every_key_alive_lacks_only_its_files(tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(re.sub(r"^( *)#(?! )", r"\1", example(), flags=re.MULTILINE))
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    try:
        load(str(path), {"MAILPROBE_SECRETS_DIR": str(secrets)})
        said: list[str] = []
    except ConfigError as error:
        said = [problem.message for problem in error.problems]

    missing = "the file '/etc/ssl/own-ca.pem' cannot be read: No such file or directory"
    pair = "the files cannot be read: No such file or directory"
    assert said == [pair, missing, missing]


def test_the_example_mentions_every_key_and_no_other() -> None:
    tree = uncommented()

    for path, table in tables(json.loads(schema())):
        assert set(entry(tree, path)) == set(table["properties"]), path


def test_what_the_example_shows_as_a_default_is_the_default() -> None:
    tree = uncommented()
    shown = 0
    for path, table in tables(json.loads(schema())):
        for key, field in table["properties"].items():
            if field.get("default") not in (None, []):
                assert entry(tree, path)[key] == field["default"], (path, key)
                shown += 1

    assert shown > 20


def test_the_example_is_ascii_and_not_wider_than_a_terminal() -> None:
    assert example().isascii()
    assert max(map(len, example().splitlines())) <= 100


def test_the_schema_refuses_unknown_keys_everywhere() -> None:
    found = dict(tables(json.loads(schema())))

    assert {(), ("relays",), ("relays", "timeouts"), ("mailboxes", "imap"), ("routes",)} <= set(
        found
    )
    assert all(table["additionalProperties"] is False for table in found.values())


def test_the_schema_says_what_is_required_and_allows_no_null() -> None:
    made = json.loads(schema())

    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert made["required"] == ["tag_key", "relays", "senders", "mailboxes"]
    assert made["$defs"]["Relay"]["required"] == ["host"]
    assert made["$defs"]["Imap"]["required"] == ["host", "username", "password"]
    assert "null" not in schema()
    assert made["$defs"]["Defaults"]["properties"]["interval"]["default"] == "15s"


def test_the_example_fits_the_schema() -> None:
    made = json.loads(schema())

    assert list(mismatches(uncommented(), made, made["$defs"])) == []


def mismatches(value: Any, node: dict[str, Any], known: dict[str, Any]) -> Iterator[str]:
    """Where the value is not as the schema says, by the words that our schema uses."""
    if "$ref" in node:
        node = known[node["$ref"].rpartition("/")[2]]
    if "anyOf" in node and all(list(mismatches(value, each, known)) for each in node["anyOf"]):
        yield f"{value!r} fits nothing of {node['anyOf']}"
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    if "type" in node and not isinstance(value, kinds[node["type"]]):
        yield f"{value!r} is not {node['type']}"
        return
    if "enum" in node and value not in node["enum"]:
        yield f"{value!r} is not in {node['enum']}"
    if "pattern" in node and not re.search(node["pattern"], value):
        yield f"{value!r} is not like {node['pattern']}"
    if isinstance(value, dict):
        for key, inner in value.items():
            inside = node.get("properties", {}).get(key, node.get("additionalProperties"))
            if not inside:
                yield f"{key} is unknown"
            else:
                yield from mismatches(inner, inside, known)
        yield from (f"{key} is missing" for key in node.get("required", ()) if key not in value)
    if isinstance(value, list):
        for inner in value:
            yield from mismatches(inner, node["items"], known)
