"""`imaginem steps`, `resolve` and `new-step`."""

from collections.abc import Mapping
from keyword import iskeyword
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from imaginem.cli.model_steps import add_card_step
from imaginem.cli.shared import (
    NO_STEPS,
    App,
    Exit,
    Json,
    exit_on_error,
    fail,
    load_registry,
    note,
    out,
    print_json,
    steps_as_set,
)
from imaginem.names import STEP_NAME
from imaginem.pipeline.groups import MOST
from imaginem.pipeline.import_faults import forgotten_steps
from imaginem.pipeline.means import described, setting_name

_TEMPLATES = Path(__file__).with_name("templates")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("steps")(steps)
    app.command("resolve")(resolve)
    app.command("new-step")(new_step)


def steps(as_json: Json = False, app: App = Path()) -> None:
    """List the steps and what each needs, as the settings want them."""
    with exit_on_error():
        registry = steps_as_set(app)
    for each in forgotten_steps(registry):
        note(each)
    if as_json:
        print_json(
            [
                {
                    "name": s.name,
                    "requires": [n.name for n in s.requires],
                    "summary": s.summary,
                    "group": s.group,
                    "within": s.within,
                    "settings": [
                        {**told, "variable": setting_name(s.name, told["name"])}
                        for told in described(s.settings)
                    ],
                    "parameters": described(s.parameters),
                    "weights": [
                        {"place": w.place, "sha256": w.sha256, "licence": w.licence}
                        for w in s.weights
                    ],
                    "requirements": list(s.requirements),
                }
                for s in registry
            ]
        )
        return
    table = Table("step", "needs", "does", box=None, padding=(0, 1))
    for step in registry:
        table.add_row(step.name, ", ".join(n.name for n in step.requires) or "-", step.summary)
    out.print(table)
    for step in registry:
        if step.group:
            _tell(
                f"{step.name} works on up to {step.group} photos of a batch at once; one waits "
                f"{step.within:g} s for others at most"
            )
        for told in described(step.settings):
            _tell_means("setting", setting_name(step.name, told["name"]), told)
        for told in described(step.parameters):
            _tell_means("parameter", f"{step.name}.{told['name']}", told)
        for weights in step.weights:
            _tell(f"weights of {step.name}: {weights.place} ({weights.licence})")
        if step.requirements:
            _tell(f"packages of {step.name}: {', '.join(step.requirements)}")


def _tell_means(what: str, name: str, told: Mapping[str, Any]) -> None:
    """Print a setting or a parameter of a step."""
    default = "nothing" if told["default"] is None else told["default"]
    usual = "needed" if told["required"] else f"{default} by default"
    means = f": {told['means']}" if told["means"] else ""
    _tell(f"{what} {name} ({told['type']}, {usual}){means}")


def _tell(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def resolve(
    names: Annotated[list[str], typer.Argument(metavar="STEP...")],
    as_json: Json = False,
    app: App = Path(),
) -> None:
    """Print these steps and all that they need, in the order they run."""
    with exit_on_error():
        registry = load_registry(app)
    try:
        ordered = registry.resolve(names)
    except KeyError as problem:
        fail(f"{problem.args[0]}; `imaginem steps` lists them", Exit.USAGE)
    if as_json:
        print_json(ordered)
    else:
        out.print(",".join(ordered), soft_wrap=True, highlight=False)


def new_step(
    name: Annotated[str, typer.Argument(help="Name of the step, and of its queue.")],
    model: Annotated[Path | None, typer.Option(help="Model card, of which to make it.")] = None,
    photo: Annotated[Path | None, typer.Option(help="Photo to try the model on.")] = None,
    group: Annotated[
        int | None,
        typer.Option(min=2, max=MOST, help="How many photos it works on at once."),
    ] = None,
    app: App = Path(),
) -> None:
    """Write a step that works, and its test, ready to edit; or one made of a model card."""
    if not STEP_NAME.fullmatch(name):
        fail(f"{name!r} can't be a step's name: use 3 to 63 of a-z and 0-9", Exit.USAGE)
    if iskeyword(name):
        fail(f"{name!r} can't be a step's name: it is a word of Python", Exit.USAGE)
    if photo is not None and model is None:
        fail("--photo is for trying a model: name its card with --model", Exit.USAGE)
    if group is not None and model is not None:
        fail("a step made of a model card works on one photo: leave out --group", Exit.USAGE)
    step_file, test_file = app / "steps" / f"{name}.py", app / "tests" / "unit" / f"test_{name}.py"
    for file in (step_file, test_file):
        if file.exists():
            fail(f"{file} exists already", Exit.USAGE)
    if not step_file.parent.is_dir():
        fail(NO_STEPS.format(app), Exit.USAGE)
    if model is not None:
        with exit_on_error():
            add_card_step(app, name, model, photo)
        return
    _write(name, step_file, test_file, group)
    out.print(f"try it: imaginem submit PHOTO --pipeline {name},pipelineoutput --wait")


def _write(name: str, step_file: Path, test_file: Path, group: int | None) -> None:
    """Write a step and its test, made of their templates."""
    kind = "step.py.txt" if group is None else "group_step.py.txt"
    words = {"STEPNAME": name, "StepName": name.capitalize(), "GROUPSIZE": str(group)}
    for file, template in ((step_file, kind), (test_file, f"test_{kind}")):
        text = (_TEMPLATES / template).read_text("utf-8")
        for word, value in words.items():
            text = text.replace(word, value)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        out.print(f"wrote {file}", highlight=False, soft_wrap=True)
