"""`adl://`: Data Lake Storage Gen1."""

from cloudfiles.interfaces.adl.interface import AdlInterface as AdlInterface
