"""Write a whole simulated session: raw files in the instruments' formats, the session file, and the truth."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from depthlock.simulate.event_table import write_sparse_hdf5
from depthlock.simulate.tem import TemTruth, simulate_image, write_tiff
from depthlock.simulate.tofsims import TofsimsTruth, simulate_events
from depthlock.simulate.truth import TrueValue, sample_truth, write_truth
from depthlock.simulate.vamas_writer import write_vamas
from depthlock.simulate.worlds import SampleParameters, SessionParameters, random_parameters
from depthlock.simulate.xps import XpsTruth, simulate_spectra

__all__ = ["SessionParameters", "random_parameters", "simulate_sample", "simulate_session"]

_SEED_OF_TECHNIQUE = {"tofsims": 1, "xps": 2, "tem": 3}


def simulate_session(folder: Path, parameters: SessionParameters, seed: int, header: str = "") -> None:
    """Write a session with known truth into a folder.

    Parameters
    ----------
    folder : Path
        Created if it is missing. Gets `session.yaml`, a folder of raw files a sample, `truth.csv` and `truth.json`.
    parameters : SessionParameters
        What to simulate.
    seed : int
        The same seed and parameters give the same measurements.
    header : str
        First line of the session file, for instance the one that tells editors the schema.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[TrueValue] = []
    for index, sample in enumerate(parameters.samples):
        rows += simulate_sample(folder, sample, seed, index)
    (folder / "session.yaml").write_text(session_yaml(parameters, header), encoding="utf-8")
    write_truth(folder / "truth.csv", rows)
    story = {
        "seed": seed,
        "parameters": asdict(parameters),
        "interlocked": {
            one.name: one.tofsims is not None and one.tofsims.domain_correlation > 0.5 for one in parameters.samples
        },
    }
    (folder / "truth.json").write_text(json.dumps(story, indent=1) + "\n", encoding="utf-8")


def simulate_sample(folder: Path, sample: SampleParameters, seed: int, index: int = 0) -> list[TrueValue]:
    """Write the raw files of one sample and return its true numbers.

    Parameters
    ----------
    folder : Path
        Folder of the session.
    sample : SampleParameters
        What to simulate.
    seed, index : int
        Seed of the session, and the sample's place in it.
    """
    own = folder / sample.folder
    own.mkdir(parents=True, exist_ok=True)
    tofsims: TofsimsTruth | None = None
    xps: XpsTruth | None = None
    images: list[TemTruth] = []
    if sample.tofsims is not None:
        events, tofsims = simulate_events(sample.tofsims, sample.layer, _stream(seed, index, "tofsims"))
        write_sparse_hdf5(own / "profile.h5", events)
    if sample.xps is not None:
        spectra, xps = simulate_spectra(sample.xps, sample.layer, _stream(seed, index, "xps"), sample.name)
        write_vamas(own / "etch.vms", spectra)
    stream = _stream(seed, index, "tem")
    for name, image_parameters in zip(_image_names(sample), sample.tem, strict=True):
        image, truth = simulate_image(image_parameters, sample.layer.thickness_nm, stream)
        write_tiff(own / name, image)
        images.append(truth)
    return sample_truth(sample, tofsims, xps, images)


def _stream(seed: int, index: int, technique: str) -> np.random.Generator:
    """Random numbers of one technique of one sample, so that leaving one out changes nothing of the others."""
    return np.random.default_rng(np.random.SeedSequence([seed, index, _SEED_OF_TECHNIQUE[technique]]))


def _image_names(sample: SampleParameters) -> list[str]:
    if len(sample.tem) == 1:
        return ["hrtem.tif"]
    return [f"hrtem_{number}.tif" for number in range(1, len(sample.tem) + 1)]


def session_yaml(parameters: SessionParameters, header: str = "") -> str:
    """Text of the session file."""
    lines = [header] if header else []
    lines += [
        f"session: {parameters.name}",
        "output: results            # relative to this file",
        "chemistry: mg-tfsi-v2o5",
        f"ions: [{', '.join(parameters.ions)}]",
        "samples:",
    ]
    for sample in parameters.samples:
        lines.append(f"  {sample.name}:")
        if sample.tofsims is not None:
            spectrometer = sample.tofsims.spectrometer
            lines += [
                "    tofsims:",
                f"      file: {sample.folder}/profile.h5",
                f"      shots_per_pixel: {spectrometer.shots_per_pixel}",
                f"      dead_time: {spectrometer.dead_time_ns:g} ns",
            ]
        if sample.xps is not None:
            lines.append(f"    xps: [{{file: {sample.folder}/etch.vms}}]")
        if sample.tem:
            lines.append("    tem:")
            lines += [f"      - {{file: {sample.folder}/{name}}}" for name in _image_names(sample)]
    return "\n".join(lines) + "\n"
