"""The parameter files give what main.bicep takes, and nothing that only one tool understands."""

import json
import re

from tests.conftest import ROOT

INFRA = ROOT / "infra"
MAIN = (INFRA / "main.bicep").read_text("utf-8")
DECLARED = dict(re.findall(r"^param (\w+) (\w+)", MAIN, re.MULTILINE))
FOR_AZ = json.loads((INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]
FOR_AZD = (INFRA / "main.bicepparam").read_text("utf-8")


def test_az_sends_no_placeholder_of_another_tool() -> None:
    values = [json.dumps(parameter["value"]) for parameter in FOR_AZ.values()]

    assert values
    assert [value for value in values if re.search(r"\$\{|<[A-Z]", value)] == []


def test_each_parameter_of_the_file_for_az_is_declared_with_its_type() -> None:
    types = {"string": str, "bool": bool, "int": int, "array": list, "object": dict}

    assert set(FOR_AZ) <= set(DECLARED)
    for name, parameter in FOR_AZ.items():
        assert isinstance(parameter["value"], types[DECLARED[name]]), name


def test_azd_gives_texts_of_its_environment_to_parameters_that_are_texts() -> None:
    given = dict(re.findall(r"^param (\w+) = (.+)$", FOR_AZD, re.MULTILINE))

    assert re.search(r"^using 'main\.bicep'$", FOR_AZD, re.MULTILINE)
    assert {DECLARED[name] for name in given} == {"string"}
    for name, value in given.items():
        assert re.fullmatch(r"readEnvironmentVariable\('[A-Z_]+'(, '')?\)|'\w+'", value), name
    assert "${" not in FOR_AZD


def test_what_the_script_gives_is_declared() -> None:
    script = (INFRA / "deploy.sh").read_text("utf-8")
    given = re.search(r"^given=\(--parameters.*?\)$", script, re.MULTILINE | re.DOTALL)

    assert given
    names = set(re.findall(r'["\s](\w+)=', given[0]))
    assert {"location", "steps", "restoreAccounts"} <= names
    assert names <= set(DECLARED)


def test_each_ai_account_is_restored_by_the_name_that_it_has() -> None:
    accounts = re.findall(r"^module \w+ 'modules/ai\.bicep'.*?^}", MAIN, re.MULTILINE | re.DOTALL)

    assert accounts
    for account in accounts:
        (name,) = re.findall(r"^    name: ('.+')$", account, re.MULTILINE)
        assert f"    restore: contains(restoreAccounts, {name})\n" in account
    assert "\n    restore: restore\n" in (INFRA / "modules" / "ai.bicep").read_text("utf-8")
