"""Where Serve listens, beyond this machine only with keys; where its cluster takes jobs. What Ray tells in private."""

from ipaddress import ip_address

from sqlalchemy import Engine

from serve.keys import any_valid


class OpenError(ValueError):
    """A service that anybody on the network could use."""


def listening_host() -> str:
    """The host that Serve's HTTP server listens on, from its controller; loopback where no Serve runs."""
    from ray.serve import context

    client = context._get_global_client(raise_if_no_controller_running=False)
    return "127.0.0.1" if client is None else str(client.http_config.host or "0.0.0.0")


def job_server() -> str | None:
    """Address of the dashboard of the cluster that this process belongs to."""
    from ray._private.worker import get_dashboard_url

    found = get_dashboard_url()  # type: ignore[no-untyped-call]
    return f"http://{found}" if found else None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_binding(host: str, engine: Engine) -> None:
    """Refuse to serve a network without keys.

    Raises:
        OpenError: one line.
    """
    if not is_loopback(host) and not any_valid(engine):
        raise OpenError(
            f"http_options.host {host}: other machines could use this service without a key; "
            "make one first: python -m serve keys create NAME --scope read"
        )
