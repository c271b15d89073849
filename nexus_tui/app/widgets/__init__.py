"""One widget a file; what a widget draws is a pure function of `nexus_tui.charts`."""
