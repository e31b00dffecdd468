// Queues, tables and private containers, all made here, so that the app creates none.
param location string
param postFix string
param sku string
param steps array
param photoRetentionDays int
param cropRetentionDays int
param thumbnailRetentionDays int
param messageRetentionDays int
@allowed(['Enabled', 'Disabled'])
param publicAccess string
param appPrincipalId string
param workspaceId string
param tags object

var containers = ['inputimages', 'faces', 'largemessages', 'thumbnails', 'audit', 'deployment']
var tables = ['pipelinelogs', 'pipelinepoison', 'pipelinestate', 'pipelinedrops', 'pipelineaudit', 'pipelinetombstones', 'pipelinereceipts']
var queues = concat(steps, map(steps, name => '${name}-poison'), ['webjobs-blobtrigger-poison'])
var roles = [
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b' // Storage Blob Data Owner: the Functions host asks for it
  '974c5e8b-45b9-4653-ba55-5f855dd0fb88' // Storage Queue Data Contributor
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3' // Storage Table Data Contributor
]

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  // checkov:skip=CKV_AZURE_33:logging of queues goes to Log Analytics by diagnostic settings
  // checkov:skip=CKV_AZURE_35:without privateNetworking the app comes from changing addresses; identities guard the data
  // checkov:skip=CKV_AZURE_43:the name is "st" and letters and digits alone, as the rule wants
  // checkov:skip=CKV_AZURE_59:the same: privateNetworking turns public access off
  // checkov:skip=CKV_AZURE_206:photos are kept in one region on purpose; change the sku for copies elsewhere
  // checkov:skip=CKV2_AZURE_1:Microsoft's keys encrypt; keys of your own are an operator's choice
  name: toLower('stimaginem${replace(postFix, '-', '')}')
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: publicAccess
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: (publicAccess == 'Enabled') ? 'Allow' : 'Deny'
    }
  }
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = [for name in containers: {
  parent: blobService
  name: name
  properties: {
    publicAccess: 'None'
  }
}]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-01-01' = {
  parent: account
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-01-01' = [for name in queues: {
  parent: queueService
  name: name
}]

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2025-01-01' = {
  parent: account
  name: 'default'
}

resource table 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-01-01' = [for name in tables: {
  parent: tableService
  name: name
}]

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'photos'
          type: 'Lifecycle'
          enabled: photoRetentionDays > 0
          definition: {
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: max(photoRetentionDays, 1)
                }
              }
            }
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['inputimages/']
            }
          }
        }
        {
          name: 'crops'
          type: 'Lifecycle'
          enabled: cropRetentionDays > 0
          definition: {
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: max(cropRetentionDays, 1)
                }
              }
            }
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['faces/']
            }
          }
        }
        {
          name: 'thumbnails'
          type: 'Lifecycle'
          enabled: thumbnailRetentionDays > 0
          definition: {
            actions: {
              baseBlob: {
                delete: {
                  // Made again when somebody looks.
                  daysAfterModificationGreaterThan: max(thumbnailRetentionDays, 1)
                }
              }
            }
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['thumbnails/']
            }
          }
        }
        {
          name: 'largemessages'
          type: 'Lifecycle'
          enabled: true
          definition: {
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: messageRetentionDays
                }
              }
            }
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['largemessages/']
            }
          }
        }
      ]
    }
  }
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in roles: {
  name: guid(account.id, appPrincipalId, role)
  scope: account
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
  }
}]

resource blobLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'reads-and-deletes'
  scope: blobService
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'StorageRead'
        enabled: true
      }
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
  }
}

resource queueLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'deletes'
  scope: queueService
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
  }
}

output id string = account.id
output name string = account.name
output deploymentContainer string = '${account.properties.primaryEndpoints.blob}deployment'
