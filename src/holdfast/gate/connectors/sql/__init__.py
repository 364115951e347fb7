"""SQL: what a query of SQLite or PostgreSQL says, as tags. Nothing is ever written."""

from holdfast.gate.connectors.sql.connector import Sql

__all__ = ["Sql"]
