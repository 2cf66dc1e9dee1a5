# SPDX-License-Identifier: Apache-2.0
"""Holds every response against docs/openapi.yaml, with the jsonschema package as the judge."""

import pathlib
import re

import yaml
from jsonschema import Draft202012Validator

BASE_PATH = "/api/whatsapp-messenger"

# The table of docs/API.md: which status an error code comes with.
STATUS_OF_CODE = {
    "INVALID_INPUT": 400,
    "UNAUTHORIZED": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "CONFLICT": 409,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "RATE_LIMITED": 429,
    "INTERNAL_ERROR": 500,
    "TWILIO_ERROR": 502,
    "UNAVAILABLE": 503,
}


def _escape(part):
    return part.replace("~", "~0").replace("/", "~1")


class Contract:
    """The OpenAPI document, ready to judge responses."""

    def __init__(self, path=None):
        path = path or pathlib.Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
        self.document = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert str(self.document["openapi"]).startswith(
            "3.1"
        ), "only OpenAPI 3.1 schemas are JSON Schema 2020-12"
        self._validators = {}
        self._templates = []
        for template in self.document["paths"]:
            pattern = re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(template))
            self._templates.append((re.compile(f"^{pattern}$"), template))
        # a path without parameters wins over one with
        self._templates.sort(key=lambda entry: "{" in entry[1])

    def operations(self):
        """Every (method, path template, operation) of the document."""
        for template, item in self.document["paths"].items():
            for method in ("get", "post", "put", "patch", "delete", "head", "options"):
                if method in item:
                    yield method.upper(), template, item[method]

    def find(self, method, path):
        """The (template, method) that a request belongs to, None where the document has none. HEAD
        counts as GET."""
        if path.startswith(BASE_PATH):
            path = path[len(BASE_PATH) :]
        method = "get" if method == "HEAD" else method.lower()
        for pattern, template in self._templates:
            if pattern.match(path):
                return (template, method) if method in self.document["paths"][template] else None
        return None

    def _resolve(self, pointer, node):
        """Follows $ref of anything that is not a schema (responses are often shared)."""
        while "$ref" in node:
            pointer = node["$ref"]
            node = self.document
            for part in pointer[2:].split("/"):
                node = node[part.replace("~1", "/").replace("~0", "~")]
        return pointer, node

    def validator(self, template, method, status, media_type):
        """The validator for one response, built once."""
        key = (template, method, status, media_type)
        if key not in self._validators:
            operation = self.document["paths"][template][method]
            responses = operation["responses"]
            name = str(status) if str(status) in responses else "default"
            assert (
                name in responses
            ), f"openapi.yaml: {method.upper()} {template} has no response {status}"
            pointer = f"#/paths/{_escape(template)}/{method}/responses/{name}"
            pointer, response = self._resolve(pointer, responses[name])
            assert media_type in response.get(
                "content", {}
            ), f"openapi.yaml: {method.upper()} {template} {status} has no content {media_type}"
            schema = dict(self.document)
            schema["$ref"] = f"{pointer}/content/{_escape(media_type)}/schema"
            self._validators[key] = Draft202012Validator(schema)
        return self._validators[key]

    def check_json(self, method, path, status, document):
        """Fails unless `document` is what openapi.yaml promises for this response."""
        found = self.find(method, path)
        if found is None:
            # not an operation: it can only be an error, and the error's shape is the same
            # everywhere
            check_error(status, document)
            return
        errors = sorted(
            self.validator(*found, status, "application/json").iter_errors(document), key=str
        )
        assert not errors, (
            f"{method} {path} {status} is not as openapi.yaml says: "
            + "; ".join(f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in errors)
            + f"\n{document}"
        )
        if status >= 400:
            check_error(status, document)


def check_error(status, document):
    """Fails unless `document` is an error body: exactly its members, a code that belongs to the
    status, a sentence."""
    allowed = {"success", "error", "code"}
    if document.get("code") == "TWILIO_ERROR":
        allowed.add("message")
    assert {"success", "error", "code"} <= set(document) <= allowed, document
    assert document["success"] is False, document
    assert STATUS_OF_CODE.get(document["code"]) == status, (status, document)
    sentence = document["error"]
    assert isinstance(sentence, str) and len(sentence) >= 10 and " " in sentence.strip(), document
    assert "\n" not in sentence and "\r" not in sentence, document
