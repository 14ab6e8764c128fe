"""How often somebody may ask: a bucket each that refills steadily; the memory for it has an end."""

from __future__ import annotations

import threading
from collections import OrderedDict


class Rates:
    """Buckets of `burst` units that refill at `per_second`. Of more than `most` the one used longest ago is forgotten."""

    def __init__(self, per_second: float, burst: float, most: int = 4096) -> None:
        self._per_second, self._burst, self._most = per_second, burst, most
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, bucket: str, at: float, cost: float = 1) -> float:
        """Take units at a monotonic time; returns 0, or after how many seconds there are enough (none are taken)."""
        with self._lock:
            left, before = self._left.pop(bucket, (self._burst, at))
            left = min(self._burst, left + max(at - before, 0) * self._per_second)
            enough = left >= cost
            self._left[bucket] = (left - cost if enough else left, at)
            if len(self._left) > self._most:
                self._left.popitem(last=False)
        return 0 if enough else (cost - left) / self._per_second

    def __len__(self) -> int:
        return len(self._left)
