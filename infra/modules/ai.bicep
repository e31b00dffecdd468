// An Azure AI account that takes no key: the app's identity calls it.
param location string
param name string
@allowed(['ComputerVision', 'Face', 'FormRecognizer', 'AIServices'])
param kind string
param sku string
@allowed(['Enabled', 'Disabled'])
param publicAccess string
param restore bool
param appPrincipalId string
param workspaceId string
param tags object

var user = 'a97b65f3-24c7-4388-baec-2e87135dc908' // Cognitive Services User

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' = {
  // checkov:skip=CKV_AZURE_134:privateNetworking turns public access off; without it the identity guards the account
  // checkov:skip=CKV_AZURE_247:the account reads nothing from addresses: photos are sent to it
  // checkov:skip=CKV2_AZURE_22:Microsoft's keys encrypt; keys of your own are an operator's choice
  name: name
  location: location
  tags: tags
  kind: kind
  sku: {
    name: sku
  }
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    customSubDomainName: name
    disableLocalAuth: true
    publicNetworkAccess: publicAccess
    // A Foundry account calls its own deployments of models, which may count as outbound.
    restrictOutboundNetworkAccess: (kind != 'AIServices')
    restore: restore
    networkAcls: {
      defaultAction: (publicAccess == 'Enabled') ? 'Allow' : 'Deny'
    }
  }
}

resource call 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, appPrincipalId, user)
  scope: account
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', user)
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: account
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'Audit'
        enabled: true
      }
    ]
  }
}

output id string = account.id
output endpoint string = (kind == 'AIServices') ? 'https://${name}.services.ai.azure.com' : account.properties.endpoint
