"""Writes and reads large files without pause, and checks each byte, until a file called END is there.

    python3 large_files.py DIRECTORY END STORE

Between writing and reading, the file's pages are dropped, on the mount and every other time on the host too, so that reads reach
the server, and from there the disk. Prints how many rounds were made; anything wrong is an exception.
"""
import os
import sys

BYTES = 5 * 1024 * 1024 + 4321
directory, end, store = sys.argv[1:]
os.makedirs(directory)
path = os.path.join(directory, "large")


def drop(name):
    fd = os.open(name, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def content(round):
    block = bytes((round * 31 + i * 7) & 0xFF for i in range(4099))
    return (block * (BYTES // len(block) + 1))[:BYTES]


rounds = 0
while not os.path.exists(end):
    wanted = content(rounds)
    with open(path, "r+b" if rounds % 3 else "wb") as file:
        file.write(wanted)
    drop(path)
    if rounds % 2:
        for parent, _, names in os.walk(os.path.join(store, "blobs")):
            for name in names:
                try:
                    drop(os.path.join(parent, name))
                except FileNotFoundError:
                    pass
    with open(path, "rb") as file:
        found = file.read()
    assert found == wanted, f"round {rounds}: {len(found)} bytes, other than were written"
    rounds += 1
print(rounds)
