"""Prints everything that can be seen of the files below a directory, a JSON object a line, sorted by path.

    python3 manifest.py DIRECTORY [--portable]

Reading moves the access times that are printed, unless the file system is mounted with noatime. With --portable, only what
a copy on another file system shares with its original: no inode numbers, access and change times, holes and sizes of
directories.
"""
import hashlib
import json
import os
import stat
import sys

BLOCK_BYTES = 1 << 16
ZEROS = bytes(BLOCK_BYTES)


def data_extents(fd, size):
    """The extents of data, as pairs of start and end."""
    extents, position = [], 0
    while position < size:
        try:
            start = os.lseek(fd, position, os.SEEK_DATA)
        except OSError:
            break
        position = os.lseek(fd, start, os.SEEK_HOLE)
        extents.append((start, position))
    return extents


def content(path, entry, portable):
    fd = os.open(path, os.O_RDONLY)
    try:
        extents = data_extents(fd, entry["size"])
        if not portable:
            entry["extents"] = extents
        digest = hashlib.sha256()
        # A terabyte of holes must not be read: of the data, each block that is not all zeros counts, with its place.
        for start, end in extents:
            for place in range(start - start % BLOCK_BYTES, min(end, entry["size"]), BLOCK_BYTES):
                piece = os.pread(fd, BLOCK_BYTES, place)
                if piece != ZEROS[:len(piece)]:
                    digest.update(b"%d:" % place)
                    digest.update(piece)
        entry["sha256"] = digest.hexdigest()
    finally:
        os.close(fd)


def describe(path, portable):
    found = os.lstat(path)
    entry = {
        "mode": oct(found.st_mode),
        "uid": found.st_uid,
        "gid": found.st_gid,
        "links": found.st_nlink,
        "mtime": found.st_mtime_ns,
        "rdev": found.st_rdev,
        "xattrs": {
            name: os.getxattr(path, name, follow_symlinks=False).hex()
            for name in sorted(os.listxattr(path, follow_symlinks=False))
        },
    }
    if not stat.S_ISDIR(found.st_mode) or not portable:
        entry["size"] = found.st_size
    if not portable:
        entry["ino"] = found.st_ino
        entry["atime"] = found.st_atime_ns
        entry["ctime"] = found.st_ctime_ns
    if stat.S_ISLNK(found.st_mode):
        entry["target"] = os.fsencode(os.readlink(path)).hex()
    if stat.S_ISREG(found.st_mode):
        content(path, entry, portable)
    return entry


def main():
    base = os.fsencode(sys.argv[1])
    portable = "--portable" in sys.argv[2:]
    paths = [base]
    for directory, directories, files in os.walk(base):
        paths += [os.path.join(directory, name) for name in directories + files]
    for path in sorted(paths):
        entry = describe(path, portable)
        # As text with each byte of a name that is not ASCII escaped.
        name = os.path.relpath(path, base).decode("latin1")
        print(json.dumps({"path": name, **entry}))


main()
