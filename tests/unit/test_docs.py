"""The documentation says what the code does: commands, settings, files and examples."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
import typer
from fastapi.routing import APIRoute
from pydantic.fields import FieldInfo

import imaginem
import steps  # noqa: F401 - registers them
from imaginem.assets import load_manifest
from imaginem.cli.__main__ import app
from imaginem.config.sections.pipeline import DEFAULT_PIPELINE
from imaginem.config.settings import Settings
from imaginem.pipeline.steps import Registry, default_registry

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(group: typer.Typer, prefix: str = "") -> list[str]:
    names = [
        prefix + (found.name or (found.callback.__name__ if found.callback else ""))
        for found in group.registered_commands
    ]
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        names += commands(inner.typer_instance, f"{prefix}{inner.name} ")
    return names


def test_every_command_is_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")

    assert len(commands(app)) > 20
    assert {name for name in commands(app) if f"`{name}" not in page} == set()


def setting_row(name: str, field: FieldInfo) -> str:
    notes = field.json_schema_extra
    assert isinstance(notes, dict)
    default = notes["usual"]
    if not default and field.default:
        number = isinstance(field.default, int | float)
        default = f"{field.default:g}" if number else f"`{field.default}`"
    return f"| `{name}` | {field.description} | {default}".rstrip() + " |"


def test_every_setting_is_documented_as_it_is_declared_and_no_other() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    rows = {line for line in page.splitlines() if line.startswith("| `")}
    declared = {setting_row(name, field) for name, field in Settings.declared().items()}

    assert declared - rows == set(), "put these rows into docs/settings.md"
    assert rows - declared == set(), "docs/settings.md has rows that no setting declares"


def test_every_step_that_ships_is_documented_with_what_it_needs() -> None:
    page = (ROOT / "docs" / "messages.md").read_text("utf-8")
    outputs = page.partition("\n## Outputs\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|([\w, ]*)\|", outputs, re.MULTILINE)
    documented = {name: re.findall(r"\w+", needs) for name, needs in rows}
    shipped = [default_registry.get(name) for name in (*DEFAULT_PIPELINE, "sample")]

    assert documented == {step.name: [s.name for s in step.requires] for step in shipped}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", text)

    assert len(targets) + len(re.findall(r"\]\(#", text)) == text.count("](")
    for target in targets:
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_every_package_of_the_manifest_is_named_on_the_models_page() -> None:
    page = (ROOT / "docs" / "models.md").read_text("utf-8")
    manifest = load_manifest()
    packages = {asset.package for asset in manifest.of_kind("model") if asset.package}

    assert packages
    for package in packages:
        name, _, version = package.partition("==")
        assert f"`{name}` {version}" in page, package


def test_the_readmes_step_works() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.+?)```", readme, re.DOTALL)
    registry = Registry()
    scope: dict[str, object] = {"registry": registry, "__name__": "headcount"}
    exec(code.replace("requires=", "registry=registry, requires="), scope)

    assert registry.names() == ["headcount"]


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    pages = "\n".join(page.read_text("utf-8") for page in PAGES)
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", pages, re.MULTILINE))

    assert {"demo", "test"} <= named
    assert named - set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)) == set()


EXAMPLES = {"NAME", "ask", "blurriness", "headcount", "layout", "light", "my.parameters", "wayup"}
"""Files that readers are asked to make."""
FOLDERS = "imaginem|steps|tests|infra|docs|benchmarks"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_is_named_exists(page: Path) -> None:
    named = re.findall(rf"(?<![\w/.-])((?:{FOLDERS})/[\w./-]*[\w/])", page.read_text("utf-8"))
    own = {path for path in named if Path(path).stem.removeprefix("test_") not in EXAMPLES}

    assert {path for path in own if not (ROOT / path).exists()} == set()


def test_every_dotted_name_is_a_module_or_a_metric() -> None:
    pages = "\n".join(page.read_text("utf-8") for page in PAGES)
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "imaginem").rglob("*.py"))
    named = set(re.findall(r"`((?:imaginem|steps|infra|tests)(?:\.\w+)+)`", pages))
    modules = {
        name for name in named if (ROOT / name.replace(".", "/")).with_suffix(".py").exists()
    }
    packages = {name for name in named if (ROOT / name.replace(".", "/") / "__init__.py").exists()}
    metrics = {name for name in named if f'"{name}"' in code}

    assert named - modules - packages - metrics == set()


def blocks(page: str) -> list[list[str]]:
    """Return the lines of the blocks of code of a page."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    return [block.splitlines() for block in re.findall(r"```\w*\n(.+?)```", text, re.DOTALL)]


def test_the_architectures_tree_is_the_packages() -> None:
    (tree,) = [lines for lines in blocks("architecture.md") if "imaginem/" in lines]
    told = {line.split()[0].rstrip("/") for line in tree if line.startswith("  ")}
    package = ROOT / "imaginem"
    folders = {path.parent.name for path in package.glob("*/__init__.py")}

    assert told == folders | {path.name for path in package.glob("*.py")}


def test_the_architectures_layers_are_the_walls() -> None:
    walls = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (layers,) = [wall["layers"] for wall in walls["contracts"] if wall.get("id") == "layers"]

    assert layers in blocks("architecture.md")


def test_a_version_is_told_in_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")

    assert re.findall(r"^## (\S+)", changelog, re.MULTILINE)[0] == imaginem.__version__


def test_every_text_of_the_pages_is_in_the_catalogue_and_used() -> None:
    from imaginem.web.texts import ENGLISH

    web = ROOT / "imaginem" / "web"
    files = [*web.glob("templates/*.html"), *web.glob("pages/*.py")]
    code = "\n".join(path.read_text("utf-8") for path in files)
    used = set(re.findall(r"\bt\('([\w.]+)'", code)) | set(re.findall(r"'(match\.\w+)'", code))
    prefixes = set(re.findall(r"\bt\('([\w.]+\.)' ~", code))
    built = {key for key in ENGLISH if key.startswith(tuple(prefixes))}
    base = (web / "templates" / "base.html").read_text("utf-8")
    (pages,) = re.findall(r"{% for name, needed in (\[[^\]]+\])", base)
    used |= {f"nav.{name}" for name, _ in ast.literal_eval(pages)}
    assert len(used) > 100
    assert used - prefixes <= ENGLISH.keys()
    assert ENGLISH.keys() - used - built == set()


def test_the_largest_photo_is_named_as_it_is_wherever_people_read_of_it() -> None:
    from imaginem.images.limits import BYTE_LIMIT
    from imaginem.web.texts import ENGLISH

    texts = [ENGLISH["upload.formats"], ENGLISH["upload.too_large"]]
    texts += [(ROOT / "docs" / name).read_text("utf-8") for name in ("api.md", "messages.md")]
    for text in texts:
        assert set(re.findall(r"\d+ MB", text)) == {f"{BYTE_LIMIT // 2**20} MB"}


def test_every_operation_of_the_api_is_in_its_table_and_no_other() -> None:
    from imaginem.web import api

    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    routes = [route for router in api.ROUTERS for route in router.routes]
    served = [
        f"{method} {route.path}"
        for route in routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    ]
    documented = re.findall(r"^\| `([A-Z]+ /\S+)` \|", page, re.MULTILINE)

    assert set(served) - set(documented) == set(), "put these rows into docs/api.md"
    assert set(documented) - set(served) == set(), "docs/api.md has rows that no route serves"
    assert len(documented) == len(set(documented))
    assert len(served) == len(routes)
