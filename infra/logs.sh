#!/usr/bin/env bash
# Shows the app's last warnings and errors, from Log Analytics. Flex Consumption has no stream of a
# console that az could follow; what the app says is here after a minute or two.
set -euo pipefail
# shellcheck source=infra/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
group="" minutes=60
while [ $# -gt 0 ]; do
  case "$1" in
    --resource-group) need "$@"; group="$2"; shift 2 ;;
    --minutes) need "$@"; minutes="$2"; shift 2 ;;
    *) group=""; break ;;
  esac
done
if [ -z "$group" ] || [[ ! "$minutes" =~ ^[0-9]+$ ]]; then
  echo "infra/logs.sh --resource-group NAME [--minutes NUMBER]" >&2
  exit 2
fi
az account show --output none 2>/dev/null || { echo "log in first: az login" >&2; exit 3; }
workspace="$(az monitor log-analytics workspace list --resource-group "$group" \
  --query "[?starts_with(name, 'log-imaginem-')] | [0].customerId" --output tsv)"
[ -n "$workspace" ] || { echo "$group has no workspace log-imaginem-…: deploy first" >&2; exit 1; }
question="union isfuzzy=true AppTraces, AppExceptions
  | where TimeGenerated > ago(${minutes}m) and SeverityLevel >= 2
  | project TimeGenerated, SeverityLevel, Text = coalesce(column_ifexists('Message', ''), column_ifexists('OuterMessage', ''))
  | order by TimeGenerated asc | take 200"
body="$(python3 -c 'import json, sys
print(json.dumps({"query": sys.argv[1]}))' "$question")"
az rest --method post --resource https://api.loganalytics.io \
  --url "https://api.loganalytics.io/v1/workspaces/$workspace/query" \
  --headers Content-Type=application/json --body "$body" --query "tables[0].rows" --output tsv
