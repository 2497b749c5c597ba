"""What users give and ask for while the search goes on."""
