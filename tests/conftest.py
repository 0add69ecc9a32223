"""Settings of all tests."""

from hypothesis import settings

# Machines where tests run are shared: no single example is timed.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")
