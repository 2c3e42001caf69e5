"""Changes and reads large files without pause, in all the ways there are, and compares each read with a model, until END is there.

    python3 large_files.py DIRECTORY END STORE SEED

Before most reads the file's pages are dropped, on the mount and every other time on the host too, so that reads reach the server, and
from there the disk. Prints how many rounds were made; anything wrong is an exception.
"""
import ctypes
import mmap
import os
import random
import sys

BYTES_MAX = 5 * 1024 * 1024
FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE = 1, 2
directory, end, store, seed = sys.argv[1:]
random.seed(int(seed))
os.makedirs(directory)
path = os.path.join(directory, "large")
libc = ctypes.CDLL(None, use_errno=True)


def drop(name):
    fd = os.open(name, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def drop_on_host():
    for parent, _, names in os.walk(os.path.join(store, "blobs")):
        for name in names:
            try:
                drop(os.path.join(parent, name))
            except FileNotFoundError:
                pass


def put(model, at, data):
    """What pwrite(2) makes of a file."""
    model.extend(bytes(max(0, at - len(model))))
    model[at : at + len(data)] = data


# Ways to change the file: each takes a descriptor and the model, and does the same to both.


def overwrite(fd, model):
    at, data = random.randrange(BYTES_MAX), random.randbytes(random.randrange(1, 1 << 20))
    assert os.pwrite(fd, data, at) == len(data)
    put(model, at, data)


def overwrite_directly(fd, model):
    at = random.randrange(BYTES_MAX // 4096) * 4096
    with mmap.mmap(-1, random.choice([4096, 65536, 1 << 20, 2 << 20])) as data:
        data[:] = random.randbytes(len(data))
        direct = os.open(path, os.O_RDWR | os.O_DIRECT)
        assert os.pwritev(direct, [data], at) == len(data)
        os.close(direct)
        put(model, at, data[:])


def overwrite_mapped(fd, model):
    if not model:
        return
    with mmap.mmap(fd, len(model)) as mapped:
        for _ in range(8):
            at = random.randrange(len(model))
            data = random.randbytes(min(len(model) - at, random.randrange(1, 200_000)))
            mapped[at : at + len(data)] = data
            put(model, at, data)
        if random.random() < 0.5:
            mapped.flush()


def resize(fd, model):
    size = random.randrange(BYTES_MAX)
    os.ftruncate(fd, size)
    model.extend(bytes(max(0, size - len(model))))
    del model[size:]


def punch(fd, model):
    at, length = random.randrange(BYTES_MAX), random.randrange(1, 1 << 20)
    mode = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
    if libc.fallocate(fd, mode, ctypes.c_long(at), ctypes.c_long(length)) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")
    stop = min(at + length, len(model))
    if at < stop:
        model[at:stop] = bytes(stop - at)


def rewrite(fd, model):
    model[:] = random.randbytes(random.randrange(1, BYTES_MAX))
    with open(path, "wb") as file:
        file.write(model)


def replace(fd, model):
    model[:] = random.randbytes(random.randrange(1, BYTES_MAX))
    with open(path + ".new", "wb") as file:
        file.write(model)
    os.rename(path + ".new", path)


# Ways to read all of it.


def read(size):
    def way(fd):
        return b"".join(iter(lambda: os.read(fd, size), b""))

    way.__name__ = f"reads of {size} bytes"
    return way


def read_mapped(fd):
    size = os.fstat(fd).st_size
    if size == 0:
        return b""
    with mmap.mmap(fd, size, prot=mmap.PROT_READ) as mapped:
        return mapped[:]


def read_directly(fd):
    direct = os.open(path, os.O_RDONLY | os.O_DIRECT)
    found = b""
    with mmap.mmap(-1, random.choice([65536, 1 << 20, 2 << 20])) as into:
        while (length := os.preadv(direct, [into], len(found))) > 0:
            found += into[:length]
            if length % 4096 != 0:
                break
    os.close(direct)
    return found


def read_by_splice(fd):
    out, into = os.pipe()
    found = b""
    while (length := os.splice(fd, into, 65536)) > 0:
        while length > 0:
            piece = os.read(out, length)
            found += piece
            length -= len(piece)
    os.close(out)
    os.close(into)
    return found


CHANGES = [overwrite, overwrite_directly, overwrite_mapped, resize, punch, rewrite, replace]
READS = [read(4096), read(128 << 10), read(4 << 20), read_mapped, read_directly]
if hasattr(os, "splice"):
    READS.append(read_by_splice)

model = bytearray()
rewrite(None, model)
rounds = 0
while not os.path.exists(end):
    change, way = random.choice(CHANGES), random.choice(READS)
    fd = os.open(path, os.O_RDWR)
    change(fd, model)
    os.close(fd)
    if random.random() < 0.8:
        drop(path)
        if random.random() < 0.5:
            drop_on_host()
    fd = os.open(path, os.O_RDONLY)
    found = way(fd)
    os.close(fd)
    if found != model:
        wrong = next((i for i, (a, b) in enumerate(zip(found, model)) if a != b), min(len(found), len(model)))
        said = f"{len(found)} bytes instead of {len(model)}, wrong from {wrong} on"
        raise AssertionError(f"seed {seed}, round {rounds}, after {change.__name__}, by {way.__name__}: {said}")
    rounds += 1
print(rounds)
