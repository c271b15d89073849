"""Work that commands and app share: children, queried models, notes of use."""
