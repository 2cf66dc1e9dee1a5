# SPDX-License-Identifier: Apache-2.0
"""Twilio's webhook signature and form encoding, written from Twilio's documentation and independent
of the module."""

import base64
import hashlib
import hmac
from urllib.parse import quote_plus, unquote_to_bytes


def encode_form(fields):
    """The wire form of a list of (name, value) pairs, in that order, as Twilio writes it: UTF-8,
    %XX, a space as +."""
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in fields).encode(
        "ascii"
    )


def decode_form(body):
    """The (name, value) byte pairs of a form body: split on & only, the first = divides, + is a
    space, then %XX."""
    pairs = []
    for piece in body.split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            pairs.append(
                tuple(unquote_to_bytes(part.replace(b"+", b" ")) for part in (name, value))
            )
    return pairs


def sign(token, url, body=b"", is_form=True):
    """X-Twilio-Signature of a request to `url` (as configured at Twilio) with the raw bytes
    `body`."""
    text = url.encode("utf-8")
    if is_form:
        values = {}
        for name, value in decode_form(body):
            values.setdefault(name, set()).add(value)
        for name in sorted(values):
            for value in sorted(values[name]):
                text += name + value
    digest = hmac.new(token.encode("utf-8"), text, hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii")
