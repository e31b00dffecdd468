// Azure SQL that people and apps enter with Entra ID; a password only where one is given.
param location string
param postFix string
param administratorLogin string
@secure()
param administratorLoginPassword string
param entraObjectId string
param entraName string
param entraType string
param collation string
param maxSizeBytes int
param requestedServiceObjectiveName string
@allowed(['Enabled', 'Disabled'])
param publicAccess string
param workspaceId string
param tags object

var withPassword = !empty(administratorLogin)

resource server 'Microsoft.Sql/servers@2023-08-01' = {
  // checkov:skip=CKV_AZURE_113:privateNetworking turns public access off; without it Entra ID guards the server
  // checkov:skip=CKV2_AZURE_2:assessments need a storage account with keys, which there is none of; Defender for SQL is a subscription's choice
  // checkov:skip=CKV2_AZURE_27:Entra ID alone is the default; a login with a password exists only if one is given
  // checkov:skip=CKV2_AZURE_45:private endpoints come with privateNetworking
  name: toLower('sql-imaginem-${postFix}')
  location: location
  tags: tags
  properties: {
    administratorLogin: withPassword ? administratorLogin : null
    administratorLoginPassword: withPassword ? administratorLoginPassword : null
    administrators: {
      administratorType: 'ActiveDirectory'
      azureADOnlyAuthentication: !withPassword
      login: entraName
      principalType: entraType
      sid: entraObjectId
      tenantId: tenant().tenantId
    }
    minimalTlsVersion: '1.2'
    publicNetworkAccess: publicAccess
    restrictOutboundNetworkAccess: 'Enabled'
  }
}

resource database 'Microsoft.Sql/servers/databases@2023-08-01' = {
  // checkov:skip=CKV_AZURE_26:Defender for SQL, turned on for a subscription, has taken the place of this setting
  // checkov:skip=CKV_AZURE_27:the same
  // checkov:skip=CKV_AZURE_229:zone redundancy needs a dearer service objective; choose one and set it there
  // checkov:skip=CKV_AZURE_224:a ledger keeps what was erased, and people's faces must be erasable
  parent: server
  name: 'imaginem'
  location: location
  tags: tags
  sku: {
    name: requestedServiceObjectiveName
  }
  properties: {
    collation: collation
    maxSizeBytes: maxSizeBytes
    requestedBackupStorageRedundancy: 'Local'
  }
}

// Without a VNet the app has no address of its own; this lets Azure's in, and Entra ID decides.
resource azureAddresses 'Microsoft.Sql/servers/firewallRules@2023-08-01' = if (publicAccess == 'Enabled') {
  parent: server
  name: 'AllowAllWindowsAzureIps'
  properties: {
    startIpAddress: '0.0.0.0'
    endIpAddress: '0.0.0.0'
  }
}

resource audit 'Microsoft.Sql/servers/auditingSettings@2023-08-01' = {
  parent: server
  name: 'default'
  properties: {
    state: 'Enabled'
    isAzureMonitorTargetEnabled: true
    retentionDays: 0
  }
}

resource master 'Microsoft.Sql/servers/databases@2023-08-01' existing = {
  parent: server
  name: 'master'
}

resource auditLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: master
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'SQLSecurityAuditEvents'
        enabled: true
      }
    ]
  }
}

output id string = server.id
output serverName string = server.name
output serverAddress string = server.properties.fullyQualifiedDomainName
output databaseName string = database.name
