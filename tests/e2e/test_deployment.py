"""The package that is deployed, and the scripts that deploy it (with stand-ins for az)."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import steps  # noqa: F401 - registers them
from imaginem.pipeline.steps import default_registry
from infra.package import LEFT_OUT, collect, pack
from tests.azure_worker import LIST_TRIGGERS, ON_AZURE, own_environment
from tests.conftest import ROOT
from tests.e2e.scripts import DELETED, DEPLOY, Runner

LOOK = """
import sys
from imaginem.images.decoding import decode_photo
from imaginem.ports import CallContext
from imaginem.runtime import Runtime
from imaginem.config.settings import read_settings
settings = read_settings()
photo = decode_photo(open(sys.argv[1], "rb").read())
call = CallContext.without_job("package test")
print(settings.assets, len(Runtime(settings).faces.detect(photo, call)))
"""


class TestPackage:
    def test_it_holds_the_app_and_nothing_else(self, tmp_path: Path) -> None:
        collect({"azure"}, tmp_path / "one")
        pack(tmp_path / "one", tmp_path / "one.zip")
        collect({"azure"}, tmp_path / "two")
        pack(tmp_path / "two", tmp_path / "two.zip")

        with zipfile.ZipFile(tmp_path / "one.zip") as archive:
            names = archive.namelist()
        assert {name.partition("/")[0] for name in names} == {
            "function_app.py",
            "host.json",
            "imaginem",
            "requirements.txt",
            "steps",
        }
        assert not [n for n in names if "test" in n or "__pycache__" in n or "local.settings" in n]
        assert not [n for n in names for left in LEFT_OUT if n.startswith(f"imaginem/{left}")]
        assert not [
            n for n in names if n.startswith(("imaginem/engines/local", "imaginem/engines/onnx"))
        ]
        assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()

    def test_it_asks_for_another_sql_driver_only_where_one_is_wanted(self, tmp_path: Path) -> None:
        asked = {}
        for driver in ("pyodbc", "mssql-python"):
            collect({"azure"}, tmp_path / driver, driver)
            asked[driver] = (tmp_path / driver / "requirements.txt").read_text("utf-8").split()
        (added,) = set(asked["mssql-python"]) - set(asked["pyodbc"])
        assert added.startswith("mssql-python==")

    def test_it_imports_with_nothing_but_its_requirements(self, tmp_path: Path) -> None:
        collect({"azure"}, tmp_path / "app")
        python = own_environment()
        path = f"import sys; sys.path.insert(0, {str(tmp_path / 'app')!r})"
        done = subprocess.run(
            [str(python), "-I", "-c", path + LIST_TRIGGERS],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **ON_AZURE},
        )
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert "maintenance_timer" in report["triggers"]
        assert report["loaded"] == []
        assert report["status"] == 200  # with what requirements.txt brings

    def test_with_the_local_engine_its_weights_are_inside_and_are_used(
        self, tmp_path: Path, sample: object
    ) -> None:
        app = tmp_path / "app"
        collect({"local"}, app)
        assert "onnxruntime==" in (app / "requirements.txt").read_text()
        (tmp_path / "photo").write_bytes(sample("group5.jpg"))  # type: ignore[operator]
        code = f"import sys; sys.path.insert(0, {str(app)!r})\n{LOOK}"
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "photo")],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(app)},
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == [str(app / "weights"), "5"]


class TestScripts:
    """The order of the scripts' commands; az and Azure themselves are not run."""

    @pytest.fixture
    def run(self, tmp_path: Path) -> Runner:
        return Runner(tmp_path)

    def test_they_are_shell(self) -> None:
        scripts = list((ROOT / "infra").glob("*.sh"))
        assert scripts
        for script in scripts:
            assert subprocess.run(["bash", "-n", str(script)]).returncode == 0

    def test_deploying_shows_then_deploys_then_migrates_then_publishes(self, run: Runner) -> None:
        done = run("deploy.sh", "--resource-group", "g", "--location", "westeurope", "--yes")

        assert done.returncode == 0, done.stderr
        order = [
            "az group create",
            "az ad app create",
            "az group update --name g --set tags.imaginem-auth-client=1111",
            "az deployment group what-if",
            "package ENGINES=azure",
            "az deployment group create",
            "az ad app federated-credential create",
            "az sql server firewall-rule create",
            "imaginem db upgrade",
            "imaginem db grant",
            "az sql server firewall-rule delete",
            "az functionapp deployment source config-zip",
            "api/health",
            "az deployment group create --name imaginem-events",
        ]
        places = [run.first(step) for step in order]
        assert places == sorted(places)
        assert "sqlAdministratorObjectId=22222222" in run.calls
        assert "the API asks for a login (401)" in done.stdout

    def test_event_grid_is_asked_until_the_app_knows_its_key(self, run: Runner) -> None:
        reason = "no: https://x/runtime/webhooks/blobs?functionName=f&code=secret-key"
        done = run(*DEPLOY, FAILING="name imaginem-events", FAILURES="2", REASON=reason)

        assert done.returncode == 0, done.stderr
        assert run.calls.count("--name imaginem-events") == 3
        assert "appName=func-imaginem-x storageName=something" in run.calls
        assert "code=..." in done.stderr
        assert "secret-key" not in done.stdout + done.stderr

    def test_an_app_that_event_grid_cannot_reach_is_an_error(self, run: Runner) -> None:
        done = run(*DEPLOY, FAILING="name imaginem-events", FAILURES="9")
        assert done.returncode == 1
        assert "photos that are dropped start no job" in done.stderr

    def test_without_dropped_photos_event_grid_is_left_alone(self, run: Runner) -> None:
        assert run(*DEPLOY, DROPPED="off").returncode == 0
        assert "imaginem-events" not in run.calls

    def test_every_step_of_the_registry_gets_a_queue(self, run: Runner) -> None:
        run.add_step("blurriness")
        own = run.root / "own.json"
        own.write_text('{"parameters": {"steps": {"value": ["ocr", "elsewhere"]}}}')
        command = ("deploy.sh", "--resource-group", "g", "--location", "w", "--yes")
        done = run(*command, "--parameters", str(own), STEPS="")

        assert done.returncode == 0, done.stderr
        for action in ("what-if", "create"):
            call = run.calls.splitlines()[run.first(f"az deployment group {action}")]
            queues = json.loads(call.partition(" steps=")[2].partition("]")[0] + "]")
            assert sorted(queues) == sorted({*default_registry.names(), "blurriness", "elsewhere"})

    def test_a_step_that_cannot_be_imported_is_not_deployed(self, run: Runner) -> None:
        (run.root / "steps" / "oops.py").write_text("import nothing_like_this\n")
        done = run("deploy.sh", "--resource-group", "g", "--location", "w", "--yes", STEPS="")

        assert done.returncode == 1
        place = (
            "steps can't be imported: steps/oops.py, line 1: nothing_like_this can't be imported:"
        )
        assert done.stderr.startswith(place)
        assert done.stderr.count("\n") == 1
        assert "az deployment" not in run.calls

    def test_steps_that_are_no_list_are_an_error(self, run: Runner) -> None:
        own = run.root / "own.json"
        own.write_text('{"parameters": {"steps": {"value": "ocr"}}}')
        command = ("deploy.sh", "--resource-group", "g", "--location", "w", "--yes")
        done = run(*command, "--parameters", str(own), STEPS="")

        assert done.returncode == 1
        assert "steps must be a list of queue names" in done.stderr
        assert "az deployment" not in run.calls

    @pytest.mark.parametrize(("server", "exists"), [("", "false"), ("sql-imaginem-abc", "true")])
    def test_the_template_is_told_whether_there_is_a_sql_server(
        self, run: Runner, server: str, exists: str
    ) -> None:
        own = run.root / "own.json"
        own.write_text('{"parameters": {"deploymentPostFix": {"value": "abc"}}}')

        assert run(*DEPLOY, "--parameters", str(own), SERVER=server).returncode == 0
        assert f"sqlServerExists={exists}" in run.all("az deployment group create")[0]
        assert "starts_with(name, 'sql-imaginem-abc')" in run.all("az sql server list")[0]

    @pytest.mark.parametrize(
        ("given", "postfix"),
        [
            ({"deploymentPostFix": {"value": "<POSTFIX>"}}, ""),
            ({"deploymentPostFix": {"value": "${POSTFIX}"}}, ""),
            ({"deploymentPostFix": {"value": None}}, ""),
            ({"deploymentPostFix": {"reference": {"secretName": "postfix"}}}, ""),
            ({"DeploymentPostfix": {"value": "Prod"}}, "prod"),
        ],
    )
    def test_the_server_is_looked_for_by_the_name_that_the_template_gives_it(
        self, run: Runner, given: object, postfix: str
    ) -> None:
        own = run.root / "own.json"
        own.write_text(json.dumps({"parameters": given}), "utf-8-sig")

        done = run(*DEPLOY, "--parameters", str(own), STEPS="")
        assert done.returncode == 0, done.stderr
        assert f"starts_with(name, 'sql-imaginem-{postfix}')" in run.all("az sql server list")[0]

    @pytest.mark.parametrize("text", ["using './main.bicep'", "{}", "[]", '{"parameters": [1]}'])
    def test_what_is_no_file_of_parameters_is_said_before_anything_is_made(
        self, run: Runner, text: str
    ) -> None:
        own = run.root / "own"
        own.write_text(text)
        done = run(*DEPLOY, "--parameters", str(own))

        assert done.returncode == 1
        assert "is no JSON file of parameters" in done.stderr
        assert "group create" not in run.calls

    def test_logs_are_asked_of_this_apps_workspace(self, run: Runner) -> None:
        done = run("logs.sh", "--resource-group", "g", "--minutes", "5")

        assert done.returncode == 0, done.stderr
        (call,) = run.all("az rest")
        assert "/workspaces/33333333-3333-3333-3333-333333333333/query" in call
        query = json.loads(call.partition("--body ")[2].partition(" --query tables")[0])["query"]
        assert "ago(5m)" in query

    def test_a_person_makes_the_identity_of_the_workflow_once(self, run: Runner) -> None:
        command = ("bootstrap.sh", "--resource-group", "g", "--location", "w", "--repository")
        assert run(*command, "no-owner").returncode == 2

        done = run(*command, "owner/name", FAILING="deployment group create", FAILURES="1")
        assert done.returncode == 0, done.stderr
        assert len(run.all("az deployment group create --name imaginem-bootstrap")) == 2
        assert "githubRepository=owner/name" in run.calls
        workflow = (ROOT / ".github" / "workflows" / "deploy.yml").read_text("utf-8")
        needed = set(re.findall(r"vars\.(\w+)", workflow)) - {"DEPLOY_OPTIONS"}
        assert set(re.findall(r"^(\w+)=.+$", done.stdout, re.MULTILINE)) == needed

    def test_providers_can_be_registered_alone(self, run: Runner) -> None:
        assert run("bootstrap.sh", "--register").returncode == 0
        assert "az provider register --namespace Microsoft.Web --wait" in run.calls
        assert "deployment" not in run.calls

    def test_an_api_that_is_open_is_an_error(self, run: Runner) -> None:
        done = run("deploy.sh", "--resource-group", "g", "--location", "w", "--yes", STATUS="200")
        assert done.returncode == 1
        assert "answers without a login" in done.stderr

    def test_a_forged_principal_is_tried(self, run: Runner) -> None:
        run("deploy.sh", "--resource-group", "g", "--location", "w", "--yes")
        assert "--header X-MS-CLIENT-PRINCIPAL: ey" in run.calls

    def test_an_app_that_is_set_up_needs_no_rights_in_the_directory(self, run: Runner) -> None:
        done = run(
            *("deploy.sh", "--resource-group", "g", "--location", "w", "--yes"),
            *("--auth-ready", "--auth-client", "c"),
            SQL_ADMINISTRATOR_OBJECT_ID="o",
            SQL_ADMINISTRATOR_NAME="n",
            GROUP_EXISTS="true",
        )
        assert done.returncode == 0, done.stderr
        assert "az ad " not in run.calls
        assert "authClientId=c" in run.calls

    def test_a_private_network_is_not_migrated_from_outside(self, run: Runner) -> None:
        own = run.root / "own.json"
        own.write_text('{"parameters": {"privateNetworking": {"value": true}}}')
        command = ("deploy.sh", "--resource-group", "g", "--location", "w", "--yes")
        done = run(*command, "--parameters", str(own))
        assert done.returncode == 2
        assert "--skip-migration" in done.stderr

        assert run(*command, "--parameters", str(own), "--skip-migration").returncode == 0
        assert run.first("az provider register --namespace Microsoft.App") >= 0
        assert "db upgrade" not in run.calls

    def test_what_if_changes_nothing(self, run: Runner) -> None:
        command = ("deploy.sh", "--resource-group", "g", "--location", "w", "--what-if")
        assert "no group g yet" in run(*command).stderr
        done = run(*command, GROUP_EXISTS="true")

        assert done.returncode == 0, done.stderr
        assert "what-if" in run.calls
        for change in ("group create", "app create", "db upgrade", "config-zip", "update"):
            assert change not in run.calls

    def test_destroying_asks_for_the_name_and_purges_what_holds_faces(self, run: Runner) -> None:
        deleted = DELETED.format(group="g", name="face-x")
        existing = {"GROUP_EXISTS": "true", "TAG": "registered-here", "DELETED": deleted}
        refused = run("destroy.sh", "--resource-group", "g", stdin="yes\n", **existing)
        assert refused.returncode == 1
        assert "group delete" not in run.calls

        done = run("destroy.sh", "--resource-group", "g", stdin="g\n", **existing)
        assert done.returncode == 0, done.stderr
        assert "az ad app delete --id registered-here" in run.calls
        assert run.first("az group delete") < run.first("az cognitiveservices account purge")

    def test_destroying_resumes_after_an_interruption(self, run: Runner) -> None:
        done = run(
            *("destroy.sh", "--resource-group", "g"),
            DELETED=DELETED.format(group="g", name="face-x") + DELETED.format(group="h", name="y"),
        )
        assert done.returncode == 0, done.stderr
        assert run.all("account purge") == [
            "az cognitiveservices account purge --resource-group g --name face-x"
            " --location westeurope"
        ]

    @pytest.mark.parametrize("failing", ["group exists", "account purge", "list-deleted"])
    def test_nothing_is_called_gone_that_may_be_there(self, run: Runner, failing: str) -> None:
        deleted = "".join(DELETED.format(group="g", name=name) for name in ("face-x", "face-y"))
        command = ("destroy.sh", "--resource-group", "g", "--yes")
        done = run(*command, DELETED=deleted, GROUP_EXISTS="true", FAILING=failing)

        assert done.returncode == 1
        assert "is gone" not in done.stdout
        assert "ERROR: for a test" in done.stderr
        if failing == "account purge":
            assert "keeps face-x, with the face lists" in done.stderr
            assert "--name face-y" in run.calls

    def test_destroying_goes_on_when_the_registration_is_gone_already(self, run: Runner) -> None:
        command = ("destroy.sh", "--resource-group", "g", "--yes")
        done = run(*command, GROUP_EXISTS="true", TAG="registered-here", REGISTRATION="")

        assert done.returncode == 0, done.stderr
        assert "az ad app delete" not in run.calls
        assert "az group delete" in run.calls

    def test_destroying_a_group_that_is_not_there_says_so(self, run: Runner) -> None:
        assert "there is no group typo" in run("destroy.sh", "--resource-group", "typo").stderr

    def test_an_option_without_its_value_is_named(self, run: Runner) -> None:
        for script in ("deploy.sh", "logs.sh", "bootstrap.sh"):
            for rest in ((), ("--location", "w")):
                done = run(script, "--resource-group", *rest)
                assert (done.returncode, done.stderr) == (2, "--resource-group needs a value\n")

    @pytest.mark.parametrize("repository", ["name", "https://github.com/owner/name", "owner/"])
    def test_a_repository_is_owner_and_name(self, run: Runner, repository: str) -> None:
        where = ("--resource-group", "g", "--location", "w")
        done = run("bootstrap.sh", *where, "--repository", repository)
        assert done.returncode == 2
        assert "--repository OWNER/NAME" in done.stderr
        assert not run.calls

    def test_a_missing_argument_is_named(self, run: Runner) -> None:
        for script in ("deploy.sh", "destroy.sh", "migrate.sh", "logs.sh", "bootstrap.sh"):
            done = run(script)
            assert done.returncode == 2
            assert "--resource-group" in done.stderr or "GROUP" in done.stderr
