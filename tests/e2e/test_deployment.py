"""The package that is deployed, and the scripts that deploy it (with stand-ins for az)."""

import json
import os
import re
import shutil
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
        assert not [n for n in names if n.startswith("imaginem/engines/local")]
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


STAND_IN = """#!/bin/sh
printf '%s\\n' "$(basename "$0") $*" >> "$CALLS"
if [ -n "$FAILING" ]; then
  case "$*" in *"$FAILING"*)
    if [ "$(grep -c -- "$FAILING" "$CALLS")" -le "$FAILURES" ]; then
      echo "ERROR: $REASON" >&2
      exit 1
    fi ;;
  esac
fi
case "$*" in
  *"-m infra.steps"*) [ -z "$STEPS" ] || { echo "$STEPS"; exit 0; }; exec "$PYTHON" "$@" ;;
  *"group exists"*) echo "${GROUP_EXISTS:-false}" ;;
  "group show"*) echo "$TAG" ;;
  "account show --query"*) echo 44444444-4444-4444-4444-444444444444 ;;
  *"list-flexconsumption-locations"*) printf "$REGIONS" ;;
  *"ad sp show"*) exit 3 ;;
  *"sql server list"*) echo "$SERVER" ;;
  *"workspace list"*) echo 33333333-3333-3333-3333-333333333333 ;;
  *"provider show"*) echo "${REGISTERED:-NotRegistered}" ;;
  *"ad app create"*) echo 11111111-1111-1111-1111-111111111111 ;;
  *"signed-in-user show --query id"*) echo 22222222-2222-2222-2222-222222222222 ;;
  *"signed-in-user show"*) echo person@example.org ;;
  *"outputs.appAddress"*) echo https://func-imaginem-x.azurewebsites.net ;;
  *"outputs.appName"*) echo func-imaginem-x ;;
  *"outputs."*) echo something ;;
  *"sql server show"*) echo Enabled ;;
  *"write-out"*) printf "$STATUS" ;;
  *"api.ipify.org"*) echo 203.0.113.7 ;;
  *"api/health"*) echo ok ;;
  *"list-deleted"*) printf "$DELETED" ;;
esac
exit 0
"""

DELETED = (
    "/subscriptions/s/providers/Microsoft.CognitiveServices/locations/westeurope/resourceGroups/"
    "{group}/deletedAccounts/{name}\\t{name}\\twesteurope\\n"
)
DEPLOY = ("deploy.sh", "--resource-group", "g", "--location", "West Europe", "--yes")


class TestScripts:
    """The order of the scripts' commands; az and Azure themselves are not run."""

    @pytest.fixture
    def run(self, tmp_path: Path) -> "Runner":
        return Runner(tmp_path)

    def test_they_are_shell(self) -> None:
        scripts = list((ROOT / "infra").glob("*.sh"))
        assert scripts
        for script in scripts:
            assert subprocess.run(["bash", "-n", str(script)]).returncode == 0

    def test_deploying_shows_then_deploys_then_migrates_then_publishes(self, run: "Runner") -> None:
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
        ]
        places = [run.first(step) for step in order]
        assert places == sorted(places)
        assert "sqlAdministratorObjectId=22222222" in run.calls
        assert "the API asks for a login (401)" in done.stdout

    def test_every_step_of_the_registry_gets_a_queue(self, run: "Runner") -> None:
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

    def test_a_step_that_cannot_be_imported_is_not_deployed(self, run: "Runner") -> None:
        (run.root / "steps" / "oops.py").write_text("import nothing_like_this\n")
        done = run("deploy.sh", "--resource-group", "g", "--location", "w", "--yes", STEPS="")

        assert done.returncode == 1
        assert done.stderr == "steps can't be imported: No module named 'nothing_like_this'\n"
        assert "az deployment" not in run.calls

    def test_steps_that_are_no_list_are_an_error(self, run: "Runner") -> None:
        own = run.root / "own.json"
        own.write_text('{"parameters": {"steps": {"value": "ocr"}}}')
        command = ("deploy.sh", "--resource-group", "g", "--location", "w", "--yes")
        done = run(*command, "--parameters", str(own), STEPS="")

        assert done.returncode == 1
        assert "steps must be a list of queue names" in done.stderr
        assert "az deployment" not in run.calls

    @pytest.mark.parametrize(
        "command", ["az ad sp create", "az ad app federated-credential create", "az ad app update"]
    )
    def test_what_entra_does_not_know_yet_is_tried_again(self, run: "Runner", command: str) -> None:
        done = run(*DEPLOY, FAILING=command.removeprefix("az "), FAILURES="3", REASON="not found")

        assert done.returncode == 0, done.stderr
        assert run.calls.count(f"{command} ") >= 4
        assert "the API asks for a login" in done.stdout

    def test_what_entra_never_learns_of_ends_with_its_reason(self, run: "Runner") -> None:
        done = run(*DEPLOY, FAILING="ad sp create", FAILURES="99", REASON="forbidden")

        assert done.returncode == 1
        assert "ERROR: forbidden" in done.stderr
        assert run.calls.count("az ad sp create") == 6
        assert "config-zip" not in run.calls

    def test_the_first_login_to_sql_is_tried_again(self, run: "Runner") -> None:
        assert run(*DEPLOY, FAILING="db grant", FAILURES="2", REASON="login failed").returncode == 0
        assert run.calls.count("imaginem db grant") == 3

    def test_deleted_accounts_of_this_deployment_are_restored(self, run: "Runner") -> None:
        ours = DELETED.format(group="G", name="face-imaginem-x")
        others = DELETED.format(group="gg", name="face-imaginem-y")
        others += DELETED.format(group="g", name="somebody-elses")
        done = run(*DEPLOY, DELETED=ours + others)

        assert done.returncode == 0, done.stderr
        for action in ("what-if", "create"):
            (call,) = run.all(f"az deployment group {action}")
            assert call.partition("restoreAccounts=")[2].startswith('["face-imaginem-x"]')
        assert "account purge" not in run.calls

    def test_deleted_accounts_are_purged_if_that_is_asked_for(self, run: "Runner") -> None:
        ours = DELETED.format(group="g", name="face-imaginem-x")
        command = (*DEPLOY, "--purge-deleted")
        assert run(*command, "--what-if", DELETED=ours, GROUP_EXISTS="true").returncode == 0
        assert "account purge" not in run.calls

        assert run(*command, DELETED=ours).returncode == 0
        assert run.all("az cognitiveservices account purge") == [
            "az cognitiveservices account purge --resource-group g --name face-imaginem-x"
            " --location westeurope"
        ]
        assert "restoreAccounts=[] " in run.all("az deployment group create")[0] + " "

    def test_a_login_that_may_not_see_deleted_accounts_deploys(self, run: "Runner") -> None:
        done = run(*DEPLOY, FAILING="list-deleted", FAILURES="1", REASON="AuthorizationFailed")

        assert done.returncode == 0, done.stderr
        assert "may not see deleted AI accounts" in done.stderr

    def test_a_region_without_flex_is_told_before_anything_is_made(self, run: "Runner") -> None:
        regions = "westeurope\\nnorthcentralus\\n"
        assert run(*DEPLOY, REGIONS=regions).returncode == 0

        elsewhere = run.elsewhere()
        done = elsewhere(*DEPLOY[:-2], "Mars West", "--yes", REGIONS=regions)
        assert done.returncode == 1
        assert "Mars West has no Flex Consumption" in done.stderr
        assert "group create" not in elsewhere.calls

    @pytest.mark.parametrize(("server", "exists"), [("", "false"), ("sql-imaginem-abc", "true")])
    def test_the_template_is_told_whether_there_is_a_sql_server(
        self, run: "Runner", server: str, exists: str
    ) -> None:
        own = run.root / "own.json"
        own.write_text('{"parameters": {"deploymentPostFix": {"value": "abc"}}}')

        assert run(*DEPLOY, "--parameters", str(own), SERVER=server).returncode == 0
        assert f"sqlServerExists={exists}" in run.all("az deployment group create")[0]
        assert "starts_with(name, 'sql-imaginem-abc')" in run.all("az sql server list")[0]

    @pytest.mark.parametrize(
        ("reason", "advice"),
        [
            ("(ResourceKindRequireAcceptTerms) read", "terms for responsible AI"),
            ("(FlagMustBeSetForRestore) deleted", "deleted within 48 hours"),
            ("no action 'Microsoft.Authorization/roleAssignments/write'", "Role Based Access"),
            ("(InsufficientQuota) of S0", "a limit of the subscription"),
            ("(MissingSubscriptionRegistration) of", "bootstrap.sh --register"),
        ],
    )
    def test_known_failures_of_a_deployment_come_with_advice(
        self, run: "Runner", reason: str, advice: str
    ) -> None:
        done = run(*DEPLOY, FAILING="deployment group create", FAILURES="1", REASON=reason)

        assert done.returncode == 1
        assert reason in done.stderr
        assert advice in done.stderr
        assert "db upgrade" not in run.calls

    @pytest.mark.parametrize(
        ("reason", "tries"),
        [
            ("Deployment was successful but the app appears to be unhealthy.", 1),
            ("Failed to fetch host key to check for function app status", 1),
            ("An error occured during deployment. Status Code: 403", 3),
        ],
    )
    def test_az_can_call_a_good_publishing_a_failure(
        self, run: "Runner", reason: str, tries: int
    ) -> None:
        done = run(*DEPLOY, FAILING="config-zip", FAILURES="9", REASON=reason)

        assert run.calls.count("config-zip") == tries
        assert done.returncode == (0 if tries == 1 else 1)

    def test_logs_are_asked_of_this_apps_workspace(self, run: "Runner") -> None:
        done = run("logs.sh", "--resource-group", "g", "--minutes", "5")

        assert done.returncode == 0, done.stderr
        (call,) = run.all("az rest")
        assert "/workspaces/33333333-3333-3333-3333-333333333333/query" in call
        query = json.loads(call.partition("--body ")[2].partition(" --query tables")[0])["query"]
        assert "ago(5m)" in query

    def test_a_person_makes_the_identity_of_the_workflow_once(self, run: "Runner") -> None:
        command = ("bootstrap.sh", "--resource-group", "g", "--location", "w", "--repository")
        assert run(*command, "no-owner").returncode == 2

        done = run(*command, "owner/name", FAILING="deployment group create", FAILURES="1")
        assert done.returncode == 0, done.stderr
        assert len(run.all("az deployment group create --name imaginem-bootstrap")) == 2
        assert "githubRepository=owner/name" in run.calls
        workflow = (ROOT / ".github" / "workflows" / "deploy.yml").read_text("utf-8")
        needed = set(re.findall(r"vars\.(\w+)", workflow)) - {"DEPLOY_OPTIONS"}
        assert set(re.findall(r"^(\w+)=.+$", done.stdout, re.MULTILINE)) == needed

    def test_providers_can_be_registered_alone(self, run: "Runner") -> None:
        assert run("bootstrap.sh", "--register").returncode == 0
        assert "az provider register --namespace Microsoft.Web --wait" in run.calls
        assert "deployment" not in run.calls

    def test_an_api_that_is_open_is_an_error(self, run: "Runner") -> None:
        done = run("deploy.sh", "--resource-group", "g", "--location", "w", "--yes", STATUS="200")
        assert done.returncode == 1
        assert "answers without a login" in done.stderr

    def test_a_forged_principal_is_tried(self, run: "Runner") -> None:
        run("deploy.sh", "--resource-group", "g", "--location", "w", "--yes")
        assert "--header X-MS-CLIENT-PRINCIPAL: ey" in run.calls

    def test_an_app_that_is_set_up_needs_no_rights_in_the_directory(self, run: "Runner") -> None:
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

    def test_a_private_network_is_not_migrated_from_outside(self, run: "Runner") -> None:
        own = run.root / "own.json"
        own.write_text('{"parameters": {"privateNetworking": {"value": true}}}')
        command = ("deploy.sh", "--resource-group", "g", "--location", "w", "--yes")
        done = run(*command, "--parameters", str(own))
        assert done.returncode == 2
        assert "--skip-migration" in done.stderr

        assert run(*command, "--parameters", str(own), "--skip-migration").returncode == 0
        assert run.first("az provider register --namespace Microsoft.App") >= 0
        assert "db upgrade" not in run.calls

    def test_what_if_changes_nothing(self, run: "Runner") -> None:
        command = ("deploy.sh", "--resource-group", "g", "--location", "w", "--what-if")
        assert "no group g yet" in run(*command).stderr
        done = run(*command, GROUP_EXISTS="true")

        assert done.returncode == 0, done.stderr
        assert "what-if" in run.calls
        for change in ("group create", "app create", "db upgrade", "config-zip", "update"):
            assert change not in run.calls

    def test_destroying_asks_for_the_name_and_purges_what_holds_faces(self, run: "Runner") -> None:
        deleted = DELETED.format(group="g", name="face-x")
        existing = {"GROUP_EXISTS": "true", "TAG": "registered-here", "DELETED": deleted}
        refused = run("destroy.sh", "--resource-group", "g", stdin="yes\n", **existing)
        assert refused.returncode == 1
        assert "group delete" not in run.calls

        done = run("destroy.sh", "--resource-group", "g", stdin="g\n", **existing)
        assert done.returncode == 0, done.stderr
        assert "az ad app delete --id registered-here" in run.calls
        assert run.first("az group delete") < run.first("az cognitiveservices account purge")

    def test_destroying_resumes_after_an_interruption(self, run: "Runner") -> None:
        done = run(
            *("destroy.sh", "--resource-group", "g"),
            DELETED=DELETED.format(group="g", name="face-x") + DELETED.format(group="h", name="y"),
        )
        assert done.returncode == 0, done.stderr
        assert run.all("account purge") == [
            "az cognitiveservices account purge --resource-group g --name face-x"
            " --location westeurope"
        ]

    def test_a_missing_argument_is_named(self, run: "Runner") -> None:
        for script in ("deploy.sh", "destroy.sh", "migrate.sh", "logs.sh", "bootstrap.sh"):
            done = run(script)
            assert done.returncode == 2
            assert "--resource-group" in done.stderr or "GROUP" in done.stderr


class Runner:
    """Runs the scripts of a copy of infra/, with stand-ins for the tools that log their calls.

    The steps are read for real, from a copy of steps/, where a test asks for it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        for name in ("infra", "steps"):
            shutil.copytree(ROOT / name, self.root / name)
        (self.root / "imaginem").symlink_to(ROOT / "imaginem")
        self.log = folder / "calls"
        stand_ins = folder / "bin"
        stand_ins.mkdir()
        environment = self.root / ".venv" / "bin"
        environment.mkdir(parents=True)
        own_tools = (environment / "imaginem", environment / "python")
        for path in (*(stand_ins / name for name in ("az", "curl", "make")), *own_tools):
            path.write_text(STAND_IN)
            path.chmod(0o755)
        self.path = f"{stand_ins}:{os.environ['PATH']}"

    @property
    def calls(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def add_step(self, name: str) -> None:
        code = (ROOT / "steps" / "sample.py").read_text().replace("sample(", f"{name}(")
        (self.root / "steps" / f"{name}.py").write_text(code)

    def elsewhere(self) -> "Runner":
        """Return another copy, in which nothing has run."""
        (self.folder / "elsewhere").mkdir()
        return Runner(self.folder / "elsewhere")

    def all(self, start: str) -> list[str]:
        return [line for line in self.calls.splitlines() if start in line]

    def first(self, start: str) -> int:
        lines = self.calls.splitlines()
        places = [index for index, line in enumerate(lines) if start in line]
        assert places, f"{start} was not called:\n{self.calls}"
        return places[0]

    def __call__(
        self, script: str, *arguments: str, stdin: str = "", **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", str(self.root / "infra" / script), *arguments],
            capture_output=True,
            text=True,
            input=stdin,
            env={
                "PATH": self.path,
                "HOME": str(self.root),
                "CALLS": str(self.log),
                "STATUS": "401",
                "DELETED": "",
                "REGIONS": "",
                "SERVER": "",
                "STEPS": '["ocr"]',  # "" reads them for real, which takes seconds
                "FAILING": "",
                "FAILURES": "1",
                "REASON": "for a test",
                "TAG": "",
                "PAUSE": "0",
                "PYTHON": sys.executable,
                **environment,
            },
        )
