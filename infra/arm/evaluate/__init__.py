"""Works out what a template deploys, without Azure and without knowing any Bicep."""
