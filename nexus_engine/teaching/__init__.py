"""Teaching by labels: which pairs and questions to ask about."""
