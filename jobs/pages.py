"""The task of `airport_pages.yaml`: one small Markdown page for each airport of a country.

Run it from the project root:

    runner run jobs/airport_pages.yaml
    runner run jobs/airport_pages.yaml -p country=NZ
"""

import os
import re
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def write_page(airport: dict[str, str], *, country: str, folder: str) -> None:
    """Write `<folder>/<IATA code>.md` if `airport` is in `country`, else do nothing.

    `airport` is one row of `jobs/data/airports.csv`, `country` a two-letter code (ISO 3166-1),
    `folder` a path from the project root, made where it is missing. Returns no row: the page is the
    result. Doing it again writes the same bytes, so a run can be repeated at any time, and a page
    is there whole or not at all, whenever the process dies.

    Raises:
        ValueError: The IATA code is not three capital letters, so it must not name a file.
    """
    if airport["country"] != country:
        return
    code = airport["iata"]
    if re.fullmatch(r"[A-Z]{3}", code) is None:
        raise ValueError(f"an IATA code is three capital letters, got {code!r}")
    page = ROOT / folder / f"{code}.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    # Named for its thread: were two rows to carry one code, neither would write into the other's file.
    draft = page.with_name(f".{code}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        draft.write_text(page_text(airport), encoding="utf-8")
        os.replace(draft, page)
    finally:
        draft.unlink(missing_ok=True)


def page_text(airport: dict[str, str]) -> str:
    """Return the page of one airport."""
    return (
        f"# {airport['name']} ({airport['iata']})\n\n"
        f"- Place: {airport['city']}, {airport['subd']}, {airport['country']}\n"
        f"- ICAO code: {airport['icao']}\n"
        f"- Position: {airport['lat']}, {airport['lon']}\n"
        f"- Elevation: {airport['elevation']} ft\n"
        f"- Time zone: {airport['tz']}\n"
    )
