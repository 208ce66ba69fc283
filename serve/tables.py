"""Tables of the store. Times are microseconds since 1970 in UTC; the migrations make what stands here."""

from sqlalchemy import BigInteger, Column, Float, Integer, MetaData, String, Table, Text

metadata = MetaData()

batch = Table(
    "batch",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # counted from 1, without a gap
    Column("request", String(300), nullable=False, unique=True),  # sender and idempotency key
    Column("first", BigInteger, nullable=False),  # position of its first observation
    Column("rows", Integer, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("content_sha256", String(64), nullable=False),  # of its observations
    Column("chain_sha256", String(64), nullable=False),  # of this row and the chain_sha256 before it
)
observation = Table(
    "observation",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("firm_id", String(64), nullable=False),
    Column("cell", String(8)),
    Column("observed_us", BigInteger, nullable=False),  # event time
    Column("output_musd_per_year", Float(53), nullable=False),
    Column("emissions_t_per_year", Float(53), nullable=False),
    Column("price_index", Float(53)),
    Column("previous", BigInteger),  # position of the firm's arrival before: its history, without an index
)
firm = Table(
    "firm",
    metadata,
    Column("firm_id", String(64), primary_key=True),
    Column("last", BigInteger, nullable=False),  # position of its last arrival
    Column("latest", BigInteger, nullable=False),  # position of its latest observation by event time
    Column("observed_us", BigInteger, nullable=False),  # event time of that one
    Column("cell", String(8)),
)
api_key = Table(
    "api_key",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("scopes", String(100), nullable=False),  # read, write, simulate; separated by commas
    Column("sha256", String(64), nullable=False),  # of the key; the key itself is nowhere
    Column("created_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger),
)
simulation = Table(
    "simulation",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("request", String(300), nullable=False, unique=True),  # sender and idempotency key
    Column("asked", Text, nullable=False),  # the request as JSON
    Column("target", String(130), nullable=False),
    Column("submitted_us", BigInteger, nullable=False),
    Column("status", String(20), nullable=False),
    Column("reason", Text, nullable=False, default=""),
)
