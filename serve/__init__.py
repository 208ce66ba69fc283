"""The service: predictions over HTTP on Ray Serve, and observations that are never lost."""
