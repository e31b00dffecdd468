#!/usr/bin/env bash
# Removes a resource group with everything in it: photos, faces, results. There is no way back.
set -euo pipefail
if [ "${1:-}" != --resource-group ] || [ -z "${2:-}" ]; then
  echo "infra/destroy.sh --resource-group NAME [--yes]" >&2
  exit 2
fi
group="$2"
az account show --output none 2>/dev/null || { echo "log in first: az login" >&2; exit 3; }
az resource list --resource-group "$group" --output table
if [ "${3:-}" != --yes ]; then
  read -r -p "Remove all of this? Write the name of the group: " answer
  [ "$answer" = "$group" ] || { echo "nothing was removed"; exit 1; }
fi
accounts="$(az cognitiveservices account list --resource-group "$group" --query '[].[name,location]' --output tsv)"
az group delete --name "$group" --yes
# Azure keeps removed AI accounts for 48 hours, with the face lists in them; erasure means purging.
while read -r name location; do
  if [ -n "$name" ]; then
    az cognitiveservices account purge --resource-group "$group" --name "$name" --location "$location"
  fi
done <<<"$accounts"
registration="$(az ad app list --display-name "imaginem-$group" --query '[0].appId' --output tsv)"
if [ -n "$registration" ]; then
  az ad app delete --id "$registration"
fi
echo "$group is gone"
