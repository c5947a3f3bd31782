"""The catalog: categories, recurring templates and presets, and how they come, change and go."""
