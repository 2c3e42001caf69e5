"""Cases on names: links, renames, unlinked files, nameless files, long names."""
import os
import stat

from suite import (
    RENAME_EXCHANGE,
    RENAME_NOREPLACE,
    case,
    check,
    create,
    equal,
    fails,
    in_child,
    link_descriptor,
    opened,
    read,
    renameat2,
    require_root,
)

# The limit that RazorFS states; other file systems have others.
LINKS_MAX = 65_535


@case
def a_nameless_file_gets_a_name(directory):
    with opened(directory, os.O_TMPFILE | os.O_RDWR, 0o640) as fd:
        equal(os.fstat(fd).st_nlink, 0)
        os.write(fd, b"content")
        equal(os.listdir(directory), [])
        link_descriptor(fd, directory + b"/named")
        equal(os.fstat(fd).st_nlink, 1)
    equal(read(directory + b"/named"), b"content")
    with opened(directory, os.O_TMPFILE | os.O_RDWR | os.O_EXCL) as fd, fails("ENOENT"):
        link_descriptor(fd, directory + b"/exclusive")


@case
def an_unlinked_file_stays_while_it_is_open(directory):
    for size in (100, 300_000):
        name = create(directory + b"/a", b"x" * size)
        with opened(name) as fd:
            os.unlink(name)
            equal(os.listdir(directory), [], "no hidden file")
            equal(os.fstat(fd).st_nlink, 0)
            os.pwrite(fd, b"more", size)
            equal(os.pread(fd, size + 10, 0), b"x" * size + b"more")
            os.ftruncate(fd, 10)
            os.fchmod(fd, 0o600)
            os.fsync(fd)
            equal(os.fstat(fd).st_size, 10)
            create(name, b"another")
            equal(os.pread(fd, 100, 0), b"x" * 10)
        equal(read(name), b"another")
        os.unlink(name)
    os.mkdir(directory + b"/sub")
    with opened(create(directory + b"/sub/a")) as fd:
        os.unlink(directory + b"/sub/a")
        os.rmdir(directory + b"/sub")
        os.write(fd, b"still")


@case
def rename_over_an_open_file(directory):
    old, new = create(directory + b"/old", b"old"), create(directory + b"/new", b"new")
    with opened(old) as fd:
        os.rename(new, old)
        equal(os.pread(fd, 10, 0), b"old")
        equal(os.fstat(fd).st_nlink, 0)
        os.pwrite(fd, b"OLD", 0)
        equal(read(old), b"new")
    equal(os.listdir(directory), [b"old"])


@case
def rename_follows_its_table_of_refusals(directory):
    file, empty, full = create(directory + b"/file"), directory + b"/empty", directory + b"/full"
    os.mkdir(empty)
    os.makedirs(full + b"/inner")
    with fails("EISDIR"):
        os.rename(file, empty)
    with fails("ENOTDIR"):
        os.rename(empty, file)
    with fails("ENOTEMPTY", "EEXIST"):
        os.rename(empty, full)
    with fails("EINVAL"):
        os.rename(full, full + b"/inner/below")
    with fails("ENOENT"):
        os.rename(directory + b"/none", file)
    os.rename(full, empty)
    equal(sorted(os.listdir(directory)), [b"empty", b"file"])
    equal(os.listdir(empty), [b"inner"])


@case
def rename_between_names_of_one_file_does_nothing(directory):
    create(directory + b"/a")
    os.link(directory + b"/a", directory + b"/b")
    os.rename(directory + b"/a", directory + b"/b")
    equal(sorted(os.listdir(directory)), [b"a", b"b"])


@case
def rename_noreplace_and_exchange(directory):
    a, b = create(directory + b"/a", b"a"), create(directory + b"/b", b"b")
    with fails("EEXIST"):
        renameat2(a, b, RENAME_NOREPLACE)
    renameat2(a, b, RENAME_EXCHANGE)
    equal((read(a), read(b)), (b"b", b"a"))
    os.makedirs(directory + b"/left/l")
    os.makedirs(directory + b"/right/dir/r")
    renameat2(directory + b"/left/l", directory + b"/right/dir", RENAME_EXCHANGE)
    equal(os.listdir(directory + b"/left/l"), [b"r"])
    renameat2(a, directory + b"/left/l", RENAME_EXCHANGE)
    equal(read(directory + b"/left/l"), b"b")
    equal(os.stat(directory + b"/left").st_nlink, 2, "links of left after its directory has gone")
    equal(os.stat(directory + b"/left/../a/r/..").st_ino, os.stat(a).st_ino, "parent after the exchange")
    with fails("ENOENT"):
        renameat2(a, directory + b"/none", RENAME_EXCHANGE)
    with fails("EINVAL"):
        renameat2(directory + b"/right", directory + b"/right/dir", RENAME_EXCHANGE)
    with fails("EINVAL"):
        renameat2(a, b, RENAME_EXCHANGE | RENAME_NOREPLACE)
    renameat2(b, directory + b"/c", RENAME_NOREPLACE)
    equal(read(directory + b"/c"), b"a")


@case
def hard_links_share_everything(directory):
    name = create(directory + b"/a", b"x")
    os.mkdir(directory + b"/sub")
    os.link(name, directory + b"/sub/b")
    equal(os.stat(name).st_nlink, 2)
    with opened(directory + b"/sub/b", os.O_WRONLY | os.O_APPEND) as fd:
        os.write(fd, b"y")
    os.chmod(name, 0o600)
    equal(read(name), b"xy")
    equal(stat.S_IMODE(os.stat(directory + b"/sub/b").st_mode), 0o600)
    os.unlink(name)
    equal(os.stat(directory + b"/sub/b").st_nlink, 1)
    with fails("EPERM"):
        os.link(directory + b"/sub", directory + b"/other")
    with fails("EEXIST"):
        os.link(directory + b"/sub/b", directory + b"/sub")


@case
def links_beyond_the_limit_are_emlink(directory):
    name = create(directory + b"/a")
    handle = os.open(directory, os.O_DIRECTORY)
    try:
        for number in range(LINKS_MAX - 1):
            try:
                os.link(b"a", b"%d" % number, src_dir_fd=handle, dst_dir_fd=handle)
            except OSError as error:
                # Other file systems have lower limits: ext4 has 65,000.
                equal(error.strerror, os.strerror(31), f"link {number}")
                break
        with fails("EMLINK"):
            os.link(name, directory + b"/one-too-many")
        links = os.stat(name).st_nlink
        os.unlink(directory + b"/7")
        os.link(name, directory + b"/7")
        equal(os.stat(name).st_nlink, links)
    finally:
        os.close(handle)


@case
def names_of_255_bytes_in_any_bytes(directory):
    names = {
        b"x" * 255,
        bytes(range(1, 47)) + bytes(range(48, 256)),
        "\N{SNOWMAN}".encode() * 85,
        b"\xff\xfe\xfd",
        b" ",
        b"\n",
        b"...",
        b"-rf *",
        "e\u0301".encode(),
        "\u00e9".encode(),
        b"CASE",
        b"case",
    }
    for name in names:
        create(directory + b"/" + name, name)
    equal(set(os.listdir(directory)), names)
    for name in names:
        equal(read(directory + b"/" + name), name)
        os.rename(directory + b"/" + name, directory + b"/to")
        os.rename(directory + b"/to", directory + b"/" + name)
        os.unlink(directory + b"/" + name)
    for make in (create, os.mkdir, lambda name: os.symlink(b"x", name)):
        with fails("ENAMETOOLONG"):
            make(directory + b"/" + b"x" * 256)
    with fails("ENAMETOOLONG"):
        os.stat(directory + b"/" + b"x" * 256)


@case
def symlinks_up_to_their_limit(directory):
    for target in (b"x", b"/" * 1000, b"y/" * 2047, b"\xff\n"):
        os.symlink(target, directory + b"/link")
        equal(os.readlink(directory + b"/link"), target)
        equal(os.lstat(directory + b"/link").st_size, len(target))
        os.unlink(directory + b"/link")
    with fails("ENAMETOOLONG"):
        os.symlink(b"z" * 4096, directory + b"/link")
    os.symlink(b"loop", directory + b"/loop")
    with fails("ELOOP"):
        os.stat(directory + b"/loop")
    os.symlink(b"target", directory + b"/dangling")
    with opened(directory + b"/dangling", os.O_CREAT | os.O_WRONLY) as fd:
        os.write(fd, b"through")
    equal(read(directory + b"/target"), b"through")
    with fails("ELOOP"):
        os.open(directory + b"/dangling", os.O_RDONLY | os.O_NOFOLLOW)


@case
def special_files(directory):
    os.mkfifo(directory + b"/fifo", 0o640)

    def writer():
        with opened(directory + b"/fifo", os.O_WRONLY) as fd:
            os.write(fd, b"through the fifo")

    pid = os.fork()
    if pid == 0:
        writer()
        os._exit(0)
    with opened(directory + b"/fifo", os.O_RDONLY) as fd:
        equal(os.read(fd, 100), b"through the fifo")
    os.waitpid(pid, 0)
    require_root()
    os.mknod(directory + b"/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(directory + b"/block", stat.S_IFBLK | 0o600, os.makedev(259, 1_000_000))
    os.mknod(directory + b"/socket", stat.S_IFSOCK | 0o600)
    equal(os.stat(directory + b"/block").st_rdev, os.makedev(259, 1_000_000))
    check(stat.S_ISSOCK(os.stat(directory + b"/socket").st_mode), "socket")
    with opened(directory + b"/null") as fd:
        equal((os.write(fd, b"gone"), os.read(fd, 10)), (4, b""))


@case
def permissions_are_enforced(directory):
    require_root()
    os.chmod(directory, 0o755)
    secret = create(directory + b"/secret", b"s", 0o600)
    os.mkdir(directory + b"/closed", 0o700)

    def stranger():
        with fails("EACCES"):
            os.open(secret, os.O_RDONLY)
        with fails("EACCES"):
            create(directory + b"/new")
        with fails("EACCES"):
            os.unlink(secret)
        with fails("EACCES"):
            os.listdir(directory + b"/closed")
        with fails("EPERM"):
            os.chmod(secret, 0o666)
        with fails("EPERM"):
            os.chown(secret, 1234, 1234)
        with fails("EACCES"):
            os.open(directory, os.O_TMPFILE | os.O_RDWR)

    in_child(stranger, uid=1234)
