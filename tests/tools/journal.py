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
        (_, self.crc, self.length, self.payload_length, _, self.previous, kind, self.timestamp) = (
            header[:8]
        )
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
