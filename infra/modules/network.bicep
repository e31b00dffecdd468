// A VNet with private endpoints: storage, SQL and the AI accounts are reached from inside alone.
param location string
param postFix string
param storageId string
param sqlId string
param visionId string
param faceId string
param documentId string
param contentId string
param tags object

var storageSuffix = environment().suffixes.storage
// A Foundry account answers under three names.
var contentZones = ['privatelink.openai.azure.com', 'privatelink.services.ai.azure.com']
var usualZones = [
  'privatelink.blob.${storageSuffix}'
  'privatelink.queue.${storageSuffix}'
  'privatelink.table.${storageSuffix}'
  'privatelink${environment().suffixes.sqlServerHostname}'
  'privatelink.cognitiveservices.azure.com'
]
var zones = concat(usualZones, empty(contentId) ? [] : contentZones)
var always = [
  { name: 'blob', target: storageId, group: 'blob', zones: [0] }
  { name: 'queue', target: storageId, group: 'queue', zones: [1] }
  { name: 'table', target: storageId, group: 'table', zones: [2] }
  { name: 'sql', target: sqlId, group: 'sqlServer', zones: [3] }
]
var vision = empty(visionId) ? [] : [{ name: 'vision', target: visionId, group: 'account', zones: [4] }]
var face = empty(faceId) ? [] : [{ name: 'face', target: faceId, group: 'account', zones: [4] }]
var document = empty(documentId) ? [] : [{ name: 'document', target: documentId, group: 'account', zones: [4] }]
var content = empty(contentId) ? [] : [{ name: 'content', target: contentId, group: 'account', zones: [4, 5, 6] }]
var targets = concat(always, vision, face, document, content)

resource network 'Microsoft.Network/virtualNetworks@2024-07-01' = {
  // checkov:skip=CKV_AZURE_182:Azure's own DNS answers for the private zones
  // checkov:skip=CKV_AZURE_183:the same
  name: 'vnet-imaginem-${postFix}'
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: ['10.30.0.0/22']
    }
  }
}

resource appSubnet 'Microsoft.Network/virtualNetworks/subnets@2024-07-01' = {
  // checkov:skip=CKV2_AZURE_31:nothing listens in it; Flex Consumption's instances call out only
  parent: network
  name: 'app'
  properties: {
    addressPrefix: '10.30.0.0/24'
    delegations: [
      {
        name: 'flex'
        properties: {
          serviceName: 'Microsoft.App/environments'
        }
      }
    ]
  }
}

resource endpointSubnet 'Microsoft.Network/virtualNetworks/subnets@2024-07-01' = {
  // checkov:skip=CKV2_AZURE_31:private endpoints are reached from this VNet alone
  parent: network
  name: 'endpoints'
  properties: {
    addressPrefix: '10.30.1.0/24'
    privateEndpointNetworkPolicies: 'Disabled'
  }
  dependsOn: [appSubnet]
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [for name in zones: {
  name: name
  location: 'global'
  tags: tags
}]

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (name, index) in zones: {
  parent: zone[index]
  name: 'imaginem'
  location: 'global'
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: network.id
    }
  }
}]

resource endpoint 'Microsoft.Network/privateEndpoints@2024-07-01' = [for item in targets: {
  name: 'pe-${item.name}-${postFix}'
  location: location
  tags: tags
  properties: {
    subnet: {
      id: endpointSubnet.id
    }
    privateLinkServiceConnections: [
      {
        name: item.name
        properties: {
          privateLinkServiceId: item.target
          groupIds: [item.group]
        }
      }
    ]
  }
}]

resource names 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-07-01' = [for (item, index) in targets: {
  parent: endpoint[index]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [for number in item.zones: {
      name: (number == item.zones[0]) ? item.name : '${item.name}-${number}'
      properties: {
        privateDnsZoneId: zone[number].id
      }
    }]
  }
}]

output appSubnetId string = appSubnet.id
