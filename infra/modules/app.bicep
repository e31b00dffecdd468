// The function app: Flex Consumption, its identity, its settings, and who may call it.
param location string
param postFix string
param identityId string
param identityClientId string
param storageName string
param deploymentContainer string
param insightsConnectionString string
param tracesPerSecond string
param workspaceId string
param subnetId string
param authClientId string
param instanceMemoryMB int
param maximumInstanceCount int
param alwaysReady array
param zoneRedundant bool
param queueBatchSize int
param queueNewBatchThreshold int
param httpConcurrency int
param pipelineDefinition string
param pipelineFusion string
@secure()
param stepSettings object
param droppedPhotos string
param reuseOutputs string
param photoRetentionDays int
param cropRetentionDays int
param thumbnailRetentionDays int
param resultRetentionDays int
param rowRetentionDays int
param poisonRetentionDays int
param auditRetentionDays int
param auditPurposes string
param visionEngine string
param ocrEngine string
param faceEngine string
param facePrintEngine string
param faceGrid string
param visionEndpoint string
@secure()
param visionApiKey string
param faceEndpoint string
@secure()
param faceApiKey string
param visionCallsPerSecond int
param faceCallsPerSecond int
param visionPrice string
param visionSku string
param facePrice string
param documentIntelligenceEndpoint string
@secure()
param documentIntelligenceApiKey string
param documentIntelligenceSku string
param documentIntelligenceCallsPerSecond int
param documentIntelligencePrice string
param contentUnderstandingEndpoint string
@secure()
param contentUnderstandingApiKey string
param contentUnderstandingModel string
param contentUnderstandingCallsPerSecond int
param contentUnderstandingPrice string
param openAiEndpoint string
@secure()
param openAiApiKey string
param openAiIdentity string
param openAiModel string
param openAiCallsPerSecond int
param openAiPriceIn string
param openAiPriceOut string
param faceMatchThreshold string
param facePossibleThreshold string
param allowedImageHosts string
param sqlServer string
param sqlDatabase string
param sqlDriver string
param tags object

// With zone redundancy fewer than two of a kind are refused.
var kept = zoneRedundant ? map(alwaysReady, item => union(item, { instanceCount: max(item.instanceCount, 2) })) : alwaysReady
// The local engine does not fit into an instance of 512 MB.
var memory = contains([visionEngine, ocrEngine, faceEngine, facePrintEngine], 'local') ? max(instanceMemoryMB, 2048) : instanceMemoryMB

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  // checkov:skip=CKV_AZURE_212:Flex Consumption scales by itself; alwaysReady keeps instances up
  // checkov:skip=CKV_AZURE_225:zoneRedundant turns it on; it keeps instances up, which cost
  name: 'plan-imaginem-${postFix}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource site 'Microsoft.Web/sites@2024-11-01' = {
  // checkov:skip=CKV_AZURE_17:people log in with Entra ID; certificates of clients are not used
  // checkov:skip=CKV_AZURE_212:Flex Consumption has alwaysReady instead of a minimum of instances
  // checkov:skip=CKV_AZURE_78:Flex Consumption has no FTP and refuses its setting; publishing by password is off below
  // checkov:skip=CKV_AZURE_213:Flex Consumption has no health check; deploy.sh and alerts look at the app
  // checkov:skip=CKV_AZURE_221:browsers call it; platform authentication decides who
  name: 'func-imaginem-${postFix}'
  location: location
  tags: union(tags, { 'azd-service-name': 'imaginem' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: deploymentContainer
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13' // tests drive this version's worker: tests/azure_worker.py
      }
      scaleAndConcurrency: {
        alwaysReady: kept
        instanceMemoryMB: memory
        maximumInstanceCount: maximumInstanceCount
        triggers: {
          http: {
            perInstanceConcurrency: httpConcurrency
          }
        }
      }
    }
    siteConfig: {
      http20Enabled: true
      minTlsVersion: '1.2'
      remoteDebuggingEnabled: false
    }
  }
}

// One change of the site after the other: Azure refuses them at once. Logins are on before settings.
resource settings 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: site
  name: 'appsettings'
  dependsOn: [authentication]
  // Ours come last, so that none of a step's takes the place of one.
  properties: union(stepSettings, {
    AzureWebJobsStorage__accountName: storageName
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identityClientId
    AZURE_CLIENT_ID: identityClientId
    APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
    OTEL_TRACES_SAMPLER: 'microsoft.rate_limited'
    OTEL_TRACES_SAMPLER_ARG: tracesPerSecond
    AzureFunctionsJobHost__extensions__queues__batchSize: string(queueBatchSize)
    AzureFunctionsJobHost__extensions__queues__newBatchThreshold: string(queueNewBatchThreshold)
    OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: identityClientId
    PIPELINE_DEFINITION: pipelineDefinition
    PIPELINE_FUSION: pipelineFusion
    DROPPED_PHOTOS: droppedPhotos
    REUSE_OUTPUTS: reuseOutputs
    RETENTION_PHOTOS_DAYS: string(photoRetentionDays)
    RETENTION_CROPS_DAYS: string(cropRetentionDays)
    RETENTION_THUMBNAILS_DAYS: string(thumbnailRetentionDays)
    RETENTION_RESULTS_DAYS: string(resultRetentionDays)
    RETENTION_ROWS_DAYS: string(rowRetentionDays)
    RETENTION_POISON_DAYS: string(poisonRetentionDays)
    RETENTION_AUDIT_DAYS: string(auditRetentionDays)
    AUDIT_PURPOSES: auditPurposes
    VISION_ENGINE: visionEngine
    OCR_ENGINE: ocrEngine
    FACE_ENGINE: faceEngine
    FACE_PRINT_ENGINE: facePrintEngine
    FACE_GRID: faceGrid
    VISION_ENDPOINT: visionEndpoint
    VISION_API_KEY: visionApiKey
    VISION_CALLS_PER_SECOND: string(visionCallsPerSecond)
    VISION_PRICE: visionPrice
    VISION_TIER: visionSku
    FACE_ENDPOINT: faceEndpoint
    FACE_API_KEY: faceApiKey
    FACE_CALLS_PER_SECOND: string(faceCallsPerSecond)
    FACE_PRICE: facePrice
    DOCUMENTINTELLIGENCE_ENDPOINT: documentIntelligenceEndpoint
    DOCUMENTINTELLIGENCE_API_KEY: documentIntelligenceApiKey
    DOCUMENTINTELLIGENCE_TIER: documentIntelligenceSku
    DOCUMENTINTELLIGENCE_CALLS_PER_SECOND: string(documentIntelligenceCallsPerSecond)
    DOCUMENTINTELLIGENCE_PRICE: documentIntelligencePrice
    CONTENTUNDERSTANDING_ENDPOINT: contentUnderstandingEndpoint
    CONTENTUNDERSTANDING_API_KEY: contentUnderstandingApiKey
    CONTENTUNDERSTANDING_MODEL: contentUnderstandingModel
    CONTENTUNDERSTANDING_CALLS_PER_SECOND: string(contentUnderstandingCallsPerSecond)
    CONTENTUNDERSTANDING_PRICE: contentUnderstandingPrice
    OPENAI_ENDPOINT: openAiEndpoint
    OPENAI_API_KEY: openAiApiKey
    OPENAI_IDENTITY: openAiIdentity
    OPENAI_MODEL: openAiModel
    OPENAI_CALLS_PER_SECOND: string(openAiCallsPerSecond)
    OPENAI_PRICE_IN: openAiPriceIn
    OPENAI_PRICE_OUT: openAiPriceOut
    FACE_MATCH_THRESHOLD: faceMatchThreshold
    FACE_POSSIBLE_THRESHOLD: facePossibleThreshold
    ALLOWED_IMAGE_HOSTS: allowedImageHosts
    SQL_CONNECTION_STRING: 'Server=tcp:${sqlServer},1433;Database=${sqlDatabase};Encrypt=yes'
    SQL_DRIVER: sqlDriver
    HTTP_ACCESS: empty(authClientId) ? 'health' : 'platform'
  })
}

// On, whatever is given: without an app to log in to, the platform answers 401 to all but the paths that are excluded.
resource authentication 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: site
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: true
      runtimeVersion: '~1'
    }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: empty(authClientId) ? 'Return401' : 'RedirectToLoginPage'
      redirectToProvider: 'azureactivedirectory'
      // Event Grid comes without a login: the Functions host asks it for the key blobs_extension.
      excludedPaths: ['/api/health', '/runtime/webhooks/blobs']
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: !empty(authClientId)
        registration: {
          clientId: authClientId
          clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: ['api://${authClientId}', authClientId]
        }
      }
    }
    login: {
      tokenStore: {
        enabled: false
      }
    }
    httpSettings: {
      requireHttps: true
    }
  }
}

resource noFtp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: site
  name: 'ftp'
  dependsOn: [settings]
  properties: {
    allow: false
  }
}

resource noPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: site
  name: 'scm'
  dependsOn: [noFtp]
  properties: {
    allow: false
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logins'
  scope: site
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'AppServiceAuthenticationLogs'
        enabled: true
      }
    ]
  }
}

output name string = site.name
output address string = 'https://${site.properties.defaultHostName}'
