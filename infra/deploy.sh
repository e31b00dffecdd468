#!/usr/bin/env bash
# Deploys Imaginem with the az CLI: shows what would change, deploys, migrates the database,
# publishes the package, and looks whether the app answers. Run it again after every change.
set -euo pipefail

usage() {
  cat <<'TEXT'
infra/deploy.sh --resource-group NAME --location REGION [options]

  --parameters FILE   parameters of your own (infra/main.parameters.json)
  --engines LIST      engines in the package, as of make package (azure)
  --auth-client ID    Entra app that people log in to; without it one is made
  --no-auth           make no Entra app: nothing but the health page answers
  --what-if           show what would change, and stop
  --yes               don't ask
  --skip-migration    the database is migrated elsewhere (from inside a private network)
TEXT
}

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(dirname "$here")"
group="" location="" parameters="$here/main.parameters.json" engines="azure"
auth_client="" auth=1 only_what_if=0 ask=1 migrate=1
while [ $# -gt 0 ]; do
  case "$1" in
    --resource-group) group="$2"; shift 2 ;;
    --location) location="$2"; shift 2 ;;
    --parameters) parameters="$2"; shift 2 ;;
    --engines) engines="$2"; shift 2 ;;
    --auth-client) auth_client="$2"; shift 2 ;;
    --no-auth) auth=0; shift ;;
    --what-if) only_what_if=1; shift ;;
    --yes) ask=0; shift ;;
    --skip-migration) migrate=0; shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
done
if [ -z "$group" ] || [ -z "$location" ]; then
  usage >&2
  exit 2
fi
for tool in az curl make; do
  command -v "$tool" >/dev/null || { echo "$tool is needed: install it" >&2; exit 3; }
done
az account show --output none 2>/dev/null || { echo "log in first: az login" >&2; exit 3; }

say() { printf '\n== %s\n' "$*"; }

say "resource group $group"
az group create --name "$group" --location "$location" --output none

registration="imaginem-$group"
if [ "$auth" = 1 ] && [ -z "$auth_client" ]; then
  auth_client="$(az ad app list --display-name "$registration" --query '[0].appId' --output tsv)"
  if [ -z "$auth_client" ] && [ "$only_what_if" = 0 ]; then
    say "Entra app $registration with the roles viewer, caseworker and operator"
    auth_client="$(az ad app create --display-name "$registration" --sign-in-audience AzureADMyOrg \
      --app-roles "@$here/app-roles.json" --query appId --output tsv)"
    az ad app update --id "$auth_client" --identifier-uris "api://$auth_client"
    az ad sp create --id "$auth_client" --output none
  fi
fi

# Who deploys also administers the database, to migrate it: a person here, an identity in a workflow.
if [ -n "${SQL_ADMINISTRATOR_OBJECT_ID:-}" ]; then
  administrator_id="$SQL_ADMINISTRATOR_OBJECT_ID"
  administrator_name="${SQL_ADMINISTRATOR_NAME:?set it with SQL_ADMINISTRATOR_OBJECT_ID}"
  administrator_type="${SQL_ADMINISTRATOR_TYPE:-Application}"
else
  administrator_id="$(az ad signed-in-user show --query id --output tsv)"
  administrator_name="$(az ad signed-in-user show --query userPrincipalName --output tsv)"
  administrator_type="User"
fi
given=(--parameters "$parameters" --parameters "authClientId=$auth_client"
  "sqlAdministratorObjectId=$administrator_id" "sqlAdministratorName=$administrator_name"
  "sqlAdministratorType=$administrator_type")

say "what would change"
az deployment group what-if --resource-group "$group" --template-file "$here/main.bicep" "${given[@]}"
[ "$only_what_if" = 1 ] && exit 0
if [ "$ask" = 1 ]; then
  read -r -p "Deploy this? [y/N] " answer
  [ "$answer" = y ] || { echo "nothing was changed"; exit 1; }
fi

say "deploying"
az deployment group create --name imaginem --resource-group "$group" \
  --template-file "$here/main.bicep" "${given[@]}" --output none
told() {
  az deployment group show --name imaginem --resource-group "$group" \
    --query "properties.outputs.$1.value" --output tsv
}
app="$(told appName)"
address="$(told appAddress)"

if [ -n "$auth_client" ]; then
  say "people log in to $auth_client"
  az ad app update --id "$auth_client" --enable-id-token-issuance true \
    --web-redirect-uris "$address/.auth/login/aad/callback"
  identity_id="$(az identity show --resource-group "$group" --name "$(told appIdentityName)" \
    --query principalId --output tsv)"
  tenant="$(az account show --query tenantId --output tsv)"
  known="$(az ad app federated-credential list --id "$auth_client" \
    --query "[?name=='imaginem'].name" --output tsv)"
  if [ -z "$known" ]; then # the app's identity stands in for a client secret
    az ad app federated-credential create --id "$auth_client" --output none --parameters "{
      \"name\": \"imaginem\", \"subject\": \"$identity_id\",
      \"issuer\": \"https://login.microsoftonline.com/$tenant/v2.0\",
      \"audiences\": [\"api://AzureADTokenExchange\"]}"
  fi
fi

if [ "$migrate" = 1 ]; then
  say "migrating the database"
  "$here/migrate.sh" "$group" "$(told sqlServerName)" "$(told sqlServerAddress)" \
    "$(told sqlDatabaseName)" "$(told appIdentityName)" "$(told appIdentityClientId)"
fi

say "publishing the package"
make -C "$root" package ENGINES="$engines"
az functionapp deployment source config-zip --resource-group "$group" --name "$app" \
  --src "$root/dist/imaginem.zip" --build-remote true --output none

say "asking $address/api/health"
for _ in $(seq 1 30); do
  if curl --silent --fail --max-time 20 "$address/api/health"; then
    code="$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 20 "$address/api/pipeline/steps")"
    if [ "$code" = 200 ]; then
      echo "the API answers without a login: check platform authentication" >&2
      exit 1
    fi
    printf '\n%s is up; the API asks for a login (%s)\n' "$app" "$code"
    exit 0
  fi
  sleep 10
done
echo "$app does not answer: az functionapp log tail --resource-group $group --name $app" >&2
exit 1
