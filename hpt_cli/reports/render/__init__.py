"""How reports are drawn: columns and tables, plots, pictures, and other formats."""
