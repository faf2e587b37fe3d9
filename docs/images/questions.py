"""The task of `ask.yaml`: a service that is slow, and now and then has no answer."""

import time


def ask(number: int, *, head: float) -> dict[str, int]:
    """Return the square of `number` after 10 to 30 ms; item 0 takes `head` seconds longer.

    Raises:
        ConnectionError: For every 401st number.
    """
    time.sleep(0.010 + number % 21 / 1000 + (head if number == 0 else 0))
    if number % 401 == 400:
        raise ConnectionError(f"no answer for {number}")
    return {"number": number, "square": number * number}
