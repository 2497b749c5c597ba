"""What the user asks for: the model of a spec, its checks, and its YAML."""
