"""Something a person did -> a small value for the records; knows neither the records nor what becomes of it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

What = Literal[
    "signed_in", "sign_in_failed", "sign_in_throttled", "signed_out",
    "first_start", "user_added", "user_disabled", "user_enabled", "role_changed", "password_changed",
    "password_refused", "link_made", "key_added", "key_revoked",
    "work_begun", "work_stopped", "batch_stopped", "batch_forgotten"
]  # fmt: skip
NOBODY = "nobody"  # the caller of a deed before anyone has signed in


@dataclass(frozen=True, slots=True)
class Deed:
    """One act, with ids only; what identifies a person stands in `personal`, which can be erased.

    `at` is microseconds since 1970 UTC; `caller` is the id of a user, `about` that of a user, a work or a batch.
    """

    what: What
    caller: str
    about: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    personal: Mapping[str, str] = field(default_factory=dict)
    at: int = field(default_factory=lambda: time.time_ns() // 1000)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def body(self) -> dict[str, str]:
        """What the chained row says: no name, no address."""
        return {"act": self.what, "about": self.about, **self.facts}


Tell = Callable[[Deed], None]


def tell_nobody(deed: Deed) -> None:
    """For tests and tools that keep no records."""
