"""The build carried out on paper."""
