// Two identities: the app's, and that of migrations and deployments, which the app can't use.
param location string
param postFix string
param githubRepository string
param tags object

resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-imaginem-${postFix}'
  location: location
  tags: tags
}

resource migration 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-imaginem-deploy-${postFix}'
  location: location
  tags: tags
}

// The workflow of one repository's environment "production" logs in as it, without any secret.
resource github 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30' = if (!empty(githubRepository)) {
  parent: migration
  name: 'github'
  properties: {
    issuer: 'https://token.actions.githubusercontent.com'
    subject: 'repo:${githubRepository}:environment:production'
    audiences: ['api://AzureADTokenExchange']
  }
}

output appId string = app.id
output appName string = app.name
output appPrincipalId string = app.properties.principalId
output appClientId string = app.properties.clientId
output migrationName string = migration.name
output migrationPrincipalId string = migration.properties.principalId
output migrationClientId string = migration.properties.clientId
