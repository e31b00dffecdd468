"""Which `az` commands are found in a text, and the words that az's parser gets of them."""

import re

import pytest

from infra.gates.az_commands import Command, commands_of, find_commands
from tests.conftest import ROOT


def found(text: str, file: str = "infra/some.sh") -> list[str]:
    return [" ".join(command.words) for command in commands_of(file, text)]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("az group create --name g", "group create --name g"),
        ('  name="$(az account show --query id)"', "account show --query id"),
        ("if ! az group show \\\n  --name g 2> >(tee log >&2); then", "group show --name g"),
        ("az login && echo done", "login"),
        ("close() { az group delete --name g || true; }", "group delete --name g"),
        ("az group list # all of them", "group list"),
        ("again az ad sp create --id a", "ad sp create --id a"),
        ("echo 'it is' | az rest --url u", "rest --url u"),
    ],
)
def test_a_command_is_found_wherever_a_shell_runs_it(script: str, words: str) -> None:
    assert found(script) == [words]


def test_variables_and_inner_commands_become_one_word_each() -> None:
    script = 'az group create --name "imaginem-$name" --location ${place:-$(az account show)}'

    assert found(script) == ["group create --name imaginem-x --location x", "account show"]


def test_an_array_becomes_its_items() -> None:
    script = 'given=(--name "$a b"\n  --location w)\naz group create "${given[@]}"'
    (command,) = commands_of("infra/some.sh", script)

    assert command.words == ("group", "create", "--name", "x b", "--location", "w")
    assert command.line == 3


def test_an_array_that_is_not_defined_is_an_error() -> None:
    with pytest.raises(ValueError, match="given is not defined"):
        found('az group create "${given[@]}"')


def test_what_is_no_command_is_not_found() -> None:
    script = "cat <<'TEXT'\ndon't\nTEXT\nfor tool in az curl; do\nwhoaz x\n# az group x"

    assert found(script + "\ndone; az login") == ["login"]


def test_what_a_script_writes_out_is_read_too() -> None:
    script = 'cat <<TEXT\nIt\'s "$(az account show --query id)"\nTEXT\naz login'

    assert found(script) == ["account show --query id", "login"]
    assert found("cat <<'TEXT'\nthen az group show --name g\nTEXT") == ["group show --name g"]


def test_a_message_that_names_a_command_with_options_is_held_to_them() -> None:
    commands = commands_of("a.sh", 'stop "first: az login" 3; echo "try az group show --name $g."')

    assert [(c.words, c.named_only) for c in commands] == [
        (("login",), True),
        (("group", "show", "--name", "x"), False),
    ]


def test_documents_are_read_in_their_blocks_and_in_their_prose() -> None:
    page = "As `az bicep build` says:\n\n```\naz group create \\\n  --name g\n```\nthe az CLI\n"

    assert commands_of("docs/some.md", page) == [
        Command("docs/some.md", 4, ("group", "create", "--name", "g")),
        Command("docs/some.md", 1, ("bicep", "build"), named_only=True),
    ]


def test_blocks_of_a_list_are_read() -> None:
    assert found("- a\n\n  ```\n  az login\n  ```\n\n`az version`", "docs/some.md") == [
        "login",
        "version",
    ]


def test_workflows_are_read_in_their_scripts() -> None:
    text = (
        "name: Don't stumble\nsteps:\n  - run: az login\n  - name: other\n    run: |\n"
        '      # a reason\n      az group show --name "${{ vars.GROUP }}"\n'
        "    env:\n      A: az b\n"
    )

    assert [(c.line, " ".join(c.words)) for c in commands_of("a.yml", text)] == [
        (3, "login"),
        (7, "group show --name x"),
    ]


def test_messages_of_the_code_are_read() -> None:
    code = 'def f(name: str) -> None:\n    raise ValueError(f"run `az group show --name {name}`")\n'

    assert commands_of("imaginem/some.py", code) == [
        Command("imaginem/some.py", 2, ("group", "show", "--name", "x"))
    ]


def test_no_line_of_the_scripts_that_begins_with_az_is_left_out() -> None:
    places = {(command.file, command.line) for command in find_commands(ROOT)}
    for script in sorted((ROOT / "infra").glob("*.sh")):
        lines = script.read_text("utf-8").split("\n")
        begun = {n for n, line in enumerate(lines, 1) if re.search(r"(^|\$\(|! )\s*az [a-z]", line)}
        assert begun or script.name == "lib.sh"
        assert {n for n in begun if (f"infra/{script.name}", n) not in places} == set()
