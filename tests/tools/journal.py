# SPDX-License-Identifier: Apache-2.0
"""Reads a store's journal as docs/STORE.md describes it, to know where a test has to damage it."""

import struct

START = 4096
ROW = 32  # bytes of one entry of the file `rows`
HEADER = struct.Struct("<IIIIIIB7xqQQ3Q")
MAGIC = 0x31524157
NAMES = {
    1: "filler",
    2: "message",
    3: "state",
    4: "read",
    5: "flags",
    6: "contact",
    7: "contact deleted",
    8: "parked",
}


def crc32c(data):
    """The checksum that all of a store's files use (RFC 3720, appendix B.4)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Record:
    """One record: where it is, and its header's fields."""

    def __init__(self, offset, header):
        self.offset = offset
        (
            _,
            self.crc,
            self.length,
            self.payload_length,
            _,
            self.previous,
            kind,
            self.timestamp,
        ) = header[:8]
        self.number, self.row = header[8:10]
        self.kind = NAMES[kind]
        self.end = offset + self.length


def records(store):
    """All records of a journal, in order."""
    data = (store / "journal").read_bytes()
    offset, found = START, []
    while offset + HEADER.size <= len(data):
        header = HEADER.unpack_from(data, offset)
        if header[0] != MAGIC:
            break
        found.append(Record(offset, header))
        offset += header[2]
    assert found, "no records: this test could not fail"
    return found


def flip(path, offset):
    """Changes one byte."""
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        assert len(byte) == 1, f"{path} has no byte {offset}"
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0x40]))


# ---- making journals that say what no server wrote, with right checksums ----

WICKED = sorted(
    {
        0,
        1,
        2,
        7,
        8,
        80,
        0xFE,
        0xFF,
        0xFFFE,
        0xFFFF,
        2**24,
        2**31 - 1,
        2**31,
        2**32 - 1,
        2**32,
        2**32 + 1,
        2**40 - 1,
        2**40,
        2**53,
        2**53 + 1,
        2**59 - 1,
        2**59,
        2**59 + 1,
        2**62,
        2**63 - 1,
        2**63,
        2**64 - 8,
        2**64 - 1,
    }
)
# A header's fields after the checksums: (struct code, offset in it).
HEADER_FIELDS = {
    "length": ("I", 8),
    "payload_length": ("I", 12),
    "payload_crc": ("I", 16),
    "type": ("B", 24),
    "timestamp": ("Q", 32),
    "number": ("Q", 40),
    "row": ("Q", 48),
    "conflicts": ("Q", 56),
}
# The numbers before the texts of each payload.
PAYLOAD_FIELDS = {
    "message": {
        "written": ("Q", 0),
        "body": ("I", 8),
        "attributes": ("I", 12),
        "delivery": ("I", 16),
        "id": ("H", 20),
        "sid": ("H", 22),
        "counterpart": ("H", 24),
        "phone": ("H", 26),
        "idem": ("H", 28),
        "preview": ("H", 30),
        "direction": ("B", 32),
        "status": ("B", 33),
        "preview_is_body": ("B", 34),
    },
    "state": {
        "previous": ("Q", 0),
        "delivery": ("I", 8),
        "sid": ("H", 12),
        "status": ("B", 14),
        "is_new": ("B", 15),
    },
    "read": {"flags": ("I", 0), "counterpart": ("I", 4)},
    "contact": {"created": ("Q", 0), "id": ("H", 8), "phone": ("H", 10), "name": ("H", 12)},
    "parked": {"key": ("I", 0), "value": ("I", 4)},
}

_TABLE = []
for _byte in range(256):
    for _ in range(8):
        _byte = _byte >> 1 ^ (0x82F63B78 if _byte & 1 else 0)
    _TABLE.append(_byte)


def crc(data, value=0):
    """crc32c, a byte at a time."""
    value ^= 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def wicked(code, *more):
    """The wicked values that a field of this width can hold, each once, and those around `more`."""
    limit = 1 << 8 * struct.calcsize("<" + code)
    around = {n + d for n in more for d in (-80, -8, -1, 0, 1, 8, 80)}
    return sorted({value % limit for value in [*WICKED, *around]})


def salt_of(data):
    return struct.unpack_from("<Q", data, 24)[0]


def seal(data, offset, previous=None):
    """Makes a record's checksums right again. Returns that of its header."""
    if previous is not None:
        struct.pack_into("<I", data, offset + 20, previous)
    place = struct.pack("<QQ", salt_of(data), offset)
    value = crc(bytes(data[offset + 8 : offset + HEADER.size]), crc(place))
    struct.pack_into("<I", data, offset + 4, value)
    return value


def seal_payload(data, offset):
    size = struct.unpack_from("<I", data, offset + 12)[0]
    struct.pack_into(
        "<I",
        data,
        offset + 16,
        crc(bytes(data[offset + HEADER.size : offset + HEADER.size + size])),
    )


def craft(data, record, fields, is_payload=False):
    """A journal with fields of one record set, all checksums right, and the chain after it made
    anew as far as its length leads."""
    data = bytearray(data)
    for name, value in fields.items():
        code, at = (PAYLOAD_FIELDS[record.kind] if is_payload else HEADER_FIELDS)[name]
        struct.pack_into(
            "<" + code, data, record.offset + at + (HEADER.size if is_payload else 0), value
        )
    if is_payload:
        seal_payload(data, record.offset)
    return chain(data, record.offset)


def chain(data, offset):
    """Seals the record at `offset` and all that follow it."""
    value = seal(data, offset)
    offset += struct.unpack_from("<I", data, offset + 8)[0]
    while offset + HEADER.size <= len(data) and struct.unpack_from("<I", data, offset)[0] == MAGIC:
        value = seal(data, offset, value)
        offset += max(struct.unpack_from("<I", data, offset + 8)[0], 8)
    return bytes(data)


def craft_current(text, name, value):
    """CURRENT with another number, and its check."""
    lines = [
        f"{name} {value}" if line.startswith(name + " ") else line for line in text.split("\n")[:-2]
    ]
    body = "\n".join(lines) + "\n"
    assert body != text, f"CURRENT has no {name}"
    return f"{body}check {crc(body.encode())}\n"


def previous_made(salt, row, previous):
    """What `rows` has for the row before (mod_whatsapp/store/view/index.c)."""
    mask = 2**64 - 1
    h = (row * 0x9E3779B97F4A7C15 & mask) ^ (previous * 0xC2B2AE3D27D4EB4F & mask) ^ salt
    h = (h ^ h >> 31) * 0xD6E8FEB86659FD93 & mask
    return h >> 40 << 40 | previous & 2**40 - 1
