"""Makes a directory with one of everything that an archive can hold, to be packed and unpacked.

    python3 make_tree.py DIRECTORY
"""
import os
import stat
import sys

MIB = 1 << 20


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def main():
    os.umask(0)
    base = os.fsencode(sys.argv[1])
    os.makedirs(base)
    os.chdir(base)
    for size in (0, 1, 4095, 4096, 4097, 30_000, 70_000, 3 * MIB + 1):
        write(b"size-%d" % size, os.urandom(size))
    os.makedirs(b"links/deeper")
    write(b"links/one", b"one inode, four names")
    for name in (b"links/two", b"links/deeper/three", b"four"):
        os.link(b"links/one", name)
    for name, target in ((b"to-file", b"size-1"), (b"dangling", b"nowhere/\xff"), (b"long", b"l" * 3000), (b"up", b"..")):
        os.symlink(target, b"links/" + name)
    os.mkfifo(b"fifo", 0o621)
    if os.geteuid() == 0:
        os.mknod(b"device", stat.S_IFCHR | 0o640, os.makedev(10, 229))
        write(b"owned", b"by somebody")
        os.chown(b"owned", 1234, 4321)
        os.setxattr(b"owned", b"trusted.kept", b"by root only")
    os.mkdir(b"modes")
    for mode in (0o000, 0o001, 0o444, 0o777, 0o1600, 0o2755, 0o4755, 0o6711, 0o7777):
        write(b"modes/%04o" % mode, b"%o" % mode)
        os.chmod(b"modes/%04o" % mode, mode)
        os.mkdir(b"modes/dir-%04o" % mode)
        os.chmod(b"modes/dir-%04o" % mode, mode)
    os.mkdir(b"names")
    for name in (b"\xff\xfe not UTF-8", b"new\nline", b" ", b"-dash", b"*?[", b"n" * 255, "naïve Ω 漢字".encode(), b"back\\slash"):
        write(b"names/" + name, name)
    os.mkdir(b"xattrs")
    write(b"xattrs/some", b"x")
    os.setxattr(b"xattrs/some", b"user.text", b"value")
    os.setxattr(b"xattrs/some", b"user.bytes", bytes(range(256)))
    os.setxattr(b"xattrs/some", b"user.large", os.urandom(3000))
    os.setxattr(b"xattrs", b"user.of-directory", b"yes")
    with open(b"sparse", "wb") as file:
        for place in (0, 5 * MIB, 40 * MIB):
            file.seek(place)
            file.write(os.urandom(100_000))
        file.truncate(64 * MIB)
    os.makedirs(b"deep/" + b"/".join(b"%d" % number for number in range(60)))
    # Last, because all that was done above has moved them. Before 1970 tar's own formats differ, so not here.
    for number, seconds in enumerate((1, 999_999_999, 2**31 + 7, 2**32 + 7)):
        name = b"time-%d" % seconds
        write(name, b"")
        os.utime(name, ns=(seconds * 10**9 + 1, seconds * 10**9 + 123_456_789 + number))
    os.utime(b"links/dangling", ns=(5, 7_000_000_008), follow_symlinks=False)
    os.utime(b"names", ns=(5, 11_000_000_012))


main()
