"""How each builder is driven, and what its failures mean."""
