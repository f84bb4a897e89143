"""What `depthlock simulate` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from depthlock.model.errors import SessionError
from depthlock.simulate.session import simulate_session
from depthlock.simulate.worlds import SessionParameters, named
from depthlock.simulate.worlds import random_parameters as draw_parameters


def run(folder: Path, seed: int = 0, random_parameters: bool = False, samples: Sequence[str] = ()) -> Path:
    """Write a simulated session and return its session file.

    Parameters
    ----------
    folder : Path
        Must not exist, or be empty.
    seed : int
        Seed of the measurements, and of the parameters when they are drawn.
    random_parameters : bool
        Draw the samples' parameters instead of taking the reference pair.
    samples : sequence of str
        Only the samples of these names; all of them when empty.

    Raises
    ------
    SessionError
        When the folder holds something, or a sample is unknown.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SessionError(
            "the folder for the simulated session is not empty" if folder.is_dir() else "this is a file",
            expected="a folder that does not exist yet, or an empty one",
            where=str(folder),
            hint="give another name",
        )
    parameters = draw_parameters(seed) if random_parameters else SessionParameters()
    known = [one.name for one in parameters.samples]
    for name in samples:
        if name not in known:
            raise SessionError(f"no simulated sample '{name}'", expected=", ".join(known), where="depthlock simulate")
    simulate_session(folder, named(parameters, tuple(samples)), seed)
    return folder / "session.yaml"
