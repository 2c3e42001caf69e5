"""Cases on memory maps, and on locks between processes."""
import fcntl
import mmap
import os
import struct

from suite import Skip, case, create, equal, fails, in_child, opened, read

PAGE = 4096


@case
def a_shared_map_writes_the_file(directory):
    name = create(directory + b"/a", b"a" * 3 * PAGE)
    with opened(name) as fd:
        with mmap.mmap(fd, 3 * PAGE, mmap.MAP_SHARED) as shared:
            shared[PAGE:PAGE + 5] = b"12345"
            equal(os.pread(fd, 5, PAGE), b"12345", "seen by read at once")
            os.pwrite(fd, b"xyz", 2 * PAGE)
            equal(shared[2 * PAGE:2 * PAGE + 3], b"xyz", "seen in the map at once")
            shared.flush()
    equal(read(name), b"a" * PAGE + b"12345" + b"a" * (PAGE - 5) + b"xyz" + b"a" * (PAGE - 3))


@case
def a_private_map_does_not(directory):
    name = create(directory + b"/a", b"a" * PAGE)
    with opened(name) as fd, mmap.mmap(fd, PAGE, mmap.MAP_PRIVATE) as private:
        private[0:3] = b"abc"
        equal(private[0:4], b"abca")
    equal(read(name), b"a" * PAGE)


@case
def a_map_is_shared_between_processes_and_outlives_its_name(directory):
    name = create(directory + b"/a", b"\0" * PAGE)
    with opened(name) as fd:
        shared = mmap.mmap(fd, PAGE, mmap.MAP_SHARED)
    os.unlink(name)

    def child():
        shared[10:15] = b"child"

    in_child(child)
    equal(shared[10:15], b"child")
    shared.close()


@case
def flock_excludes_other_processes(directory):
    name = create(directory + b"/a")
    with opened(name) as fd:
        fcntl.flock(fd, fcntl.LOCK_EX)

        def locked_out():
            with opened(name) as other:
                with fails("EAGAIN"):
                    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with fails("EAGAIN"):
                    fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)

        def let_in():
            with opened(name) as other:
                fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)

        in_child(locked_out)
        fcntl.flock(fd, fcntl.LOCK_SH)
        in_child(let_in)
        fcntl.flock(fd, fcntl.LOCK_EX)
        fcntl.flock(fd, fcntl.LOCK_UN)
        in_child(let_in)


@case
def fcntl_locks_ranges_between_processes(directory):
    name = create(directory + b"/a", b"x" * 100)
    with opened(name) as fd:
        fcntl.lockf(fd, fcntl.LOCK_EX, 10, 20)

        def child():
            with opened(name) as other:
                fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB, 20, 0)
                with fails("EAGAIN", "EACCES"):
                    fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 25)
                # struct flock of fcntl(2): F_GETLK tells who holds the range.
                asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
                kind, _, start, length, pid = struct.unpack("hhqqi4x", fcntl.fcntl(other, fcntl.F_GETLK, asked))
                equal((kind, start, length, pid), (fcntl.F_WRLCK, 20, 10, os.getppid()), "holder")

        in_child(child)
        fcntl.lockf(fd, fcntl.LOCK_UN, 10, 20)

        def free():
            with opened(name) as other:
                fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

        in_child(free)


@case
def open_file_description_locks(directory):
    if not hasattr(fcntl, "F_OFD_SETLK"):
        raise Skip("this Python does not know F_OFD_SETLK")
    name = create(directory + b"/a")
    lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 10, 0)
    with opened(name) as fd, opened(name) as other:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, lock)
        with fails("EAGAIN", "EACCES"):
            fcntl.fcntl(other, fcntl.F_OFD_SETLK, lock)
