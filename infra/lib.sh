# shellcheck shell=bash
# What the scripts share: their options, patience with Azure, and advice on its errors.

# Refuses an option without its value, before bash would speak of an unbound variable.
need() {
  [[ $# -ge 2 && "$2" != --* ]] || { echo "$1 needs a value" >&2; exit 2; }
}

# What was just made in Entra ID is not found everywhere at once: tries a command for a minute.
again() {
  local try
  for try in 1 2 3 4 5 6; do
    "$@" && return
    [ "$try" -lt 6 ] || return 1
    echo "trying again in a while" >&2
    sleep "${PAUSE:-12}"
  done
}

# Azure's codes of what goes wrong at a first deployment, and what to do.
advise() {
  local code advice
  while IFS='|' read -r code advice; do
    ! grep -q "$code" "$1" || echo "$code: $advice" >&2
  done <<'TEXT'
ResourceKindRequireAcceptTerms|Azure wants its terms for responsible AI accepted: make one Face and one Computer Vision account in the portal of this subscription, then run this again
FlagMustBeSetForRestore|an AI account of this name was deleted within 48 hours: run this with a login that may see deleted accounts of the subscription, or name the account in the parameter restoreAccounts
CanNotRestore|an account named in restoreAccounts exists, or is gone for good: take it out of the parameter file
RoleAssignmentExists|an earlier deployment gave this role under another name: remove that assignment, then run this again
roleAssignments/write|this login may not assign roles: it needs Owner, or Role Based Access Control Administrator
MissingSubscriptionRegistration|run infra/bootstrap.sh --register once, with a login that may register providers
ProvisioningDisabled|Azure SQL takes no new servers of this subscription in this region: choose another region, or ask Azure for quota
LocationNotAvailableForResourceType|something is not offered in this region: choose another one
Quota|a limit of the subscription is reached: its name is above; ask Azure to raise it, or remove what uses it
SkuNotAvailable|this tier is not offered in this region: choose another tier or region
TEXT
}
