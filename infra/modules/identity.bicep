// The app's identity, and one to administer SQL where nobody else is named.
param location string
param postFix string
param withAdministrator bool
param tags object

resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-imaginem-${postFix}'
  location: location
  tags: tags
}

// The same that bootstrap.bicep makes. No role is given to it here: a workflow that runs as it may not.
resource administrator 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = if (withAdministrator) {
  name: 'id-imaginem-deploy-${postFix}'
  location: location
  tags: tags
}

output appId string = app.id
output appName string = app.name
output appPrincipalId string = app.properties.principalId
output appClientId string = app.properties.clientId
output administratorName string = withAdministrator ? administrator.name : ''
output administratorPrincipalId string = withAdministrator ? administrator!.properties.principalId : ''
