"""Infrastructure: Bicep, the scripts that deploy it, and the gates that check it."""
