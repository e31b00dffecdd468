"""Bicep in small pieces, and the template that Azure's documentation gives for each."""

import json
from pathlib import Path
from typing import Protocol

import pytest

from infra.arm.compare import deployed_differences
from infra.arm.evaluate.values import Value, get
from infra.arm.lexer import BicepError
from infra.arm.template import template_of


class Translate(Protocol):
    def __call__(self, text: str, **modules: str) -> dict[str, Value]: ...


@pytest.fixture
def translate(tmp_path: Path) -> Translate:
    def run(text: str, **modules: str) -> dict[str, Value]:
        for name, content in modules.items():
            (tmp_path / f"{name}.bicep").write_text(content, "utf-8")
        path = tmp_path / "main.bicep"
        path.write_text(text, "utf-8")
        return template_of(path)

    return run


def within(template: Value, place: str) -> Value:
    for name in place.split("/"):
        template = get(template, name)
    return template


PARAMETERS = """param a string
param b string = 'x'
param c int = 1
param list array = []
param o object = {}
"""


@pytest.mark.parametrize(
    ("bicep", "expected"),
    [
        ("'plain'", "plain"),
        ("'[not an expression'", "[[not an expression"),
        ("'it\\'s ${a}'", "[format('it''s {0}', parameters('a'))]"),
        ("'{${a}}'", "[format('{{{0}}}', parameters('a'))]"),
        ("'\\${a}'", "${a}"),
        ("'${'in ${b}'} ${a}'", "[format('{0} {1}', format('in {0}', parameters('b')), "
         "parameters('a'))]"),
        ("'''\nlong ${a}\n'''", "long ${a}\n"),
        ("!empty(a) && b == 'x'",
         "[and(not(empty(parameters('a'))), equals(parameters('b'), 'x'))]"),
        ("a == 'x' || b == 'y' && c > 2", "[or(equals(parameters('a'), 'x'), "
         "and(equals(parameters('b'), 'y'), greater(parameters('c'), 2)))]"),
        ("1 + c * 2 - 3", "[sub(add(1, mul(parameters('c'), 2)), 3)]"),
        ("c > 1 ? 'many' : 'one'", "[if(greater(parameters('c'), 1), 'many', 'one')]"),
        ("c > 1\n  ? 'many'\n  : 'one'", "[if(greater(parameters('c'), 1), 'many', 'one')]"),
        ("o.?name ?? 'none'", "[coalesce(tryGet(parameters('o'), 'name'), 'none')]"),
        ("o.name[0]['long name']", "[parameters('o').name[0]['long name']]"),
        ("map(list, x => '${x}-poison')", "[map(parameters('list'), "
         "lambda('x', format('{0}-poison', lambdaVariables('x'))))]"),
        ("union(o, { b: 1 })", "[union(parameters('o'), createObject('b', 1))]"),
        ("sys.concat(list, [true, null])",
         "[concat(parameters('list'), createArray(true(), null()))]"),
        ("[\n  'a' // first\n  'b'\n]", ["a", "b"]),
        ("{ '${a}': {}, two: 2 }", {"[format('{0}', parameters('a'))]": {}, "two": 2}),
        ("resourceGroup().tags.?x", "[tryGet(resourceGroup().tags, 'x')]"),
    ],
)  # fmt: skip
def test_expressions(translate: Translate, bicep: str, expected: Value) -> None:
    template = translate(f"{PARAMETERS}var v = {bicep}\n")
    assert within(template, "variables/v") == expected


def test_parameters_keep_what_is_said_of_them(translate: Translate) -> None:
    template = translate(
        "@description('Its use.')\n@allowed(['a', 'b'])\n@secure()\nparam p string = 'a'\n"
        "@minValue(1)\n@maxValue(9)\nparam n int\nparam l string[]\nparam m string?\n"
    )
    assert template["parameters"] == {
        "p": {
            "type": "securestring",
            "defaultValue": "a",
            "allowedValues": ["a", "b"],
            "metadata": {"description": "Its use."},
        },
        "n": {"type": "int", "minValue": 1, "maxValue": 9},
        "l": {"type": "array", "items": {"type": "string"}},
        "m": {"type": "string", "nullable": True},
    }


def test_functions_of_the_files_own(translate: Translate) -> None:
    template = translate(
        "param a string\nfunc twice(text string) string => '${text}${text}'\nvar v = twice(a)\n"
    )
    assert within(template, "variables/v") == "[__bicep.twice(parameters('a'))]"
    assert template["functions"] == [
        {
            "namespace": "__bicep",
            "members": {
                "twice": {
                    "parameters": [{"type": "string", "name": "text"}],
                    "output": {
                        "type": "string",
                        "value": "[format('{0}{1}', parameters('text'), parameters('text'))]",
                    },
                }
            },
        }
    ]


ACCOUNT = """param names array
resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: 'st'
  sku: { name: 'Standard_LRS' }
}
resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
}
"""


class TestResources:
    def test_a_child_has_its_parents_names_and_waits_for_it(self, translate: Translate) -> None:
        blobs = within(translate(ACCOUNT), "resources/blobs")
        assert get(blobs, "name") == "[format('{0}/{1}', 'st', 'default')]"
        assert get(blobs, "dependsOn") == ["account"]

    def test_loops_become_copies(self, translate: Translate) -> None:
        template = translate(
            ACCOUNT
            + "resource c 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' "
            "= [for (item, index) in names: if (item.on) {\n  parent: blobs\n"
            "  name: '${item.name}${index}'\n}]\n"
        )
        loop = within(template, "resources/c")
        assert get(loop, "copy") == {"name": "c", "count": "[length(parameters('names'))]"}
        assert get(loop, "condition") == "[parameters('names')[copyIndex()].on]"
        assert get(loop, "name") == (
            "[format('{0}/{1}/{2}', 'st', 'default', "
            "format('{0}{1}', parameters('names')[copyIndex()].name, copyIndex()))]"
        )

    def test_one_of_a_loop_waits_for_one_of_another(self, translate: Translate) -> None:
        template = translate(
            "param names array\n"
            "resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [for n in names: {\n"
            "  name: n\n}]\n"
            "resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = "
            "[for (n, i) in names: {\n  parent: zone[i]\n  name: 'l'\n}]\n"
            "output first string = zone[0].properties.x\n"
        )
        assert within(template, "resources/link/dependsOn") == [
            "[format('zone[{0}]', copyIndex())]"
        ]
        assert within(template, "resources/link/name") == (
            "[format('{0}/{1}', parameters('names')[copyIndex()], 'l')]"
        )
        assert within(template, "outputs/first/value") == "[reference(format('zone[{0}]', 0)).x]"

    def test_a_list_made_by_a_loop_is_a_copy_of_its_object(self, translate: Translate) -> None:
        template = translate(
            "param names array\nresource a 'Microsoft.Insights/actionGroups@2023-01-01' = {\n"
            "  name: 'a'\n  properties: {\n    emailReceivers: [for n in names: { name: n }]\n"
            "  }\n}\n"
            "var upper = [for n in names: toUpper(n)]\n"
        )
        assert within(template, "resources/a/properties/copy") == [
            {
                "name": "emailReceivers",
                "count": "[length(parameters('names'))]",
                "input": {"name": "[parameters('names')[copyIndex('emailReceivers')]]"},
            }
        ]
        assert within(template, "variables/copy") == [
            {
                "name": "upper",
                "count": "[length(parameters('names'))]",
                "input": "[toUpper(parameters('names')[copyIndex('upper')])]",
            }
        ]

    def test_what_exists_is_named_by_its_id_and_not_deployed(self, translate: Translate) -> None:
        template = translate(
            ACCOUNT + "resource old 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {\n"
            "  name: 'old'\n}\n"
            "resource inside 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' "
            "existing = {\n  parent: account\n  name: 'default'\n}\n"
            "resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {\n"
            "  name: 'l'\n  scope: inside\n  properties: {\n    a: old.listKeys().keys[0].value\n"
            "    b: old.properties.x\n    c: old.location\n  }\n}\n"
        )
        assert set(template["resources"] or ()) == {"account", "blobs", "logs"}  # type: ignore[arg-type]  # an object
        logs = within(template, "resources/logs")
        old = "resourceId('Microsoft.Storage/storageAccounts', 'old')"
        assert get(logs, "properties") == {
            "a": f"[listKeys({old}, '2025-01-01').keys[0].value]",
            "b": f"[reference({old}, '2025-01-01').x]",
            "c": f"[reference({old}, '2025-01-01', 'full').location]",
        }
        assert get(logs, "scope") == (
            "[resourceId('Microsoft.Storage/storageAccounts/blobServices', 'st', 'default')]"
        )
        assert get(logs, "dependsOn") == ["account"]

    def test_what_only_azure_knows_stands_where_it_is_used(self, translate: Translate) -> None:
        template = translate(
            ACCOUNT
            + "var late = account.properties.primaryEndpoints.blob\nvar early = account.id\n"
            "output o string = '${late}x'\noutput e string = early\n"
        )
        assert template["variables"] == {
            "early": "[resourceId('Microsoft.Storage/storageAccounts', 'st')]"
        }
        assert within(template, "outputs/o/value") == (
            "[format('{0}x', reference('account').primaryEndpoints.blob)]"
        )

    def test_dependencies_are_found_through_variables_and_ids(self, translate: Translate) -> None:
        template = translate(
            ACCOUNT + "var v = { id: blobs.id }\n"
            "resource other 'Microsoft.Storage/storageAccounts@2025-01-01' = if (!empty(v)) {\n"
            "  name: 'o'\n  tags: { a: account.name }\n}\n"
        )
        assert within(template, "resources/other/dependsOn") == ["account", "blobs"]


class TestModules:
    MODULE = "param p string\nparam q string = ''\noutput o string = p\n"

    def test_a_module_is_a_nested_deployment_of_its_own_scope(self, translate: Translate) -> None:
        template = translate(
            "param on bool\nmodule m 'inner.bicep' = if (on) {\n  name: 'm'\n"
            "  params: { p: 'x' }\n}\nmodule n 'inner.bicep' = {\n  name: 'n'\n"
            "  params: { p: on ? m!.outputs.o : '' }\n}\n",
            inner=self.MODULE,
        )
        first = within(template, "resources/m")
        assert get(first, "type") == "Microsoft.Resources/deployments"
        assert get(first, "condition") == "[parameters('on')]"
        properties = get(first, "properties")
        assert get(properties, "expressionEvaluationOptions") == {"scope": "inner"}
        assert get(properties, "parameters") == {"p": {"value": "x"}}
        assert within(properties, "template/outputs/o/value") == "[parameters('p')]"
        second = within(template, "resources/n")
        assert within(second, "properties/parameters/p/value") == (
            "[if(parameters('on'), reference('m').outputs.o.value, '')]"
        )
        assert get(second, "dependsOn") == ["m"]


@pytest.mark.parametrize(
    ("bicep", "reason"),
    [
        ("var a = b\n", "line 1: b is not defined"),
        ("\nvar a = toLowr('A')\n", "line 2: there is no function toLowr"),
        ("var a = {\n  b: 1\n", "expected"),
        ("var a = 'x\n", "a string has no end"),
        ("var a = [1 2]\n", "a comma or ]"),
        ("@sealed()\nparam p object\n", "@sealed can't be translated"),
        ("param p mine\n", "the type mine can't be translated"),
        ("type mine = string\n", "'type' can't be translated"),
        ("targetScope = 'subscription'\n", "only resource groups"),
        ("module m 'gone.bicep' = {\n  name: 'm'\n}\n", "there is no gone.bicep"),
        ("resource r 'A.B/c/d@2024-01-01' = {\n  name: 'x'\n}\n", "use parent"),
        ("resource r 'A.B/c@2024-01-01' = {\n  name: 'x'\n  scope: subscription()\n}\n", "scope"),
        ("func f(a string) string => a\nvar v = f()\n", "takes 1 arguments, not 0"),
        ("var a = 1 ^ 2\n", "is not understood"),
    ],
)
def test_what_is_not_understood_is_refused(translate: Translate, bicep: str, reason: str) -> None:
    with pytest.raises(BicepError) as refused:
        translate(bicep)
    assert reason in str(refused.value)
    assert str(refused.value).startswith("main.bicep: line") or "resource groups" in reason


def test_files_beside_are_read_in(translate: Translate, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"a": [1]}', "utf-8")
    template = translate(
        "var v = loadJsonContent('data.json')\nvar t = loadTextContent('data.json')\n"
    )
    assert template["variables"] == {"v": {"a": [1]}, "t": '{"a": [1]}'}


class TestAgainstACompiler:
    """A compiler writes resources as a list, ids instead of symbols, and `concat` at times."""

    BICEP = ACCOUNT + (
        "resource c 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = "
        "[for n in names: {\n  parent: blobs\n  name: n\n}]\n"
        "output blob string = account.properties.primaryEndpoints.blob\n"
    )
    KIND = "Microsoft.Storage/storageAccounts"
    ID = f"resourceId('{KIND}', 'st')"
    BUILT: dict[str, Value] = {  # noqa: RUF012 - read only
        "parameters": {"names": {"type": "array"}},
        "resources": [
            {
                "type": f"{KIND}/blobServices/containers",
                "apiVersion": "2025-01-01",
                "name": "[concat('st', '/default/', parameters('names')[copyIndex()])]",
                "copy": {"name": "c", "count": "[length(parameters('names'))]"},
                "dependsOn": [f"[resourceId('{KIND}/blobServices', 'st', 'default')]"],
            },
            {
                "type": f"{KIND}/blobServices",
                "apiVersion": "2025-01-01",
                "name": "st/default",
                "dependsOn": [f"[{ID}]"],
            },
            {
                "type": KIND,
                "apiVersion": "2025-01-01",
                "name": "st",
                "sku": {"name": "Standard_LRS"},
            },
        ],
        "outputs": {
            "blob": {
                "type": "string",
                "value": f"[reference({ID}, '2025-01-01').primaryEndpoints.blob]",
            }
        },
    }

    def compared(self, translate: Translate, built: dict[str, Value]) -> list[str]:
        template = translate(self.BICEP)
        return deployed_differences(built, template, {"names": ["a", "b"]}, ("built", "ours"))

    def test_what_is_written_otherwise_and_does_the_same_is_no_difference(
        self, translate: Translate
    ) -> None:
        assert self.compared(translate, self.BUILT) == []

    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [
            ("Standard_LRS", "Standard_ZRS", "sku/name: built has"),
            ("/default/", "/other/", "containers/a: built has nothing"),
            ('"dependsOn": ["[resourceId(\'Microsoft.Storage/storageAccounts\', \'st\')]"]',
             '"dependsOn": []', "before/"),
            ("primaryEndpoints.blob", "primaryEndpoints.file", "outputs/blob/value"),
        ],
    )  # fmt: skip
    def test_what_does_something_else_is_one(
        self, translate: Translate, old: str, new: str, told: str
    ) -> None:
        text = json.dumps(self.BUILT)
        assert old in text
        found = self.compared(translate, json.loads(text.replace(old, new)))
        assert any(told in line for line in found), found
