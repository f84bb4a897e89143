"""A small writer of IONTOF files for the tests, written from the layout alone: whole files with exact truth."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

NX, NY, SCANS, SHOTS = 5, 4, 3, 2
SF, K0 = 36000.0, 150.0
SPUTTER_S = 30.0


@dataclass
class Node:
    """A block: a folder when it has children, else a value."""

    name: str
    number: int = 0
    value: bytes = b""
    packed: bool = False
    children: list[Node] = field(default_factory=list)
    part: int = 1000
    at: int = 0

    def add(self, name: str, value: bytes | None = None, number: int = 0, packed: bool = False) -> Node:
        """The child of that name and number; made if it is not there."""
        for child in self.children:
            if (child.name, child.number) == (name, number) and value is None:
                return child
        child = Node(name, number, zlib.compress(value or b"") if packed else value or b"", packed)
        self.children.append(child)
        return child

    def path(self, text: str) -> Node:
        node = self
        for step in text.split("/"):
            name, _, number = step.rstrip("]").partition("[")
            node = node.add(name, number=int(number or 0))
        return node

    @property
    def kind(self) -> int:
        return 1 if self.children else 0x80 if self.packed else 0


def container(root: Node) -> bytes:
    """The bytes of a file: parents before children, long folders in parts."""
    out = bytearray(b"ITStrF01")
    _write(root, out)
    return bytes(out)


def _write(node: Node, out: bytearray) -> None:
    node.at = len(out)
    if not node.children:
        head = struct.pack("<B6I", node.kind, 25, len(node.name), node.number, 0, len(node.value), len(node.value))
        out += head + node.name.encode() + node.value
        return
    parts = [node.children[first : first + node.part] for first in range(0, len(node.children), node.part)]
    places = []
    for index, part in enumerate(parts):
        places.append(len(out))
        size = 41 + 33 * len(part) + sum(len(child.name) for child in part)
        kind = 1 if index == 0 else 3
        out += struct.pack("<B6I", kind, 25, len(node.name), node.number, len(part), size, size) + node.name.encode()
        out += bytes(size)
    for child in node.children:
        _write(child, out)
    for index, (place, part) in enumerate(zip(places, parts, strict=True)):
        at = place + 25 + len(node.name)
        following = places[index + 1] if index + 1 < len(places) else 0
        table = 41 + 33 * len(part)
        value = struct.pack("<2I25xQ", table, len(part), following)
        names = b""
        for child in part:
            value += struct.pack(
                "<B4I2Q", child.kind, table + len(names), len(child.name), child.number, 1, len(child.value), child.at
            )
            names += child.name.encode()
        out[at : at + len(value) + len(names)] = value + names


def setting(name: str, integer: int, number: float, text: str) -> bytes:
    key, words = name.encode("utf-16-le"), text.encode("utf-16-le")
    return bytes(16) + struct.pack("<I", len(key)) + key + struct.pack("<2xqdI", integer, number, len(words)) + words


SETTINGS: dict[str, tuple[int, float, str]] = {
    "Instrument.Analyzer_Polarity_Switch": (1, 1.0, "Negative"),
    "Registration.Raster.Resolution": (NX, float(NX), str(NX)),
    "Registration.Raster.StageRaster.TotalResolution.X": (NX, float(NX), str(NX)),
    "Registration.Raster.StageRaster.TotalResolution.Y": (NY, float(NY), str(NY)),
    "Registration.Raster.FieldOfView": (0, 10e-6, "10 um"),
    "Registration.Raster.ShotsPerPixel": (SHOTS, float(SHOTS), str(SHOTS)),
    "Registration.TimeResolution": (0, 5e-11, "50 ps"),
    "Analysis.SputterTime": (30, SPUTTER_S, "30 s"),
    "Measurement.ScanNumber": (SCANS, float(SCANS), str(SCANS)),
    "Context.MassScale.SF": (0, SF, str(SF)),
    "Context.MassScale.K0": (0, K0, str(K0)),
}


def add_settings(folder: Node, leave_out: tuple[str, ...] = ()) -> None:
    for name, values in SETTINGS.items():
        if name not in leave_out:
            folder.add(name, setting(name, *values))


def ions(seed: int, number: int = 900) -> np.ndarray:
    """Ions as rows of scan, x, y, channel."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, n, number) for n in (SCANS, NX, NY)] + [rng.integers(1000, 1400, number)], axis=1)


def words_of(events: np.ndarray, scan: int) -> np.ndarray:
    """The u32 words of one scan: column, row and number of each pixel, then its flight times."""
    words: list[int] = []
    number = 0
    for y in range(NY):
        for x in range(NX):
            mine = (events[:, 0] == scan) & (events[:, 1] == x) & (events[:, 2] == y)
            words += [0xC0000000 | x, 0xD0000000 | y, 0x40000000 | number, *sorted(events[mine, 3].tolist())]
            number += 1
    return np.array(words, "<u4")


def itm_tree(events: np.ndarray, block: int = 47, part: int = 6) -> Node:
    """An .itm file, whose blocks of ions are cut after every `block` words wherever that is."""
    root = Node("root")
    add_settings(root.path("propend"))
    root.path("MassScale").add("sf", struct.pack("<d", SF))
    root.path("MassScale").add("k0", struct.pack("<d", K0))
    raw = root.path("rawdata")
    raw.part = part
    raw.add("   2", b"\0")
    index = 0
    for scan in range(SCANS):
        raw.add("   6", struct.pack("<I", scan), number=scan)
        words = words_of(events, scan)
        for first in range(0, words.size, block):
            raw.add("   7", struct.pack("<Q", first), number=index)
            raw.add("  14", words[first : first + block].tobytes(), number=index, packed=True)
            index += 1
    raw.add("   3", b"\1")
    return root


def write_itm(path: Path, events: np.ndarray, block: int = 47, part: int = 6) -> None:
    path.write_bytes(container(itm_tree(events, block, part)))


INTERVALS = (
    ("total", "", 0.0, 0.0, 200.0),
    ("SO_2CF_3-", "", 132.9, 132.9577, 133.0),
    ("", "V-", 50.9, 50.9445, 50.97),
)


def add_intervals(folder: Node) -> None:
    for number, (assign, desc, lower, centre, upper) in enumerate(INTERVALS):
        one = folder.add("mi", number=number)
        one.add("id", struct.pack("<I", number))
        one.add("assign", assign.encode("utf-16-le"))
        one.add("desc", desc.encode("utf-16-le"))
        one.add("SN", f"sn-{number}".encode("utf-16-le"))
        for key, value in (("lmass", lower), ("cmass", centre), ("umass", upper)):
            one.add(key, struct.pack("<d", value))


def images(seed: int) -> np.ndarray:
    """Counts by interval, scan, y, x; the first interval is the sum of the others."""
    counts = np.random.default_rng(seed).poisson(0.4, (len(INTERVALS), SCANS, NY, NX)).clip(0, SHOTS)
    counts[0] = counts[1:].sum(axis=0)
    return counts


REDUCED = "filterdata/TofCorrection/ImageStack/Reduced Data"


def ita_tree(counts: np.ndarray, later: bool = False) -> Node:
    """An .ita file; `later` puts the images where later versions of SurfaceLab do."""
    root = Node("root")
    add_settings(root.path("propend"), leave_out=("Context.MassScale.SF", "Context.MassScale.K0"))
    scale = root.path("filterdata/TofCorrection/Spectrum/Reduced Data/IMassScaleSFK0")
    scale.add("sf", struct.pack("<d", SF), number=71)
    scale.add("k0", struct.pack("<d", K0), number=72)
    picture = root.path("Meta/SI Image")
    picture.add("res_x", struct.pack("<I", NX))
    picture.add("res_y", struct.pack("<I", NY))
    picture.add("fieldofview", struct.pack("<d", 10e-6))
    add_intervals(root.path("MassIntervalList"))
    for ion, stack in enumerate(counts):
        for scan, plane in enumerate(stack):
            raw = plane.astype("<u4").tobytes()
            if later:
                root.path(f"{REDUCED}/Images/sn-{ion}/ScanData/EDROff").add(str(scan), raw, packed=True)
            else:
                stacked = root.path(f"{REDUCED}/ImageStackScans/Image[{ion}]")
                stacked.add("ImageArray.Long", raw, number=scan, packed=True)
    return root


def itax_tree(profiles: np.ndarray, times: bool = True) -> Node:
    """A file of SurfaceLab 7; its options are a pickle that must never be opened."""
    root = Node("root")
    options = root.path("CommonDataObjects/MeasurementOptions/Options[7]")
    options.add("pickle", b"\x80\x04cposix\nsystem\n(S'touch pickle_was_opened'\ntR.")
    add_intervals(options.path("massintervals"))
    view = root.path("CommonDataObjects/DataViewCollection/View[3]")
    add_settings(view.path("properties"), leave_out=() if times else ("Analysis.SputterTime",))
    for ion, profile in enumerate(profiles):
        view.path(f"dataSource/simsDataCache/sn-{ion}").add("profile", profile.astype("<f8").tobytes(), packed=True)
    return root


def write_grd(path: Path, events: np.ndarray, first_scan: int = 1) -> None:
    rows = np.stack(
        [events[:, 0] + first_scan, np.arange(len(events)), events[:, 1], events[:, 2], events[:, 3]], axis=1
    )
    path.write_bytes(rows.astype("<u4").tobytes())
    lines = [f"{name}\t{one}\t{two!r}\t{text}" for name, (one, two, text) in SETTINGS.items()]
    path.with_suffix(".properties.txt").write_text("\r\n".join(["IONTOF properties", *lines, ""]), encoding="utf-8")
