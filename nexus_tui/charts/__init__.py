"""Charts as lines of text: pure functions that know neither widgets nor the clock."""
