"""Thickness from TEM images: time by size, memory over the image, threads, and against a crystallinity map alone.

Run as ``python -m benchmarks tem``. Each measurement runs in a process of its own, so that peak memories do not mix;
all rates are ratios within one run, as machines differ.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import dask
import numpy as np
import xarray as xr

from depthlock.model.options import ThicknessOptions
from depthlock.simulate.tem import TemParameters, simulate_image
from depthlock.tem.thickness import measure_thickness

SIDES = (1024, 2048, 4096)
LARGE = 8192
PIXEL = 0.035
SEED = 5
REFERENCE = 2048


def image_of(side: int) -> xr.Dataset:
    """A simulated image of `side` x `side` pixels, float32."""
    image = simulate_image(TemParameters(pixels=side, pixel_nm=PIXEL), 12.0, np.random.default_rng(SEED))[0]
    return image.assign(image=image["image"].astype(np.float32))


def seconds(function: Callable[[], object], repeats: int = 1) -> float:
    """Shortest time of some calls."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)


def processor_seconds(function: Callable[[], object]) -> float:
    """Shortest processor time of two calls."""
    times = []
    for _ in range(2):
        began = time.process_time()
        function()
        times.append(time.process_time() - began)
    return min(times)


def peak_mib() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def by_size(side: int) -> dict[str, float]:
    """Time a pixel, and memory beyond what the program and a small image take, over the image's own size."""
    measure_thickness([image_of(512)], ThicknessOptions())
    # The image is kept on disk meanwhile: making it takes more memory than measuring it.
    made = subprocess.run(
        [sys.executable, "-m", "benchmarks.tem", "image", str(side)], check=True, capture_output=True
    ).stdout
    values = np.frombuffer(made, dtype=np.float32).reshape(side, side)
    image = xr.Dataset({"image": (("y", "x"), values)}, attrs={"pixel_size_nm": [PIXEL, PIXEL]})
    before = peak_mib()
    took = seconds(lambda: measure_thickness([image], ThicknessOptions()))
    return {"ns a pixel": took / side**2 * 1e9, "memory over image": (peak_mib() - before) / (values.nbytes / 2**20)}


def by_threads(side: int) -> dict[str, float]:
    """One thread over two, and the measurement's processor time over that of a crystallinity map alone (pyxem)."""
    from depthlock.tem.crystallinity import crystallinity_map, windowed_diffraction

    image = image_of(side)
    measure_thickness([image_of(512)], ThicknessOptions())
    took = {}
    for threads in (1, 2):
        with dask.config.set(scheduler="threads", num_workers=threads):
            took[threads] = seconds(lambda: measure_thickness([image], ThicknessOptions()), 2)
    with dask.config.set(scheduler="threads", num_workers=1):
        values = image["image"].values
        crystallinity_map(windowed_diffraction(values[:512, :512], (PIXEL, PIXEL)))
        alone = processor_seconds(lambda: crystallinity_map(windowed_diffraction(values, (PIXEL, PIXEL))))
        whole = processor_seconds(lambda: measure_thickness([image], ThicknessOptions()))
    return {"one thread over two": took[1] / took[2], "over crystallinity map": whole / alone}


def images(sides: tuple[int, ...] = SIDES) -> Iterator[str]:
    """Thickness of the layer: time a pixel and memory by image size, two threads, against a crystallinity map."""
    for side in sides:
        yield f"{side:6} px" + _in_process("size", side)
    yield f"{REFERENCE:6} px" + _in_process("threads", REFERENCE)


def large_image() -> Iterator[str]:
    """Thickness of the layer in an image of 8192 x 8192 pixels: time a pixel and memory. Making it takes 10 GiB."""
    yield f"{LARGE:6} px" + _in_process("size", LARGE)


def _in_process(what: str, side: int) -> str:
    command = [sys.executable, "-m", "benchmarks.tem", what, str(side)]
    row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return "".join(f"   {name} {value:.3g}" for name, value in row.items())


def main() -> None:
    """One measurement, for a process of its own."""
    what, side = sys.argv[1], int(sys.argv[2])
    if what == "image":
        sys.stdout.buffer.write(image_of(side)["image"].values.tobytes())
    else:
        print(json.dumps({"size": by_size, "threads": by_threads}[what](side)))


if __name__ == "__main__":
    main()
