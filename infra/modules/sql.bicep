// Azure SQL that people and apps enter with Entra ID; a password only where one is given.
param location string
param postFix string
param serverExists bool
param administratorLogin string
@secure()
param administratorLoginPassword string
param entraObjectId string
param entraName string
param entraType string
param collation string
param maxSizeBytes int
param requestedServiceObjectiveName string
param zoneRedundant bool
@allowed(['Enabled', 'Disabled'])
param publicAccess string
param workspaceId string
param tags object

// Azure takes administrators with the server only when it is made: later it refuses or ignores them, and it
// refuses a password while Entra ID alone is allowed. So an existing server is sent neither.
var madeWithPassword = (!serverExists) && (!empty(administratorLogin))
var madeWithEntra = (!serverExists) && empty(administratorLogin)

resource server 'Microsoft.Sql/servers@2023-08-01' = {
  // checkov:skip=CKV_AZURE_113:privateNetworking turns public access off; without it Entra ID guards the server
  // checkov:skip=CKV2_AZURE_2:assessments need a storage account with keys, which there is none of; Defender for SQL is a subscription's choice
  // checkov:skip=CKV2_AZURE_27:Entra ID alone is the default; a login with a password exists only if one is given
  // checkov:skip=CKV2_AZURE_45:private endpoints come with privateNetworking
  name: toLower('sql-imaginem-${postFix}')
  location: location
  tags: tags
  properties: {
    administratorLogin: madeWithPassword ? administratorLogin : null
    administratorLoginPassword: madeWithPassword ? administratorLoginPassword : null
    administrators: madeWithEntra ? {
      administratorType: 'ActiveDirectory'
      azureADOnlyAuthentication: true
      login: entraName
      principalType: entraType
      sid: entraObjectId
      tenantId: tenant().tenantId
    } : null
    minimalTlsVersion: '1.2'
    publicNetworkAccess: publicAccess
    restrictOutboundNetworkAccess: 'Enabled'
  }
}

// These say at each deployment who administers the server, and whether passwords are taken.
resource administrator 'Microsoft.Sql/servers/administrators@2023-08-01' = {
  parent: server
  name: 'ActiveDirectory'
  properties: {
    administratorType: 'ActiveDirectory'
    login: entraName
    sid: entraObjectId
    tenantId: tenant().tenantId
  }
}

resource entraOnly 'Microsoft.Sql/servers/azureADOnlyAuthentications@2023-08-01' = {
  parent: server
  name: 'Default'
  dependsOn: [administrator]
  properties: {
    azureADOnlyAuthentication: empty(administratorLogin)
  }
}

resource database 'Microsoft.Sql/servers/databases@2023-08-01' = {
  // checkov:skip=CKV_AZURE_26:Defender for SQL, turned on for a subscription, has taken the place of this setting
  // checkov:skip=CKV_AZURE_27:the same
  // checkov:skip=CKV_AZURE_229:sqlZoneRedundant turns it on; it needs a dearer service objective than the default
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
    maxSizeBytes: (maxSizeBytes > 0) ? maxSizeBytes : null
    requestedBackupStorageRedundancy: zoneRedundant ? 'Zone' : 'Local'
    zoneRedundant: zoneRedundant
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
