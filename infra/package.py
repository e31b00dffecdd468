"""Builds the deployment package: `make package ENGINES=azure` or `ENGINES=local`.

`SQL_DRIVER=mssql-python` adds that package, for an app whose setting SQL_DRIVER names it.

Azure installs requirements.txt when the package is published (remote build). The package
holds our own code and, with the local engine, its weights, and those that steps bring, so that a
function downloads nothing when it runs.
"""

import argparse
import re
import shutil
import sys
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path

from imaginem.assets import AssetStore
from imaginem.assets.weights import WeightsStore, told
from imaginem.cli.shared import load_registry
from imaginem.config.ocr_languages import kinds_of_data
from imaginem.config.settings import read_settings
from imaginem.pipeline.brought import requirement_parts
from imaginem.ports.weights import Weights

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
# Needed on a laptop only: on Azure the Functions host of Azure runs the app.
LEFT_OUT = (
    "cli",
    "host",
    "ai_emulator",
    "testing.py",
    "memory",
    "assets/convert",
    "assets/download.py",
    "assets/fetch.py",
    "assets/fetch_weights.py",
    "assets/one_file.py",
)
LOCAL_PACKAGES = (
    "onnxruntime",
    "openvino",
    "rapidocr",
    "tesserocr",
    "opencv-python-headless",
    "numpy",
)
_TIMESTAMP = (2020, 1, 1, 0, 0, 0)  # of every file, so that the same content is the same package


def collect(engines: set[str], folder: Path, sql_driver: str = "pyodbc") -> None:
    """Copy the files that are deployed into an empty folder.

    Args:
        engines: `azure`, `local`, or both.
        folder: is emptied first.
        sql_driver: `pyodbc`, or `mssql-python`, which is added to the requirements.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("function_app.py", "host.json"):
        shutil.copy(ROOT / name, folder)
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("imaginem", "steps"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in LEFT_OUT:
        path = folder / "imaginem" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    registry = load_registry(ROOT)
    requirements = (ROOT / "requirements.txt").read_text("utf-8")
    _copy_page_assets(folder / "imaginem" / "web" / "static" / "vendor")
    if "local" in engines:
        requirements += "# The local engine.\n" + _pins("requirements-local.txt", LOCAL_PACKAGES)
        _copy_weights(folder / "weights")
    else:
        shutil.rmtree(folder / "imaginem" / "sql" / "flat_index")
    if registry.weights():
        copy_weights_of_steps(registry.weights(), folder / "weights")
    elif "local" not in engines:
        for name in ("local", "onnx"):
            shutil.rmtree(folder / "imaginem" / "engines" / name)
    requirements += packages_of_steps(registry.requirements(), requirements)
    if sql_driver == "mssql-python":
        requirements += _pins("requirements-dev.txt", {sql_driver})
    (folder / "requirements.txt").write_text(requirements, "utf-8")


def _pinned(name: str) -> str:
    """Return the lines that pin a package, in the first requirements file that does."""
    files = ("requirements.txt", "requirements-local.txt", "requirements-dev.txt")
    return next((lines for file in files if (lines := _pins(file, {name}))), "")


def _pins(file: str, packages: Collection[str]) -> str:
    """Return the lines of a requirements file that pin these packages."""
    return _lines_of((ROOT / file).read_text("utf-8"), packages)


def _lines_of(text: str, packages: Collection[str]) -> str:
    lines = text.splitlines()
    return "".join(f"{line}\n" for line in lines if re.split(r"[=;\[]", line)[0] in packages)


def packages_of_steps(declared: Sequence[tuple[str, str]], listed: str) -> str:
    """Return the lines of requirements that steps add.

    Args:
        declared: steps with their requirements.
        listed: the requirements that there are without them.

    Raises:
        SystemExit: one is pinned nowhere, or to another version than is listed.
    """
    lines: dict[str, str] = {}
    for step, text in declared:
        name, version = requirement_parts(text)
        line = f"{text}\n" if version else _pinned(name)
        if not line:
            sys.exit(f"the step {step} needs {name}, which is pinned nowhere: write {name}==1.2")
        there = lines.get(name) or _lines_of(listed, {name})
        if there and there != line:
            sys.exit(f"the step {step} needs {line.strip()}, and there is {there.strip()}")
        if not there:
            lines[name] = line
    return "# Of steps.\n" + "".join(lines.values()) if lines else ""


def copy_weights_of_steps(declared: Sequence[tuple[str, Weights]], folder: Path) -> None:
    """Copy the files that steps bring; those beside them are copied with the steps.

    Raises:
        SystemExit: one is missing, or lies elsewhere than in steps/.
    """
    store = WeightsStore(read_settings().assets)
    for step, weights in declared:
        if problem := store.problem(weights):
            sys.exit(told(step, weights, problem))
        if not weights.file:
            folder.mkdir(exist_ok=True)
            shutil.copy(store.place(weights), folder)
        elif not Path(weights.file).is_relative_to(ROOT / "steps"):
            sys.exit(f"the step {step}: {weights.file} must be in steps/, to be deployed with it")


def _copy_page_assets(folder: Path) -> None:
    """Copy the scripts and styles that pages load from npm packages, as Azure runs no npm."""
    from imaginem.web.pages.render import VENDOR, static_file

    folder.mkdir()
    for name in VENDOR:
        file = static_file(name)
        if file is None:
            sys.exit(f"{name} is missing: run `npm ci` first")
        shutil.copy(file, folder)


def _copy_weights(folder: Path) -> None:
    """Copy the models and language data, which `imaginem assets fetch` has fetched before."""
    settings = read_settings()
    store = AssetStore(settings.assets)
    folder.mkdir()
    for asset in store.manifest.of_kind("model", *kinds_of_data(settings.ocr_languages)):
        problem = store.problem(asset)
        if problem:
            sys.exit(f"{asset.name} {problem}: run `imaginem assets fetch` first")
        if not asset.installed:  # a package in requirements.txt brings the others
            shutil.copy(store.path(asset.name), folder)


def pack(folder: Path, target: Path) -> None:
    """Write a folder into a zip file, which is the same whenever the content is."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _TIMESTAMP)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())


def summary(target: Path) -> str:
    """Return a text that lists the package's folders with number and size of their files."""
    sizes: dict[str, tuple[int, int]] = {}
    with zipfile.ZipFile(target) as archive:
        for entry in archive.infolist():
            top = entry.filename.partition("/")[0]
            count, size = sizes.get(top, (0, 0))
            sizes[top] = count + 1, size + entry.file_size
    lines = [
        f"  {name:<20} {count:>4} files {size / 1024:>10,.0f} KB"
        for name, (count, size) in sorted(sizes.items())
    ]
    packed = target.stat().st_size / 1024
    return "\n".join([*lines, f"{target.relative_to(ROOT)}: {packed:,.0f} KB packed"])


def main() -> None:
    """Build the package and print its summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", default="azure", help="azure, local, or both with a comma")
    parser.add_argument("--sql-driver", default="pyodbc", choices=("pyodbc", "mssql-python"))
    arguments = parser.parse_args()
    engines = {name for name in arguments.engines.split(",") if name}
    if not engines or engines - {"azure", "local"}:
        parser.error("--engines takes azure, local, or azure,local")
    folder, target = DIST / "package", DIST / "imaginem.zip"
    collect(engines, folder, arguments.sql_driver)
    pack(folder, target)
    print(summary(target))
    with_weights = "; the weights are inside" if "local" in engines else ""
    print(f"Azure installs requirements.txt when it is published{with_weights}.")


if __name__ == "__main__":
    main()
