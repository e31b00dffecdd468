// Imaginem on Azure: a Functions app on Flex Consumption, and all that it needs, in one resource group.
targetScope = 'resourceGroup'

@description('Region of everything.')
param location string = resourceGroup().location

@description('Ends the names that must be unique in the world: small letters and digits.')
@minLength(1)
param deploymentPostFix string = uniqueString(resourceGroup().id)

@description('Leave it alone: deploymentPostFix, or what it would be if somebody forgot to fill it in.')
param postFix string = (startsWith(deploymentPostFix, '<') || startsWith(deploymentPostFix, '$')) ? uniqueString(resourceGroup().id) : deploymentPostFix

@description('The pipeline of jobs that name none: step names with commas between.')
param pipelineDefinition string = 'generalclassification,ocr,facedetection,facecrop,faceprint,facematch,pipelineoutput'

@description('Which steps that follow each other run in one execution: auto (all but those that are declared alone), off (none), or groups: a plus sign between their steps, commas between groups.')
param pipelineFusion string = 'auto'

@description('Settings of your own steps, by name: { BLURRINESS_LIMIT: \'80\' }. Values are texts; a name that Imaginem itself uses keeps the value of its own parameter.')
@secure()
param stepSettings object = {}

@description('The steps that have a queue. The default is what ships; infra/deploy.sh passes every step of steps/, as python -m infra.steps prints them.')
param steps array = [
  'generalclassification'
  'ocr'
  'facedetection'
  'facecrop'
  'faceprint'
  'facematch'
  'pipelineoutput'
  'sample'
]

@description('Whether a photo that any tool uploads to the container inputimages starts a job.')
@allowed(['on', 'off'])
param droppedPhotos string = 'on'

@description('Whether what a pure step found in a photo is taken from an earlier job of the same bytes in the same access group.')
@allowed(['on', 'off'])
param reuseOutputs string = 'off'

@description('Engine of generalclassification. "local" needs a package with the local engine inside; "azure" retires on 2028-09-25; "contentunderstanding" needs a model deployed by hand, "openai" a server at openAiEndpoint, see docs/engines.md.')
@allowed(['azure', 'local', 'contentunderstanding', 'openai'])
param visionEngine string = 'azure'

@description('Engine of ocr. Empty: as visionEngine, or "documentintelligence" where that is "contentunderstanding".')
@allowed(['', 'azure', 'local', 'documentintelligence', 'openai'])
param ocrEngine string = ''

@description('Engine of facedetection.')
@allowed(['azure', 'local'])
param faceEngine string = 'azure'

@description('Engine of faceprint and facematch. On "azure" the subscription needs Limited Access.')
@allowed(['azure', 'local'])
param facePrintEngine string = 'azure'

@description('How many photos facedetection shows to the Face account in one call: off, or columns x rows of 1 to 4 each, such as 3x3. It saves calls and loses small faces, see docs/engines.md; with faceEngine "azure" only.')
param faceGrid string = 'off'

@description('Address of a Computer Vision account that exists already; empty to make one.')
param visionEndpoint string = ''

@description('Key of the account at visionEndpoint; empty to use the app\'s identity. Not used without visionEndpoint: an account is made then, which takes no key.')
@secure()
param visionApiKey string = ''

@description('Address of a Face account that exists already; empty to make one.')
param faceEndpoint string = ''

@description('Key of the account at faceEndpoint; empty to use the app\'s identity. Not used without faceEndpoint: an account is made then, which takes no key.')
@secure()
param faceApiKey string = ''

@description('Names of AI accounts that were deleted in this group within 48 hours: Azure makes none of the same name meanwhile, but restores them. infra/deploy.sh finds them.')
param restoreAccounts array = []

@description('Address of a Document Intelligence account that exists already; empty to make one if it is needed.')
param documentIntelligenceEndpoint string = ''

@description('Key of that account; empty to use the app\'s identity.')
@secure()
param documentIntelligenceApiKey string = ''

@description('Address of a Foundry account that exists already; empty to make one if it is needed.')
param contentUnderstandingEndpoint string = ''

@description('Key of that account; empty to use the app\'s identity.')
@secure()
param contentUnderstandingApiKey string = ''

@description('Region of the Foundry account: one that has Content Understanding. Empty: as location.')
param contentUnderstandingLocation string = ''

@description('Generative model of Content Understanding: a name that the Foundry account maps to a deployment.')
param contentUnderstandingModel string = 'gpt-5.2'

@description('Tier of the Document Intelligence account, made here or yours: F0 is free, slow and takes small photos.')
param documentIntelligenceSku string = 'S0'

@description('Photos a second that the Document Intelligence account takes.')
param documentIntelligenceCallsPerSecond int = 15

@description('Photos a second that the Foundry account takes.')
param contentUnderstandingCallsPerSecond int = 16

@description('Price of 1,000 photos read by Document Intelligence, for the estimate in the metrics.')
param documentIntelligencePrice string = '1.5'

@description('Price of 1,000 photos looked at by Content Understanding with its model, for the estimate in the metrics.')
param contentUnderstandingPrice string = '4.5'

@description('Address of an OpenAI-compatible server, such as a Foundry account. Engines "openai" send photos there.')
param openAiEndpoint string = ''

@description('Key of the server at openAiEndpoint; empty to send none.')
@secure()
param openAiApiKey string = ''

@description('Whether the app\'s identity signs the calls to openAiEndpoint, as a Foundry account takes it: give it the role Cognitive Services OpenAI User there.')
@allowed(['on', 'off'])
param openAiIdentity string = 'off'

@description('Model or deployment at openAiEndpoint; it must take pictures.')
param openAiModel string = ''

@description('Calls a second that the server at openAiEndpoint takes.')
param openAiCallsPerSecond int = 10

@description('Price of a million tokens sent to openAiEndpoint, for the estimate in the metrics.')
param openAiPriceIn string = '0'

@description('Price of a million tokens answered by openAiEndpoint, for the estimate in the metrics.')
param openAiPriceOut string = '0'

@description('Tier of the Computer Vision account, made here or yours: F0 is free, slow and takes small photos for Read.')
param visionSku string = 'S1'

@description('Tier of the Face account: F0 is free and slow.')
param faceSku string = 'S0'

@description('Calls a second that the Computer Vision account takes.')
param visionCallsPerSecond int = 10

@description('Calls a second that the Face account takes.')
param faceCallsPerSecond int = 10

@description('Price of 1,000 calls to Computer Vision, for the estimate in the metrics.')
param visionPrice string = '1.0'

@description('Price of 1,000 calls to Face, for the estimate in the metrics.')
param facePrice string = '1.0'

@description('Confidence from which two faces are a match; empty for the engine\'s default.')
param faceMatchThreshold string = ''

@description('Confidence from which two faces are possibly one person\'s; empty for the default.')
param facePossibleThreshold string = ''

@description('Hosts inside a network from which photos may be fetched, with commas between.')
param allowedImageHosts string = ''

@description('SQL login of an administrator, made with the server. Empty: Entra ID alone, without any password.')
param administratorLogin string = ''

@description('Password of that login. Of a server that exists it is not changed.')
@secure()
param administratorLoginPassword string = ''

@description('Object id of the Entra principal that administers SQL: best a group. Empty: an identity made for it.')
param sqlAdministratorObjectId string = ''

@description('Name of that principal.')
param sqlAdministratorName string = ''

@description('Kind of that principal.')
@allowed(['User', 'Group', 'Application'])
param sqlAdministratorType string = 'Application'

@description('Leave it alone: the tags of the group, in which earlier deployments left notes.')
param groupTags object = contains(resourceGroup(), 'tags') ? (resourceGroup().tags ?? {}) : {}

@description('Whether the SQL server exists already: Azure takes its administrators otherwise then. A note of the first deployment tells; pass true for a server that an older release made.')
param sqlServerExists bool = contains(groupTags, 'imaginem-sql-${postFix}')

@description('Collation of the database. Ids are compared exactly whatever it is.')
param collation string = 'SQL_Latin1_General_CP1_CI_AS'

@description('Size of the database at most in bytes, as a text: one that the service objective has, such as "268435456000" for S0. Empty: what the objective has.')
param maxSizeBytes string = ''

@description('What talks to SQL: pyodbc with the ODBC driver of the image, or Microsoft\'s mssql-python, which brings its own and must be in the package.')
@allowed(['pyodbc', 'mssql-python'])
param sqlDriver string = 'pyodbc'

@description('Service objective of the database.')
param requestedServiceObjectiveName string = 'S0'

@description('Copies of the database in several zones: needs an objective above Standard, such as GP_S_Gen5_2.')
param sqlZoneRedundant bool = false

@description('Client id of the Entra app that people log in to. Empty: nothing but the health page answers.')
param authClientId string = ''

@description('Memory of an instance in MB. 512 is for small photos and the Azure engines (the local engine gets 2048 at least), and not every region has it.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Instances at most, of every function.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Instances that never sleep, such as [{ name: \'function:generalclassification\', instanceCount: 1 }].')
param alwaysReady array = []

@description('Instances in several zones: two of each function never sleep then, and are paid for. Not every region has it.')
param zoneRedundant bool = false

@description('Messages that an instance takes from a queue at once. Scaling counts with the 4 of host.json.')
@minValue(1)
@maxValue(32)
param queueBatchSize int = 4

@description('Messages in work below which an instance takes more.')
@minValue(0)
param queueNewBatchThreshold int = 2

@description('HTTP requests that an instance answers at once.')
param httpConcurrency int = 16

@description('Copies of the storage account: ZRS needs a region with availability zones.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param storageSku string = 'Standard_ZRS'

@description('Days after a job ended after which its photo is erased; 0: never.')
@minValue(0)
param photoRetentionDays int = 0

@description('Days after which crops of faces are deleted; 0: never.')
@minValue(0)
param cropRetentionDays int = 365

@description('Days after which large outputs and poisoned bodies are deleted.')
param messageRetentionDays int = 90

@description('Days after which smaller copies of photos are deleted, which are made again when somebody looks; 0: never.')
@minValue(0)
param thumbnailRetentionDays int = 90

@description('Days after its end after which a whole job is erased, with results and faces; 0: never.')
@minValue(0)
param resultRetentionDays int = 0

@description('Days after which the rows of jobs that have ended are erased, while results stay; 0: never.')
@minValue(0)
param rowRetentionDays int = 0

@description('Days after which messages that could not be processed are dropped; 0: never.')
@minValue(0)
param poisonRetentionDays int = 0

@description('Days after which entries of the audit trail go; 0: never.')
@minValue(0)
param auditRetentionDays int = 0

@description('Purposes with commas between, of which whoever searches with a face or exports must choose one; empty for none.')
param auditPurposes string = ''

@description('Days that logs are kept.')
param logRetentionDays int = 30

@description('Traces a second that an instance sends to Application Insights; metrics are all sent.')
param tracesPerSecond string = '5'

@description('Keep storage, SQL and the AI accounts off the internet: VNet and private endpoints.')
param privateNetworking bool = false

@description('Where alerts are sent; empty for none.')
param alertEmail string = ''

@description('Cost of the group in a month, in the currency of the bill, that alertEmail hears of at 80 and 100 %; 0 for none.')
@minValue(0)
param budgetAmount int = 0

@description('Month (yyyy-MM) in which that budget began. Azure refuses another one later, so the first is noted as a tag.')
param budgetMonth string = contains(groupTags, 'imaginem-budget-${postFix}') ? groupTags['imaginem-budget-${postFix}'] : utcNow('yyyy-MM')

@description('Tags of every resource.')
param tags object = {}

// Parameters of the original Imaginem that mean nothing any more. They are accepted, so that its files deploy.
@description('Ignored: the package is built from what is checked out and published, from no branch.')
#disable-next-line no-unused-params
param branch string = ''

@description('Ignored: requestedServiceObjectiveName says what the database is.')
#disable-next-line no-unused-params
param edition string = ''

@description('Ignored: Flex Consumption has one sku; instanceMemoryMB and maximumInstanceCount say how large the app gets.')
#disable-next-line no-unused-params
param skuName string = ''

@description('Ignored: Flex Consumption scales by itself; alwaysReady keeps instances up.')
#disable-next-line no-unused-params
param skuCapacity int = 1

// What somebody forgot to fill in (<YOUR KEY>), or what only azd would, counts as empty.
func given(value string) string => ((startsWith(value, '<') && endsWith(value, '>')) || (startsWith(value, join(['$', '{'], '')) && endsWith(value, '}'))) ? '' : value

// Every module takes the region, so where parameters don't fit together nothing is made.
var halfLogin = (empty(given(administratorLogin)) != empty(given(administratorLoginPassword))) && (!sqlServerExists)
var namelessAdministrator = (!empty(given(sqlAdministratorObjectId))) && empty(given(sqlAdministratorName))
var databaseBytes = empty(given(maxSizeBytes)) ? 0 : int(given(maxSizeBytes))
var longPostFix = length(postFix) > 13
var problem = longPostFix ? 'deploymentPostFix: 13 small letters and digits at most' : (halfLogin ? 'administratorLogin and administratorLoginPassword belong together: give both, or neither' : (namelessAdministrator ? 'sqlAdministratorObjectId needs sqlAdministratorName' : ((databaseBytes < 0) ? 'maxSizeBytes must be a number of bytes' : '')))
var region = empty(problem) ? (empty(given(location)) ? resourceGroup().location : given(location)) : fail(problem)

var readWithVision = visionEngine == 'contentunderstanding' ? 'documentintelligence' : visionEngine
var readWith = empty(ocrEngine) ? readWithVision : ocrEngine
var makeVision = ((visionEngine == 'azure') || (readWith == 'azure')) && empty(given(visionEndpoint))
var makeDocument = (readWith == 'documentintelligence') && empty(given(documentIntelligenceEndpoint))
var makeContent = (visionEngine == 'contentunderstanding') && empty(given(contentUnderstandingEndpoint))
var makeFace = ((faceEngine == 'azure') || (facePrintEngine == 'azure')) && empty(given(faceEndpoint))
var makeBudget = (budgetAmount > 0) && (!empty(given(alertEmail)))

module identity 'modules/identity.bicep' = {
  name: 'identity'
  params: {
    location: region
    postFix: postFix
    withAdministrator: empty(given(sqlAdministratorObjectId))
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    location: region
    postFix: postFix
    retentionDays: logRetentionDays
    appPrincipalId: identity.outputs.appPrincipalId
    tags: tags
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    location: region
    postFix: postFix
    sku: storageSku
    steps: steps
    photoRetentionDays: photoRetentionDays
    cropRetentionDays: cropRetentionDays
    thumbnailRetentionDays: thumbnailRetentionDays
    messageRetentionDays: messageRetentionDays
    publicAccess: privateNetworking ? 'Disabled' : 'Enabled'
    appPrincipalId: identity.outputs.appPrincipalId
    workspaceId: monitoring.outputs.workspaceId
    tags: tags
  }
}

module vision 'modules/ai.bicep' = if (makeVision) {
  name: 'vision'
  params: {
    location: region
    name: 'vision-imaginem-${postFix}'
    kind: 'ComputerVision'
    sku: visionSku
    publicAccess: privateNetworking ? 'Disabled' : 'Enabled'
    restore: contains(restoreAccounts, 'vision-imaginem-${postFix}')
    appPrincipalId: identity.outputs.appPrincipalId
    workspaceId: monitoring.outputs.workspaceId
    tags: tags
  }
}

module face 'modules/ai.bicep' = if (makeFace) {
  name: 'face'
  params: {
    location: region
    name: 'face-imaginem-${postFix}'
    kind: 'Face'
    sku: faceSku
    publicAccess: privateNetworking ? 'Disabled' : 'Enabled'
    restore: contains(restoreAccounts, 'face-imaginem-${postFix}')
    appPrincipalId: identity.outputs.appPrincipalId
    workspaceId: monitoring.outputs.workspaceId
    tags: tags
  }
}

module document 'modules/ai.bicep' = if (makeDocument) {
  name: 'document'
  params: {
    location: region
    name: 'document-imaginem-${postFix}'
    kind: 'FormRecognizer'
    sku: documentIntelligenceSku
    publicAccess: privateNetworking ? 'Disabled' : 'Enabled'
    restore: contains(restoreAccounts, 'document-imaginem-${postFix}')
    appPrincipalId: identity.outputs.appPrincipalId
    workspaceId: monitoring.outputs.workspaceId
    tags: tags
  }
}

module content 'modules/ai.bicep' = if (makeContent) {
  name: 'content'
  params: {
    location: empty(given(contentUnderstandingLocation)) ? region : given(contentUnderstandingLocation)
    name: 'content-imaginem-${postFix}'
    kind: 'AIServices'
    sku: 'S0'
    publicAccess: privateNetworking ? 'Disabled' : 'Enabled'
    restore: contains(restoreAccounts, 'content-imaginem-${postFix}')
    appPrincipalId: identity.outputs.appPrincipalId
    workspaceId: monitoring.outputs.workspaceId
    tags: tags
  }
}

module sql 'modules/sql.bicep' = {
  name: 'sql'
  params: {
    location: region
    postFix: postFix
    serverExists: sqlServerExists
    administratorLogin: given(administratorLogin)
    administratorLoginPassword: given(administratorLoginPassword)
    entraObjectId: empty(given(sqlAdministratorObjectId)) ? identity.outputs.administratorPrincipalId : given(sqlAdministratorObjectId)
    entraName: empty(given(sqlAdministratorObjectId)) ? identity.outputs.administratorName : given(sqlAdministratorName)
    entraType: empty(given(sqlAdministratorObjectId)) ? 'Application' : sqlAdministratorType
    collation: empty(given(collation)) ? 'SQL_Latin1_General_CP1_CI_AS' : given(collation)
    maxSizeBytes: databaseBytes
    requestedServiceObjectiveName: empty(given(requestedServiceObjectiveName)) ? 'S0' : given(requestedServiceObjectiveName)
    zoneRedundant: sqlZoneRedundant
    publicAccess: privateNetworking ? 'Disabled' : 'Enabled'
    workspaceId: monitoring.outputs.workspaceId
    tags: tags
  }
}

module network 'modules/network.bicep' = if (privateNetworking) {
  name: 'network'
  params: {
    location: region
    postFix: postFix
    storageId: storage.outputs.id
    sqlId: sql.outputs.id
    visionId: makeVision ? vision!.outputs.id : ''
    faceId: makeFace ? face!.outputs.id : ''
    documentId: makeDocument ? document!.outputs.id : ''
    contentId: makeContent ? content!.outputs.id : ''
    tags: tags
  }
}

module app 'modules/app.bicep' = {
  name: 'app'
  params: {
    location: region
    postFix: postFix
    identityId: identity.outputs.appId
    identityClientId: identity.outputs.appClientId
    storageName: storage.outputs.name
    deploymentContainer: storage.outputs.deploymentContainer
    insightsConnectionString: monitoring.outputs.connectionString
    tracesPerSecond: tracesPerSecond
    workspaceId: monitoring.outputs.workspaceId
    subnetId: privateNetworking ? network!.outputs.appSubnetId : ''
    authClientId: given(authClientId)
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReady: alwaysReady
    zoneRedundant: zoneRedundant
    queueBatchSize: queueBatchSize
    queueNewBatchThreshold: queueNewBatchThreshold
    httpConcurrency: httpConcurrency
    pipelineDefinition: given(pipelineDefinition)
    pipelineFusion: given(pipelineFusion)
    stepSettings: stepSettings
    droppedPhotos: droppedPhotos
    reuseOutputs: reuseOutputs
    photoRetentionDays: photoRetentionDays
    cropRetentionDays: cropRetentionDays
    thumbnailRetentionDays: thumbnailRetentionDays
    resultRetentionDays: resultRetentionDays
    rowRetentionDays: rowRetentionDays
    poisonRetentionDays: poisonRetentionDays
    auditRetentionDays: auditRetentionDays
    auditPurposes: given(auditPurposes)
    visionEngine: visionEngine
    ocrEngine: ocrEngine
    faceEngine: faceEngine
    facePrintEngine: facePrintEngine
    faceGrid: given(faceGrid)
    visionEndpoint: makeVision ? vision!.outputs.endpoint : given(visionEndpoint)
    visionApiKey: makeVision ? '' : given(visionApiKey)
    faceEndpoint: makeFace ? face!.outputs.endpoint : given(faceEndpoint)
    faceApiKey: makeFace ? '' : given(faceApiKey)
    documentIntelligenceEndpoint: makeDocument ? document!.outputs.endpoint : given(documentIntelligenceEndpoint)
    documentIntelligenceApiKey: makeDocument ? '' : given(documentIntelligenceApiKey)
    documentIntelligenceSku: documentIntelligenceSku
    documentIntelligenceCallsPerSecond: documentIntelligenceCallsPerSecond
    documentIntelligencePrice: documentIntelligencePrice
    contentUnderstandingEndpoint: makeContent ? content!.outputs.endpoint : given(contentUnderstandingEndpoint)
    contentUnderstandingApiKey: makeContent ? '' : given(contentUnderstandingApiKey)
    contentUnderstandingModel: given(contentUnderstandingModel)
    contentUnderstandingCallsPerSecond: contentUnderstandingCallsPerSecond
    contentUnderstandingPrice: contentUnderstandingPrice
    openAiEndpoint: given(openAiEndpoint)
    openAiApiKey: given(openAiApiKey)
    openAiIdentity: openAiIdentity
    openAiModel: given(openAiModel)
    openAiCallsPerSecond: openAiCallsPerSecond
    openAiPriceIn: openAiPriceIn
    openAiPriceOut: openAiPriceOut
    visionCallsPerSecond: visionCallsPerSecond
    faceCallsPerSecond: faceCallsPerSecond
    visionPrice: visionPrice
    visionSku: visionSku
    facePrice: facePrice
    faceMatchThreshold: given(faceMatchThreshold)
    facePossibleThreshold: given(facePossibleThreshold)
    allowedImageHosts: given(allowedImageHosts)
    sqlServer: sql.outputs.serverAddress
    sqlDatabase: sql.outputs.databaseName
    sqlDriver: sqlDriver
    tags: tags
  }
}

module alerts 'modules/alerts.bicep' = if (!empty(given(alertEmail))) {
  name: 'alerts'
  params: {
    location: region
    postFix: postFix
    email: given(alertEmail)
    workspaceId: monitoring.outputs.workspaceId
    tags: tags
  }
}

// After SQL: if that fails, the month of a budget is not lost.
module budget 'modules/budget.bicep' = if (makeBudget) {
  name: 'budget'
  params: {
    postFix: postFix
    amount: budgetAmount
    month: budgetMonth
    email: given(alertEmail)
  }
  dependsOn: [sql]
}

module memory 'modules/memory.bicep' = {
  name: 'memory'
  params: {
    notes: union({ 'imaginem-sql-${postFix}': 'made' }, makeBudget ? { 'imaginem-budget-${postFix}': budgetMonth } : {})
  }
  dependsOn: [sql, budget]
}

output appName string = app.outputs.name
output appAddress string = app.outputs.address
output appIdentityName string = identity.outputs.appName
output appIdentityClientId string = identity.outputs.appClientId
output droppedPhotos string = droppedPhotos
output storageName string = storage.outputs.name
output sqlServerName string = sql.outputs.serverName
output sqlServerAddress string = sql.outputs.serverAddress
output sqlDatabaseName string = sql.outputs.databaseName
