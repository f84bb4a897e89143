import pytest
from pydantic import TypeAdapter, ValidationError

from depthlock.model.places import Place, in_pixels

PLACES = TypeAdapter(Place)


@pytest.mark.parametrize(
    ("written", "expected"),
    [([10, 20], (20.0, 10.0)), (["50 %", "100 %"], (99.0, 149.5)), (["1 nm", "100 pm"], (2.0, 10.0))],
)
def test_a_place_becomes_row_and_column(written, expected):
    found = in_pixels(PLACES.validate_python(written), (100, 300), (0.05, 0.1))
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("wrong", [["a", 1], [True, 1], [-1, 2], ["120 %", 1], ["3 eV", 1], [1], ["40", 1]])
def test_what_is_no_place_is_refused(wrong):
    with pytest.raises(ValidationError):
        PLACES.validate_python(wrong)


def test_a_place_outside_or_without_scale_is_told():
    with pytest.raises(ValueError, match="300 x 100 pixels"):
        in_pixels((301.0, 5.0), (100, 300), None)
    with pytest.raises(ValueError, match="no scale"):
        in_pixels(("3 nm", 5.0), (100, 300), None)
