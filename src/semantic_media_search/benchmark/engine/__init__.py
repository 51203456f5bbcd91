"""What every measuring command shares: timing in turns, figures with their repeats, tables, files, charts."""
