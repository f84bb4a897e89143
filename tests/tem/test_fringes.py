"""Fringes without a common direction: spacing without bias, and its error."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from depthlock.readers import images
from depthlock.tem.fringes import local_fringes
from depthlock.tem.lattice import SHORTEST_SPACING
from depthlock.tem.windows import Spectra, windowed_spectra


def spectra_of(image: NDArray[np.float32], pixel: float, window: float = 3.8) -> Spectra:
    return windowed_spectra(image, (pixel, pixel), window=window, limit=1 / SHORTEST_SPACING)


def soot(seed: int, spacing: float, pixel: float, size: float, pixels: int = 384) -> NDArray[np.float32]:
    """Many small stacks of curved layers, `size` nm wide, of any direction, on an amorphous ground, counted."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((pixels, pixels)) * pixel
    side = pixels * pixel
    image = np.ones((pixels, pixels))
    for _ in range(int(1.5 * (side / size) ** 2)):
        row, column = rng.uniform(0, side, 2)
        turn, radius = rng.uniform(0, 2 * np.pi), rng.uniform(4, 30)
        across = np.sin(turn) * (y - row) + np.cos(turn) * (x - column)
        along = -np.sin(turn) * (x - column) + np.cos(turn) * (y - row)
        layers = np.hypot(across + radius, along) - radius
        envelope = np.exp(-0.5 * ((layers / (0.25 * size)) ** 2 + (along / (0.6 * size)) ** 2))
        image += 0.25 * envelope * np.cos(2 * np.pi * layers / spacing + rng.uniform(0, 2 * np.pi))
    image += 0.08 * rng.normal(size=image.shape)
    dose = 6e4 * pixel**2
    return (rng.poisson(np.clip(image, 0.05, None) * dose) / dose).astype(np.float32)


@pytest.mark.parametrize("size", [1.5, 4.0])
@pytest.mark.parametrize(("spacing", "pixel"), [(0.25, 0.03), (0.36, 0.05)])
def test_short_fringes_have_their_spacing(spacing: float, pixel: float, size: float) -> None:
    """Stacks of three to eight layers; the strongest place over its ring reads up to 8 % too little."""
    found = [local_fringes(spectra_of(soot(seed, spacing, pixel, size), pixel)) for seed in range(2)]
    assert all(one is not None for one in found)
    values, stds = (np.array([getattr(one, name) for one in found]) for name in ("spacing", "spacing_std"))
    assert values.mean() == pytest.approx(spacing, rel=0.005)
    assert np.all(np.abs(values - spacing) < 3.5 * stds + 1e-3 * spacing)
    assert np.all(stds < 0.01 * spacing)


def test_rings_around_one_place_have_a_spacing_but_no_direction() -> None:
    y, x = np.meshgrid(np.arange(500) * 0.05, np.arange(500) * 0.05, indexing="ij")
    rings = 1 + 0.1 * np.cos(2 * np.pi / 0.36 * np.hypot(y - 12.5, x - 12.5))
    counted = np.random.default_rng(0).poisson(30 * rings).astype(np.float32)
    fringes = local_fringes(spectra_of(counted, 0.05))
    assert fringes is not None
    assert fringes.spacing == pytest.approx(0.36, rel=0.005)


def test_soot_reads_the_same_in_windows_of_any_size(real_data) -> None:  # type: ignore[no-untyped-def]
    image = images.read(real_data / "tem" / "fringes" / "soot_ExampleImage.tif")["image"].values
    found = [
        local_fringes(spectra_of(image / np.float32(np.median(image)), 5 / 89, window)) for window in (2.5, 3.8, 6.0)
    ]
    spacings = np.array([one.spacing for one in found if one is not None])
    assert spacings.size == 3
    assert np.all((spacings > 0.36) & (spacings < 0.40))
    assert np.ptp(spacings) < 0.006
