"""Runs checkov: no finding that isn't explained beside the resource."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

_EXPLAINED = re.compile(r"checkov:skip=(\w+):(.+)")


def problems(folder: Path) -> list[str]:
    """Return checkov's findings, and skips without a reason."""
    command = [str(Path(sys.executable).with_name("checkov")), "-d", str(folder)]
    command += ["--config-file", str(Path(__file__).with_name("checkov.yaml"))]
    command += ["--framework", "bicep", "--quiet", "--compact", "--skip-download", "-o", "json"]
    environment = {**os.environ, "LOG_LEVEL": "CRITICAL"}
    ran = subprocess.run(  # noqa: S603 - a pinned package's own program
        command, capture_output=True, text=True, env=environment
    )
    try:
        told = json.loads(ran.stdout)
    except ValueError:
        return [f"checkov: {ran.stdout[-300:]} {ran.stderr[-300:]}"]
    reports = told if isinstance(told, list) else [told]
    found = []
    for report in reports:
        summary = report["summary"]
        if summary["parsing_errors"] or not summary["resource_count"]:
            found.append(f"checkov: it could not read everything: {summary}")
        found += [
            f"checkov: {each['check_id']} {each['check_name']} "
            f"({Path(each['file_path']).name}, {each['resource']})"
            for each in report["results"]["failed_checks"]
        ]
    return found + _bare_skips(folder)


def _bare_skips(folder: Path) -> list[str]:
    return [
        f"{path.name}: {line.strip()}: say why"
        for path in sorted(folder.rglob("*.bicep"))
        for line in path.read_text("utf-8").splitlines()
        if "checkov:skip" in line and not _EXPLAINED.search(line)
    ]
