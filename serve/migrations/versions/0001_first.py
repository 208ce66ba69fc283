"""Batches, observations, firms, keys, simulations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    position = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "batch",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("request", sa.String(300), nullable=False, unique=True),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("received_us", sa.BigInteger, nullable=False),
        sa.Column("content_sha256", sa.String(64), nullable=False),
        sa.Column("chain_sha256", sa.String(64), nullable=False),
    )
    op.create_table(
        "observation",
        sa.Column("position", position, primary_key=True, autoincrement=False),
        sa.Column("firm_id", sa.String(64), nullable=False),
        sa.Column("cell", sa.String(8)),
        sa.Column("observed_us", sa.BigInteger, nullable=False),
        sa.Column("output_musd_per_year", sa.Float(53), nullable=False),
        sa.Column("emissions_t_per_year", sa.Float(53), nullable=False),
        sa.Column("price_index", sa.Float(53)),
        sa.Column("previous", sa.BigInteger),
    )
    op.create_table(
        "firm",
        sa.Column("firm_id", sa.String(64), primary_key=True),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("latest", sa.BigInteger, nullable=False),
        sa.Column("observed_us", sa.BigInteger, nullable=False),
        sa.Column("cell", sa.String(8)),
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(12), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("scopes", sa.String(100), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("revoked_us", sa.BigInteger),
    )
    op.create_table(
        "simulation",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("request", sa.String(300), nullable=False, unique=True),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("target", sa.String(130), nullable=False),
        sa.Column("submitted_us", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop them, and all that was received."""
    for name in ("simulation", "api_key", "firm", "observation", "batch"):
        op.drop_table(name)
