#!/usr/bin/env bash
# Removes a resource group with everything in it: photos, faces, results. There is no way back.
# If it was cut short, run it again.
set -euo pipefail
if [ "${1:-}" != --resource-group ] || [ -z "${2:-}" ]; then
  echo "infra/destroy.sh --resource-group NAME [--yes]" >&2
  exit 2
fi
group="$2"
az account show --output none 2>/dev/null || { echo "log in first: az login" >&2; exit 3; }
exists="$(az group exists --name "$group" --output tsv)" # fails here, not as a group that is gone
if [ "$exists" = true ]; then
  az resource list --resource-group "$group" --output table
  if [ "${3:-}" != --yes ]; then
    read -r -p "Remove all of this? Write the name of the group: " answer
    [ "$answer" = "$group" ] || { echo "nothing was removed"; exit 1; }
  fi
  # Only the registration that deploy.sh made here; one that was passed to it is not tagged.
  registration="$(az group show --name "$group" --query 'tags."imaginem-auth-client"' --output tsv)"
  if [ -n "$registration" ]; then # it may be gone already
    registration="$(az ad app list --app-id "$registration" --query "[].appId" --output tsv)"
  fi
  if [ -n "$registration" ]; then
    az ad app delete --id "$registration"
  fi
  az group delete --name "$group" --yes
else
  echo "there is no group $group in this subscription; AI accounts that were deleted in it are looked for" >&2
fi
# Azure keeps removed AI accounts for 48 hours, with the face lists in them; erasure means purging.
deleted="$(az cognitiveservices account list-deleted --query "[].[id, name, location]" --output tsv)"
deleted="$(grep -iF "/resourceGroups/$group/" <<<"$deleted" || true)"
kept=""
while IFS=$'\t' read -r _ name location; do
  [ -z "$name" ] ||
    az cognitiveservices account purge --resource-group "$group" --name "$name" --location "$location" </dev/null ||
    kept="$kept $name"
done <<<"$deleted"
if [ -n "$kept" ]; then
  echo "Azure still keeps$kept, with the face lists in them: run this again" >&2
  exit 1
fi
echo "$group is gone"
