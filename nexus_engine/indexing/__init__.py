"""An index on disk: passages, their vectors by one model, and hybrid search in them."""
