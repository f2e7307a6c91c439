"""What schemathesis must not take for a mistake: `null` for a field or a body that may be absent.

The document says in words that it means absent. No schema says it, because generators would make another type of the field.
"""

import json
from pathlib import Path
from typing import Any

import schemathesis

DOCUMENT = json.loads((Path(__file__).parent.parent / "openapi.json").read_text())
SCHEMAS = DOCUMENT["components"]["schemas"]


def optional(label: str) -> tuple[bool, set[str]]:
    """Whether the body of an operation may be absent, and which of its fields may be."""
    method, path = label.split(" ", 1)
    body = DOCUMENT["paths"][path][method.lower()]["requestBody"]
    schema = SCHEMAS[body["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]]
    return not body.get("required", False), set(schema["properties"]) - set(schema.get("required", []))


@schemathesis.hook
def filter_body(context: schemathesis.HookContext, body: Any) -> bool:
    """False for a body that schemathesis shall not send."""
    assert context.operation
    may_be_absent, fields = optional(context.operation.label)
    if isinstance(body, dict):
        return not any(name in fields and value is None for name, value in body.items())
    return not (body is None and may_be_absent)
