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
  --purge-deleted     AI accounts that were deleted here within 48 hours are not restored:
                      they are removed for good, with the face lists in them
TEXT
}

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(dirname "$here")"
# shellcheck source=infra/lib.sh
. "$here/lib.sh"
group="" location="" parameters="$here/main.parameters.json" engines="azure"
auth_client="" auth=1 auth_ready=0 only_what_if=0 ask=1 migrate=1 purge=0
while [ $# -gt 0 ]; do
  case "$1" in
    --resource-group) need "$@"; group="$2"; shift 2 ;;
    --location) need "$@"; location="$2"; shift 2 ;;
    --parameters) need "$@"; parameters="$2"; shift 2 ;;
    --engines) need "$@"; engines="$2"; shift 2 ;;
    --auth-client) need "$@"; auth_client="$2"; shift 2 ;;
    --auth-ready) auth_ready=1; shift ;;
    --no-auth) auth=0; shift ;;
    --what-if) only_what_if=1; shift ;;
    --yes) ask=0; shift ;;
    --skip-migration) migrate=0; shift ;;
    --purge-deleted) purge=1; shift ;;
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
value_of() { # of a parameter in the file, as text; empty where it is not given or not filled in
  python3 -c 'import json, sys
try:
    given = json.load(open(sys.argv[1], encoding="utf-8-sig"))["parameters"]
    [value] = [(one or {}).get("value") for name, one in given.items()
               if name.lower() == sys.argv[2].lower()] or [None]  # as ARM reads names
except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
    sys.exit(f"{sys.argv[1]} is no JSON file of parameters: {problem!r}")
text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
print("" if text.startswith(("<", "$")) else text)' "$parameters" "$1"  # as main.bicep does
}
private="$(value_of privateNetworking)"
postfix="$(value_of deploymentPostFix | tr '[:upper:]' '[:lower:]')" # as in the name of the server
if [ "$private" = true ]; then
  [ "$migrate" = 0 ] || stop "with privateNetworking the database is reached from inside the network alone: pass --skip-migration, and run infra/migrate.sh from there" 2
  if ! state="$(az provider show --namespace Microsoft.App --query registrationState --output tsv)"; then
    echo "this login may not see whether Microsoft.App is registered; infra/bootstrap.sh registers it" >&2
  elif [ "$state" != Registered ]; then # a subnet is delegated to it, which ARM does not count
    say "registering Microsoft.App"
    az provider register --namespace Microsoft.App --wait
  fi
fi

# Azure would say so after twenty minutes. A workflow's login may not ask; nothing is held up then.
regions="$(az functionapp list-flexconsumption-locations --query "[].name" --output tsv 2>/dev/null || true)"
if [ -n "$regions" ] && ! grep -qxF "$(tr -d ' ' <<<"$location" | tr '[:upper:]' '[:lower:]')" <<<"$regions"; then
  stop "$location has no Flex Consumption; regions that have it: az functionapp list-flexconsumption-locations --output table"
fi

exists="$(az group exists --name "$group" --output tsv)" # making one that exists empties its tags
if [ "$exists" != true ]; then
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

# Azure keeps deleted AI accounts for 48 hours, and refuses to make one of the same name meanwhile.
restored='[]'
if ! deleted="$(az cognitiveservices account list-deleted --query "[].[id, name, location]" --output tsv)"; then
  echo "this login may not see deleted AI accounts of the subscription: none is restored" >&2
  deleted=""
fi
deleted="$(grep -iF "/resourceGroups/$group/" <<<"$deleted" | grep -F -- -imaginem- || true)"
if [ -n "$deleted" ] && [ "$purge" = 0 ]; then
  say "restoring AI accounts that were deleted, with the face lists in them; --purge-deleted begins with empty ones"
  cut -f 2,3 <<<"$deleted"
  restored="$(cut -f 2 <<<"$deleted" | python3 -c 'import json, sys
print(json.dumps(sys.stdin.read().split()))')"
elif [ -n "$deleted" ] && [ "$only_what_if" = 0 ]; then
  say "removing deleted AI accounts for good"
  while IFS=$'\t' read -r _ name place; do
    az cognitiveservices account purge --resource-group "$group" --name "$name" --location "$place" </dev/null
  done <<<"$deleted"
fi

# A server takes its administrators in another way than one that is made.
server="$(az sql server list --resource-group "$group" \
  --query "[?starts_with(name, 'sql-imaginem-$postfix')] | [0].name" --output tsv)"
server_exists="$([ -n "$server" ] && echo true || echo false)"

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
  "sqlAdministratorType=$administrator_type" "steps=$steps"
  "sqlServerExists=$server_exists" "restoreAccounts=$restored")

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
log="$root/dist/deployment.log"
if ! az deployment group create --name imaginem --resource-group "$group" \
  --template-file "$here/main.bicep" "${given[@]}" --output none 2>&1 | tee "$log" >&2; then
  advise "$log"
  stop "the deployment failed; what Azure said is in $log, and docs/first-photo.md says what goes wrong most often"
fi
told() {
  az deployment group show --name imaginem --resource-group "$group" \
    --query "properties.outputs.$1.value" --output tsv
}
# Into variables: a failure within the arguments of a command stops nothing.
app="$(told appName)"
address="$(told appAddress)"
app_identity="$(told appIdentityName)"
storage="$(told storageName)"
dropped_photos="$(told droppedPhotos)"
client_id="$(told appIdentityClientId)"
sql_server="$(told sqlServerName)"
sql_address="$(told sqlServerAddress)"
sql_database="$(told sqlDatabaseName)"

# shellcheck disable=SC2329 # again calls it
service_principal() {
  az ad sp show --id "$1" --output none 2>/dev/null || az ad sp create --id "$1" --output none
}
if [ -n "$auth_client" ] && [ "$auth_ready" = 0 ]; then
  say "people log in to $auth_client"
  again az ad app update --id "$auth_client" --identifier-uris "api://$auth_client" \
    --requested-access-token-version 2 --enable-id-token-issuance true \
    --set groupMembershipClaims=SecurityGroup # so that batches can be for one group
  again service_principal "$auth_client"
  callback="$address/.auth/login/aad/callback"
  known="$(az ad app show --id "$auth_client" --query 'web.redirectUris' --output tsv)"
  if ! grep -qxF "$callback" <<<"$known"; then
    # shellcheck disable=SC2086 # addresses have no spaces
    az ad app update --id "$auth_client" --web-redirect-uris $known "$callback"
  fi
  # The app's identity stands in for a client secret.
  identity_id="$(az identity show --resource-group "$group" --name "$app_identity" \
    --query principalId --output tsv)"
  tenant="$(az account show --query tenantId --output tsv)"
  subject="$(az ad app federated-credential list --id "$auth_client" \
    --query "[?name=='$app'].subject" --output tsv)"
  if [ -n "$subject" ] && [ "$subject" != "$identity_id" ]; then
    az ad app federated-credential delete --id "$auth_client" --federated-credential-id "$app"
    subject=""
  fi
  if [ -z "$subject" ]; then
    again az ad app federated-credential create --id "$auth_client" --output none --parameters "{
      \"name\": \"$app\", \"subject\": \"$identity_id\",
      \"issuer\": \"https://login.microsoftonline.com/$tenant/v2.0\",
      \"audiences\": [\"api://AzureADTokenExchange\"]}"
  fi
fi

if [ "$migrate" = 1 ]; then
  say "migrating the database"
  "$here/migrate.sh" "$group" "$sql_server" "$sql_address" "$sql_database" "$app_identity" "$client_id"
fi

say "publishing the package"
log="$root/dist/publishing.log"
for try in 1 2 3; do
  if az functionapp deployment source config-zip --resource-group "$group" --name "$app" \
    --src "$root/dist/imaginem.zip" --build-remote true --output none 2>&1 | tee "$log" >&2; then
    break
  fi
  # After publishing az asks the app's own status page, which a login guards, with a key that this
  # login may be forbidden to read. We look for ourselves below.
  grep -Eq "Deployment was successful|Failed to fetch host" "$log" && break
  [ "$try" -lt 3 ] || stop "the package could not be published; what Azure said is in $log"
  sleep "${PAUSE:-60}" # roles of a new identity take a while to be known everywhere
done

# The key that Event Grid shows to the app exists only once the code has been loaded.
subscribe() {
  say "telling Event Grid to report dropped photos"
  for try in 1 2 3 4 5; do
    if az deployment group create --name imaginem-events --resource-group "$group" \
      --template-file "$here/events.bicep" --parameters "location=$location" "appName=$app" \
      "storageName=$storage" --output none 2>&1 | sed 's/code=[^"& ]*/code=.../g' >&2; then
      return
    fi
    [ "$try" -lt 5 ] || stop "$app is up, but photos that are dropped start no job: run this again"
    sleep "${PAUSE:-60}"
  done
}

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
    [ "$dropped_photos" = off ] || subscribe
    printf '\n%s is up; the API asks for a login (%s)\n' "$app" "$code"
    exit 0
  fi
  sleep "${PAUSE:-10}"
done
stop "$app does not answer: infra/logs.sh --resource-group $group shows its last errors"
