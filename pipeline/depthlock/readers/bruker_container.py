"""The container of Bruker's .bcf files (AidAim Single File System): whether a file is whole, before it is parsed.

The parser of rosettasciio trusts the container's tables: on a damaged file it may follow them for ever.
"""

from __future__ import annotations

import struct
from pathlib import Path

MAGIC = b"AAMVHFSS"
HEADER_BYTES = 0x118
_CHUNK_HEADER = 32
_ITEM_BYTES = 0x200
_PARENT = 40
_SIZE = 4
_MOST_ITEMS = 10_000


def fault(path: Path) -> str:
    """What is wrong with a container; empty when its tables fit its size."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(0x14C)
        if len(head) < 0x14C:
            return f"its header needs 332 bytes, the file has {size}"
        (chunk,) = struct.unpack_from("<I", head, 0x128)
        tree, items, chunks = struct.unpack_from("<III", head, 0x140)
        if chunk <= _CHUNK_HEADER or not 0 < items <= _MOST_ITEMS:
            return "its header holds impossible sizes"
        if chunks * chunk + HEADER_BYTES > size:
            return f"its header tells {chunks * chunk + HEADER_BYTES} bytes, the file has {size}"
        room = (chunk - _CHUNK_HEADER) // _ITEM_BYTES
        table = b""
        for _ in range(-(-items // max(room, 1))):
            stream.seek(tree * chunk + HEADER_BYTES)
            block = stream.read(chunk)
            if len(block) < _CHUNK_HEADER:
                return "its table of contents lies outside the file"
            (tree,) = struct.unpack_from("<I", block)
            table += block[_CHUNK_HEADER : _CHUNK_HEADER + room * _ITEM_BYTES]
    if len(table) < items * _ITEM_BYTES:
        return "its table of contents is cut short"
    parents = [struct.unpack_from("<i", table, number * _ITEM_BYTES + _PARENT)[0] for number in range(items)]
    sizes = [struct.unpack_from("<Q", table, number * _ITEM_BYTES + _SIZE)[0] for number in range(items)]
    if any(parent < -1 or parent >= items for parent in parents) or any(one > 100 * size for one in sizes):
        return "its table of contents holds impossible entries"
    for number in range(items):
        at, steps = number, 0
        while at != -1:
            at, steps = parents[at], steps + 1
            if steps > items:
                return "its table of contents runs in circles"
    return ""
