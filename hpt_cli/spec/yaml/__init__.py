"""YAML -> TuningSpec, or every mistake with its line, in words; and back."""
