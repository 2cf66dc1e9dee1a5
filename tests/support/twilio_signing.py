# SPDX-License-Identifier: Apache-2.0
"""Signs webhooks as Twilio does; written from Twilio's documentation, apart from the module."""

import base64
import hashlib
import hmac
import re


def form_pairs(body: bytes) -> list[tuple[bytes, bytes]]:
    """The decoded fields of a form body, in its order."""
    pairs = []
    for segment in body.split(b"&"):
        if segment:
            name, _, value = segment.partition(b"=")
            pairs.append((_decode(name), _decode(value)))
    return pairs


def _decode(text: bytes) -> bytes:
    if b"+" in text:
        text = text.replace(b"+", b" ")
    if b"%" not in text:
        return text
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), text)


def signed_url(url: str) -> str:
    """What Twilio signs of the URL that it was given: no user information, no fragment."""
    scheme, _, rest = url.partition("#")[0].partition("://")
    end = min((rest.find(c) for c in "/?" if c in rest), default=len(rest))
    authority = rest[:end].rpartition("@")[2]
    return scheme + "://" + authority + rest[end:]


def sign(token: str, url: str, pairs: list[tuple[bytes, bytes]]) -> str:
    """The value of X-Twilio-Signature for a form POST to `url` (no pairs: for a GET)."""
    text = signed_url(url).encode()
    for name, value in sorted(set(pairs)):
        text += name + value
    digest = hmac.new(token.encode(), text, hashlib.sha1).digest()
    return base64.b64encode(digest).decode()
