"""What a person sees and types: Rich renderables, keys and lines."""
