"""Makes `azuredeploy.json` of main.bicep, compares the two, and evaluates templates."""
