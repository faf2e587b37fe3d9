"""The example jobs: their data, their tasks called as plain functions, their calls as written."""

from __future__ import annotations

import csv
import importlib
import inspect
import re
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs import pages
from jobs.airports import great_circle_km, nearest_hub
from jobs.hubs import HUBS
from jobs.pages import write_page

ROOT = Path(__file__).parents[1]
JOBS = ROOT / "jobs"
DATA = JOBS / "data"
ANYWHERE = 20_038.0


@pytest.fixture(scope="module")
def airports() -> dict[str, dict[str, str]]:
    """Read the rows of `airports.csv`, by IATA code."""
    with (DATA / "airports.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    by_code = {row["iata"]: row for row in rows}
    assert len(by_code) == len(rows), "an IATA code stands for one airport"
    return by_code


def test_every_airport_has_an_iata_code(airports: dict[str, dict[str, str]]) -> None:
    """The data is what its README says: 7,884 airports, each with a code of three letters."""
    assert len(airports) == 7884
    assert [code for code in airports if re.fullmatch("[A-Z]{3}", code) is None] == []
    assert "7,884" in (DATA / "README.md").read_text(encoding="utf-8")


def test_the_data_carries_its_licence() -> None:
    """The licence of the package that the data is from stands beside it."""
    licence = (DATA / "airports.LICENSE.txt").read_text(encoding="utf-8")
    assert licence.startswith("The MIT License (MIT)")
    assert "Mike Borsetti" in licence


def test_hubs_are_fifty_airports_of_the_data(airports: dict[str, dict[str, str]]) -> None:
    """Each hub is there once, and where the data says it is."""
    assert len({hub.iata for hub in HUBS}) == len(HUBS) == 50
    for hub in HUBS:
        row = airports[hub.iata]
        assert (hub.lat, hub.lon) == (float(row["lat"]), float(row["lon"])), hub.iata


@pytest.mark.parametrize(
    ("lat_a", "lon_a", "lat_b", "lon_b", "expected_km"),
    [
        pytest.param(0, 0, 0, 90, 10007.557, id="a quarter of the equator"),
        pytest.param(90, 0, -90, 0, 20015.115, id="from pole to pole"),
        pytest.param(0, 179.5, 0, -179.5, 111.195, id="one degree across the date line"),
        pytest.param(33.3, 12.7, -33.3, -167.3, 20015.115, id="antipodes"),
        pytest.param(51.5, -0.1, 51.5, -0.1, 0, id="the same place"),
    ],
)
def test_great_circle(lat_a: float, lon_a: float, lat_b: float, lon_b: float, expected_km: float) -> None:
    """Distances that follow from the radius 6371.0088 km alone (a degree is 111.195 km)."""
    assert great_circle_km(lat_a, lon_a, lat_b, lon_b) == pytest.approx(expected_km, abs=0.001)


def test_great_circle_between_two_known_airports(airports: dict[str, dict[str, str]]) -> None:
    """London Heathrow to New York JFK: 5,555 km on the ellipsoid; the sphere is within 0.5 % of it."""
    here, there = airports["LHR"], airports["JFK"]
    places = [float(row[key]) for row in (here, there) for key in ("lat", "lon")]
    assert great_circle_km(*places) == pytest.approx(5555, rel=0.005)


@pytest.mark.parametrize(
    ("iata", "hub"),
    [
        ("RKV", "LHR"),
        ("ORY", "CDG"),
        ("LGA", "JFK"),
        ("SDU", "GRU"),
        ("AKL", "SYD"),
        ("HNL", "SFO"),
        ("NRT", "NRT"),
    ],
)
def test_nearest_hub(airports: dict[str, dict[str, str]], iata: str, hub: str) -> None:
    """The hub is the one that a map shows; for a hub, it is itself."""
    row = nearest_hub(airports[iata], radius_km=ANYWHERE)
    assert row is not None
    assert list(row) == ["iata", "name", "country", "hub", "distance_km"]
    assert (row["iata"], row["hub"]) == (iata, hub)


def test_distance_is_in_tenths_of_a_kilometre(airports: dict[str, dict[str, str]]) -> None:
    """Reykjavik lies 1,879.2 km from Heathrow (by the vector formula too); a hub, 0.0 km from itself."""
    reykjavik, hub = (nearest_hub(airports[iata], radius_km=ANYWHERE) for iata in ("RKV", "DXB"))
    assert reykjavik is not None
    assert reykjavik["distance_km"] == 1879.2
    assert hub is not None
    assert hub["distance_km"] == 0.0


def test_every_airport_gets_a_row_by_default(airports: dict[str, dict[str, str]]) -> None:
    """The job's own radius reaches round half the Earth."""
    radius_km = load("nearest_hub")["params"]["radius_km"]
    assert all(nearest_hub(row, radius_km=radius_km) for row in airports.values())


def test_no_row_beyond_the_radius(airports: dict[str, dict[str, str]]) -> None:
    """An airport with all hubs farther away than the radius gives `None`."""
    assert nearest_hub(airports["RKV"], radius_km=1879) is None
    assert nearest_hub(airports["RKV"], radius_km=1880) is not None


@pytest.mark.parametrize(
    ("lat", "message"),
    [
        ("north", "could not convert"),
        ("", "could not convert"),
        ("nan", "degrees within"),
        ("91", "degrees within"),
    ],
)
def test_a_malformed_place_raises(airports: dict[str, dict[str, str]], lat: str, message: str) -> None:
    """What is no latitude fails that airport instead of giving it a wrong hub."""
    with pytest.raises(ValueError, match=message):
        nearest_hub(airports["RKV"] | {"lat": lat}, radius_km=ANYWHERE)


def test_write_page_writes_one_page(
    airports: dict[str, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page stands below the project root, and a second call changes nothing."""
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    for _ in range(2):
        assert write_page(airports["RKV"], country="IS", folder="out/pages") is None
    assert [path.name for path in (tmp_path / "out/pages").iterdir()] == ["RKV.md"]
    page = (tmp_path / "out/pages/RKV.md").read_text(encoding="utf-8")
    assert page.startswith("# Reykjavik Airport (RKV)\n\n- Place: Reykjavik, Capital Region, IS\n")


def test_write_page_skips_other_countries(
    airports: dict[str, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An airport elsewhere leaves no trace, not even the folder."""
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    write_page(airports["JFK"], country="IS", folder="out/pages")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("iata", ["../RKV", "RK", "rkv", "RKV\n", "", "ÄÖÜ"])
def test_write_page_refuses_a_code_that_is_none(
    airports: dict[str, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, iata: str
) -> None:
    """A row cannot choose where its page goes."""
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="three capital letters"):
        write_page(airports["RKV"] | {"iata": iata}, country="IS", folder="out/pages")
    assert list(tmp_path.iterdir()) == []


def test_write_page_leaves_the_old_page_when_it_fails(
    airports: dict[str, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page is replaced whole or not at all, and no draft stays behind."""
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    write_page(airports["RKV"], country="IS", folder="pages")
    before = (tmp_path / "pages/RKV.md").read_bytes()
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        write_page(airports["RKV"] | {"tz": "\ud800"}, country="IS", folder="pages")
    assert [path.name for path in (tmp_path / "pages").iterdir()] == ["RKV.md"]
    assert (tmp_path / "pages/RKV.md").read_bytes() == before


def load(name: str) -> Any:
    """Return the plain data of an example job file."""
    return yaml.safe_load((JOBS / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(path.stem for path in JOBS.glob("*.yaml")))
def test_the_call_of_a_job_fits_its_task(name: str) -> None:
    """`call` names what takes the arguments under `with`, and what takes an item; the input is there."""
    job = load(name)
    task = job["task"] if isinstance(job["task"], dict) else {"call": job["task"]}
    call, with_ = function(task["call"]), task.get("with", {})
    if isinstance(call, type):  # every worker builds one
        inspect.signature(call).bind(**with_)
        inspect.signature(function(f"{task['call']}.__call__")).bind(None, {}, context=None)
    else:
        inspect.signature(call).bind({}, **with_)
    if job["input"]["type"] == "python":
        inspect.signature(function(job["input"]["call"])).bind(**job["input"].get("with", {}))
    else:
        path = job["input"]["path"].replace("${params.files}", str(job.get("params", {}).get("files")))
        assert list(ROOT.glob(path))


def function(dotted: str) -> Any:
    """Return what a dotted path names, of a module or of a class in it."""
    package, module, *names = dotted.split(".")
    return attrgetter(".".join(names))(importlib.import_module(f"{package}.{module}"))


def test_config_example_holds_the_keys_of_the_operator() -> None:
    """The sample has every key that an operator may set, and no other."""
    config = yaml.safe_load((ROOT / "config.example.yaml").read_text(encoding="utf-8"))
    assert config == {"tasks": {"allow": ["jobs.*"]}, "log": {"level": "info"}, "state": ".runner"}
