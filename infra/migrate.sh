#!/usr/bin/env bash
# Brings the database's tables up to date and lets the app's identity in. Who runs it administers
# the database and is logged in with `az login`; the app itself never may do this.
set -euo pipefail
if [ $# -ne 6 ]; then
  echo "infra/migrate.sh GROUP SERVER ADDRESS DATABASE IDENTITY CLIENT_ID" >&2
  exit 2
fi
group="$1" server="$2" address="$3" database="$4" identity="$5" client_id="$6"
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
rule="migration-$$"
# shellcheck source=infra/lib.sh
. "$root/infra/lib.sh"

# Opens the server to this machine for as long as the migration takes.
close() { az sql server firewall-rule delete --resource-group "$group" --server "$server" --name "$rule" --output none || true; }
public="$(az sql server show --resource-group "$group" --name "$server" --query publicNetworkAccess --output tsv)"
if [ "$public" = Enabled ]; then
  own="${OWN_ADDRESS:-$(curl --silent --fail --max-time 20 https://api.ipify.org)}"
  trap close EXIT
  az sql server firewall-rule create --resource-group "$group" --server "$server" --name "$rule" \
    --start-ip-address "$own" --end-ip-address "$own" --output none
fi

make -C "$root" setup
"$root/.venv/bin/python" -c 'import pyodbc, sys
sys.exit(not any(name.startswith("ODBC Driver 18") for name in pyodbc.drivers()))' ||
  { echo "Microsoft's ODBC Driver 18 is needed: install msodbcsql18" >&2; exit 3; }
export SQL_CONNECTION_STRING="Server=tcp:$address,1433;Database=$database;Encrypt=yes"
for try in 1 2 3 4 5 6; do # a new firewall rule or administrator may take minutes to be known
  "$root/.venv/bin/imaginem" db upgrade && break
  [ "$try" -lt 6 ] || exit 1
  sleep "${PAUSE:-60}"
done
again "$root/.venv/bin/imaginem" db grant "$identity" "$client_id"
