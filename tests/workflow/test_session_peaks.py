"""`depthlock peaks`: one table a sample, and a plain word where there is no spectrum."""

from depthlock.cli import OK, USER_MISTAKE, main


def test_the_strongest_peaks_of_each_sample_are_printed(sample_data, capsys):
    assert main(["peaks", str(sample_data / "session.yaml"), "--most", "12"]) == OK
    said = capsys.readouterr().out
    assert "B-V2O5: 12 strongest peaks" in said
    assert "L-V2O5: 12 strongest peaks" in said
    row = next(line for line in said.splitlines() if "SO2CF3- *" in line)
    assert row.split()[0] == "132.9577"
    assert "supported: M+1 0.02" in row


def test_a_session_without_single_ions_is_told(tmp_path, real_data, capsys):
    export = next((real_data / "tofsims" / "surfacelab_profiles").glob("I241209h*electrode1*"))
    session = tmp_path / "session.yaml"
    session.write_text(f"session: exports\nions: [SnO2-]\nsamples:\n  cell:\n    tofsims: {{file: '{export}'}}\n")
    assert main(["peaks", str(session)]) == USER_MISTAKE
    assert "no sample has a TOF-SIMS file with single ions" in capsys.readouterr().err
