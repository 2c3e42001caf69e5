"""What the POSIX cases share: the table of cases, assertions, and the system calls that Python's os module does not have.

A case is a function that is handed an empty directory (bytes) on the file system under test, and raises when that does not
behave. Python drives them because its os module is as close to the system calls as a language with a garbage collector gets,
and because node-gyp needs it anyway. See run.py for how they are run.
"""
import contextlib
import ctypes
import errno
import os
import sys
import traceback

CASES = {}

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2
FALLOC_FL_KEEP_SIZE = 0x01
FALLOC_FL_PUNCH_HOLE = 0x02
FALLOC_FL_COLLAPSE_RANGE = 0x08
FALLOC_FL_ZERO_RANGE = 0x10
AT_FDCWD = -100
AT_SYMLINK_FOLLOW = 0x400
UTIME_NOW = (1 << 30) - 1
UTIME_OMIT = (1 << 30) - 2

libc = ctypes.CDLL(None, use_errno=True)


class Skip(Exception):
    """The case cannot be tried here; the message says why."""


def case(function):
    """Registers a case under its name."""
    CASES[function.__name__.replace("_", " ")] = function
    return function


def equal(actual, expected, what=""):
    if actual != expected:
        raise AssertionError(f"{what}: {actual!r} instead of {expected!r}")


def check(condition, what):
    if not condition:
        raise AssertionError(what)


@contextlib.contextmanager
def fails(*codes):
    """The block must raise OSError with one of the codes, given by name."""
    try:
        yield
    except OSError as error:
        # By number: EOPNOTSUPP and ENOTSUP are two names of one.
        if error.errno not in [getattr(errno, code) for code in codes]:
            raise AssertionError(f"{errno.errorcode.get(error.errno)} instead of {' or '.join(codes)}") from error
        return
    raise AssertionError(f"succeeded instead of {' or '.join(codes)}")


def require_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


def _checked(result):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def renameat2(source, target, flags):
    _checked(libc.renameat2(AT_FDCWD, source, AT_FDCWD, target, ctypes.c_uint(flags)))


def fallocate(fd, mode, position, length):
    _checked(libc.fallocate64(fd, mode, ctypes.c_int64(position), ctypes.c_int64(length)))


def link_descriptor(fd, target):
    """Gives a name to a file by its descriptor (open(2), O_TMPFILE)."""
    path = b"/proc/self/fd/%d" % fd
    _checked(libc.linkat(AT_FDCWD, path, AT_FDCWD, target, AT_SYMLINK_FOLLOW))


class Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_int64), ("nanoseconds", ctypes.c_int64)]


def utimensat(path, atime, mtime):
    """Times as (seconds, nanoseconds); the nanoseconds may be UTIME_NOW or UTIME_OMIT."""
    times = (Timespec * 2)(Timespec(*atime), Timespec(*mtime))
    _checked(libc.utimensat(AT_FDCWD, path, times, 0))


class DirectoryStream:
    """opendir(3) with telldir and seekdir, which Python does not offer."""

    class Entry(ctypes.Structure):
        _fields_ = [
            ("ino", ctypes.c_uint64),
            ("offset", ctypes.c_int64),
            ("length", ctypes.c_uint16),
            ("type", ctypes.c_uint8),
            ("name", ctypes.c_char * 256),
        ]

    libc.opendir.restype = ctypes.c_void_p
    libc.readdir64.restype = ctypes.POINTER(Entry)
    libc.readdir64.argtypes = [ctypes.c_void_p]
    libc.telldir.argtypes = [ctypes.c_void_p]
    libc.telldir.restype = ctypes.c_long
    libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
    libc.rewinddir.argtypes = [ctypes.c_void_p]
    libc.closedir.argtypes = [ctypes.c_void_p]

    def __init__(self, path):
        self.stream = libc.opendir(path)
        check(self.stream, "opendir failed")

    def read(self):
        """The next name, or None at the end."""
        entry = libc.readdir64(self.stream)
        return entry.contents.name if entry else None

    def names(self):
        return list(iter(self.read, None))

    def tell(self):
        return libc.telldir(self.stream)

    def seek(self, position):
        libc.seekdir(self.stream, position)

    def rewind(self):
        libc.rewinddir(self.stream)

    def close(self):
        libc.closedir(self.stream)


def create(path, content=b"", mode=0o644):
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode)
    try:
        write_all(fd, content)
    finally:
        os.close(fd)
    return path


def write_all(fd, content):
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view):]


def read(path):
    with open(path, "rb") as file:
        return file.read()


@contextlib.contextmanager
def opened(path, flags=os.O_RDWR, mode=0o644):
    fd = os.open(path, flags, mode)
    try:
        yield fd
    finally:
        os.close(fd)


def in_child(function, uid=None, gid=None):
    """Runs a function in a process of its own, as another user where asked, and raises what it raised."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reading)
            if uid is not None:
                os.setgroups([])
                os.setresgid(gid or uid, gid or uid, gid or uid)
                os.setresuid(uid, uid, uid)
            function()
            status = 0
        except BaseException:  # pylint: disable=broad-except
            os.write(writing, traceback.format_exc(limit=-3).encode()[-3000:])
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        message = pipe.read().decode()
    _, status = os.waitpid(pid, 0)
    if status != 0:
        raise AssertionError(f"in the child: {message}")


def fork_all(functions):
    """Runs functions at the same time, each in a process, and raises when one fails."""
    pids = []
    for function in functions:
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            try:
                function()
                os._exit(0)
            except BaseException:  # pylint: disable=broad-except
                traceback.print_exc(file=sys.stderr)
                os._exit(1)
        pids.append(pid)
    statuses = [os.waitpid(pid, 0)[1] for pid in pids]
    equal(statuses, [0] * len(pids), "exit statuses")
