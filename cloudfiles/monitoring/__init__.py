"""Recordings of batches, and samples of the system's network and disk counters."""

from cloudfiles.monitoring.monitor import IOEnum, TransmissionMonitor
from cloudfiles.monitoring.sampling import IOSampler

__all__ = ["IOEnum", "IOSampler", "TransmissionMonitor"]
