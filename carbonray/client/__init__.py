"""The client of the service: predictions, observations, exposure and simulations over HTTP, with typed answers."""

from carbonray.client.connection import Client, ServiceError

__all__ = ["Client", "ServiceError"]
