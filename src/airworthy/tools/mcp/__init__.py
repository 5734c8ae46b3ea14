"""MCP without an SDK: its wire as plain values, its tools behind the chain, everything else passed on untouched."""
