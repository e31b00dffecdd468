// Mails when the cost of the group in a month nears an amount, or will by its forecast. Nothing is stopped.
param postFix string
param amount int
param month string
param email string

resource budget 'Microsoft.Consumption/budgets@2024-08-01' = {
  name: 'budget-imaginem-${postFix}'
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    timePeriod: {
      // It can't be changed: main.bicep remembers the month of the first deployment.
      startDate: '${month}-01'
    }
    notifications: {
      nearly: {
        enabled: true
        operator: 'GreaterThanOrEqualTo'
        threshold: 80
        thresholdType: 'Actual'
        contactEmails: [email]
      }
      reached: {
        enabled: true
        operator: 'GreaterThanOrEqualTo'
        threshold: 100
        thresholdType: 'Actual'
        contactEmails: [email]
      }
      forecast: {
        enabled: true
        operator: 'GreaterThanOrEqualTo'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: [email]
      }
    }
  }
}
