"""What a report is drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import xarray as xr


class Results(Protocol):
    """The results of a session, however they are stored."""

    @property
    def name(self) -> str:
        """The session's name."""

    @property
    def samples(self) -> Sequence[str]:
        """The samples, in the session's order."""

    def dataset(self, sample: str, stage: str) -> xr.Dataset | None:
        """What a stage gave for a sample; None when it did not run for it."""

    def session_dataset(self, stage: str) -> xr.Dataset | None:
        """What a stage of the whole session gave; None when it did not run."""

    def summary_rows(self) -> Sequence[Mapping[str, Any]]:
        """The rows of ``summary.csv``."""

    def provenance(self) -> Mapping[str, Any]:
        """Software, raw files and options of the run."""
