"""The items and the task of `daylight.yaml`: the days of a year, and when the sun rises on one of them.

Run it from the project root:

    runner run jobs/daylight.yaml
    runner run jobs/daylight.yaml -p latitude=-33.87 -p longitude=151.21
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from math import acos, cos, degrees, radians, sin
from typing import TypedDict

_NOON_2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


class Daylight(TypedDict):
    """A row: its keys are the columns of the output.

    `sunrise` and `sunset` are in UTC, to the minute; `None` on a day when the sun stays below the
    horizon, or above it.
    """

    date: date
    sunrise: datetime | None
    sunset: datetime | None
    daylight_minutes: int


def days(*, first: str, last: str) -> Iterator[date]:
    """Yield the days from `first` to `last`, both written as 2026-01-31.

    This is the source of items. One thread draws from it, no faster than the task and the output go on, so
    a source of yours may as well page through a service, walk a tree, or never end.

    Raises:
        ValueError: One of them is no date.
    """
    day, end = date.fromisoformat(first), date.fromisoformat(last)
    while day <= end:
        yield day
        day += timedelta(days=1)


def daylight(day: date, *, latitude: float, longitude: float) -> Daylight:
    """Return when the sun rises and sets at a place on `day`.

    The sunrise equation, good to about two minutes where the sun does not graze the horizon: J. Meeus,
    "Astronomical Algorithms" (1998), ch. 15 and 25, in the short form of
    https://en.wikipedia.org/wiki/Sunrise_equation.

    Raises:
        ValueError: `latitude` or `longitude` is not a place on Earth.
    """
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise ValueError(
            f"latitude and longitude must be within ±90 and ±180, got {latitude} and {longitude}"
        )
    # Days since noon of 1 January 2000, when the sun is at its highest here, were its path a circle.
    mean_noon = (day - _NOON_2000.date()).days - longitude / 360
    anomaly = radians((357.5291 + 0.98560028 * mean_noon) % 360)
    center = 1.9148 * sin(anomaly) + 0.02 * sin(2 * anomaly) + 0.0003 * sin(3 * anomaly)
    ecliptic = anomaly + radians(center + 180 + 102.9372)
    noon = _NOON_2000 + timedelta(days=mean_noon + 0.0053 * sin(anomaly) - 0.0069 * sin(2 * ecliptic))

    sin_declination = sin(ecliptic) * sin(radians(23.4397))
    cos_declination = (1 - sin_declination**2) ** 0.5
    # The upper edge of the sun, lifted by the air, appears when its center is 0.833° below the horizon.
    sin_height = sin(radians(-0.833)) - sin(radians(latitude)) * sin_declination
    cos_height = cos(radians(latitude)) * cos_declination
    if abs(sin_height) >= abs(cos_height):
        return {
            "date": day,
            "sunrise": None,
            "sunset": None,
            "daylight_minutes": 0 if sin_height > 0 else 24 * 60,
        }
    half_day = timedelta(days=degrees(acos(sin_height / cos_height)) / 360)
    return {
        "date": day,
        "sunrise": to_the_minute(noon - half_day),
        "sunset": to_the_minute(noon + half_day),
        "daylight_minutes": round(2 * half_day / timedelta(minutes=1)),
    }


def to_the_minute(moment: datetime) -> datetime:
    """Return the nearest full minute."""
    return (moment + timedelta(seconds=30)).replace(second=0, microsecond=0)
