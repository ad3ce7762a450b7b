"""The datasets of the guide, in a module that worker processes import."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from cloudfiles import CloudFiles


class Samples(Dataset):
    """Objects by number; a worker reads each of its batches with one call."""

    def __init__(self, cf: CloudFiles, paths: list[str]) -> None:
        self.cf = cf
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Any:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: list[int]) -> list[Any]:
        found = self.cf.get([self.paths[index] for index in indices])
        return [torch.from_numpy(np.frombuffer(result["content"] or b"", dtype="u1").copy()) for result in found]


class Stream(IterableDataset):
    """Objects in the order in which they arrive; each worker reads its share."""

    def __init__(self, cf: CloudFiles, paths: list[str]) -> None:
        self.cf = cf
        self.paths = paths

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        paths = self.paths if worker is None else self.paths[worker.id::worker.num_workers]
        for result in self.cf.stream(paths):
            yield torch.from_numpy(np.frombuffer(result["content"] or b"", dtype="u1").copy())
