// By a person, once, before a GitHub workflow deploys: the identity that it runs as, and what that may do.
// Azure asks for the right to write a role assignment even where it exists already, and this identity must
// not have it for its own roles. So these are here, and what the workflow deploys (main.bicep) has none of them.
targetScope = 'resourceGroup'

@description('Region of the identity.')
param location string = resourceGroup().location

@description('Ends the names, as in main.bicep: pass the same to both, or to none.')
@minLength(1)
@maxLength(13)
param deploymentPostFix string = uniqueString(resourceGroup().id)

@description('Repository (owner/name) whose workflow deploys, from its environment "production".')
@minLength(3)
param githubRepository string

@description('Tags of the identity.')
param tags object = {}

resource workflow 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-imaginem-deploy-${deploymentPostFix}'
  location: location
  tags: tags
}

// The workflow logs in as it without any secret.
resource github 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30' = {
  parent: workflow
  name: 'github'
  properties: {
    issuer: 'https://token.actions.githubusercontent.com'
    subject: 'repo:${githubRepository}:environment:production'
    audiences: ['api://AzureADTokenExchange']
  }
}

// The roles that main.bicep gives, all of them and no others; and only to identities of apps.
var given = '{b7e6dc6d-f1e8-4753-8033-0f276bb0955b, 974c5e8b-45b9-4653-ba55-5f855dd0fb88, 0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3, a97b65f3-24c7-4388-baec-2e87135dc908, 3913510d-42f4-4e42-8a64-420c390055eb}'
var receivers = '{\'ServicePrincipal\'}'
var mayWrite = '(!(ActionMatches{\'Microsoft.Authorization/roleAssignments/write\'})) OR (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals ${given} AND @Request[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase ${receivers})'
var mayDelete = '(!(ActionMatches{\'Microsoft.Authorization/roleAssignments/delete\'})) OR (@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals ${given} AND @Resource[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase ${receivers})'
var contributor = 'b24988ac-6180-42a0-ab88-20f7382dd24c' // Contributor
var accessAdministrator = 'f58310d9-a9f6-439a-9e8d-f62e7b41a168' // Role Based Access Control Administrator

resource deploy 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, workflow.id, contributor)
  scope: resourceGroup()
  properties: {
    principalId: workflow.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', contributor)
  }
}

resource assign 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, workflow.id, accessAdministrator)
  scope: resourceGroup()
  properties: {
    principalId: workflow.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', accessAdministrator)
    conditionVersion: '2.0'
    condition: '(${mayWrite}) AND (${mayDelete})'
  }
}

// What the variables of the GitHub environment are set to.
output clientId string = workflow.properties.clientId
output objectId string = workflow.properties.principalId
output name string = workflow.name
