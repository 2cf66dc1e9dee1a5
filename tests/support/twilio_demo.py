# SPDX-License-Identifier: Apache-2.0
"""The people at the other end of the demo: they answer what is sent, and start a few
conversations."""

import struct
import zlib


def picture(width: int = 160, height: int = 120) -> bytes:
    """A PNG with a sunset, or something like it."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    rows = b""
    for y in range(height):
        rows += b"\0"
        for x in range(width):
            is_sun = (x - width // 2) ** 2 + (y - height // 2) ** 2 < (height // 5) ** 2
            rows += bytes((255, 225, 120) if is_sun else (255 - y, 90 + y // 2, 60 + y))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


PICTURE = picture()

ANA, BO, CHI, DEE = "+15551230001", "+15551230002", "+447700900003", "+491711234504"
NAMES = {ANA: "Ana Gómez", BO: "Bo Lindqvist", CHI: "Chi", DEE: "Dee's Flowers"}

# Who writes what, one after the other.
CONVERSATIONS = [
    (ANA, {"Body": "Hola 👋 is the blue one still in stock?"}),
    (BO, {"Body": "Hi! My order arrived, thank you."}),
    (BO, {"Body": "One question though: how do I clean it?"}),
    (
        CHI,
        {
            "Body": "Here is where we are",
            "Latitude": "51.513229",
            "Longitude": "-0.219797",
            "Address": "187 Freston Road",
            "Label": "The Harrow Club",
            "MessageType": "location",
        },
    ),
    (DEE, {"Body": "Your bouquet, as promised 🌷", "media": [{"content_type": "image/png"}]}),
    (ANA, {"Body": "And do you deliver on Saturdays?"}),
]

HELP = (
    "I am the simulator's friend. Write “picture”, “location” or “button” and I send one; write "
    "“fail” and your message is not delivered; anything else I answer."
)


def reply_to(text: str) -> dict:
    """What the friend answers: fields of an inbound message."""
    word = text.strip().lower()
    if word in ("help", "hilfe", "ayuda", "?"):
        return {"Body": HELP}
    if "picture" in word or "photo" in word:
        return {"Body": "Here you are!", "media": [{"content_type": "image/png"}]}
    if "location" in word or "where" in word:
        return {
            "Body": "",
            "Latitude": "40.416775",
            "Longitude": "-3.703790",
            "Address": "Puerta del Sol",
            "Label": "Kilometre Zero",
            "MessageType": "location",
        }
    if "button" in word:
        return {
            "Body": "Yes, please",
            "ButtonText": "Yes, please",
            "ButtonPayload": "confirm:42",
            "MessageType": "button",
        }
    if any(word.startswith(w) for w in ("hi", "hello", "hola", "hallo", "hey")):
        return {"Body": "Hello! 👋 Nice to hear from you. Write “help” to see what I can do."}
    if "thank" in word:
        return {"Body": "You are welcome 🙂"}
    shown = text if len(text) <= 200 else text[:200] + "…"
    return {"Body": f"You wrote: {shown}" if text else "Got it 👍"}


def fails(text: str) -> bool:
    return text.strip().lower() == "fail"
