"""Single files: downloaded from a URL, uploaded to one."""
