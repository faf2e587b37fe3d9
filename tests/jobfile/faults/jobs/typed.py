"""Tasks whose annotations say what their items and rows are."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


class Airport(BaseModel):
    """What an item must have."""

    name: str
    lat: float


class Strict(BaseModel):
    """Has no room for more."""

    model_config = ConfigDict(extra="forbid")
    name: str
    latitude: float


@dataclass
class Row:
    """What an output has."""

    name: str
    hub: str


def near(airport: Airport) -> dict:
    """Need a latitude."""
    return {"name": airport.name}


def strict(airport: Strict) -> dict:
    """Take nothing else."""
    return {"name": airport.name}


def double(number: int) -> int:
    """Take numbers."""
    return 2 * number


def hub(airport: dict) -> Row:
    """Make rows with columns."""
    return Row(airport["name"], "KEF")


def unclear(airport: "Nowhere") -> dict:
    """Say something that nobody knows."""
    return airport
