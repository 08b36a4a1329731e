"""Molecules: formulas cooked to protos, and the life of what is bonded from them. Pure: bytes and values only."""
