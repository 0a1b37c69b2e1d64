"""Nothing -> memory in large pages for the graph that is opened next; knows no graph.

A graph unfolds into several times its file while it is loaded, and Linux hands that out in pages of 4 KB, each cleared
and mapped on first touch: half the time of a load. From a heap in pages of 2 MB the same load takes half as long.
"""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # malloc.h
HUGE_PAGES = 14  # sys/mman.h: MADV_HUGEPAGE
PAGE = 2 << 20  # bytes
BLOCK = 31 << 20  # bytes; what is larger than FROM_HEAP lies outside the heap
BLOCKS = 2  # what a shipped package needs while it is opened
FROM_HEAP = 32 << 20  # bytes; the most that glibc takes
KEPT = 128 << 20  # bytes of free heap that are kept for the next who asks


def make_room() -> bool:
    """Let the heap of this process grow by 62 MB in large pages, and keep what is freed; whether that was possible.

    Takes no memory before it is used. For processes that answer and end: one that stays would keep what it freed.
    Elsewhere than on Linux with glibc, and where large pages are forbidden, everything stays as it is.
    """
    try:
        libc = ctypes.CDLL(None)
        libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        libc.free.restype, libc.free.argtypes = None, [ctypes.c_void_p]
        libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        if not (libc.mallopt(TRIM_THRESHOLD, KEPT) and libc.mallopt(MMAP_THRESHOLD, FROM_HEAP)):
            return False
    except (AttributeError, OSError, TypeError):  # no such library, or one without these
        return False
    blocks = [block for block in (libc.malloc(BLOCK) for _ in range(BLOCKS)) if block]
    advised = [libc.madvise(*_whole_pages(block), HUGE_PAGES) == 0 for block in blocks]
    for block in blocks:
        libc.free(block)
    return bool(advised) and all(advised)


def _whole_pages(block: int) -> tuple[int, int]:
    """Where the large pages of a block start, and the bytes of those that lie inside it."""
    start = -(-block // PAGE) * PAGE
    return start, (block + BLOCK) // PAGE * PAGE - start
