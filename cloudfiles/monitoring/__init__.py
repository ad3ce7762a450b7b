"""Recordings of batches, and samples of the machine's counters."""

from cloudfiles.monitoring.monitor import IOEnum, TransmissionMonitor
from cloudfiles.monitoring.sampling import IOSampler

__all__ = ["IOEnum", "IOSampler", "TransmissionMonitor"]
