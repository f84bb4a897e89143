"""``depthlock export``: the ion volumes of a session that was run, as files for other programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from depthlock.model.errors import WorkflowError
from depthlock.workflow.files import replace_file
from depthlock.workflow.results import SessionResults

Format = Literal["ome-tiff", "netcdf"]

SUFFIXES: dict[str, str] = {"ome-tiff": ".ome.tif", "netcdf": ".nc"}


@dataclass(frozen=True)
class VolumeExport:
    """What is exported.

    Attributes
    ----------
    samples : tuple of str
        All samples that have single ions if empty.
    ions : tuple of str
        All followed ions if empty.
    binning : tuple of int
        Scans, rows and columns of a voxel.
    format : str
        ``ome-tiff`` or ``netcdf``.
    """

    samples: tuple[str, ...] = ()
    ions: tuple[str, ...] = ()
    binning: tuple[int, int, int] = (1, 1, 1)
    format: Format = "ome-tiff"


def export_volumes(results: SessionResults, wanted: VolumeExport, folder: Path | None = None) -> Iterator[Path]:
    """Write the volumes of one sample after the other, and give the path of each file.

    Parameters
    ----------
    results : SessionResults
    wanted : VolumeExport
    folder : Path, optional
        Where a folder for each sample is made; ``exports`` of the results if absent.

    Raises
    ------
    WorkflowError
        When a sample is not in the session, or none has a store of single ions.
    """
    samples = [sample for sample in results.samples if results.path("tofsims_events", sample) is not None]
    without = [sample for sample in wanted.samples if sample not in samples]
    if without or not samples:
        raise WorkflowError(
            f"{', '.join(without) or 'no sample'} has {'no' if without else 'a'} store of single ions in the results",
            expected="one of " + ", ".join(samples) if samples else "a sample with a raw TOF-SIMS file that was run",
            where=str(results.folder),
            hint="run the session first; exported profiles hold no volumes",
        )
    for sample in wanted.samples or samples:
        path = (folder or results.folder / "exports") / sample / f"tofsims_volume{SUFFIXES[wanted.format]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        _export_sample(results, sample, wanted, path)
        yield path


def _export_sample(results: SessionResults, sample: str, wanted: VolumeExport, path: Path) -> None:
    from depthlock.report.volume_exports import write_ome_tiff
    from depthlock.tofsims.volumes import even_in_depth, ion_volumes
    from depthlock.workflow import store

    events, profile = results.events(sample), results.dataset(sample, "tofsims_profile")
    if events is None or profile is None:
        raise WorkflowError(
            f"the profile of {sample} is not there", where=str(results.folder), hint="run the session again"
        )
    depth = results.dataset(sample, "depth_profile")
    volume = ion_volumes(events, profile, depth, wanted.ions, wanted.binning)
    if wanted.format == "netcdf":
        store.save(volume, path, "tofsims_volume", store.provenance_of(profile))
    else:
        replace_file(path, lambda temporary: write_ome_tiff(even_in_depth(volume), temporary))
