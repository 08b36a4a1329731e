"""mmpm, the package manager of Mol Mall."""

__version__ = "0.1.0"
