#!/usr/bin/env bash
# By a person, once, before a GitHub workflow deploys: registers what the subscription must know,
# makes the group and the identity that the workflow runs as, and prints the variables of its
# environment. Run it again whenever you like.
set -euo pipefail

usage() {
  cat <<'TEXT'
infra/bootstrap.sh --resource-group NAME --location REGION --repository OWNER/NAME [options]
infra/bootstrap.sh --register

  --postfix TEXT      deploymentPostFix of your parameter file, if it has one
  --parameters FILE   parameter file of the workflow, in the repository (infra/main.parameters.json)
  --register          only let the subscription know the kinds of resources that are needed
TEXT
}

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source=infra/lib.sh
. "$here/lib.sh"
group="" location="" repository="" postfix="" parameters="infra/main.parameters.json" only_register=0
while [ $# -gt 0 ]; do
  case "$1" in
    --resource-group) need "$@"; group="$2"; shift 2 ;;
    --location) need "$@"; location="$2"; shift 2 ;;
    --repository) need "$@"; repository="$2"; shift 2 ;;
    --postfix) need "$@"; postfix="$2"; shift 2 ;;
    --parameters) need "$@"; parameters="$2"; shift 2 ;;
    --register) only_register=1; shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
done
if [ "$only_register" = 0 ]; then
  if [ -z "$group" ] || [ -z "$location" ] || [[ ! "$repository" =~ ^[^/]+/[^/]+$ ]]; then
    usage >&2
    exit 2
  fi
fi
az account show --output none 2>/dev/null || { echo "log in first: az login" >&2; exit 3; }

# An identity that may change one group can't do this for the subscription.
providers="App CognitiveServices Consumption EventGrid Insights ManagedIdentity Network OperationalInsights Sql Storage Web"
for name in $providers; do
  state="$(az provider show --namespace "Microsoft.$name" --query registrationState --output tsv)"
  if [ "$state" != Registered ]; then
    echo "registering Microsoft.$name"
    az provider register --namespace "Microsoft.$name" --wait
  fi
done
[ "$only_register" = 0 ] || exit 0

if [ "$(az group exists --name "$group" --output tsv)" != true ]; then
  az group create --name "$group" --location "$location" --output none
fi
given=(--parameters "githubRepository=$repository")
[ -z "$postfix" ] || given+=("deploymentPostFix=$postfix")
log="$(mktemp)"
make_identity() {
  az deployment group create --name imaginem-bootstrap --resource-group "$group" \
    --template-file "$here/bootstrap.bicep" "${given[@]}" --output none 2>&1 | tee "$log" >&2
}
# A new identity may not be found yet when its role or its credential is made: that passes.
if ! again make_identity; then
  advise "$log"
  echo "the identity could not be made; Azure says why above" >&2
  exit 1
fi
told() {
  az deployment group show --name imaginem-bootstrap --resource-group "$group" \
    --query "properties.outputs.$1.value" --output tsv
}
client="$(az group show --name "$group" --query 'tags."imaginem-auth-client"' --output tsv)"
[ -n "$client" ] || client="(the group's tag imaginem-auth-client, once a person has run infra/deploy.sh)"
tenant="$(az account show --query tenantId --output tsv)"
subscription="$(az account show --query id --output tsv)"
cat <<TEXT

Set these as variables of the environment "production" of $repository
(Settings, Environments; or \`gh variable set NAME --env production\`). None of them is a secret.

AZURE_CLIENT_ID=$(told clientId)
DEPLOYMENT_OBJECT_ID=$(told objectId)
DEPLOYMENT_IDENTITY_NAME=$(told name)
AZURE_TENANT_ID=$tenant
AZURE_SUBSCRIPTION_ID=$subscription
RESOURCE_GROUP=$group
LOCATION=$location
PARAMETERS_FILE=$parameters
AUTH_CLIENT_ID=$client
TEXT
