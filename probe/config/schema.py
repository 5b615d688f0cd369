"""The JSON Schema of the file, for editors and other programs."""

from __future__ import annotations

import json

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import NullableSchema

from probe.config.file import File
from probe.config.scalar import NAME, spelled


class _Generator(GenerateJsonSchema):
    """As pydantic's, but nothing may be null: a key without a value is an error."""

    def nullable_schema(self, schema: NullableSchema) -> JsonSchemaValue:
        """The schema of what may be left out."""
        return self.generate_inner(schema["schema"])

    def encode_default(self, dft: object) -> object:
        """A default as it would be written; every number with a fraction is a duration."""
        return spelled(dft) if isinstance(dft, float) else super().encode_default(dft)


def schema() -> str:
    """The JSON Schema (draft 2020-12)."""
    made = File.model_json_schema(schema_generator=_Generator)
    for section in ("relays", "senders", "mailboxes"):
        made["properties"][section]["propertyNames"] = {"pattern": f"^{NAME}$"}
    head = {"$schema": _Generator.schema_dialect}
    return json.dumps({**head, **_without_nulls(made)}, indent=2) + "\n"


def _without_nulls(value: object) -> dict[str, object]:
    """The same without the default `null`, which is our word for a key that is left out."""
    return {
        key: _cleaned(inner)
        for key, inner in (value.items() if isinstance(value, dict) else ())
        if not (key == "default" and inner is None)
    }


def _cleaned(value: object) -> object:
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    return _without_nulls(value) if isinstance(value, dict) else value
