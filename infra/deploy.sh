#!/usr/bin/env bash
# Deploys Imaginem with the az CLI: shows what would change, deploys, migrates the database,
# publishes the package, and looks whether the app answers. Run it again after every change.
set -euo pipefail

usage() {
  cat <<'TEXT'
infra/deploy.sh --resource-group NAME --location REGION [options]

  --parameters FILE   parameters of your own (infra/main.parameters.json)
  --engines LIST      engines in the package, as of make package (azure)
  --auth-client ID    Entra app that people log in to; without it one is made, and remembered
  --auth-ready        that app is set up already: ask nothing of the directory
  --no-auth           no Entra app: nothing but the health page answers
  --what-if           show what would change, and stop
  --yes               don't ask
  --skip-migration    the database is migrated elsewhere (from inside a private network)
TEXT
}

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(dirname "$here")"
group="" location="" parameters="$here/main.parameters.json" engines="azure"
auth_client="" auth=1 auth_ready=0 only_what_if=0 ask=1 migrate=1
while [ $# -gt 0 ]; do
  case "$1" in
    --resource-group) group="$2"; shift 2 ;;
    --location) location="$2"; shift 2 ;;
    --parameters) parameters="$2"; shift 2 ;;
    --engines) engines="$2"; shift 2 ;;
    --auth-client) auth_client="$2"; shift 2 ;;
    --auth-ready) auth_ready=1; shift ;;
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

say() { printf '\n== %s\n' "$*"; }
stop() { echo "$1" >&2; exit "${2:-1}"; }

for tool in az curl make python3; do
  command -v "$tool" >/dev/null || stop "$tool is needed: install it" 3
done
az account show --output none 2>/dev/null || stop "log in first: az login" 3
if [ "$auth_ready" = 1 ] && [ -z "$auth_client" ]; then
  stop "--auth-ready needs --auth-client" 2
fi
private="$(python3 -c 'import json, sys
given = json.load(open(sys.argv[1]))["parameters"]
print(int(bool(given.get("privateNetworking", {}).get("value"))))' "$parameters")"
if [ "$private" = 1 ]; then
  [ "$migrate" = 0 ] || stop "with privateNetworking the database is reached from inside the network alone: pass --skip-migration, and run infra/migrate.sh from there" 2
  state="$(az provider show --namespace Microsoft.App --query registrationState --output tsv)"
  if [ "$state" != Registered ]; then # a subnet is delegated to it, which ARM does not count
    say "registering Microsoft.App"
    az provider register --namespace Microsoft.App --wait
  fi
fi

if [ "$(az group exists --name "$group" --output tsv)" != true ]; then
  [ "$only_what_if" = 0 ] || stop "there is no group $group yet: everything would be new"
  say "resource group $group"
  az group create --name "$group" --location "$location" --output none
fi

# The registration is remembered as a tag: names of registrations are neither unique nor ours.
if [ "$auth" = 1 ] && [ -z "$auth_client" ]; then
  auth_client="$(az group show --name "$group" --query 'tags."imaginem-auth-client"' --output tsv)"
  if [ -z "$auth_client" ] && [ "$only_what_if" = 0 ]; then
    say "an Entra app with the roles viewer, caseworker and operator"
    auth_client="$(az ad app create --display-name "imaginem-$group" --sign-in-audience AzureADMyOrg \
      --app-roles "@$here/app-roles.json" --query appId --output tsv)"
    az group update --name "$group" --set "tags.imaginem-auth-client=$auth_client" --output none
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

say "the steps, each of which gets a queue"
make -C "$root" setup
steps="$(PYTHONPATH="$root" "$root/.venv/bin/python" -P -m infra.steps "$parameters")"
echo "$steps"

given=(--parameters "$parameters" --parameters "location=$location" "authClientId=$auth_client"
  "sqlAdministratorObjectId=$administrator_id" "sqlAdministratorName=$administrator_name"
  "sqlAdministratorType=$administrator_type" "steps=$steps")

say "what would change"
az deployment group what-if --resource-group "$group" --template-file "$here/main.bicep" "${given[@]}"
[ "$only_what_if" = 1 ] && exit 0
if [ "$ask" = 1 ]; then
  read -r -p "Deploy this? [y/N] " answer
  [ "$answer" = y ] || stop "nothing was changed"
fi

say "building the package"
mkdir -p "$root/dist"
make -C "$root" package ENGINES="$engines"

say "deploying"
if ! az deployment group create --name imaginem --resource-group "$group" \
  --template-file "$here/main.bicep" "${given[@]}" --output none 2> >(tee "$root/dist/deployment.log" >&2); then
  if grep -q ResourceKindRequireAcceptTerms "$root/dist/deployment.log"; then
    stop "Azure wants its terms for responsible AI accepted: make one Face and one Computer Vision account in the portal of this subscription, then run this again"
  fi
  stop "the deployment failed"
fi
told() {
  az deployment group show --name imaginem --resource-group "$group" \
    --query "properties.outputs.$1.value" --output tsv
}
app="$(told appName)"
address="$(told appAddress)"

if [ -n "$auth_client" ] && [ "$auth_ready" = 0 ]; then
  say "people log in to $auth_client"
  az ad app update --id "$auth_client" --identifier-uris "api://$auth_client" \
    --requested-access-token-version 2 --enable-id-token-issuance true \
    --set groupMembershipClaims=SecurityGroup # so that batches can be for one group
  az ad sp show --id "$auth_client" --output none 2>/dev/null || az ad sp create --id "$auth_client" --output none
  callback="$address/.auth/login/aad/callback"
  known="$(az ad app show --id "$auth_client" --query 'web.redirectUris' --output tsv)"
  if ! grep -qxF "$callback" <<<"$known"; then
    # shellcheck disable=SC2086 # addresses have no spaces
    az ad app update --id "$auth_client" --web-redirect-uris $known "$callback"
  fi
  # The app's identity stands in for a client secret.
  identity_id="$(az identity show --resource-group "$group" --name "$(told appIdentityName)" \
    --query principalId --output tsv)"
  tenant="$(az account show --query tenantId --output tsv)"
  subject="$(az ad app federated-credential list --id "$auth_client" \
    --query "[?name=='$app'].subject" --output tsv)"
  if [ -n "$subject" ] && [ "$subject" != "$identity_id" ]; then
    az ad app federated-credential delete --id "$auth_client" --federated-credential-id "$app"
    subject=""
  fi
  if [ -z "$subject" ]; then
    az ad app federated-credential create --id "$auth_client" --output none --parameters "{
      \"name\": \"$app\", \"subject\": \"$identity_id\",
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
for try in 1 2 3; do
  if az functionapp deployment source config-zip --resource-group "$group" --name "$app" \
    --src "$root/dist/imaginem.zip" --build-remote true --output none 2> >(tee "$root/dist/publishing.log" >&2); then
    break
  fi
  # A cold start makes az call a good deployment unhealthy; we look for ourselves below.
  grep -q "Deployment was successful" "$root/dist/publishing.log" && break
  [ "$try" -lt 3 ] || stop "the package could not be published"
  sleep "${PAUSE:-60}" # roles of a new identity take a while to be known everywhere
done

say "asking $address/api/health"
for _ in $(seq 1 30); do
  if curl --silent --fail --max-time 20 "$address/api/health"; then
    # A principal that somebody made up: platform authentication must not let it through.
    forged="$(printf '{"claims":[{"typ":"roles","val":"operator"}]}' | base64 | tr -d '\n')"
    code="$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 20 \
      --header "X-MS-CLIENT-PRINCIPAL: $forged" "$address/api/pipeline/steps" || true)"
    if [ "$code" = 200 ]; then
      stop "the API answers without a login: check platform authentication"
    fi
    printf '\n%s is up; the API asks for a login (%s)\n' "$app" "$code"
    exit 0
  fi
  sleep "${PAUSE:-10}"
done
stop "$app does not answer: az functionapp log tail --resource-group $group --name $app"
