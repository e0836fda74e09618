"""The OpenAPI document as a page to read: plain HTML, no script, nothing fetched from elsewhere. Pure."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

_HEAD: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="docs.css">
</head>
<body>
<main>
<h1>{title}</h1>
<p>{description} Machines read <a href="openapi.json">openapi.json</a>.</p>
"""
_TAIL: Final = "</main>\n</body>\n</html>\n"

STYLE: Final = """:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 2rem 1rem 6rem; }
h1 { font-size: 1.6rem; }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .25rem; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
td { border-top: 1px solid var(--line); padding: .3rem .75rem .3rem 0; vertical-align: top; }
td:first-child { font-family: ui-monospace, monospace; white-space: nowrap; width: 9rem; }
pre { background: var(--soft); padding: .75rem; overflow: auto; border-radius: .4rem; font-size: .85rem; }
summary { cursor: pointer; padding: .25rem 0; }
"""


def documentation_page(document: Mapping[str, Any]) -> str:
    """The page of an OpenAPI document."""
    info = document["info"]
    head = _HEAD.format(title=escape(info["title"]), description=escape(info["description"]))
    return head + "".join(_body(document)) + _TAIL


def _body(document: Mapping[str, Any]) -> Iterator[str]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield from _operation(method, path, operation)
    yield "<h2>Schemas</h2>\n"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f'<details id="{escape(name)}"><summary>{escape(name)}</summary>{_json(schema)}</details>\n'


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h2>{method.upper()} {escape(path)}</h2>\n<p>{escape(operation['summary'])}"
    yield f" {escape(operation.get('description', ''))}</p>\n"
    if operation["parameters"]:
        yield _table((each["name"], each["description"]) for each in operation["parameters"])
    if "requestBody" in operation:
        yield f"<details><summary>Body</summary>{_json(operation['requestBody']['content'])}</details>\n"
    done = operation["responses"]["200"]["content"]
    yield f"<details><summary>Answer</summary>{_json(done)}</details>\n"
    yield _table((status, each["description"]) for status, each in operation["responses"].items() if status != "200")


def _table(rows: Iterator[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td>{escape(name)}</td><td>{escape(meaning)}</td></tr>\n" for name, meaning in rows)
    return f"<table>\n{cells}</table>\n" if cells else ""


def _json(value: Any) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2))}</pre>"
