"""The protocols `az://`, `abfs://` and `abfss://`."""

from cloudfiles.interfaces.azure.interface import AzureInterface

__all__ = ["AzureInterface"]
