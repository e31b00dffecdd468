// What an operator must hear of; docs/operate.md says what to do about each.
param location string
param postFix string
param email string
param workspaceId string
param tags object

// A new workspace has no such table yet, and a query of it would be refused.
var metrics = 'let none = datatable(TimeGenerated:datetime, Name:string, Sum:real, Properties:dynamic)[]; union isfuzzy=true none, AppMetrics'
var rules = [
  {
    name: 'poisoned'
    title: 'Messages are poisoned'
    severity: 2
    query: '${metrics} | where Name == "imaginem.poisoned" | summarize value = sum(Sum)'
    threshold: 0
  }
  {
    name: 'failed'
    title: 'Jobs fail'
    severity: 2
    query: '${metrics} | where Name == "imaginem.jobs" and tostring(Properties.state) == "failed" | summarize value = sum(Sum)'
    threshold: 5
  }
  {
    name: 'refused'
    title: 'An Azure AI account refuses calls'
    severity: 3
    query: '${metrics} | where Name == "imaginem.calls" and tostring(Properties.outcome) in ("401", "403", "404", "405", "410", "429", "unreachable") | summarize value = sum(Sum)'
    threshold: 20
  }
  {
    name: 'cost'
    title: 'Calls cost more than usual'
    severity: 3
    query: '${metrics} | where Name == "imaginem.cost" | summarize value = sum(Sum)'
    threshold: 10
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-imaginem-${postFix}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'imaginem'
    enabled: true
    emailReceivers: [
      {
        name: 'operator'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource rule 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for item in rules: {
  name: 'alert-imaginem-${item.name}-${postFix}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: item.title
    severity: item.severity
    enabled: true
    scopes: [workspaceId]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT15M'
    criteria: {
      allOf: [
        {
          query: item.query
          timeAggregation: 'Total'
          metricMeasureColumn: 'value'
          operator: 'GreaterThan'
          threshold: item.threshold
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    skipQueryValidation: true
    actions: {
      actionGroups: [people.id]
    }
  }
}]
