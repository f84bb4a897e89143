"""What a raw file gives to the conversion: its ions in blocks, and what the event store says beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthlock.readers.event_layout import AXES


@dataclass(frozen=True)
class EventBlock:
    """Some ions, in any order, all arrays of one length.

    Attributes
    ----------
    mass_bin : ndarray of integers
        Flight-time bins.
    pixel_id : ndarray of integers
        Flat C-order indices over the store's `row_shape`.
    count : ndarray of integers, optional
        Ions; one each if absent.
    place : int, optional
        Where in its source the next block begins, if reading can go on from there; see :class:`EventSource`.
    """

    mass_bin: NDArray[np.integer]
    pixel_id: NDArray[np.integer]
    count: NDArray[np.integer] | None = None
    place: int | None = None


@dataclass(frozen=True)
class StoreHeader:
    """What an event store says beside its ions.

    Attributes
    ----------
    row_shape : tuple of int
        (frames, ny, nx), or (cycles or tiles, frames, ny, nx).
    mode : str
        ``image_2d``, ``depth_profile`` or ``mosaic``.
    polarity : str
        ``"+"`` or ``"-"``.
    bin_width_ps : int
        Width of a flight-time bin in ps.
    slope, offset : float
        sqrt(m/z) = slope * t + offset, t in us.
    source_format, source_md5 : str
        Origin.
    sputter_time_s : tuple of float
        One time a cycle; empty for other modes.
    pixel_pitch_um, shots_per_pixel, dead_time_ns : float or None
        Left out of the store where None.
    raw_header : bytes
        The instrument's own header, verbatim.
    """

    row_shape: tuple[int, ...]
    mode: str
    polarity: str
    bin_width_ps: int
    slope: float
    offset: float
    source_format: str
    source_md5: str = ""
    sputter_time_s: tuple[float, ...] = ()
    pixel_pitch_um: float | None = None
    shots_per_pixel: int | None = None
    dead_time_ns: float | None = None
    raw_header: bytes = b""

    def __post_init__(self) -> None:
        if self.mode not in AXES or len(self.row_shape) != len(AXES[self.mode]) or min(self.row_shape) < 1:
            raise ValueError(f"row_shape {self.row_shape} does not fit the mode {self.mode!r}")
        if self.polarity not in {"+", "-"}:
            raise ValueError(f"polarity {self.polarity!r} is neither '+' nor '-'")
        if self.rows > 1 << 32:
            raise ValueError(f"{self.rows} pixels do not fit the 32 bits of pixel_id")
        if self.sputter_time_s and len(self.sputter_time_s) != self.row_shape[0]:
            raise ValueError(f"{len(self.sputter_time_s)} sputter times for {self.row_shape[0]} cycles")

    @property
    def rows(self) -> int:
        """Number of pixel cells."""
        return int(np.prod(self.row_shape, dtype=np.int64))


@dataclass(frozen=True)
class EventSource:
    """A raw file, ready to be converted.

    Attributes
    ----------
    header : StoreHeader
    blocks : callable
        Gives the blocks from a place on; 0 is the beginning. Going on from a block's `place` gives the very blocks
        that follow it.
    end : int
        The place at which the file ends.
    """

    header: StoreHeader
    blocks: Callable[[int], Iterable[EventBlock]]
    end: int
