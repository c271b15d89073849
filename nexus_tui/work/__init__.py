"""Work that commands and app share: detached runs, evaluation data, the audit of uses."""
