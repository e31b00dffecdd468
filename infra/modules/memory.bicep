// Tags of the group that tell the next deployment what no template can ask Azure for.
param notes object

resource remembered 'Microsoft.Resources/tags@2025-04-01' = {
  name: 'default'
  properties: {
    // This replaces all tags of the group, so those that it has go along.
    tags: union(contains(resourceGroup(), 'tags') ? (resourceGroup().tags ?? {}) : {}, notes)
  }
}
