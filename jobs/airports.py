"""The task of `nearest_hub.yaml`: for one airport, the nearest of fifty large hubs.

Run it from the project root:

    runner run jobs/nearest_hub.yaml
    runner run jobs/nearest_hub.yaml -p radius_km=500
"""

from math import asin, cos, radians, sin, sqrt

from jobs.hubs import HUBS

EARTH_RADIUS_KM = 6371.0088
"""Mean radius R1 of the Earth (IUGG; Moritz, Geodetic Reference System 1980)."""


def nearest_hub(airport: dict[str, str], *, radius_km: float) -> dict[str, object] | None:
    """Return the hub nearest to `airport` and its distance, or `None` where all are beyond `radius_km`.

    `airport` is one row of `jobs/data/airports.csv`. The result has `iata`, `name` and `country` of
    the airport, `hub` (an IATA code) and `distance_km`, rounded to 0.1 km. A hub is its own
    nearest, at 0.0 km.

    Raises:
        ValueError: `lat` or `lon` is no number, or not a place on Earth.
    """
    lat, lon = float(airport["lat"]), float(airport["lon"])
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise ValueError(f"lat and lon must be degrees within ±90 and ±180, got {lat} and {lon}")
    distance_km, hub = min((great_circle_km(lat, lon, hub.lat, hub.lon), hub.iata) for hub in HUBS)
    if distance_km > radius_km:
        return None
    return {
        "iata": airport["iata"],
        "name": airport["name"],
        "country": airport["country"],
        "hub": hub,
        "distance_km": round(distance_km, 1),
    }


def great_circle_km(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Return the distance over the surface of a sphere between two places given in degrees.

    The haversine formula: R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68 (1984), 159.
    A sphere instead of an ellipsoid is wrong by up to about 0.5 %.
    """
    phi_a, phi_b = radians(lat_a), radians(lat_b)
    haversine = sin((phi_b - phi_a) / 2) ** 2 + cos(phi_a) * cos(phi_b) * sin(radians(lon_b - lon_a) / 2) ** 2
    # Rounding can carry the haversine of two antipodes past 1, where asin has no value.
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, haversine)))
