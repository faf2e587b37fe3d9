"""`jobs/daylight.yaml`: items from a generator, and sunrise where an almanac has it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from jobs.daylight import daylight, days

if TYPE_CHECKING:
    from conftest import Project


def test_every_day_of_the_year_has_a_row(project: Project) -> None:
    """In Tromsø the sun stays down around New Year and up around midsummer: such days have empty cells."""
    done = project.run("jobs/daylight.yaml")
    assert done.returncode == 0, done.stderr
    rows = project.rows("out/daylight.csv")
    assert list(rows[0]) == ["date", "sunrise", "sunset", "daylight_minutes"]
    assert [row["date"] for row in rows] == [str(day) for day in days(first="2026-01-01", last="2026-12-31")]
    assert len(rows) == 365
    assert rows[0] == {"date": "2026-01-01", "sunrise": "", "sunset": "", "daylight_minutes": "0"}
    midsummer = next(row for row in rows if row["date"] == "2026-06-21")
    assert (midsummer["sunrise"], midsummer["daylight_minutes"]) == ("", "1440")
    polar_days = sum(row["daylight_minutes"] == "1440" for row in rows)
    polar_nights = sum(row["daylight_minutes"] == "0" for row in rows)
    # The sun is up from about 18 May to 26 July and down from about 27 November to 15 January.
    assert polar_days == pytest.approx(70, abs=3)
    assert polar_nights == pytest.approx(49, abs=3)


def test_days_and_place_can_be_chosen(project: Project) -> None:
    """All parameters reach the generator and the task, negative numbers too."""
    done = project.run(
        *("jobs/daylight.yaml", "-p", "latitude=-33.87", "-p", "longitude=151.21"),
        *("-p", "first=2026-12-21", "-p", "last=2026-12-21"),
    )
    assert done.returncode == 0, done.stderr
    (row,) = project.rows("out/daylight.csv")
    assert row["sunrise"].startswith("2026-12-20T18:4")


def test_a_first_day_that_is_no_date_breaks_the_input(project: Project) -> None:
    """What the generator raises is named, nothing is published, and the exit code is 4."""
    done = project.run("jobs/daylight.yaml", "-p", "first=soon")
    assert done.returncode == 4, done.stderr
    assert "Invalid isoformat string: 'soon'" in done.stderr
    assert not (project.root / "out/daylight.csv").exists()


@pytest.mark.parametrize(
    ("day", "latitude", "longitude", "sunrise", "sunset"),
    [
        pytest.param(date(2026, 6, 21), 51.48, 0.0, (3, 43), (20, 21), id="Greenwich, midsummer"),
        pytest.param(date(2026, 12, 21), 51.48, 0.0, (8, 4), (15, 53), id="Greenwich, midwinter"),
        pytest.param(date(2026, 12, 21), 40.71, -74.01, (12, 17), (21, 32), id="New York, midwinter"),
        pytest.param(date(2026, 12, 21), -33.87, 151.21, (18, 41), (9, 5), id="Sydney, midsummer"),
    ],
)
def test_sunrise_and_sunset_are_those_of_an_almanac(
    day: date, latitude: float, longitude: float, sunrise: tuple[int, int], sunset: tuple[int, int]
) -> None:
    """Within two minutes of published times, which are the same every year to about a minute."""
    row = daylight(day, latitude=latitude, longitude=longitude)
    for name, (hour, minute) in {"sunrise": sunrise, "sunset": sunset}.items():
        moment = row[name]
        assert isinstance(moment, datetime)
        expected = datetime(moment.year, moment.month, moment.day, hour, minute, tzinfo=UTC)
        assert abs(moment - expected) <= timedelta(minutes=2), name


def test_days_at_the_equator_are_equally_long() -> None:
    """Twelve hours, and the few minutes that the air adds."""
    lengths = {
        daylight(day, latitude=0, longitude=0)["daylight_minutes"]
        for day in days(first="2026-01-01", last="2026-12-31")
    }
    assert lengths <= {726, 727, 728}


@pytest.mark.parametrize(("latitude", "longitude"), [(90.1, 0), (0, -181), (float("nan"), 0)])
def test_a_place_that_is_none_raises(latitude: float, longitude: float) -> None:
    """Degrees out of range fail instead of giving a wrong time."""
    with pytest.raises(ValueError, match="must be within"):
        daylight(date(2026, 1, 1), latitude=latitude, longitude=longitude)


def test_days_follow_each_other() -> None:
    """Each day once, both ends included, the leap day too; none when the last comes before the first."""
    found = list(days(first="2028-02-01", last="2028-03-01"))
    assert (found[0], found[-1], len(found)) == (date(2028, 2, 1), date(2028, 3, 1), 30)
    assert all(after - before == timedelta(days=1) for before, after in pairwise(found))
    assert list(days(first="2026-01-02", last="2026-01-01")) == []
