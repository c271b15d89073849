"""Reading pairs from one file: formats, columns and rows."""
