"""Cut what the tests check a bank's client against out of the Central Bank's description of its API Pix.

    python tests/data/slice_pix_api.py <openapi.yaml>

The slice is JSON Schema (2020-12): each call we make with its request and answers, the callback, every schema they
reach, and the description's own examples of them; no prose. Where the description contradicts itself, MENDED says so.
To add a call, add it and run this again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

SLICE = Path(__file__).parent / "pix-api-slice.json"
ORIGIN = "github.com/bacen/pix-api, openapi.yaml 2.9.0 at commit 1f1b568, Apache-2.0: see pix-api-slice.LICENSE"
CALLS = (
    ("put", "/cob/{txid}"),
    ("get", "/cob/{txid}"),
    ("get", "/cob"),
    ("get", "/pix"),
    ("put", "/pix/{e2eid}/devolucao/{id}"),
    ("get", "/pix/{e2eid}/devolucao/{id}"),
    ("put", "/webhook/{chave}"),
    ("get", "/webhook/{chave}"),
)
CALLBACK = "POST {webhookUrl}/pix"
EXAMPLES = ("cobBody2", "cobResponse1", "cobResponse2", "devolucaoResponse1", "pixWebhook1", "pixWebhook2")
KEPT = ("type", "required", "properties", "items", "allOf", "oneOf", "enum", "pattern", "maxLength", "minLength")
BOUNDS = ("minimum", "maximum")

# Schema, what stands in it, and what it must say: the description's own examples break the first.
MENDED = (
    ("CobGerada", '["id", "txid", "tipoCob", "criacao"]', '["id"]'),
    ("CobsConsultadas", ', "idCob"', ""),  # a field that nothing else knows
    ("PayloadLocation", '["id", "location", "tipoCob", "criacao"]', '["id", "location"]'),
    ("PessoaFisica", json.dumps(r"/^\d{11}$/"), json.dumps(r"^\d{11}$")),  # written with another language's slashes
    ("PixConsultados", '"cobs"', '"pix"'),
)

Schema = dict[str, Any]


def cut(whole: Mapping[str, Any]) -> dict[str, Any]:
    """Give the slice of the whole description."""
    calls = {f"{method.upper()} {path}": _describe(whole, whole["paths"][path][method]) for method, path in CALLS}
    bodies, parts = whole["components"]["requestBodies"], whole["components"]["schemas"]
    calls[CALLBACK] = {"request": _clean(_find_schema(bodies["WebhookPixBody"])), "answers": {}}
    problem = {"$ref": "#/$defs/Problema"}
    reached = {name: _mend(name, _clean(parts[name])) for name in sorted(_reach(parts, [*calls.values(), problem]))}
    examples = {name: whole["components"]["examples"][name]["value"] for name in EXAMPLES}
    return {"origin": ORIGIN, "calls": calls, "$defs": reached, "examples": examples}


def _describe(whole: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any]:
    asked = call.get("requestBody", {}).get("$ref", "").rpartition("/")[2]
    body = whole["components"]["requestBodies"].get(asked)
    good = {status: answer for status, answer in call["responses"].items() if str(status).startswith("2")}
    return {
        "request": _clean(_find_schema(body)) if body else None,
        "answers": {str(status): _clean(_find_schema(answer)) for status, answer in good.items()},
    }


def _find_schema(part: Mapping[str, Any]) -> Schema:
    content = part.get("content", {}).get("application/json", {})
    found: Schema = content.get("schema", {})
    return found


def _clean(schema: Any) -> Any:
    """Give a schema without its prose, its references as JSON Schema writes them."""
    if not isinstance(schema, dict):
        return [_clean(each) for each in schema] if isinstance(schema, list) else schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"].replace("#/components/schemas/", "#/$defs/")}
    kept = {name: schema[name] for name in KEPT if name in schema}
    kept |= {name: schema[name] for name in BOUNDS if name in schema and schema.get("type") == "integer"}
    if "pattern" in kept and not kept["pattern"].startswith(("^", "/")):
        kept["pattern"] = f"^{kept['pattern']}$"  # meant so: "37.000" is no money
    if "properties" in kept:
        kept["properties"] = {name: _clean(inner) for name, inner in kept["properties"].items()}
    return {
        name: value if name in ("properties", "required", "enum") else _clean(value) for name, value in kept.items()
    }


def _mend(name: str, schema: Schema) -> Schema:
    text = json.dumps(schema)
    for mended, wrong, right in MENDED:
        if mended == name:
            text = text.replace(wrong, right)
    sound: Schema = json.loads(text)
    return sound


def _reach(parts: Mapping[str, Any], roots: list[Any]) -> set[str]:
    reached: set[str] = set()
    waiting = [name for root in roots for name in _mentioned(root)]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += _mentioned(_clean(parts[name]))
    return reached


def _mentioned(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict) and "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2]
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for each in inner:
        yield from _mentioned(each)


def write(sliced: Mapping[str, Any]) -> str:
    """Write the slice with a call, schema or example per line, so that a new version shows as a readable difference."""
    parts = [f'"origin": {json.dumps(sliced["origin"])}']
    for room in ("calls", "$defs", "examples"):
        lines = [f"  {json.dumps(name)}: {json.dumps(item)}" for name, item in sliced[room].items()]
        parts.append(f"{json.dumps(room)}: {{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    whole = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    SLICE.write_text(write(cut(whole)), encoding="utf-8")
