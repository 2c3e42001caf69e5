"""Cases on what stat(2), statvfs(3) and utimensat(2) show and change."""
import os
import stat
import time

from suite import UTIME_NOW, UTIME_OMIT, case, check, create, equal, fails, in_child, opened, read, require_root, utimensat

NS = 1_000_000_000


@case
def times_before_1970_and_after_2038_to_the_nanosecond(directory):
    name = create(directory + b"/a")
    # As far as ext4 goes in both directions, so that the case can be tried there.
    for seconds in (1 - 2**31, -1, 0, 2**31, 2**32 + 5, 2**33 + 2**32):
        utimensat(name, (seconds, 123_456_789), (seconds, 999_999_999))
        times = os.stat(name)
        equal((times.st_atime_ns, times.st_mtime_ns), (seconds * NS + 123_456_789, seconds * NS + 999_999_999))


@case
def utimensat_now_and_omit(directory):
    name = create(directory + b"/a")
    utimensat(name, (1000, 1), (2000, 2))
    utimensat(name, (0, UTIME_OMIT), (3000, 3))
    equal((os.stat(name).st_atime_ns, os.stat(name).st_mtime_ns), (1000 * NS + 1, 3000 * NS + 3))
    before = time.time_ns()
    utimensat(name, (0, UTIME_NOW), (0, UTIME_OMIT))
    after = os.stat(name)
    equal(after.st_mtime_ns, 3000 * NS + 3)
    # The kernel's clock for time stamps is coarse: up to a tick behind.
    check(before - NS // 10 <= after.st_atime_ns <= time.time_ns(), "now")
    ctime = after.st_ctime_ns
    utimensat(name, (0, UTIME_OMIT), (0, UTIME_OMIT))
    equal(os.stat(name).st_ctime_ns, ctime, "nothing changed")


@case
def others_may_set_the_times_to_now_only(directory):
    require_root()
    os.chmod(directory, 0o777)
    name = create(directory + b"/a")
    os.chmod(name, 0o666)

    def stranger():
        os.utime(name)
        with fails("EPERM"):
            os.utime(name, ns=(1, 1))

    in_child(stranger, uid=1234)


@case
def changes_move_the_times_they_must(directory):
    def moved(function, *names):
        before = {name: os.lstat(name) for name in names}
        # Longer than the kernel's clock tick.
        time.sleep(0.02)
        function()
        result = []
        for name in names:
            after = os.lstat(name)
            result.append(
                "".join(
                    letter
                    for letter, field in (("m", "st_mtime_ns"), ("c", "st_ctime_ns"))
                    if getattr(after, field) > getattr(before[name], field)
                )
            )
        return result

    file, sub = create(directory + b"/file", b"x"), directory + b"/sub"
    os.mkdir(sub)
    equal(moved(lambda: create(directory + b"/new"), directory), ["mc"], "create")
    equal(moved(lambda: os.mkdir(sub + b"/d"), sub), ["mc"], "mkdir")
    equal(moved(lambda: os.unlink(directory + b"/new"), directory), ["mc"], "unlink")
    equal(moved(lambda: os.chmod(file, 0o600), file), ["c"], "chmod")
    equal(moved(lambda: os.link(file, sub + b"/l"), file, sub), ["c", "mc"], "link")
    equal(moved(lambda: os.rename(sub + b"/l", directory + b"/l"), file, sub, directory), ["c", "mc", "mc"], "rename")
    equal(moved(lambda: os.truncate(file, 5), file), ["mc"], "truncate")
    equal(moved(lambda: os.setxattr(file, b"user.a", b""), file), ["c"], "setxattr")
    equal(moved(lambda: create(file, b"more"), file, directory), ["mc", ""], "write")
    equal(moved(lambda: os.rmdir(sub + b"/d"), sub), ["mc"], "rmdir")
    with opened(file) as fd:
        equal(moved(lambda: (os.write(fd, b"z"), os.fsync(fd)), file), ["mc"], "write to an open file")


@case
def reading_a_symlink_moves_its_access_time(directory):
    link = directory + b"/link"
    os.symlink(b"target", link)
    os.utime(link, (1000, 2000), follow_symlinks=False)
    equal(os.readlink(link), b"target")
    check(os.lstat(link).st_atime > 2000, "atime was older than mtime")


@case
def chmod_and_chown(directory):
    name = create(directory + b"/a")
    for mode in (0, 0o7777, 0o1644, 0o4755, 0o2644):
        os.chmod(name, mode)
        equal(oct(stat.S_IMODE(os.stat(name).st_mode)), oct(mode))
    require_root()
    os.chown(name, 2**32 - 2, 12345)
    equal((os.stat(name).st_uid, os.stat(name).st_gid), (2**32 - 2, 12345))
    os.chown(name, -1, 7)
    equal((os.stat(name).st_uid, os.stat(name).st_gid), (2**32 - 2, 7))
    os.symlink(b"a", directory + b"/link")
    os.chown(directory + b"/link", 5, 6, follow_symlinks=False)
    equal((os.lstat(directory + b"/link").st_uid, os.stat(name).st_gid), (5, 7))


@case
def chown_clears_setuid_and_setgid(directory):
    require_root()
    name = create(directory + b"/a")
    os.chmod(name, 0o6755)
    os.chown(name, 1000, 1000)
    equal(oct(stat.S_IMODE(os.stat(name).st_mode)), "0o755")
    os.chmod(directory, 0o2755)
    os.chown(directory, 1000, 1000)
    equal(oct(stat.S_IMODE(os.stat(directory).st_mode)), "0o2755", "a directory keeps setgid")


@case
def chmod_by_one_outside_the_group_drops_setgid(directory):
    require_root()
    name = create(directory + b"/a")
    os.chown(name, 1234, 4321)
    in_child(lambda: os.chmod(name, 0o2755), uid=1234)
    equal(oct(stat.S_IMODE(os.stat(name).st_mode)), "0o755")


@case
def statvfs_tells_the_truth(directory):
    before = os.statvfs(directory)
    check(0 < before.f_bavail <= before.f_bfree <= before.f_blocks, "free blocks")
    check(before.f_files > 0 and before.f_ffree > 0, "inodes")
    equal(before.f_namemax, 255)
    check(before.f_bsize >= 512 and before.f_frsize >= 512, "block size")


@case
def sizes_and_blocks(directory):
    for size in (0, 1, 511, 4096, 100_000):
        name = create(directory + b"/%d" % size, b"x" * size)
        with opened(name) as fd:
            os.fsync(fd)
        shown = os.stat(name)
        equal(shown.st_size, size)
        check(shown.st_blocks * 512 >= size, f"{shown.st_blocks} blocks for {size} bytes")
    equal(len(read(directory + b"/511")), 511)


@case
def every_inode_has_its_own_number_that_stays(directory):
    names = [create(directory + b"/%d" % number) for number in range(100)]
    numbers = [os.stat(name).st_ino for name in names]
    equal(len(set(numbers)), 100)
    os.rename(names[0], directory + b"/renamed")
    equal(os.stat(directory + b"/renamed").st_ino, numbers[0])
    listed = {entry.name: entry.inode() for entry in os.scandir(directory)}
    equal(listed[b"1"], numbers[1], "the listing has the same number")


def times_survive_the_cache(names):
    before = [os.stat(name) for name in names]
    # Inodes leave the kernel's memory: what the file system itself knows is asked for again.
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("2")
    for name, known in zip(names, before):
        found = os.stat(name)
        equal((found.st_mtime_ns, found.st_ctime_ns), (known.st_mtime_ns, known.st_ctime_ns), name)


@case
def times_of_rewritten_files_survive_the_cache(directory):
    require_root()
    names = [create(directory + b"/%d" % number, b"x" * 50) for number in range(100)]
    for name in names:
        # Truncated and written within one tick of the kernel's clock.
        create(name, b"y" * 83)
        create(name, b"z" * 83)
    times_survive_the_cache(names)


@case
def times_after_truncation_to_the_same_size_survive_the_cache(directory):
    require_root()
    names = [create(directory + b"/%d" % size, b"x" * size) for size in (0, 50, 100_000)]
    for name in names:
        os.utime(name, (1000, 2000))
        os.truncate(name, os.stat(name).st_size)
    times_survive_the_cache(names)


@case
def what_is_written_after_a_file_was_made_is_not_older(directory):
    def write(name):
        with opened(name, os.O_WRONLY) as fd:
            os.write(fd, b"x")

    # The file system stamps what it makes, the kernel what is written, and both within a tick of the clock.
    for change in (write, os.utime):
        for number in range(20):
            old, new = create(directory + b"/old"), directory + b"/new"
            create(new)
            change(old)
            check(os.stat(new).st_mtime_ns <= os.stat(old).st_mtime_ns, f"{change.__name__}, {number}")
            os.unlink(new)
