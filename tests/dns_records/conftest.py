"""Property tests without a clock: a loaded machine is no failure."""

from hypothesis import HealthCheck, settings

settings.register_profile("tierstack", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tierstack")
