// For the Azure Developer CLI, which reads this file rather than main.parameters.json, and sets its
// variables in the environment. With steps of your own, add what `python -m infra.steps` prints:
// param steps = json('["generalclassification", …]')
using 'main.bicep'

param location = readEnvironmentVariable('AZURE_LOCATION')
param sqlAdministratorObjectId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param sqlAdministratorName = readEnvironmentVariable('AZURE_PRINCIPAL_NAME', '')
param sqlAdministratorType = 'User'
param authClientId = readEnvironmentVariable('AUTH_CLIENT_ID', '')
param alertEmail = readEnvironmentVariable('ALERT_EMAIL', '')
