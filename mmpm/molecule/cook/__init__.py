"""Formulas become protos: a file a stage, in the order of `cooking.py`; and back (`uncooking.py`)."""
