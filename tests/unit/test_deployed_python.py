"""What is deployed is what was tested: the version of Python, and `host.json`."""

import json
import re

from imaginem.host.config import read_host_config
from tests.azure_worker import deployable
from tests.conftest import ROOT


def deployed() -> str:
    """Return the version of Python that the template asks for."""
    template = (ROOT / "infra" / "modules" / "app.bicep").read_text("utf-8")
    found = re.search(r"runtime: \{\s+name: 'python'\s+version: '([\d.]+)'", template)
    assert found
    return found[1]


def test_the_tests_drive_the_worker_of_the_python_that_is_deployed() -> None:
    assert deployed() in deployable()


def test_the_workflows_test_and_package_with_the_python_that_is_deployed() -> None:
    workflows = ROOT / ".github" / "workflows"
    versions = re.findall(r'python-version: "([\d.]+)"', (workflows / "deploy.yml").read_text())
    assert versions
    assert {*versions} == {deployed()}
    assert f'"{deployed()}"' in (workflows / "ci.yml").read_text("utf-8")
    assert f"Python {deployed()}" in (ROOT / "docs" / "deploy.md").read_text("utf-8")


def test_host_json_is_what_the_app_and_its_messages_need() -> None:
    """On Azure a wrong value shows only when the host starts, or as messages that are garbage."""
    told = json.loads((ROOT / "host.json").read_text("utf-8"))
    assert told["version"] == "2.0"
    assert told["extensionBundle"]["id"] == "Microsoft.Azure.Functions.ExtensionBundle"
    assert re.fullmatch(r"\[4\.\S+, 5\.0\.0\)", told["extensionBundle"]["version"])
    assert told["extensions"]["queues"]["messageEncoding"] == "none"
    config = read_host_config(ROOT)
    assert config.route_prefix == ""
    # Failing messages wait before they come again, and Azure's host gives a function time to end.
    assert config.visibility_timeout >= 1
    assert 60 <= config.function_timeout <= 3600
    assert config.max_polling_interval >= 0.1
