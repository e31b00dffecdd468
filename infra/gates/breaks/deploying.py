"""Breaks that the workflow meets, or a second deployment."""

from infra.gates.breaks import Break

WORKFLOW = (
    Break(
        "the deployment gives a role to its own identity",
        "modules/identity.bicep",
        "output appId string",
        "resource deploy 'Microsoft.Authorization/roleAssignments@2022-04-01' = {\n"
        "  name: guid(administrator.id)\n  scope: administrator\n  properties: {\n"
        "    principalId: administrator.properties.principalId\n"
        "    principalType: 'ServicePrincipal'\n"
        "    roleDefinitionId: 'b24988ac-6180-42a0-ab88-20f7382dd24c'\n  }\n}\n\n"
        "output appId string",
        "only the app and identities of resources get roles",
    ),
    Break(
        "the deployment assigns a role that the workflow may not give",
        "bootstrap.bicep",
        "974c5e8b-45b9-4653-ba55-5f855dd0fb88, ",
        "",
        "does not allow to write 974c5e8b",
    ),
    Break(
        "the workflow may give a role that nothing needs",
        "bootstrap.bicep",
        "'{b7e6dc6d-f1e8-4753-8033-0f276bb0955b,",
        "'{8e3af657-a8ff-443c-a75c-2fe8c4bcb635, b7e6dc6d-f1e8-4753-8033-0f276bb0955b,",
        "allows to write 8e3af657",
    ),
    Break(
        "the workflow may give roles to people",
        "bootstrap.bicep",
        " AND @Request[Microsoft.Authorization/roleAssignments:PrincipalType] "
        "ForAnyOfAnyValues:StringEqualsIgnoreCase ${receivers}",
        "",
        "its condition does not bound write",
    ),
    Break(
        "the workflow may take any role away",
        "bootstrap.bicep",
        "'(${mayWrite}) AND (${mayDelete})'",
        "'(${mayWrite})'",
        "its condition does not bound delete",
    ),
    Break(
        "the workflow may give every role",
        "bootstrap.bicep",
        "    condition: '(${mayWrite}) AND (${mayDelete})'\n",
        "",
        "its condition does not bound write",
    ),
    Break(
        "the workflow owns the group",
        "bootstrap.bicep",
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "must give Contributor and",
    ),
    Break(
        "an assignment is of a kind that the workflow may not write",
        "modules/ai.bicep",
        "    principalType: 'ServicePrincipal'\n",
        "",
        "principalType must be 'ServicePrincipal'",
    ),
    Break(
        "an assignment is for the whole group",
        "modules/ai.bicep",
        "  scope: account\n  properties: {\n    principalId",
        "  scope: resourceGroup()\n  properties: {\n    principalId",
        "its scope must be one resource",
    ),
    Break(
        "the roles go to whoever administers SQL",
        "main.bicep",
        "appPrincipalId: identity.outputs.appPrincipalId",
        "appPrincipalId: identity.outputs.administratorPrincipalId",
        "appPrincipalId must be the app's",
    ),
    Break(
        "the deployment locks what it made",
        "modules/ai.bicep",
        "output id string",
        "resource lock 'Microsoft.Authorization/locks@2020-05-01' = {\n  name: 'lock'\n"
        "  scope: account\n  properties: {\n    level: 'CanNotDelete'\n  }\n}\n\n"
        "output id string",
        "may not write Microsoft.Authorization/locks",
    ),
)

AGAIN = (
    Break(
        "an SQL server that exists is sent administrators",
        "modules/sql.bicep",
        "administrators: madeWithEntra ? {",
        "administrators: empty(administratorLogin) ? {",
        "administrators: only a server that is made",
    ),
    Break(
        "an SQL server that exists is sent its password",
        "modules/sql.bicep",
        "administratorLoginPassword: madeWithPassword ? administratorLoginPassword : null",
        "administratorLoginPassword: administratorLoginPassword",
        "administratorLoginPassword: only a server that is made",
    ),
    Break(
        "whether the SQL server exists is not looked at",
        "modules/sql.bicep",
        "(!serverExists) && empty(administratorLogin)",
        "empty(administratorLogin)",
        "administrators: only a server that is made",
    ),
    Break(
        "another administrator of SQL is not passed on",
        "modules/sql.bicep",
        "name: 'ActiveDirectory'\n",
        "name: 'administrator'\n",
        "one administrators named ActiveDirectory",
    ),
    Break(
        "Entra ID alone is turned on only at times",
        "modules/sql.bicep",
        "azureADOnlyAuthentications@2023-08-01' = {",
        "azureADOnlyAuthentications@2023-08-01' = if (empty(administratorLogin)) {",
        "one azureADOnlyAuthentications named Default",
    ),
    Break(
        "Entra ID alone is turned on before there is an administrator",
        "modules/sql.bicep",
        "  dependsOn: [administrator]\n",
        "",
        "must wait for the administrator",
    ),
    Break(
        "nothing notes that the SQL server exists",
        "main.bicep",
        "notes: union({ 'imaginem-sql-${postFix}': 'made' },",
        "notes: union({},",
        "nothing writes the tag imaginem-sql-",
    ),
    Break(
        "nothing reads that the SQL server exists",
        "main.bicep",
        "sqlServerExists bool = contains(groupTags, 'imaginem-sql-${postFix}')",
        "sqlServerExists bool = false",
        "sqlServerExists must be what the tag",
    ),
    Break(
        "a budget begins anew each month",
        "main.bicep",
        "contains(groupTags, 'imaginem-budget-${postFix}') ? "
        "groupTags['imaginem-budget-${postFix}'] : utcNow('yyyy-MM')",
        "utcNow('yyyy-MM')",
        "budgetMonth must be what the tag",
    ),
    Break(
        "a budget begins on a fixed day",
        "modules/budget.bicep",
        "'${month}-01'",
        "'2026-11-01'",
        "begins on the first of the month that is noted",
    ),
    Break(
        "the tags of the group are lost",
        "modules/memory.bicep",
        "union(contains(resourceGroup(), 'tags') ? (resourceGroup().tags ?? {}) : {}, notes)",
        "notes",
        "must keep the tags that the group has",
    ),
)
