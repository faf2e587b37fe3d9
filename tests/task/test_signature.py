"""What is asked of a task's signature before the first item, of loaded and of located functions alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.task import Located, Policy, TaskFault, TaskRejected, check_call, load_task, locate

Project = Callable[..., Path]
Check = Callable[..., list[TaskFault]]


@pytest.fixture(params=["located", "loaded"])
def check(request: pytest.FixtureRequest, project: Project) -> Check:
    """Give a function that checks a definition, which it gets as text, both ways."""

    def run(definition: str, **with_: object) -> list[TaskFault]:
        root = project(
            checked="from __future__ import annotations\nfrom typing import Optional\n" + definition
        )
        if request.param == "located":
            place = locate("checked.f", [root])
            assert isinstance(place, Located)
            return check_call(place, with_)
        try:
            load_task("checked.f", root=root, policy=Policy(), with_=with_)
        except TaskRejected as error:
            return list(error.faults)
        return []

    return run


@pytest.mark.parametrize(
    ("definition", "with_"),
    [
        ("def f(item): ...", {}),
        ("def f(item, /): ...", {}),
        ("def f(*args): ...", {}),
        ("def f(item=None, other=1): ...", {}),
        ("def f(item, radius): ...", {"radius": 1}),
        ("def f(item, *, radius, unit='km'): ...", {"radius": 1}),
        ("def f(item, *rest, radius): ...", {"radius": 1}),
        ("def f(item, /, **rest): ...", {"item": 1, "anything": 2}),
        ("def f(item, **rest): ...", {"anything": 2}),
        ("def f(item, /, hidden=1): ...", {"hidden": 2}),
        ("f = lambda item, to=3: item", {"to": 5}),
    ],
)
def test_a_call_that_fits_has_no_faults(check: Check, definition: str, with_: Mapping[str, Any]) -> None:
    """The item is the first positional argument, `with` the keyword arguments."""
    assert check(definition, **with_) == []


@pytest.mark.parametrize("definition", ["def f(): ...", "def f(*, item): ...", "def f(**rest): ..."])
def test_a_function_without_place_for_the_item_is_a_fault(check: Check, definition: str) -> None:
    """The item comes as a positional argument."""
    (wrong,) = check(definition)
    assert wrong.code == "no-item-parameter"
    assert "`f` has no parameter for the item" in wrong.message


@pytest.mark.parametrize(
    ("definition", "name", "message", "hint"),
    [
        ("def f(item, radius_km=1): ...", "radius_mk", "`f` has no parameter `radius_mk`", "`radius_km`"),
        ("def f(item): ...", "radius", "`f` has no parameter `radius`", None),
        ("def f(item): ...", "item", "`item` is the parameter of `f` that takes the item", None),
        ("def f(item, **rest): ...", "item", "`item` is the parameter of `f` that takes the item", None),
        ("def f(item, x=1, /): ...", "x", "`x` of `f` is positional-only", None),
        ("def f(item, *rest): ...", "rest", "`f` has no parameter `rest`", None),
    ],
)
def test_an_argument_that_no_parameter_takes_is_a_fault(
    check: Check, definition: str, name: str, message: str, hint: str | None
) -> None:
    """The fault points at the argument and shows the signature with its place."""
    (wrong,) = check(definition, **{name: 1})
    assert (wrong.code, wrong.argument) == ("unknown-argument", name)
    assert message in wrong.message
    assert wrong.hint == (hint and f"did you mean {hint}?")
    assert wrong.notes[0].startswith("`f(item")
    assert wrong.notes[0].endswith("checked.py:3")


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("def f(item, radius): ...", "`f` needs `radius`, and `with` does not give it"),
        ("def f(item, *, radius): ...", "`f` needs `radius`, and `with` does not give it"),
        ("def f(item, radius, /): ...", "`f` needs `radius`, which is positional-only and cannot be given"),
    ],
)
def test_a_parameter_that_nothing_fills_is_a_fault(check: Check, definition: str, message: str) -> None:
    """Every item would fail for it, so nothing runs."""
    (wrong,) = check(definition)
    assert (wrong.code, wrong.argument, wrong.message) == ("missing-argument", "radius", message)


def test_all_faults_are_collected(check: Check) -> None:
    """One look at the job file is enough."""
    faults = check("def f(item, a, b, *, c: int): ...", b=1, c="x", d=2)
    assert [(each.code, each.argument) for each in faults] == [
        ("argument-type", "c"),
        ("unknown-argument", "d"),
        ("missing-argument", "a"),
    ]


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("int", "5"),
        ("int", 5.0),
        ("int", True),
        ("int", [5]),
        ("float", "5"),
        ("float", True),
        ("str", 5),
        ("str", None),
        ("bool", 1),
        ("bool", "yes"),
        ("int | None", "5"),
        ("Optional[int]", "5"),
        ("'int'", "5"),
        ("int | str", 1.5),
        ("int", {"a": 1}),
    ],
)
def test_a_value_of_plainly_another_type_is_a_fault(check: Check, annotation: str, value: object) -> None:
    """A scalar annotation is taken at its word."""
    (wrong,) = check(f"def f(item, x: {annotation}): ...", x=value)
    assert (wrong.code, wrong.argument) == ("argument-type", "x")
    assert "`x` of `f` must be" in wrong.message


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("int", 5),
        ("float", 5),
        ("float", 5.5),
        ("str", ""),
        ("bool", False),
        ("int | None", None),
        ("Optional[str]", None),
        ("int = None", None),
        ("int | str", "a"),
        ("Radius", "a"),
        ("object", 5),
        ("'int'", 5),
    ],
)
def test_a_value_that_may_fit_is_no_fault(check: Check, annotation: str, value: object) -> None:
    """An int is a float; what is no scalar annotation is not judged."""
    assert check(f"class Radius: ...\ndef f(item, x: {annotation}): ...", x=value) == []


@pytest.mark.parametrize(
    ("annotation", "value"),
    [("list[int]", "a"), ("list[int]", ["a"]), ("Day", "soon"), ("Literal['a']", "b")],
)
def test_other_types_are_judged_when_they_are_loaded(
    check: Check, request: pytest.FixtureRequest, annotation: str, value: object
) -> None:
    """Without importing, only a scalar annotation can be taken at its word."""
    definition = "from typing import Literal\nfrom datetime import date as Day\n"
    found = check(f"{definition}def f(item, x: {annotation}): ...", x=value)
    is_loaded = request.node.callspec.params["check"] == "loaded"
    assert [(fault.code, fault.argument) for fault in found] == [("argument-type", "x")] * is_loaded


@pytest.mark.parametrize(
    "parameters",
    [
        "item",
        "item, /",
        "item, a, /, b",
        "item, *, a=1",
        "item, *rest, a: int = 1",
        "item, a: int = 1, **more",
        "item, /, a='x', *, b",
    ],
)
def test_the_signature_is_shown_as_it_is_written(check: Check, parameters: str) -> None:
    """The note reads like the `def` that it stands for."""
    faults = check(f"def f({parameters}): ...", item=1, other_=2)
    shown = [note for each in faults for note in each.notes]
    if "**" not in parameters:
        assert shown[0].startswith(f"`f({parameters})` at ")


def test_a_function_whose_signature_is_not_known_is_not_judged() -> None:
    """Some callables written in C have none."""
    assert check_call(min, {"anything": 1}) == []


def test_a_default_that_cannot_be_shown_is_no_trouble() -> None:
    """A `__repr__` that raises does not hide the fault."""

    class Shy:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    def f(item: object, x: object = Shy()) -> None:
        """Do nothing."""

    (wrong,) = check_call(f, {"y": 1})
    assert "`f(item: object, x: object = …)`" in wrong.notes[0]
