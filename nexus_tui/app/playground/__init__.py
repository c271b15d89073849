"""The playground: single pairs, files of pairs, and search in a corpus."""
