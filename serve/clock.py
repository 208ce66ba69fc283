"""Times as the store has them: microseconds since 1970 in UTC."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def microseconds(time: datetime) -> int:
    """Of a time with an offset."""
    since = time - EPOCH
    return 1_000_000 * (86_400 * since.days + since.seconds) + since.microseconds


def now() -> int:
    """Microseconds."""
    return microseconds(datetime.now(UTC))


def time_of(us: int) -> datetime:
    """In UTC."""
    return EPOCH + us * MICROSECOND
