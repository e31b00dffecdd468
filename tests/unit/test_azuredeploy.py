"""What azuredeploy.json deploys, worked out without Azure and without reading any Bicep."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from infra.arm.__main__ import main, outdated
from infra.arm.compare import deployed, placeholder_differences
from infra.arm.evaluate import checks
from infra.arm.evaluate.deployment import Deployed, Deployment
from infra.arm.evaluate.expression import TemplateError
from infra.arm.evaluate.values import Value, get
from infra.arm.scenarios import PLACEHOLDERS, scenarios, unfilled
from tests.conftest import ROOT

FOLDER = ROOT / "infra"
TEMPLATE: dict[str, Value] = json.loads((FOLDER / "azuredeploy.json").read_text("utf-8"))
Resources: TypeAlias = dict[str, Deployed]

# Parameters that a file of the original Imaginem gives, of the types that it gives them.
OF_THE_ORIGINAL: dict[str, Value] = {
    "branch": "master",
    "pipelineDefinition": "generalclassification,ocr,facedetection,pipelineoutput",
    "faceApiKey": "<YOUR FACE API KEY>",
    "visionApiKey": "<YOUR_VISION_API_KEY>",
    "administratorLogin": "photoAdmin",
    "administratorLoginPassword": "photos:2PW",
    "collation": "Latin1_General_100_CI_AS",
    "edition": "Basic",
    "maxSizeBytes": "1073741824",
    "requestedServiceObjectiveName": "Basic",
    "skuName": "S2",
    "skuCapacity": 1,
    "deploymentPostFix": "prod",
}


def made_with(**given: Value) -> Resources:
    """Return what is deployed, by the place in the templates."""
    everything = checks.walk(Deployment(TEMPLATE, given))
    return {place.removeprefix("azuredeploy/"): one for place, one in everything}


def at(resources: Resources, place: str, *path: str) -> Value:
    """Return a property of a resource."""
    value: Value = resources[place].body
    for name in path:
        value = get(value, name)
    return value


def names_of(resources: Resources, kind: str) -> set[str]:
    """Return the last names of the resources of a type."""
    return {one.name.rpartition("/")[2] for one in resources.values() if one.type == kind}


def setting(resources: Resources, name: str) -> Value:
    """Return an app setting."""
    return at(resources, "app/settings", "properties", name)


def test_it_deploys_what_main_bicep_says() -> None:
    assert outdated(FOLDER) == []


@pytest.mark.parametrize("name", scenarios(FOLDER))
def test_azure_would_take_it(name: str) -> None:
    assert checks.problems(TEMPLATE, scenarios(FOLDER)[name]) == []


def test_settings_of_steps_stand_beside_ours_and_take_the_place_of_none() -> None:
    given: Value = {"BLURRINESS_LIMIT": "80", "HTTP_ACCESS": "open"}
    resources = made_with(stepSettings=given)
    assert setting(resources, "BLURRINESS_LIMIT") == "80"
    assert setting(resources, "HTTP_ACCESS") == "health"
    assert setting(made_with(), "PIPELINE_FUSION") == setting(resources, "PIPELINE_FUSION")


class TestAParameterFileOfTheOriginal:
    def test_it_deploys_unchanged(self) -> None:
        assert checks.problems(TEMPLATE, OF_THE_ORIGINAL) == []

    def test_what_it_says_of_the_database_is_used(self) -> None:
        resources = made_with(**OF_THE_ORIGINAL)
        assert at(resources, "sql/database", "sku", "name") == "Basic"
        assert at(resources, "sql/database", "properties", "maxSizeBytes") == 1073741824
        assert at(resources, "sql/database", "properties", "collation") == (
            "Latin1_General_100_CI_AS"
        )
        server = at(resources, "sql/server", "properties")
        assert get(server, "administratorLogin") == "photoAdmin"
        assert get(server, "administratorLoginPassword") == "photos:2PW"
        only = at(resources, "sql/entraOnly", "properties", "azureADOnlyAuthentication")
        assert only is False

    def test_its_postfix_ends_the_names(self) -> None:
        resources = made_with(**OF_THE_ORIGINAL)
        assert resources["storage/account"].name == "stimaginemprod"
        assert resources["app/site"].name == "func-imaginem-prod"
        assert resources["sql/server"].name == "sql-imaginem-prod"

    def test_a_postfix_of_one_letter_is_enough(self) -> None:
        assert checks.problems(TEMPLATE, {**OF_THE_ORIGINAL, "deploymentPostFix": "x"}) == []

    def test_without_endpoints_accounts_are_made_that_take_no_key(self) -> None:
        resources = made_with(**OF_THE_ORIGINAL)
        for kind in ("vision", "face"):
            assert at(resources, f"{kind}/account", "properties", "disableLocalAuth") is True
            assert setting(resources, f"{kind.upper()}_API_KEY") == ""
            assert resources[f"{kind}/account"].id in str(
                setting(resources, f"{kind.upper()}_ENDPOINT")
            )

    def test_its_pipeline_is_that_of_jobs_that_name_none(self) -> None:
        pipeline = setting(made_with(**OF_THE_ORIGINAL), "PIPELINE_DEFINITION")
        assert pipeline == OF_THE_ORIGINAL["pipelineDefinition"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [("branch", "dev"), ("edition", "Premium"), ("skuName", "P3"), ("skuCapacity", 9)],
    )
    def test_what_means_nothing_any_more_changes_nothing(self, name: str, value: Value) -> None:
        assert deployed(TEMPLATE, {name: value}) == deployed(TEMPLATE, {})
        described = get(get(get(TEMPLATE["parameters"], name), "metadata"), "description")
        assert str(described).startswith("Ignored: ")

    @pytest.mark.parametrize(("name", "value"), [("skuCapacity", "1"), ("maxSizeBytes", 1)])
    def test_types_are_those_of_the_original(self, name: str, value: Value) -> None:
        with pytest.raises(TemplateError, match=f"the parameter {name} is of type"):
            Deployment(TEMPLATE, {name: value})


class TestWhatNobodyFilledIn:
    @pytest.mark.parametrize(
        "value",
        ["", "<YOUR FACE API KEY>", "<YOUR_FACE_API_KEY>", "${FACE_API_KEY}", "${FACE_API_KEY=}"],
    )
    def test_a_placeholder_counts_as_empty(self, value: str) -> None:
        resources = made_with(faceEndpoint="https://face.example.org/", faceApiKey=value)
        assert setting(resources, "FACE_API_KEY") == ""

    @pytest.mark.parametrize("value", ["<open", "close>", "a<b>c", "${open", "$5{b}", "key"])
    def test_what_only_looks_like_one_is_a_value(self, value: str) -> None:
        resources = made_with(faceEndpoint="https://face.example.org/", faceApiKey=value)
        assert setting(resources, "FACE_API_KEY") == value

    def test_an_endpoint_that_is_one_is_none(self) -> None:
        resources = made_with(visionEndpoint="<ENDPOINT>", visionApiKey="key")
        assert "vision/account" in resources
        assert setting(resources, "VISION_API_KEY") == ""

    @pytest.mark.parametrize("postfix", ["<POSTFIX>", "${POSTFIX}", "<YOUR DEPLOYMENT POSTFIX>"])
    def test_a_postfix_that_is_one_is_replaced_everywhere(self, postfix: str) -> None:
        assert deployed(TEMPLATE, {"deploymentPostFix": postfix}) == deployed(TEMPLATE, {})

    @pytest.mark.parametrize("placeholder", PLACEHOLDERS)
    def test_placeholders_everywhere_deploy_what_nothing_deploys(self, placeholder: str) -> None:
        given = unfilled(TEMPLATE, placeholder)
        assert {"faceApiKey", "authClientId", "allowedImageHosts", "location"} <= set(given)
        assert placeholder_differences(TEMPLATE, given) == []

    def test_variables_of_azd_reach_no_resource(self) -> None:
        given: dict[str, Value] = {
            "location": "${AZURE_LOCATION}",
            "sqlAdministratorObjectId": "${AZURE_PRINCIPAL_ID}",
            "sqlAdministratorName": "${AZURE_PRINCIPAL_NAME}",
            "sqlAdministratorType": "User",
            "authClientId": "${AUTH_CLIENT_ID=}",
            "alertEmail": "${ALERT_EMAIL}",
        }
        assert checks.problems(TEMPLATE, given) == []
        assert deployed(TEMPLATE, given) == deployed(TEMPLATE, {})


class TestWrongCombinations:
    @pytest.mark.parametrize(
        ("given", "reason"),
        [
            ({"administratorLogin": "admin"}, "belong together"),
            ({"administratorLoginPassword": "secret"}, "belong together"),
            (
                {"administratorLogin": "admin", "administratorLoginPassword": "<PASSWORD>"},
                "belong together",
            ),
            ({"sqlAdministratorObjectId": "8"}, "needs sqlAdministratorName"),
            ({"maxSizeBytes": "plenty"}, "no number"),
            ({"deploymentPostFix": "fourteenletter"}, "13 small letters"),
        ],
    )
    def test_they_fail_before_anything_is_made(self, given: dict[str, Value], reason: str) -> None:
        (problem,) = checks.problems(TEMPLATE, given)
        assert reason in problem
        # The identity needs nothing before it, and is before everything else.
        assert "azuredeploy/identity: " in problem
        order = checks.before(Deployment(TEMPLATE, {}))
        modules = Deployment(TEMPLATE, {}).by_alias
        first = modules["identity"].id
        assert order.pop(first) == set()
        assert all(first in earlier for earlier in order.values())


class TestDefaults:
    def test_each_step_has_a_queue_and_a_poison_queue(self) -> None:
        steps = ["generalclassification", "ocr", "facedetection", "facecrop", "faceprint"]
        steps += ["facematch", "pipelineoutput", "sample"]
        queues = names_of(made_with(), "Microsoft.Storage/storageAccounts/queueServices/queues")
        assert {*steps, *(f"{step}-poison" for step in steps)} <= queues

    def test_containers_are_private(self) -> None:
        kind = "Microsoft.Storage/storageAccounts/blobServices/containers"
        containers = [one for one in made_with().values() if one.type == kind]
        assert len(containers) >= 5
        assert all(get(one.body["properties"], "publicAccess") == "None" for one in containers)

    def test_roles_are_given_for_single_resources_to_the_app(self) -> None:
        kind = "Microsoft.Authorization/roleAssignments"
        given = [one for one in made_with().values() if one.type == kind]
        assert len(given) >= 6
        for one in given:
            scope = one.id.partition("/providers/Microsoft.Authorization/")[0]
            assert "/providers/Microsoft." in scope
            assert "id-imaginem-" in str(get(one.body["properties"], "principalId"))

    def test_the_app_knows_its_storage_and_no_key_of_it(self) -> None:
        resources = made_with()
        account = resources["storage/account"]
        assert setting(resources, "AzureWebJobsStorage__accountName") == account.name
        assert get(account.body["properties"], "allowSharedKeyAccess") is False

    def test_nothing_but_the_health_page_answers(self) -> None:
        assert setting(made_with(), "HTTP_ACCESS") == "health"
        assert setting(made_with(authClientId="9"), "HTTP_ACCESS") == "platform"

    def test_logins_are_on_before_settings(self) -> None:
        order = checks.before(
            next(one.inner for place, one in made_with().items() if place == "app" and one.inner)
        )
        resources = made_with()
        assert resources["app/authentication"].id in order[resources["app/settings"].id]

    def test_there_is_no_network_and_nobody_is_mailed(self) -> None:
        assert not {"network", "alerts", "budget"} & set(made_with())

    def test_outputs_are_what_deploy_sh_reads(self) -> None:
        script = (FOLDER / "deploy.sh").read_text("utf-8")
        outputs = Deployment(TEMPLATE, {}).outputs
        read = [part.split(")")[0].split()[0] for part in script.split("$(told ")[1:]]
        assert read
        assert set(read) <= set(outputs)


def test_private_networking_leaves_nothing_open() -> None:
    resources = made_with(privateNetworking=True)
    for place in ("storage/account", "sql/server", "vision/account", "face/account"):
        assert at(resources, place, "properties", "publicNetworkAccess") == "Disabled"
    assert "sql/azureAddresses" not in resources
    endpoints = names_of(resources, "Microsoft.Network/privateEndpoints")
    assert len(endpoints) >= 6


Change = Callable[[str], str]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda text: text.replace('"http20Enabled": true', '"http20Enabled": false'),
            "app/resources/site/properties/siteConfig/http20Enabled: "
            "the Bicep has true, azuredeploy.json has false",
        ),
        (
            lambda text: text.replace('"tableService": {', '"others": {'),
            "storage/resources/tableService: the Bicep has {",
        ),
        (
            lambda text: text.replace('"securestring"', '"string"'),
            'parameters/faceApiKey/type: the Bicep has "securestring", '
            'azuredeploy.json has "string"',
        ),
        (lambda text: text[:-20], "azuredeploy.json can't be read: "),
    ],
)
def test_a_change_by_hand_is_told(tmp_path: Path, change: Change, told: str) -> None:
    for path in FOLDER.rglob("*.bicep"):
        copy = tmp_path / path.relative_to(FOLDER)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(path.read_text("utf-8"), "utf-8")
    text = (FOLDER / "azuredeploy.json").read_text("utf-8")
    (tmp_path / "azuredeploy.json").write_text(change(text), "utf-8")
    assert any(told in line for line in outdated(tmp_path))


def test_the_command_tells_what_a_compiler_made_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = tmp_path / "main.json"
    text = (FOLDER / "azuredeploy.json").read_text("utf-8")
    built.write_text(text, "utf-8")
    assert main(["--compare", str(built)]) == 0
    built.write_text(text.replace('"defaultValue": "S1"', '"defaultValue": "F0"'), "utf-8")
    assert main(["--compare", str(built)]) == 1
    told = capsys.readouterr().out
    assert "vision-imaginem-" in told
    assert 'sku/name: main.json has "F0", azuredeploy.json has "S1"' in told
