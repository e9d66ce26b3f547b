"""The nouns of the OCI specifications: pure values, standard library only."""
