"""The playground: pairs, files of pairs, search."""
