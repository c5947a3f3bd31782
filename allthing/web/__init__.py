"""What both blueprints share: typed views, reading requests, rate limits, CORS, health, OpenAPI."""
