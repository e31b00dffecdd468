"""Texts of what pages say of costs."""

COSTS = {
    "costs.title": "Costs",
    "costs.about": (
        "What steps have used since the ledger was begun, and what that costs by the price list. "
        "It is no bill: what people do on these pages, SQL and logs are not in it."
    ),
    "costs.open": "See what was used, and what it costs",
    "costs.none": "Nothing was used yet.",
    "costs.together": "Together {usd}",
    "costs.and_unknown": "and what has no known price.",
    "costs.by_month": "By month",
    "costs.by_batch": "The newest batches",
    "costs.by_step": "By step",
    "costs.by_service": "By service",
    "costs.month": "Month",
    "costs.batch": "Batch",
    "costs.step": "Step",
    "costs.service": "Service",
    "costs.calls": "AI calls",
    "costs.calls_made": "{count} calls to AI services",
    "costs.storage": "Storage operations",
    "costs.executions": "Executions",
    "costs.seconds": "Seconds",
    "costs.tokens": "Tokens",
    "costs.usd": "USD",
    "costs.unknown": "no price known",
}
