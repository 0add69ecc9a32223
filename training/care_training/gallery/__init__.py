"""Gallery: a web page of models that needs no server, no network and no framework."""

from care_training.gallery.make import write

__all__ = ["write"]
