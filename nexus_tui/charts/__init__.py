"""Pictures of numbers as lines of text: pure functions, without a widget or a clock."""
