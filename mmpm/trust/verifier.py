"""python-tuf's verifier without its HTTP client.

`import tuf.ngclient` brings an updater with urllib3 along, which makes a socket as it is imported, to see whether the
machine speaks IPv6. We fetch with our own transport and may not touch a socket offline, so the package's `__init__`
is stepped around while the verifier is imported; this also halves the time that the import takes.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

import tuf

_PACKAGE = "tuf.ngclient"

if _PACKAGE in sys.modules:
    from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
    from tuf.ngclient.config import EnvelopeType
else:
    _bare = ModuleType(_PACKAGE)
    _bare.__path__ = [os.path.join(path, "ngclient") for path in tuf.__path__]
    sys.modules[_PACKAGE] = _bare
    try:
        from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
        from tuf.ngclient.config import EnvelopeType
    finally:
        # Whoever imports the whole package later gets it.
        del sys.modules[_PACKAGE]

__all__ = ["EnvelopeType", "TrustedMetadataSet"]
