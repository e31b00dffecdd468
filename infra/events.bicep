// Photos that are dropped in the input container start jobs: Event Grid tells the function app of each.
// Deployed once the code is published: only then the app has the key that Event Grid must show, and
// answers when Event Grid asks whether it wants the events. The key is read here and told nobody.
targetScope = 'resourceGroup'

@description('Region of the storage account.')
param location string = resourceGroup().location

@description('Name of the storage account, an output of main.bicep.')
param storageName string

@description('Name of the function app, an output of main.bicep.')
param appName string

@description('Bytes of a blob above which nothing is started, since the host reads blobs into memory. Over 20 MB a job fails and says so.')
param largestBlob int = 52428800

@description('Tags of every resource.')
param tags object = {}

var container = '/blobServices/default/containers/inputimages/blobs/'

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: storageName
}

resource site 'Microsoft.Web/sites@2024-11-01' existing = {
  name: appName
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: 'evgt-${storageName}'
  location: location
  tags: tags
  properties: {
    source: account.id
    topicType: 'Microsoft.Storage.StorageAccounts'
  }
}

resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'dropped-photos'
  properties: {
    destination: {
      endpointType: 'WebHook'
      properties: {
        endpointUrl: 'https://${site.properties.defaultHostName}/runtime/webhooks/blobs?functionName=Host.Functions.photo_dropped&code=${listKeys('${site.id}/host/default', '2024-11-01').systemKeys.blobs_extension}'
      }
    }
    eventDeliverySchema: 'EventGridSchema'
    filter: {
      includedEventTypes: ['Microsoft.Storage.BlobCreated']
      subjectBeginsWith: container
      advancedFilters: [
        {
          operatorType: 'NumberLessThanOrEquals'
          key: 'data.contentLength'
          value: largestBlob
        }
      ]
    }
    retryPolicy: {
      maxDeliveryAttempts: 30
      eventTimeToLiveInMinutes: 1440
    }
  }
}
