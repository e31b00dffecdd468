"""What the deployment script does when Azure fails in the ways that first deployments meet."""

from pathlib import Path

import pytest

from tests.e2e.scripts import DELETED, DEPLOY, Runner


class TestFaults:
    @pytest.fixture
    def run(self, tmp_path: Path) -> Runner:
        return Runner(tmp_path)

    @pytest.mark.parametrize(
        "command", ["az ad sp create", "az ad app federated-credential create", "az ad app update"]
    )
    def test_what_entra_does_not_know_yet_is_tried_again(self, run: Runner, command: str) -> None:
        done = run(*DEPLOY, FAILING=command.removeprefix("az "), FAILURES="3", REASON="not found")

        assert done.returncode == 0, done.stderr
        assert run.calls.count(f"{command} ") >= 4
        assert "the API asks for a login" in done.stdout

    def test_what_entra_never_learns_of_ends_with_its_reason(self, run: Runner) -> None:
        done = run(*DEPLOY, FAILING="ad sp create", FAILURES="99", REASON="forbidden")

        assert done.returncode == 1
        assert "ERROR: forbidden" in done.stderr
        assert run.calls.count("az ad sp create") == 6
        assert "config-zip" not in run.calls

    def test_the_first_login_to_sql_is_tried_again(self, run: Runner) -> None:
        assert run(*DEPLOY, FAILING="db grant", FAILURES="2", REASON="login failed").returncode == 0
        assert run.calls.count("imaginem db grant") == 3

    def test_deleted_accounts_of_this_deployment_are_restored(self, run: Runner) -> None:
        ours = DELETED.format(group="G", name="face-imaginem-x")
        others = DELETED.format(group="gg", name="face-imaginem-y")
        others += DELETED.format(group="g", name="somebody-elses")
        done = run(*DEPLOY, DELETED=ours + others)

        assert done.returncode == 0, done.stderr
        for action in ("what-if", "create"):
            call = run.all(f"az deployment group {action}")[0]  # main.bicep; Event Grid comes later
            assert call.partition("restoreAccounts=")[2].startswith('["face-imaginem-x"]')
        assert "account purge" not in run.calls

    def test_deleted_accounts_are_purged_if_that_is_asked_for(self, run: Runner) -> None:
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

    def test_a_login_that_may_not_see_deleted_accounts_deploys(self, run: Runner) -> None:
        done = run(*DEPLOY, FAILING="list-deleted", FAILURES="1", REASON="AuthorizationFailed")

        assert done.returncode == 0, done.stderr
        assert "may not see deleted AI accounts" in done.stderr

    def test_a_group_that_could_not_be_asked_for_is_not_made_anew(self, run: Runner) -> None:
        done = run(*DEPLOY, FAILING="group exists", REASON="timeout", GROUP_EXISTS="true")

        assert done.returncode == 1
        assert "ERROR: timeout" in done.stderr
        assert "az group create" not in run.calls  # which would empty its tags

    @pytest.mark.parametrize(
        "output",
        [
            *("appIdentityName", "appIdentityClientId", "droppedPhotos", "storageName"),
            *("sqlServerName", "sqlServerAddress", "sqlDatabaseName"),
        ],
    )
    def test_nothing_goes_on_with_an_output_that_could_not_be_read(
        self, run: Runner, output: str
    ) -> None:
        done = run(*DEPLOY, FAILING=f"outputs.{output}.", REASON="timeout")

        assert done.returncode == 1
        assert "ERROR: timeout" in done.stderr
        assert "db upgrade" not in run.calls
        assert run(*DEPLOY, FAILURES="0").returncode == 0

    def test_a_region_without_flex_is_told_before_anything_is_made(self, run: Runner) -> None:
        regions = "westeurope\\nnorthcentralus\\n"
        assert run(*DEPLOY, REGIONS=regions).returncode == 0

        elsewhere = run.elsewhere()
        done = elsewhere(*DEPLOY[:-2], "Mars West", "--yes", REGIONS=regions)
        assert done.returncode == 1
        assert "Mars West has no Flex Consumption" in done.stderr
        assert "group create" not in elsewhere.calls

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
        self, run: Runner, reason: str, advice: str
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
        self, run: Runner, reason: str, tries: int
    ) -> None:
        done = run(*DEPLOY, FAILING="config-zip", FAILURES="9", REASON=reason)

        assert run.calls.count("config-zip") == tries
        assert done.returncode == (0 if tries == 1 else 1)
