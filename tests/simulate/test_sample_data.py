from depthlock.model.session_file import load_session
from depthlock.simulate.sample_data import ORIGIN, SEED, sha256
from depthlock.simulate.session import simulate_sample
from depthlock.simulate.truth import write_truth
from depthlock.simulate.worlds import SessionParameters


def registered(folder):
    lines = (folder / "registry.txt").read_text(encoding="utf-8").splitlines()
    return {path: (digest, origin) for path, digest, origin in (line.split(" ") for line in lines)}


def test_every_file_is_registered_and_unchanged(sample_data):
    known = registered(sample_data)
    found = {
        path.relative_to(sample_data).as_posix()
        for path in sample_data.rglob("*")
        if path.is_file() and "results" not in path.relative_to(sample_data).parts and not path.name.startswith(".")
    }
    assert found - {"registry.txt", "README.md"} == set(known)
    for path, (digest, origin) in known.items():
        assert sha256(sample_data / path) == digest, f"{path} is not the registered file"
        assert origin == ORIGIN


def test_it_is_small_and_valid(sample_data):
    assert sum((sample_data / path).stat().st_size for path in registered(sample_data)) < 8e6
    assert list(load_session(sample_data / "session.yaml").session.samples) == ["B-V2O5", "L-V2O5"]


def test_truth_is_what_the_simulator_says_today(sample_data, tmp_path):
    sample = SessionParameters().samples[1]
    rows = simulate_sample(tmp_path, sample, SEED, index=1)
    write_truth(tmp_path / "truth.csv", rows)
    today = (tmp_path / "truth.csv").read_text(encoding="utf-8").splitlines()
    kept = (sample_data / "truth.csv").read_text(encoding="utf-8").splitlines()
    assert today[1:] == [line for line in kept if line.startswith("L-V2O5,")]
    assert (tmp_path / "L/etch.vms").read_bytes() == (sample_data / "L/etch.vms").read_bytes()
    assert f'"seed": {SEED}' in (sample_data / "truth.json").read_text(encoding="utf-8")
