"""Cases on directories: listing while they change, depth, links, and the bits that directories give meaning to."""
import os
import stat

from suite import DirectoryStream, case, check, create, equal, fails, in_child, require_root

ENTRIES = 10_000


def _fill(directory, count):
    handle = os.open(directory, os.O_DIRECTORY)
    for number in range(count):
        os.close(os.open(b"entry-%05d" % number, os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=handle))
    os.close(handle)
    return {b"entry-%05d" % number for number in range(count)}


@case
def every_entry_that_stays_is_seen_exactly_once(directory):
    entries = _fill(directory, ENTRIES)
    removed, added, seen = set(), 0, []
    stream = DirectoryStream(directory)
    while (name := stream.read()) is not None:
        seen.append(name)
        if len(seen) % 3 == 0:
            # One that was seen, one that may not have been, and a new one.
            for victim in (name, b"entry-%05d" % (len(seen) * 7919 % ENTRIES)):
                if victim in entries and victim not in removed:
                    os.unlink(directory + b"/" + victim)
                    removed.add(victim)
            create(directory + b"/new-%05d" % added)
            added += 1
    stream.close()
    equal(len(seen), len(set(seen)), "number of different names")
    missing = entries - removed - set(seen)
    equal(missing, set(), "entries that stayed and were not seen")
    equal(set(seen) - entries - {b".", b".."} - {b"new-%05d" % number for number in range(added)}, set(), "inventions")
    left = {name for name in os.listdir(directory) if name.startswith(b"entry")}
    equal(left, entries - removed)


@case
def deleting_everything_while_reading_empties_the_directory(directory):
    _fill(directory, 3000)
    stream = DirectoryStream(directory)
    while (name := stream.read()) is not None:
        if name not in (b".", b".."):
            os.unlink(directory + b"/" + name)
    stream.close()
    equal(os.listdir(directory), [])
    os.rmdir(directory)


@case
def telldir_and_seekdir_are_stable(directory):
    _fill(directory, 2000)
    stream = DirectoryStream(directory)
    order, positions = [], []
    while True:
        position = stream.tell()
        name = stream.read()
        if name is None:
            break
        order.append(name)
        positions.append(position)
    for index in (1999, 0, 777, 1234, 1, 500):
        stream.seek(positions[index])
        equal(stream.read(), order[index], f"after seekdir to entry {index}")
    # Positions stay good although entries before and after them go.
    for name in order[100:300]:
        if name.startswith(b"entry"):
            os.unlink(directory + b"/" + name)
    stream.seek(positions[400])
    equal(stream.names(), order[400:], "after deletions")
    stream.rewind()
    equal(len(stream.names()), len(os.listdir(directory)) + 2, "after rewinddir")
    create(directory + b"/later")
    stream.rewind()
    check(b"later" in stream.names(), "rewinddir sees what is new")
    stream.close()


@case
def a_removed_directory_that_is_open(directory):
    gone = directory + b"/gone"
    os.mkdir(gone)
    handle = os.open(gone, os.O_DIRECTORY)
    os.rmdir(gone)
    equal(os.listdir(handle), [])
    with fails("ENOENT"):
        os.open(b"a", os.O_CREAT | os.O_WRONLY, dir_fd=handle)
    with fails("ENOENT"):
        os.mkdir(b"a", dir_fd=handle)
    equal(os.fstat(handle).st_nlink, 0)
    os.mkdir(gone)
    equal(os.listdir(handle), [])
    os.close(handle)


@case
def links_of_a_directory_count_its_subdirectories(directory):
    def links():
        return os.stat(directory).st_nlink

    equal(links(), 2)
    for number in range(5):
        os.mkdir(directory + b"/%d" % number)
    create(directory + b"/file")
    equal(links(), 7)
    os.rmdir(directory + b"/4")
    equal(links(), 6)
    os.rename(directory + b"/3", directory + b"/0/moved")
    equal((links(), os.stat(directory + b"/0").st_nlink), (5, 3))
    os.rename(directory + b"/2", directory + b"/1")
    equal(links(), 4)
    equal(os.stat(directory + b"/0/moved/..").st_ino, os.stat(directory + b"/0").st_ino)


@case
def rmdir_refuses_what_it_must(directory):
    os.makedirs(directory + b"/a/b")
    create(directory + b"/file")
    with fails("ENOTEMPTY", "EEXIST"):
        os.rmdir(directory + b"/a")
    with fails("ENOTDIR"):
        os.rmdir(directory + b"/file")
    with fails("EISDIR", "EPERM"):
        os.unlink(directory + b"/a")
    with fails("EINVAL"):
        os.rmdir(directory + b"/a/.")
    with fails("ENOTEMPTY", "EEXIST"):
        os.rmdir(directory + b"/a/..")
    with fails("EEXIST"):
        os.mkdir(directory + b"/file")
    with fails("ENOTDIR"):
        os.mkdir(directory + b"/file/below")


@case
def a_deep_tree(directory):
    depth = 1000
    handle = os.open(directory, os.O_DIRECTORY)
    handles = [handle]
    for _ in range(depth):
        os.mkdir(b"deep", dir_fd=handles[-1])
        handles.append(os.open(b"deep", os.O_DIRECTORY, dir_fd=handles[-1]))
        if len(handles) > 20:
            os.close(handles.pop(0))
    os.close(os.open(b"bottom", os.O_CREAT | os.O_WRONLY, dir_fd=handles[-1]))
    for handle in handles:
        os.close(handle)
    here = os.getcwd()
    os.chdir(directory)
    try:
        for _ in range(depth):
            os.chdir(b"deep")
        equal(os.listdir(b"."), [b"bottom"])
        os.unlink(b"bottom")
        for _ in range(depth):
            os.chdir(b"..")
            os.rmdir(b"deep")
        equal(os.stat(b".").st_ino, os.stat(directory).st_ino)
    finally:
        os.chdir(here)


@case
def new_entries_of_a_setgid_directory_get_its_group(directory):
    require_root()
    shared = directory + b"/shared"
    os.mkdir(shared)
    os.chown(shared, 0, 4321)
    os.chmod(shared, 0o2777)
    os.chmod(directory, 0o755)

    def member():
        create(shared + b"/file")
        os.mkdir(shared + b"/sub")
        os.symlink(b"x", shared + b"/link")

    in_child(member, uid=1234)
    equal([os.lstat(shared + b"/" + name).st_gid for name in (b"file", b"sub", b"link")], [4321] * 3)
    check(os.stat(shared + b"/sub").st_mode & stat.S_ISGID, "directories pass the bit on")
    check(not os.stat(shared + b"/file").st_mode & stat.S_ISGID, "files do not")
    equal(os.stat(shared + b"/file").st_uid, 1234)


@case
def sticky_directories_protect_what_others_own(directory):
    require_root()
    os.chmod(directory, 0o1777)
    create(directory + b"/theirs")
    os.chown(directory + b"/theirs", 2222, 2222)

    def stranger():
        create(directory + b"/mine")
        for forbidden in (
            lambda: os.unlink(directory + b"/theirs"),
            lambda: os.rename(directory + b"/theirs", directory + b"/stolen"),
            lambda: os.rename(directory + b"/mine", directory + b"/theirs"),
        ):
            with fails("EPERM", "EACCES"):
                forbidden()
        os.unlink(directory + b"/mine")

    in_child(stranger, uid=1234)


@case
def the_umask_applies_to_everything_new(directory):
    def child():
        os.umask(0o027)
        os.close(os.open(directory + b"/file", os.O_CREAT | os.O_WRONLY, 0o777))
        os.mkdir(directory + b"/dir", 0o777)
        os.mkfifo(directory + b"/fifo", 0o777)
        for name in (b"file", b"dir", b"fifo"):
            equal(oct(os.stat(directory + b"/" + name).st_mode & 0o7777), "0o750", name)

    in_child(child)
